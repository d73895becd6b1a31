// The decoder of the Blood Pressure Measurement (2A35) as a device platform with JavaScript decoders would have it: the
// same rules and results as plugins/bluetooth-sig/src/blood_pressure.rs, which it is compared with before it is timed.
// Numbers cross as mantissa and exponent, for a JavaScript number would lose trailing zeros.

const STATUS = [[0, "body-movement"], [1, "cuff-too-loose"], [2, "irregular-pulse"], [5, "improper-position"]];

const SPECIAL = {
  0x07ff: "not-a-number",
  0x07fe: "positive-infinity",
  0x0802: "negative-infinity",
  0x0800: "error",
  0x0801: "error",
};

function reader(bytes) {
  let at = 0;
  const need = (count) => {
    if (at + count > bytes.length) throw new Error("truncated at " + at);
  };
  return {
    u8() {
      need(1);
      return bytes[at++];
    },
    u16() {
      need(2);
      const value = bytes[at] | (bytes[at + 1] << 8);
      at += 2;
      return value;
    },
    finish() {
      if (at !== bytes.length) throw new Error("trailing bytes at " + at);
    },
  };
}

function sfloat(raw, unit) {
  const special = SPECIAL[raw];
  if (special !== undefined) return { absent: special };
  const mantissa = (raw << 20) >> 20;
  const exponent = (raw << 16) >> 28;
  return { mantissa, exponent, unit };
}

const two = (number) => (number < 10 ? "0" + number : "" + number);

function days(year, month) {
  if (month === 4 || month === 6 || month === 9 || month === 11) return 30;
  if (month !== 2) return 31;
  const leap = year === 0 || (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  return leap ? 29 : 28;
}

function wallClock(read) {
  const year = read.u16();
  const [month, day, hour, minute, second] = [read.u8(), read.u8(), read.u8(), read.u8(), read.u8()];
  const fits = (year === 0 || (year >= 1582 && year <= 9999)) && month <= 12 && day <= days(year, month);
  if (!fits || hour > 23 || minute > 59 || second > 59) return { state: "fault" };
  if (year === 0 || month === 0 || day === 0) return { state: "not-set" };
  const date = ("000" + year).slice(-4) + "-" + two(month) + "-" + two(day);
  return { state: "unknown", time: date + "T" + two(hour) + ":" + two(minute) + ":" + two(second) };
}

function decodeUplink(input) {
  const read = reader(input.bytes);
  const flags = read.u8();
  if (flags & ~0x1f) throw new Error("unknown flags");
  const unit = flags & 1 ? "kPa" : "mm[Hg]";
  const systolic = sfloat(read.u16(), unit);
  const diastolic = sfloat(read.u16(), unit);
  const mean = sfloat(read.u16(), unit);
  const clock = flags & 2 ? wallClock(read) : { state: "unknown" };
  const pulse = flags & 4 ? sfloat(read.u16(), "/min") : null;
  let userSlot = null;
  if (flags & 8) {
    const user = read.u8();
    if (user !== 255) userSlot = "" + user;
  }
  const words = [];
  if (flags & 16) {
    const status = read.u16();
    for (const [bit, word] of STATUS) if (status & (1 << bit)) words.push(word);
    const range = (status >> 3) & 3;
    if (range === 1) words.push("pulse-exceeds-upper");
    if (range === 2) words.push("pulse-below-lower");
  }
  read.finish();
  const time = clock.time || null;
  const around = (kind, value, method, components) => ({
    kind,
    value,
    method,
    components,
    time,
    clockState: clock.state,
    flags: words,
    userSlot,
    recordKey: time && (userSlot ? time + "#" + userSlot : time),
    onChange: "distinct",
  });
  const readings = [
    around("blood-pressure", null, "oscillometric", [
      { kind: "blood-pressure-systolic", value: systolic },
      { kind: "blood-pressure-diastolic", value: diastolic },
      { kind: "blood-pressure-mean", value: mean },
    ]),
  ];
  if (pulse) readings.push(around("pulse-rate", pulse, null, []));
  return { readings };
}
