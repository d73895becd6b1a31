// Afferent's SDK for decoders in JavaScript: readers that refuse what they do not know, exact decimals, small builders.
//
// JavaScript's numbers are binary floats and lose digits (70.250 becomes 70.25, and 0.1 + 0.2 is not 0.3). A value that is shown
// to a clinician never passes through one here with a fraction: decimals are a whole mantissa and an exponent, made of integers or of
// the text that was sent. Whole numbers are exact to 2^53, and anything larger is refused.

/// A refusal. Throw it; `decoder` turns it into the contract's error.
export class Refusal extends Error {
  constructor(kind, message, { offset, path } = {}) {
    super(message);
    this.kind = kind; // "malformed", "unsupported" or "not-for-me"
    this.offset = offset;
    this.path = path;
  }
}

/// `mantissa × 10^exponent`: decimal(7025, -2) is 70.25; trailing zeros are precision.
export function decimal(mantissa, exponent = 0) {
  if (Number.isFinite(mantissa) && !Number.isInteger(mantissa)) {
    throw new TypeError("a decimal is made of whole numbers, or of text with parseDecimal: a fraction has lost digits");
  }
  if (!Number.isSafeInteger(mantissa) || !Number.isInteger(exponent) || Math.abs(exponent) > 64) {
    throw new Refusal("malformed", "a number of more digits than are exact here");
  }
  return { mantissa: mantissa === 0 ? 0 : mantissa, exponent };
}

/// A decimal as text writes it, with every digit: "36.60", "-0.5", "1.2e-6".
export function parseDecimal(text) {
  const found = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text);
  if (!found) throw new Refusal("malformed", "not a decimal number");
  const [, sign, whole, fraction = "", power = "0"] = found;
  return decimal(Number(sign + whole + fraction), Number(power) - fraction.length);
}

export const quantity = (value, unit, comparator) => ({ tag: "quantity", val: { value, unit, comparator, extra: [] } });
export const absent = (reason) => ({ tag: "absent", val: reason });
export const text = (words) => ({ tag: "text", val: words });

/// The special values lie around the ends of the mantissa, and hold only with the exponent 0: NaN, +INFINITY, NRes (not at this
/// resolution), reserved, -INFINITY.
const special = (raw, most) => {
  const reasons = { [-1]: "positive-infinity", 0: "not-a-number", 1: "error", 2: "error", 3: "negative-infinity" };
  const reason = reasons[raw - most];
  return reason && absent(reason);
};

/// The sum of all bytes: `byteSum(data) % 256` is a sum of one byte.
export const byteSum = (data) => data.reduce((sum, byte) => sum + byte, 0);

/// All bytes combined with exclusive-or.
export const byteXor = (data) => data.reduce((all, byte) => all ^ byte, 0);

/// A cyclic redundancy check of 8 or 16 bits, by the parameters under which catalogues list it: the polynomial, what it starts with,
/// what the end is combined with, and whether the lowest bit of every byte comes first ("reflected").
/// `crc(data, { bits: 16, polynomial: 0x8005, start: 0xffff, lowestFirst: true })` is Modbus's.
export function crc(data, { bits, polynomial, start = 0, end = 0, lowestFirst = false }) {
  const mirrored = (value, width) => {
    let mirror = 0;
    for (let bit = 0; bit < width; bit += 1) mirror |= ((value >> bit) & 1) << (width - 1 - bit);
    return mirror;
  };
  let rest = start;
  for (const byte of data) {
    rest ^= (lowestFirst ? mirrored(byte, 8) : byte) << (bits - 8);
    for (let bit = 0; bit < 8; bit += 1) rest = (rest >> (bits - 1)) & 1 ? (rest << 1) ^ polynomial : rest << 1;
    rest &= 2 ** bits - 1;
  }
  return (lowestFirst ? mirrored(rest, bits) : rest) ^ end;
}

/// Reads a payload from its first byte to its last; every refusal names the offset. End with `finish`.
export class Reader {
  constructor(data) {
    this.data = Uint8Array.from(data);
    this.view = new DataView(this.data.buffer);
    this.position = 0;
  }

  take(count) {
    const at = this.position;
    if (at + count > this.data.length) {
      const message = `truncated: ${count} bytes are needed at offset ${at}, and the payload has ${this.data.length}`;
      throw new Refusal("malformed", message, { offset: at });
    }
    this.position += count;
    return at;
  }

