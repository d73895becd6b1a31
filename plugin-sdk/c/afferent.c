/* Afferent's SDK for decoders in C: what afferent.h declares, and the two functions that the platform calls. */

#include "afferent.h"

/* ── Memory ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

enum { PAGE = 65536, ALIGNMENT = 8 };

/* The linker says where its own data and the stack end. */
extern uint8_t __heap_base;
static uintptr_t next;

void *afferent_allocate(size_t size) {
    uintptr_t at = ((next ? next : (uintptr_t)&__heap_base) + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1);
    uintptr_t there = __builtin_wasm_memory_size(0) * (uintptr_t)PAGE;
    /* The memory is at most 4 GiB, so that the last page is never given and no sum wraps. */
    if (size > UINTPTR_MAX - PAGE - at) __builtin_trap();
    if (at + size > there) {
        uintptr_t pages = (at + size - there + PAGE - 1) / PAGE;
        if (__builtin_wasm_memory_grow(0, pages) == SIZE_MAX) __builtin_trap();
    }
    next = at + size;
    return (void *)at;
}

/* By this the platform puts a payload into the memory: it only ever asks for new memory. */
__attribute__((export_name("cabi_realloc")))
void *afferent_reallocate(void *old, size_t old_size, size_t alignment, size_t size) {
    if (alignment > ALIGNMENT) __builtin_trap();
    void *made = afferent_allocate(size);
    if (old_size) __builtin_memcpy(made, old, old_size < size ? old_size : size);
    return made;
}

/* What compilers call for copies and comparisons of their own. */
void *memcpy(void *restrict to, const void *restrict from, size_t count) { return __builtin_memcpy(to, from, count); }
void *memmove(void *to, const void *from, size_t count) { return __builtin_memmove(to, from, count); }
void *memset(void *to, int byte, size_t count) { return __builtin_memset(to, byte, count); }
int memcmp(const void *left, const void *right, size_t count) {
    const uint8_t *one = left, *other = right;
    for (size_t at = 0; at < count; at += 1)
        if (one[at] != other[at]) return one[at] < other[at] ? -1 : 1;
    return 0;
}
size_t strlen(const char *words) {
    size_t length = 0;
    while (words[length]) length += 1;
    return length;
}

/* Items with room for one more: the room doubles whenever their number is a power of two. */
static void *with_room(void *items, size_t length, size_t size) {
    if (length & (length - 1)) return items;
    void *larger = afferent_allocate((length ? 2 * length : 1) * size);
    if (length) __builtin_memcpy(larger, items, length * size);
    return larger;
}
#define APPEND(LIST, ...) \
    do { \
        (LIST)->items = with_room((LIST)->items, (LIST)->length, sizeof *(LIST)->items); \
        (LIST)->items[(LIST)->length] = (__VA_ARGS__); \
        (LIST)->length += 1; \
    } while (0)

/* ── Texts ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

struct afferent_text afferent_text(const char *words) { return (struct afferent_text){words, strlen(words)}; }

struct afferent_optional_text afferent_some_text(const char *words) {
    return (struct afferent_optional_text){true, afferent_text(words)};
}

bool afferent_text_is(struct afferent_text text, const char *words) {
    return text.length == strlen(words) && memcmp(text.data, words, text.length) == 0;
}

/* A text that is put together, such as a message. */
struct writer { char *start; size_t length; };

static void write_words(struct writer *writer, const char *words) {
    for (; *words; words += 1) writer->start[writer->length++] = *words;
}

static void write_number(struct writer *writer, size_t number, unsigned digits) {
    char turned[20];
    unsigned count = 0;
    for (; number || count < digits || !count; number /= 10) turned[count++] = (char)('0' + number % 10);
    while (count) writer->start[writer->length++] = turned[--count];
}

static struct afferent_text written(const struct writer *writer) { return (struct afferent_text){writer->start, writer->length}; }

/* ── Refusals ────────────────────────────────────────────────────────────────────────────────────────────────────── */

enum { NOWHERE = -1 };

static bool refused;
static struct afferent_decode_error refusal;
/* How many readers were made, and ended. */
static size_t readers_made, readers_ended;

