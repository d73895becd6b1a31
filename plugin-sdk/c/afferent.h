/* Afferent's SDK for decoders in C: the contract's types, readers that refuse what they do not know, exact decimals, builders.
 *
 * A decoder implements `decoder_describe` and `decoder_decode`, and is a pure function: there is no clock, no network, no files, no
 * libc and no memory to free (an instance lives for one payload). It is C11, compiled for wasm32 without an operating system.
 *
 * A refusal cannot be overlooked. The first read that fails (the payload ends, an unknown flag) is remembered; every later read of any
 * reader gives 0, and whatever `decoder_decode` returns then, the platform hears the refusal. So is a reader that was not ended with
 * `afferent_finish`: bytes behind the last field mean that the layout is not what the decoder thinks it is.
 *
 * What C leaves undefined (signed overflow, an index out of an array's bounds), and an implicit conversion that changes a number,
 * stops the decode instead of giving a wrong number: `afferent plugin pack` compiles with those checks. Where bits are meant to be
 * lost (a checksum), say so with a cast.
 *
 * The structs below lie in memory as the contract's records do (`decoder.wit`, whose comments say what each field means), so that nothing is
 * copied on the way out. They are frozen with the contract: fields have the contract's names and its order.
 */
#ifndef AFFERENT_H
#define AFFERENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ── The contract ────────────────────────────────────────────────────────────────────────────────────────────────── */

/* UTF-8 of so many bytes, without a zero at its end. */
struct afferent_text { const char *data; size_t length; };
struct afferent_optional_text { bool is_there; struct afferent_text text; };
struct afferent_texts { struct afferent_text *items; size_t length; };

/* mantissa × 10^exponent: 7025 and -2 are 70.25. Trailing zeros are precision. */
struct afferent_decimal { int64_t mantissa; int32_t exponent; };
struct afferent_optional_decimal { bool is_there; struct afferent_decimal decimal; };

struct afferent_name_value { struct afferent_text name, value; };
struct afferent_name_values { struct afferent_name_value *items; size_t length; };

struct afferent_coding {
    struct afferent_text system, code;
    struct afferent_optional_text display;
    struct afferent_name_values extra;
};
struct afferent_codings { struct afferent_coding *items; size_t length; };

struct afferent_quantity {
    struct afferent_decimal value;
    struct afferent_text unit;
    struct afferent_optional_text comparator;
    struct afferent_name_values extra;
};

struct afferent_samples { int32_t *items; size_t length; };
struct afferent_sampled_data {
    struct afferent_decimal origin, period_ms, factor;
    struct afferent_text unit;
    struct afferent_optional_decimal lower_limit, upper_limit;
    uint32_t dimensions;
    struct afferent_samples samples;
    struct afferent_name_values extra;
};

enum {
    AFFERENT_VALUE_NONE, AFFERENT_VALUE_QUANTITY, AFFERENT_VALUE_CODED, AFFERENT_VALUE_TEXT, AFFERENT_VALUE_BOOLEAN,
    AFFERENT_VALUE_INTEGER, AFFERENT_VALUE_SAMPLED, AFFERENT_VALUE_ABSENT
};
struct afferent_value {
    uint8_t is;
    union {
        struct afferent_quantity quantity;
        struct afferent_coding coded;
        struct afferent_text text;
        bool boolean;
        int64_t integer;
        struct afferent_sampled_data sampled;
        struct afferent_text absent;
    };
};

enum { AFFERENT_TIME_NONE, AFFERENT_TIME_LOCAL, AFFERENT_TIME_ZONED, AFFERENT_TIME_BEFORE_CAPTURE };
struct afferent_device_time {
    uint8_t is;
    union {
        struct afferent_text local, zoned;
        uint64_t before_capture;
    };
};

enum { AFFERENT_REPLACE, AFFERENT_DISTINCT, AFFERENT_CONFLICT };

struct afferent_component {
    struct afferent_text kind;
    struct afferent_codings codings;
    struct afferent_value value;
    struct afferent_name_values extra;
};
struct afferent_components { struct afferent_component *items; size_t length; };

struct afferent_reading {
    struct afferent_text kind;
    struct afferent_codings codings;
    struct afferent_value value;
    struct afferent_components components;
    struct afferent_device_time time, time_end;
    struct afferent_text clock_state;
    struct afferent_optional_text body_site, method;
    struct afferent_name_values context;
    struct afferent_texts flags;
    struct afferent_optional_text user_slot;
    struct afferent_name_values device_identity;
    struct afferent_optional_text record_key;
    uint8_t on_change;
    struct afferent_name_values extra;
};
struct afferent_readings { struct afferent_reading *items; size_t length; };

struct afferent_device_fact {
    struct afferent_text kind;
    struct afferent_value value;
    struct afferent_name_values extra;
};
struct afferent_device_facts { struct afferent_device_fact *items; size_t length; };

struct afferent_warning { struct afferent_text code, message; struct afferent_name_values extra; };
struct afferent_warnings { struct afferent_warning *items; size_t length; };