  u8() { return this.view.getUint8(this.take(1)); }
  i8() { return this.view.getInt8(this.take(1)); }
  u16le() { return this.view.getUint16(this.take(2), true); }
  u16be() { return this.view.getUint16(this.take(2), false); }
  i16le() { return this.view.getInt16(this.take(2), true); }
  i16be() { return this.view.getInt16(this.take(2), false); }
  u24le() { const [low, middle, high] = this.bytes(3); return low | middle << 8 | high << 16; }
  u24be() { const [high, middle, low] = this.bytes(3); return low | middle << 8 | high << 16; }
  u32le() { return this.view.getUint32(this.take(4), true); }
  u32be() { return this.view.getUint32(this.take(4), false); }
  i32le() { return this.view.getInt32(this.take(4), true); }
  i32be() { return this.view.getInt32(this.take(4), false); }
  bytes(count) { const at = this.take(count); return this.data.slice(at, at + count); }

  /// A flag byte of which only these bits may be set: another one could shift every field behind it.
  flags(known) { return this.onlyKnown(this.position, this.u8(), known); }

  /// The same of two bytes, the lower one first.
  flags16le(known) { return this.onlyKnown(this.position, this.u16le(), known); }

  onlyKnown(at, bits, known) {
    const unknown = bits & ~known;
    if (unknown) {
      const bit = 31 - Math.clz32(unknown & -unknown);
      throw new Refusal("malformed", `flag bit ${bit} is not one of this format`, { offset: at });
    }
    return { has: (bit) => ((bits >> bit) & 1) === 1, bits };
  }

  /// IEEE 11073 SFLOAT in a unit; special values are absent, never a number.
  sfloat(unit) {
    const raw = this.u16le();
    return special(raw, 0x07ff) ?? quantity(decimal((raw << 20) >> 20, (raw << 16) >> 28), unit);
  }

  /// IEEE 11073 FLOAT, 4 bytes, likewise.
  float(unit) {
    const at = this.position;
    const raw = this.u32le();
    const exponent = raw >> 24;
    if (exponent < -64 || exponent > 64) {
      throw new Refusal("malformed", "the exponent of this FLOAT is outside -64 to 64", { offset: at });
    }
    return special(raw, 0x007fffff) ?? quantity(decimal((raw << 8) >> 8, exponent), unit);
  }

  /// Bluetooth Date Time, 7 bytes: { text } of a time that exists, or { state } of the clock.
  dateTime() {
    const year = this.u16le();
    const [month, day, hour, minute, second] = [this.u8(), this.u8(), this.u8(), this.u8(), this.u8()];
    const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 || year === 0;
    const days = [31, 31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month] ?? 0;
    const exists = (year === 0 || (year >= 1582 && year <= 9999)) && month <= 12 && day <= days && hour < 24 && minute < 60 && second < 60;
    if (!exists) return { state: "fault" };
    if (!year || !month || !day) return { state: "not-set" };
    const two = (number) => String(number).padStart(2, "0");
    return { text: `${String(year).padStart(4, "0")}-${two(month)}-${two(day)}T${two(hour)}:${two(minute)}:${two(second)}`, state: "unknown" };
  }

  finish() {
    const left = this.data.length - this.position;
    if (left) throw new Refusal("malformed", `${left} bytes are left over after the last field`, { offset: this.position });
  }
}

/// JSON whose numbers keep their digits: they come as { digits: "70.250" }, for `parseDecimal`. A member that is there twice is
/// refused: which of the two is true, nobody knows.
export function parseJson(data) {
  const source = utf8(data);
  let at = 0;
  const wrong = (what) => { throw new Refusal("malformed", `the payload is not JSON: ${what}`, { offset: at }); };
  const space = () => { while (" \n\r\t".includes(source[at]) && at < source.length) at += 1; };
  const value = (depth) => {
    if (depth > 32) wrong("it is too deep");
    space();
    if (source[at] === "{") {
      const object = Object.create(null);
      at += 1; space();
      if (source[at] === "}") { at += 1; return object; }
      for (;;) {
        space();
        if (source[at] !== '"') wrong("a name is expected");
        const name = string();
        space();
        if (source[at++] !== ":") wrong("a colon is expected");
        if (name in object) wrong("a member is there twice");
        object[name] = value(depth + 1);
        space();
        const next = source[at++];
        if (next === "}") return object;
        if (next !== ",") wrong("a comma is expected");
      }
    }
    if (source[at] === "[") {
      const list = [];
      at += 1; space();
      if (source[at] === "]") { at += 1; return list; }
      for (;;) {
        list.push(value(depth + 1));
        space();
        const next = source[at++];
        if (next === "]") return list;
        if (next !== ",") wrong("a comma is expected");
      }
    }
    if (source[at] === '"') return string();
    for (const [word, meaning] of [["true", true], ["false", false], ["null", null]]) {
      if (source.startsWith(word, at)) { at += word.length; return meaning; }
    }
    const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
    number.lastIndex = at;
    const found = number.exec(source);
    if (!found) wrong("no value begins like this");
    at += found[0].length;
    return { digits: found[0] };
  };
  const string = () => {
    const text = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
    text.lastIndex = at;
    const found = text.exec(source);
    if (!found) wrong("a text that does not end");
    at += found[0].length;
    return JSON.parse(found[0]);
  };
  const whole = value(0);
  space();
  if (at < source.length) wrong("something follows its value");
  return whole;
}

