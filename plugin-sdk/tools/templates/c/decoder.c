/* @NAME@: flags u8 | weight u16 LE, 0.01 kg or 0.01 lb | [date and time 7, if b1] | battery u8, %
 *
 * Flags: b0 the weight is in pounds, b1 there is a time. A weight of 0 means that nobody stands on the scale, and 0xFFFF that the
 * scale could not weigh. */
#include "afferent.h"

/* The component's file is called so too. */
#define DECODER_NAME "@NAME@"

enum { IN_POUNDS = 1 << 0, WITH_TIME = 1 << 1 };

struct afferent_manifest decoder_describe(void) {
    struct afferent_manifest manifest = afferent_manifest(DECODER_NAME, "Example", "1.0.0", "Body weight of the example scale.");
    afferent_add_model(&manifest, DECODER_NAME, "Example scale");
    afferent_add_channel(&manifest, "FFB2");
    afferent_add_kind(&manifest, "body-weight");
    afferent_add_example(&manifest, "a weight", DECODER_NAME, "FFB2", "00 581B 55", "readings");
    afferent_expect(&manifest, "body-weight 70.00 kg");
    afferent_add_example(&manifest, "nobody", DECODER_NAME, "FFB2", "00 0000 55", "nothing");
    afferent_add_example(&manifest, "no result", DECODER_NAME, "FFB2", "00 FFFF 55", "readings");
    afferent_expect(&manifest, "body-weight absent error");
    afferent_add_example(&manifest, "truncated", DECODER_NAME, "FFB2", "00 58", "error");
    return manifest;
}

struct afferent_outcome decoder_decode(const struct afferent_input *input) {
    struct afferent_reader reader = afferent_only_frame(input);
    uint8_t flags = afferent_flags_u8(&reader, IN_POUNDS | WITH_TIME); /* refuses every other bit: it could shift what follows */
    uint16_t weight = afferent_u16_le(&reader);
    struct afferent_clock clock = {0};
    if (flags & WITH_TIME) clock = afferent_date_time(&reader);
    struct afferent_value battery = afferent_quantity(afferent_decimal(afferent_u8(&reader), 0), "%");
    afferent_finish(&reader); /* refuses trailing bytes */

    struct afferent_outcome outcome;
    if (weight == 0) {
        outcome = afferent_nothing("no-measurement", "nobody is on the scale");
    } else {
        struct afferent_value value = weight == 0xFFFF ? afferent_absent("error")
            : afferent_quantity(afferent_decimal(weight, -2), flags & IN_POUNDS ? "[lb_av]" : "kg");
        struct afferent_reading reading = afferent_reading("body-weight", value);
        if (flags & WITH_TIME) afferent_at_wall_clock(&reading, clock, NULL);
        outcome = afferent_readings();
        afferent_add_reading(&outcome, reading);
    }
    afferent_add_fact(&outcome, "battery", battery);
    return outcome;
}