static void refuse(uint8_t kind, struct afferent_text message, bool somewhere, size_t offset) {
    if (refused) return;
    refused = true;
    refusal = (struct afferent_decode_error){.kind = kind, .message = message, .offset = {somewhere, (uint32_t)offset}};
}

void afferent_refuse(uint8_t kind, const char *message, size_t offset) { refuse(kind, afferent_text(message), true, offset); }

void afferent_refuse_here(const struct afferent_reader *reader, const char *message) {
    afferent_refuse(AFFERENT_MALFORMED, message, reader->position);
}

bool afferent_refused(void) { return refused; }

/* ── Reading bytes ───────────────────────────────────────────────────────────────────────────────────────────────── */

struct afferent_reader afferent_frame(const struct afferent_frame *frame) {
    readers_made += 1;
    return (struct afferent_reader){frame->data.items, frame->data.length, 0};
}

struct afferent_reader afferent_only_frame(const struct afferent_input *input) {
    if (input->frames.length == 1) return afferent_frame(&input->frames.items[0]);
    if (input->frames.length == 0) refuse(AFFERENT_MALFORMED, afferent_text("there is no frame"), false, 0);
    else refuse(AFFERENT_UNSUPPORTED, afferent_text("a record of this device is one frame, and there are several"), false, 0);
    return (struct afferent_reader){0};
}

size_t afferent_left(const struct afferent_reader *reader) { return refused ? 0 : reader->length - reader->position; }

struct afferent_bytes afferent_take(struct afferent_reader *reader, size_t count) {
    if (refused) return (struct afferent_bytes){0};
    if (count > reader->length - reader->position) {
        struct writer message = {afferent_allocate(128), 0};
        write_words(&message, "truncated: ");
        write_number(&message, count, 1);
        write_words(&message, " bytes are needed at offset ");
        write_number(&message, reader->position, 1);
        write_words(&message, ", and the payload has ");
        write_number(&message, reader->length, 1);
        refuse(AFFERENT_MALFORMED, written(&message), true, reader->position);
        return (struct afferent_bytes){0};
    }
    struct afferent_bytes taken = {reader->data + reader->position, count};
    reader->position += count;
    return taken;
}

/* An unsigned integer of at most four bytes; 0 when it is not there. */
static uint32_t integer(struct afferent_reader *reader, size_t size, bool big) {
    struct afferent_bytes taken = afferent_take(reader, size);
    uint32_t number = 0;
    for (size_t at = 0; at < taken.length; at += 1)
        number |= (uint32_t)taken.items[at] << 8 * (big ? taken.length - 1 - at : at);
    return number;
}

uint8_t afferent_u8(struct afferent_reader *reader) { return (uint8_t)integer(reader, 1, false); }
int8_t afferent_i8(struct afferent_reader *reader) { return (int8_t)integer(reader, 1, false); }
uint16_t afferent_u16_le(struct afferent_reader *reader) { return (uint16_t)integer(reader, 2, false); }
uint16_t afferent_u16_be(struct afferent_reader *reader) { return (uint16_t)integer(reader, 2, true); }
int16_t afferent_i16_le(struct afferent_reader *reader) { return (int16_t)integer(reader, 2, false); }
int16_t afferent_i16_be(struct afferent_reader *reader) { return (int16_t)integer(reader, 2, true); }
uint32_t afferent_u24_le(struct afferent_reader *reader) { return integer(reader, 3, false); }
uint32_t afferent_u24_be(struct afferent_reader *reader) { return integer(reader, 3, true); }
uint32_t afferent_u32_le(struct afferent_reader *reader) { return integer(reader, 4, false); }
uint32_t afferent_u32_be(struct afferent_reader *reader) { return integer(reader, 4, true); }
int32_t afferent_i32_le(struct afferent_reader *reader) { return (int32_t)integer(reader, 4, false); }
int32_t afferent_i32_be(struct afferent_reader *reader) { return (int32_t)integer(reader, 4, true); }