function utf8(data) {
  let escaped = "";
  for (const byte of data) escaped += "%" + (byte < 16 ? "0" : "") + byte.toString(16);
  try {
    return decodeURIComponent(escaped);
  } catch {
    throw new Refusal("malformed", "the payload is not UTF-8");
  }
}

/// A reading; `more` overrides any field: { time, recordKey, flags, bodySite, method, userSlot, context, components … }.
export const reading = (kind, value, more = {}) => ({
  kind, codings: [], value, components: [], time: { tag: "none" }, timeEnd: { tag: "none" }, clockState: "unknown",
  bodySite: undefined, method: undefined, context: [], flags: [], userSlot: undefined, deviceIdentity: [], recordKey: undefined,
  onChange: "distinct", extra: [], ...more,
});

export const component = (kind, value) => ({ kind, codings: [], value, extra: [] });

/// What a wall clock gives to a reading: its time, the state of the clock, and the key of the record.
export const atWallClock = (clock, userSlot) => clock.text
  ? { time: { tag: "local", val: clock.text }, clockState: clock.state, recordKey: userSlot ? `${clock.text}#${userSlot}` : clock.text }
  : { clockState: clock.state };

export const fact = (kind, value) => ({ kind, value, extra: [] });
export const decoded = (readings, facts = []) => ({ tag: "readings", val: { readings, facts, warnings: [], extra: [] } });
export const nothing = (reason, message, facts = []) => ({ tag: "nothing", val: { reason, message, facts, warnings: [], extra: [] } });

const hex = (digits) => Uint8Array.from(digits.replace(/\s/g, "").match(/../g) ?? [], (pair) => parseInt(pair, 16));

/// An example of the manifest: the host runs it before it trusts the decoder.
export const example = (name, model, channel, payload, outcome, values = []) => ({
  name, outcome, values, extra: [],
  input: {
    model, frames: [{ channel, data: hex(payload), capturedAtMs: undefined, extra: [] }],
    contentType: "application/octet-stream", receivedAtMs: 0, timeZone: undefined, variables: [], extra: [],
  },
});

/// What is no Refusal is a fault of the decoder, and the host counts it as one; it is told what it was and where.
const failed = (error) => {
  const lines = String(error?.stack ?? "").split("\n").filter((line) => !line.includes("afferent.js"));
  const at = lines.map((line) => /([\w.-]+:\d+)(:\d+)?\)?$/.exec(line)?.[1]).find((place) => place);
  const said = { exception: error?.name ?? typeof error, "exception-at": at, "exception-message": String(error?.message ?? error) };
  const extra = Object.entries(said).filter(([, value]) => value).map(([name, value]) => ({ name, value: value.slice(0, 200) }));
  return { tag: "error", val: { kind: "malformed", message: "the decoder failed", offset: undefined, path: undefined, extra } };
};

/// The contract's interface `device`, of what your decoder says of itself and a function from an input to an outcome.
export const decoder = (manifest, decode) => ({
  describe: () => ({
    license: "Apache-2.0", description: "", flags: [], warnings: [], extra: [], ...manifest,
    models: manifest.models.map((model) => ({ channels: [], variables: [], extra: [], ...model })),
  }),
  decode: (input) => {
    try {
      return decode(input);
    } catch (error) {
      if (!(error instanceof Refusal)) return failed(error);
      const { kind, message, offset, path } = error;
      return { tag: "error", val: { kind, message, offset, path, extra: [] } };
    }
  },
});

/// The bytes of the only frame.
export function onlyFrame(input) {
  if (input.frames.length !== 1) throw new Refusal("unsupported", "a record of this device is one frame");
  return input.frames[0].data;
}