struct afferent_decoded {
    struct afferent_readings readings;
    struct afferent_device_facts facts;
    struct afferent_warnings warnings;
    struct afferent_name_values extra;
};

struct afferent_incomplete { struct afferent_text reason; struct afferent_name_values extra; };

struct afferent_nothing {
    struct afferent_text reason, message;
    struct afferent_device_facts facts;
    struct afferent_warnings warnings;
    struct afferent_name_values extra;
};

enum { AFFERENT_MALFORMED, AFFERENT_UNSUPPORTED, AFFERENT_NOT_FOR_ME };
struct afferent_offset { bool is_there; uint32_t offset; };
struct afferent_decode_error {
    uint8_t kind;
    struct afferent_text message;
    struct afferent_offset offset;
    struct afferent_optional_text path;
    struct afferent_name_values extra;
};

enum { AFFERENT_OUTCOME_READINGS, AFFERENT_OUTCOME_INCOMPLETE, AFFERENT_OUTCOME_NOTHING, AFFERENT_OUTCOME_ERROR };
struct afferent_outcome {
    uint8_t is;
    union {
        struct afferent_decoded readings;
        struct afferent_incomplete incomplete;
        struct afferent_nothing nothing;
        struct afferent_decode_error error;
    };
};

struct afferent_bytes { const uint8_t *items; size_t length; };
struct afferent_moment { bool is_there; int64_t milliseconds; };
struct afferent_frame {
    struct afferent_text channel;
    struct afferent_bytes data;
    struct afferent_moment captured_at_ms;
    struct afferent_name_values extra;
};
struct afferent_frames { struct afferent_frame *items; size_t length; };

struct afferent_input {
    struct afferent_text model;
    struct afferent_frames frames;
    struct afferent_text content_type;
    int64_t received_at_ms;
    struct afferent_optional_text time_zone;
    struct afferent_name_values variables, extra;
};

struct afferent_model {
    struct afferent_text name, title;
    struct afferent_texts channels, variables;
    struct afferent_name_values extra;
};
struct afferent_models { struct afferent_model *items; size_t length; };

struct afferent_example {
    struct afferent_text name;
    struct afferent_input input;
    struct afferent_text outcome;
    struct afferent_texts values;
    struct afferent_name_values extra;
};
struct afferent_examples { struct afferent_example *items; size_t length; };

struct afferent_manifest {
    struct afferent_text name, vendor, version, license, description;
    struct afferent_models models;
    struct afferent_texts kinds, flags, warnings;
    struct afferent_examples examples;
    struct afferent_name_values extra;
};

/* ── What a decoder implements ───────────────────────────────────────────────────────────────────────────────────── */

/* What it says of itself. */
struct afferent_manifest decoder_describe(void);
/* What a payload comes to. */
struct afferent_outcome decoder_decode(const struct afferent_input *input);

/* ── Reading bytes ───────────────────────────────────────────────────────────────────────────────────────────────── */

struct afferent_reader { const uint8_t *data; size_t length, position; };

/* The bytes of the only frame; no frame and several are refused. */
struct afferent_reader afferent_only_frame(const struct afferent_input *input);
/* The bytes of one of several frames. */
struct afferent_reader afferent_frame(const struct afferent_frame *frame);

uint8_t afferent_u8(struct afferent_reader *reader);
int8_t afferent_i8(struct afferent_reader *reader);
uint16_t afferent_u16_le(struct afferent_reader *reader);
uint16_t afferent_u16_be(struct afferent_reader *reader);
int16_t afferent_i16_le(struct afferent_reader *reader);
int16_t afferent_i16_be(struct afferent_reader *reader);
uint32_t afferent_u24_le(struct afferent_reader *reader);
uint32_t afferent_u24_be(struct afferent_reader *reader);
uint32_t afferent_u32_le(struct afferent_reader *reader);
uint32_t afferent_u32_be(struct afferent_reader *reader);
int32_t afferent_i32_le(struct afferent_reader *reader);
int32_t afferent_i32_be(struct afferent_reader *reader);
/* So many bytes; none when they are not there. */
struct afferent_bytes afferent_take(struct afferent_reader *reader, size_t count);
/* A flag byte of which only these bits may be set: another one could shift every field behind it. */
uint8_t afferent_flags_u8(struct afferent_reader *reader, uint8_t known);
uint16_t afferent_flags_u16_le(struct afferent_reader *reader, uint16_t known);
/* IEEE 11073-20601 SFLOAT and FLOAT in a unit of UCUM; special values (NaN, infinities, NRes) are absent, never a number. */
struct afferent_value afferent_sfloat(struct afferent_reader *reader, const char *unit);
struct afferent_value afferent_float(struct afferent_reader *reader, const char *unit);

/* What a device's clock said: the text of a time that exists (else it is empty), and the state of the clock. */
struct afferent_clock { struct afferent_text local; const char *state; };
/* Bluetooth Date Time 0x2A08, 7 bytes. */
struct afferent_clock afferent_date_time(struct afferent_reader *reader);