static uint32_t flags(struct afferent_reader *reader, size_t size, uint32_t known) {
    size_t at = reader->position;
    uint32_t bits = integer(reader, size, false), unknown = bits & ~known;
    if (!unknown) return bits;
    struct writer message = {afferent_allocate(64), 0};
    write_words(&message, "flag bit ");
    write_number(&message, (size_t)__builtin_ctz(unknown), 1);
    write_words(&message, " is not one of this format");
    refuse(AFFERENT_MALFORMED, written(&message), true, at);
    return 0;
}

uint8_t afferent_flags_u8(struct afferent_reader *reader, uint8_t known) { return (uint8_t)flags(reader, 1, known); }
uint16_t afferent_flags_u16_le(struct afferent_reader *reader, uint16_t known) { return (uint16_t)flags(reader, 2, known); }

/* The reason of a special value, or NULL. They lie around the mantissa's ends, and hold only with the exponent 0. */
static const char *special(uint32_t raw, uint32_t most) {
    if (raw == most) return "not-a-number";
    if (raw == most - 1) return "positive-infinity";
    if (raw == most + 3) return "negative-infinity";
    /* Not at this resolution, and reserved. */
    return raw == most + 1 || raw == most + 2 ? "error" : NULL;
}

struct afferent_value afferent_sfloat(struct afferent_reader *reader, const char *unit) {
    uint16_t raw = afferent_u16_le(reader);
    const char *reason = special(raw, 0x07FF);
    if (reason) return afferent_absent(reason);
    /* A difference extends the sign of twelve and of four bits. */
    int32_t mantissa = (raw & 0x0FFF) - (raw & 0x0800 ? 0x1000 : 0), exponent = (raw >> 12) - (raw & 0x8000 ? 16 : 0);
    return afferent_quantity(afferent_decimal(mantissa, exponent), unit);
}

struct afferent_value afferent_float(struct afferent_reader *reader, const char *unit) {
    size_t at = reader->position;
    uint32_t raw = afferent_u32_le(reader);
    const char *reason = special(raw, 0x007FFFFF);
    if (reason) return afferent_absent(reason);
    int32_t mantissa = (int32_t)(raw & 0x00FFFFFF) - (raw & 0x00800000 ? 0x01000000 : 0);
    int32_t exponent = (int32_t)(raw >> 24) - (raw & 0x80000000 ? 256 : 0);
    if (exponent < -64 || exponent > 64) {
        afferent_refuse(AFFERENT_MALFORMED, "the exponent of this FLOAT is outside -64 to 64", at);
        exponent = 0;
    }
    return afferent_quantity(afferent_decimal(mantissa, exponent), unit);
}

uint16_t afferent_sum(const uint8_t *data, size_t length) {
    uint16_t sum = 0;
    for (size_t index = 0; index < length; index++) sum = (uint16_t)(sum + data[index]);
    return sum;
}

uint8_t afferent_xor(const uint8_t *data, size_t length) {
    uint8_t combined = 0;
    for (size_t index = 0; index < length; index++) combined ^= data[index];
    return combined;
}

static uint32_t mirrored(uint32_t value, uint8_t bits) {
    uint32_t mirror = 0;
    for (uint8_t bit = 0; bit < bits; bit++) mirror |= (value >> bit & 1u) << (bits - 1 - bit);
    return mirror;
}

uint16_t afferent_crc_over(struct afferent_crc crc, const uint8_t *data, size_t length) {
    uint32_t rest = crc.start;
    for (size_t index = 0; index < length; index++) {
        rest ^= (crc.lowest_first ? mirrored(data[index], 8) : data[index]) << (crc.bits - 8);
        for (uint8_t bit = 0; bit < 8; bit++) rest = rest >> (crc.bits - 1) & 1u ? rest << 1 ^ crc.polynomial : rest << 1;
        rest &= (1u << crc.bits) - 1;
    }
    return (uint16_t)((crc.lowest_first ? mirrored(rest, crc.bits) : rest) ^ crc.end);
}