/* The sum of all bytes (its lower byte is their sum modulo 256), and all bytes combined with exclusive-or. */
uint16_t afferent_sum(const uint8_t *data, size_t length);
uint8_t afferent_xor(const uint8_t *data, size_t length);
/* A cyclic redundancy check of 8 or 16 bits, by the parameters under which catalogues list it: what it starts with, what the end is
   combined with, whether the lowest bit of every byte comes first ("reflected"). Modbus's is { 16, 0x8005, 0xFFFF, 0, true }. */
struct afferent_crc { uint8_t bits; uint16_t polynomial, start, end; bool lowest_first; };
uint16_t afferent_crc_over(struct afferent_crc crc, const uint8_t *data, size_t length);

/* How many bytes are left; 0 after a refusal, so that `while (afferent_left(&reader))` ends. */
size_t afferent_left(const struct afferent_reader *reader);
/* Ends the reading: refuses bytes that are left over. Every reader has to be ended. */
void afferent_finish(struct afferent_reader *reader);

/* Refuses the payload at an offset (or where a reader stands); the first refusal counts. The message must not repeat personal data. */
void afferent_refuse(uint8_t kind, const char *message, size_t offset);
void afferent_refuse_here(const struct afferent_reader *reader, const char *message);
/* Is anything refused? A loop whose count the payload gives asks this at every turn. */
bool afferent_refused(void);

/* ── Making what the platform hears ──────────────────────────────────────────────────────────────────────────────── */

/* Of a C string, which must stay as it is. */
struct afferent_text afferent_text(const char *words);
struct afferent_optional_text afferent_some_text(const char *words);
bool afferent_text_is(struct afferent_text text, const char *words);

struct afferent_decimal afferent_decimal(int64_t mantissa, int32_t exponent);
/* A decimal as text writes it, with every digit: 36.60, -0.5. Anything else, and more than 18 digits, is refused at the offset. */
struct afferent_decimal afferent_parse_decimal(struct afferent_text written, size_t offset);

struct afferent_value afferent_quantity(struct afferent_decimal value, const char *unit);
struct afferent_value afferent_absent(const char *reason);
struct afferent_value afferent_words(const char *words);

struct afferent_reading afferent_reading(const char *kind, struct afferent_value value);
void afferent_add_component(struct afferent_reading *reading, const char *kind, struct afferent_value value);
void afferent_add_reading_flag(struct afferent_reading *reading, const char *flag);
void afferent_add_context(struct afferent_reading *reading, const char *name, const char *value);
/* The time, the state of the clock and the key of the record; with a user slot, also that (NULL: none). */
void afferent_at_wall_clock(struct afferent_reading *reading, struct afferent_clock clock, const char *user_slot);

/* Readings: none at first. */
struct afferent_outcome afferent_readings(void);
void afferent_add_reading(struct afferent_outcome *outcome, struct afferent_reading reading);
/* Well formed, and nothing to store. */
struct afferent_outcome afferent_nothing(const char *reason, const char *message);
/* More frames are needed. */
struct afferent_outcome afferent_incomplete(const char *reason);
/* To readings, or to nothing. */
void afferent_add_fact(struct afferent_outcome *outcome, const char *kind, struct afferent_value value);
void afferent_add_warning(struct afferent_outcome *outcome, const char *code, const char *message);

/* The value of a variable that the platform keeps for this device; not there: `is_there` is false. */
struct afferent_optional_text afferent_variable(const struct afferent_input *input, const char *name);

/* ── The manifest ────────────────────────────────────────────────────────────────────────────────────────────────── */

struct afferent_manifest afferent_manifest(const char *name, const char *vendor, const char *version, const char *description);
void afferent_add_model(struct afferent_manifest *manifest, const char *name, const char *title);
/* To the model that was added last. */
void afferent_add_channel(struct afferent_manifest *manifest, const char *channel);
void afferent_add_variable(struct afferent_manifest *manifest, const char *name);
/* Every kind, flag and warning that it may say. */
void afferent_add_kind(struct afferent_manifest *manifest, const char *kind);
void afferent_add_flag(struct afferent_manifest *manifest, const char *flag);
void afferent_add_warning_code(struct afferent_manifest *manifest, const char *code);
/* A payload in hexadecimal (spaces are ignored), and `readings`, `incomplete`, `nothing` or `error`. The platform runs it before it
 * trusts the decoder. */
void afferent_add_example(struct afferent_manifest *manifest, const char *name, const char *model, const char *channel,
                          const char *payload, const char *outcome);
/* A line of the example that was added last, in order: `body-weight 70.25 kg`. */
void afferent_expect(struct afferent_manifest *manifest, const char *line);

/* ── Memory ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* So many zeroed bytes, for any type. Nothing is freed: an instance lives for one payload. */
void *afferent_allocate(size_t size);

#endif