/* How many days the month has; the most that are possible where year or month are unknown. */
static uint8_t days(uint16_t year, uint8_t month) {
    switch (month) {
        case 4: case 6: case 9: case 11: return 30;
        case 2: return year == 0 || (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28;
        default: return 31;
    }
}

struct afferent_clock afferent_date_time(struct afferent_reader *reader) {
    uint16_t year = afferent_u16_le(reader);
    struct afferent_bytes rest = afferent_take(reader, 5);
    if (rest.length < 5) return (struct afferent_clock){.state = "unknown"};
    uint8_t month = rest.items[0], day = rest.items[1], hour = rest.items[2], minute = rest.items[3], second = rest.items[4];
    bool fits = (year == 0 || (year >= 1582 && year <= 9999)) && month <= 12 && day <= days(year, month);
    if (!fits || hour > 23 || minute > 59 || second > 59) return (struct afferent_clock){.state = "fault"};
    if (!year || !month || !day) return (struct afferent_clock){.state = "not-set"};
    struct writer local = {afferent_allocate(24), 0};
    const uint16_t parts[] = {year, month, day, hour, minute, second};
    const char *const before[] = {"", "-", "-", "T", ":", ":"};
    for (size_t at = 0; at < 6; at += 1) {
        write_words(&local, before[at]);
        write_number(&local, parts[at], at ? 2 : 4);
    }
    return (struct afferent_clock){written(&local), "unknown"};
}

void afferent_finish(struct afferent_reader *reader) {
    readers_ended += 1;
    size_t left = afferent_left(reader);
    if (!left) return;
    struct writer message = {afferent_allocate(64), 0};
    write_number(&message, left, 1);
    write_words(&message, " bytes are left over after the last field");
    refuse(AFFERENT_MALFORMED, written(&message), true, reader->position);
}

/* ── Values ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

struct afferent_decimal afferent_decimal(int64_t mantissa, int32_t exponent) {
    return (struct afferent_decimal){mantissa, exponent};
}

struct afferent_decimal afferent_parse_decimal(struct afferent_text text, size_t offset) {
    enum { MOST_DIGITS = 18 };
    size_t at = 0, digits = 0, places = 0;
    bool negative = text.length && text.data[0] == '-', point = false, right = true;
    int64_t mantissa = 0;
    for (at = negative; at < text.length && right; at += 1) {
        char letter = text.data[at];
        if (letter == '.' && !point && digits) {
            point = true;
            continue;
        }
        right = letter >= '0' && letter <= '9' && digits < MOST_DIGITS;
        if (!right) break;
        mantissa = mantissa * 10 + (letter - '0');
        digits += 1;
        places += point;
    }
    if (!right || !digits || (point && !places)) {
        afferent_refuse(AFFERENT_MALFORMED, "not a decimal number of at most 18 digits", offset);
        return afferent_decimal(0, 0);
    }
    return afferent_decimal(negative ? -mantissa : mantissa, -(int32_t)places);
}

struct afferent_value afferent_quantity(struct afferent_decimal value, const char *unit) {
    return (struct afferent_value){.is = AFFERENT_VALUE_QUANTITY, .quantity = {.value = value, .unit = afferent_text(unit)}};
}

struct afferent_value afferent_absent(const char *reason) {
    return (struct afferent_value){.is = AFFERENT_VALUE_ABSENT, .absent = afferent_text(reason)};
}

struct afferent_value afferent_words(const char *words) {
    return (struct afferent_value){.is = AFFERENT_VALUE_TEXT, .text = afferent_text(words)};
}

/* ── Readings and outcomes ───────────────────────────────────────────────────────────────────────────────────────── */

struct afferent_reading afferent_reading(const char *kind, struct afferent_value value) {
    return (struct afferent_reading){
        .kind = afferent_text(kind), .value = value, .clock_state = afferent_text("unknown"), .on_change = AFFERENT_DISTINCT};
}

void afferent_add_component(struct afferent_reading *reading, const char *kind, struct afferent_value value) {
    APPEND(&reading->components, (struct afferent_component){.kind = afferent_text(kind), .value = value});
}

void afferent_add_reading_flag(struct afferent_reading *reading, const char *flag) {
    APPEND(&reading->flags, afferent_text(flag));
}

void afferent_add_context(struct afferent_reading *reading, const char *name, const char *value) {
    APPEND(&reading->context, (struct afferent_name_value){afferent_text(name), afferent_text(value)});
}

void afferent_at_wall_clock(struct afferent_reading *reading, struct afferent_clock clock, const char *user_slot) {
    reading->clock_state = afferent_text(clock.state);
    if (user_slot) reading->user_slot = afferent_some_text(user_slot);
    if (!clock.local.length) return;
    reading->time = (struct afferent_device_time){.is = AFFERENT_TIME_LOCAL, .local = clock.local};
    struct afferent_text key = clock.local;
    if (user_slot) {
        struct writer slotted = {afferent_allocate(clock.local.length + 1 + strlen(user_slot)), clock.local.length};
        __builtin_memcpy(slotted.start, clock.local.data, clock.local.length);
        write_words(&slotted, "#");
        write_words(&slotted, user_slot);
        key = written(&slotted);
    }
    reading->record_key = (struct afferent_optional_text){true, key};
}

struct afferent_outcome afferent_readings(void) { return (struct afferent_outcome){.is = AFFERENT_OUTCOME_READINGS}; }

/* What is added to another outcome would be lost: that is the decoder's mistake, and ends the decode. */
void afferent_add_reading(struct afferent_outcome *outcome, struct afferent_reading reading) {
    if (outcome->is != AFFERENT_OUTCOME_READINGS) __builtin_trap();
    APPEND(&outcome->readings.readings, reading);
}

struct afferent_outcome afferent_nothing(const char *reason, const char *message) {
    return (struct afferent_outcome){
        .is = AFFERENT_OUTCOME_NOTHING, .nothing = {.reason = afferent_text(reason), .message = afferent_text(message)}};
}

struct afferent_outcome afferent_incomplete(const char *reason) {
    return (struct afferent_outcome){.is = AFFERENT_OUTCOME_INCOMPLETE, .incomplete = {.reason = afferent_text(reason)}};
}

void afferent_add_fact(struct afferent_outcome *outcome, const char *kind, struct afferent_value value) {
    struct afferent_device_fact fact = {.kind = afferent_text(kind), .value = value};
    if (outcome->is == AFFERENT_OUTCOME_READINGS) APPEND(&outcome->readings.facts, fact);
    else if (outcome->is == AFFERENT_OUTCOME_NOTHING) APPEND(&outcome->nothing.facts, fact);
    else __builtin_trap();
}

void afferent_add_warning(struct afferent_outcome *outcome, const char *code, const char *message) {
    struct afferent_warning warning = {.code = afferent_text(code), .message = afferent_text(message)};
    if (outcome->is == AFFERENT_OUTCOME_READINGS) APPEND(&outcome->readings.warnings, warning);
    else if (outcome->is == AFFERENT_OUTCOME_NOTHING) APPEND(&outcome->nothing.warnings, warning);
    else __builtin_trap();
}

struct afferent_optional_text afferent_variable(const struct afferent_input *input, const char *name) {
    for (size_t at = 0; at < input->variables.length; at += 1) {
        struct afferent_name_value variable = input->variables.items[at];
        if (afferent_text_is(variable.name, name)) return (struct afferent_optional_text){true, variable.value};
    }
    return (struct afferent_optional_text){0};
}

/* ── The manifest ────────────────────────────────────────────────────────────────────────────────────────────────── */

struct afferent_manifest afferent_manifest(const char *name, const char *vendor, const char *version, const char *description) {
    return (struct afferent_manifest){
        .name = afferent_text(name), .vendor = afferent_text(vendor), .version = afferent_text(version),
        .license = afferent_text("Apache-2.0"), .description = afferent_text(description)};
}

void afferent_add_model(struct afferent_manifest *manifest, const char *name, const char *title) {
    APPEND(&manifest->models, (struct afferent_model){.name = afferent_text(name), .title = afferent_text(title)});
}

static struct afferent_model *last_model(struct afferent_manifest *manifest) {
    if (!manifest->models.length) __builtin_trap();
    return &manifest->models.items[manifest->models.length - 1];
}

void afferent_add_channel(struct afferent_manifest *manifest, const char *channel) {
    APPEND(&last_model(manifest)->channels, afferent_text(channel));
}

void afferent_add_variable(struct afferent_manifest *manifest, const char *name) {
    APPEND(&last_model(manifest)->variables, afferent_text(name));
}

void afferent_add_kind(struct afferent_manifest *manifest, const char *kind) { APPEND(&manifest->kinds, afferent_text(kind)); }
void afferent_add_flag(struct afferent_manifest *manifest, const char *flag) { APPEND(&manifest->flags, afferent_text(flag)); }
void afferent_add_warning_code(struct afferent_manifest *manifest, const char *code) {
    APPEND(&manifest->warnings, afferent_text(code));
}

/* Half a byte, or a trap: a payload in the manifest is the decoder's own text. */
static uint8_t half_byte(char letter) {
    if (letter >= '0' && letter <= '9') return (uint8_t)(letter - '0');
    if (letter >= 'A' && letter <= 'F') return (uint8_t)(letter - 'A' + 10);
    if (letter >= 'a' && letter <= 'f') return (uint8_t)(letter - 'a' + 10);
    __builtin_trap();
}

static struct afferent_bytes bytes_of(const char *payload) {
    uint8_t *bytes = afferent_allocate(strlen(payload) / 2 + 1);
    size_t halves = 0;
    for (; *payload; payload += 1) {
        if (*payload == ' ') continue;
        bytes[halves / 2] = (uint8_t)(bytes[halves / 2] << 4 | half_byte(*payload));
        halves += 1;
    }
    if (halves % 2) __builtin_trap();
    return (struct afferent_bytes){bytes, halves / 2};
}

void afferent_add_example(struct afferent_manifest *manifest, const char *name, const char *model, const char *channel,
                          const char *payload, const char *outcome) {
    struct afferent_frame *frame = afferent_allocate(sizeof *frame);
    frame->channel = afferent_text(channel);
    frame->data = bytes_of(payload);
    struct afferent_input input = {
        .model = afferent_text(model), .frames = {frame, 1}, .content_type = afferent_text("application/octet-stream")};
    APPEND(&manifest->examples,
           (struct afferent_example){.name = afferent_text(name), .input = input, .outcome = afferent_text(outcome)});
}

void afferent_expect(struct afferent_manifest *manifest, const char *line) {
    if (!manifest->examples.length) __builtin_trap();
    APPEND(&manifest->examples.items[manifest->examples.length - 1].values, afferent_text(line));
}

/* ── What the platform calls ─────────────────────────────────────────────────────────────────────────────────────── */

__attribute__((export_name("afferent:decoder/device@1.0.0#describe")))
const struct afferent_manifest *afferent_export_describe(void) {
    struct afferent_manifest *manifest = afferent_allocate(sizeof *manifest);
    *manifest = decoder_describe();
    return manifest;
}

/* The input's fields come one by one, as the component model flattens a record of at most sixteen. */
__attribute__((export_name("afferent:decoder/device@1.0.0#decode")))
const struct afferent_outcome *afferent_export_decode(
    const char *model, size_t model_length, struct afferent_frame *frames, size_t frame_count, const char *content_type,
    size_t content_type_length, int64_t received_at_ms, int32_t has_time_zone, const char *time_zone, size_t time_zone_length,
    struct afferent_name_value *variables, size_t variable_count, struct afferent_name_value *extra, size_t extra_count) {
    struct afferent_input input = {
        .model = {model, model_length}, .frames = {frames, frame_count}, .content_type = {content_type, content_type_length},
        .received_at_ms = received_at_ms, .time_zone = {has_time_zone != 0, {time_zone, time_zone_length}},
        .variables = {variables, variable_count}, .extra = {extra, extra_count}};
    struct afferent_outcome *outcome = afferent_allocate(sizeof *outcome);
    *outcome = decoder_decode(&input);
    if (!refused && readers_ended != readers_made) {
        refuse(AFFERENT_UNSUPPORTED, afferent_text("the decoder did not end its reading, so that bytes may be overlooked"), false, 0);
    }
    if (refused) *outcome = (struct afferent_outcome){.is = AFFERENT_OUTCOME_ERROR, .error = refusal};
    return outcome;
}
