// Tests of the SDK in a Node of the developer's machine: `node --test tests.mjs`.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

// A project imports it as a module whatever it is called; Node goes by the name, or by this.
const source = readFileSync(new URL("afferent.js", import.meta.url), "utf8");
const sdk = await import("data:text/javascript," + encodeURIComponent(source));

const reader = (...bytes) => new sdk.Reader(Uint8Array.from(bytes));
const little = (raw, count) => reader(...Array.from({ length: count }, (_, index) => Math.floor(raw / 256 ** index) % 256));
const absent = (reason) => ({ tag: "absent", val: reason });

const refused = (call, offset) => {
  try {
    call();
  } catch (error) {
    assert.ok(error instanceof sdk.Refusal, String(error));
    assert.equal(error.offset, offset);
    return error.message;
  }
  return assert.fail("it was not refused");
};

test("integers have their order and sign", () => {
  const wanted = {
    u8: 1, i8: 1, u16le: 0x0201, u16be: 0x0102, u24le: 0x030201, u24be: 0x010203,
    u32le: 0xfe030201, u32be: 0x010203fe, i32le: -33357311, i32be: 0x010203fe,
  };
  for (const [name, number] of Object.entries(wanted)) assert.equal(reader(1, 2, 3, 0xfe)[name](), number, name);
  assert.equal(reader(0xff, 0xff, 0xff).u24le(), 0xffffff);
  assert.equal(reader(0xfe, 0xff).i16le(), -2);
  assert.equal(reader(0xfe, 0xff).i16be(), -257);
});

test("every refusal names its offset", () => {
  assert.match(refused(() => reader(0x10).flags(0x0f), 0), /flag bit 4/);
  assert.match(refused(() => reader(1, 2).flags16le(0x00ff), 0), /flag bit 9/);
  const short = reader(0, 1);
  short.u8();
  assert.match(refused(() => short.u16le(), 1), /2 bytes are needed at offset 1/);
  refused(() => short.finish(), 1);
  short.u8();
  short.finish();
});

test("special values are absent, never a number", () => {
  const reasons = ["positive-infinity", "not-a-number", "error", "error", "negative-infinity"];
  for (const [index, reason] of reasons.entries()) {
    assert.deepEqual(little(0x07fe + index, 2).sfloat("kPa"), absent(reason));
    assert.deepEqual(little(0x007ffffe + index, 4).float("Cel"), absent(reason));
  }
  for (const [raw, mantissa, exponent] of [[0xf014, 20, -1], [0xffff, -1, -1], [0x17ff, 2047, 1], [0x0803, -2045, 0]]) {
    assert.deepEqual(little(raw, 2).sfloat("kPa").val.value, { mantissa, exponent });
  }
  for (const [raw, mantissa, exponent] of [[0xff00016c, 364, -1], [0xfeffffff, -1, -2], [0x017fffff, 8388607, 1], [0x00800003, -8388605, 0]]) {
    assert.deepEqual(little(raw, 4).float("Cel").val.value, { mantissa, exponent });
  }
  refused(() => little(0x7f000001, 4).float("Cel"), 0);
});

test("clocks that show a time that does not exist are at fault", () => {
  const said = (year, ...rest) => reader(year & 0xff, year >> 8, ...rest).dateTime();
  assert.deepEqual(said(2024, 2, 29, 8, 5, 0), { text: "2024-02-29T08:05:00", state: "unknown" });
  for (const date of [
    [2023, 2, 29, 0, 0, 0], [1900, 2, 29, 0, 0, 0], [2024, 13, 1, 0, 0, 0], [2024, 4, 31, 0, 0, 0], [1581, 1, 1, 0, 0, 0],
    [2024, 1, 1, 24, 0, 0], [2024, 1, 1, 0, 60, 0], [2024, 1, 1, 0, 0, 60], [0, 4, 31, 0, 0, 0], [2024, 0, 32, 0, 0, 0],
  ]) assert.deepEqual(said(...date), { state: "fault" }, String(date));
  for (const date of [[0, 2, 29, 0, 0, 0], [2024, 0, 31, 0, 0, 0], [2024, 1, 0, 0, 0, 0]]) {
    assert.deepEqual(said(...date), { state: "not-set" }, String(date));
  }
});

test("digits are kept", () => {
  for (const [text, mantissa, exponent] of [["36.60", 3660, -2], ["-0.5", -5, -1], ["1.2e-6", 12, -7], ["9007199254740991", 2 ** 53 - 1, 0]]) {
    assert.deepEqual(sdk.parseDecimal(text), { mantissa, exponent });
  }
  for (const text of ["", ".5", "5.", "1e", "0x1", "NaN", "٣", "9007199254740993", "1".repeat(5000), "1e65", "1e-65"]) {
    assert.throws(() => sdk.parseDecimal(text), sdk.Refusal, text);
  }
  assert.throws(() => sdk.decimal(70.5), TypeError);
});

const json = (text) => sdk.parseJson(new TextEncoder().encode(text));

test("numbers of JSON come as they were written", () => {
  const document = json('{"w": [70.250, -1e3], "t": "x\\u00e9", "n": null, "b": true, "o": {}}');
  assert.deepEqual(document.w, [{ digits: "70.250" }, { digits: "-1e3" }]);
  assert.deepEqual([document.t, document.n, document.b], ["x\u00e9", null, true]);
});

test("what is no JSON is refused", () => {
  for (const text of ["", "{", '{"a": 1, "a": 2}', "[NaN]", "[01]", "[1,]", '["a', "[1] 2", "[".repeat(100_000), "\ufeff[]"]) {
    assert.throws(() => json(text), sdk.Refusal, text.slice(0, 20));
  }
  assert.throws(() => sdk.parseJson(Uint8Array.of(0xff)), sdk.Refusal);
  json("[".repeat(32) + "]".repeat(32));
});

test("the check values of the catalogues", () => {
  const data = new TextEncoder().encode("123456789");
  assert.deepEqual([sdk.byteSum(data), sdk.byteXor(data)], [477, 0x31]);
  for (const [wanted, parameters] of [
    [0xf4, { bits: 8, polynomial: 0x07 }],
    [0xa1, { bits: 8, polynomial: 0x31, lowestFirst: true }],
    [0xda, { bits: 8, polynomial: 0x9b, start: 0xff }],
    [0xa1, { bits: 8, polynomial: 0x07, end: 0x55 }],
    [0x31c3, { bits: 16, polynomial: 0x1021 }],
    [0x29b1, { bits: 16, polynomial: 0x1021, start: 0xffff }],
    [0x4b37, { bits: 16, polynomial: 0x8005, start: 0xffff, lowestFirst: true }],
    [0x906e, { bits: 16, polynomial: 0x1021, start: 0xffff, end: 0xffff, lowestFirst: true }],
  ]) assert.equal(sdk.crc(data, parameters), wanted, JSON.stringify(parameters));
});

test("what is no refusal is a fault, and told with its name", () => {
  const of = (decode) => sdk.decoder({ models: [] }, decode).decode({}).val;
  assert.equal(of(() => { throw new sdk.Refusal("unsupported", "no", { offset: 3 }); }).offset, 3);
  const told = Object.fromEntries(of(() => null.kilograms).extra.map(({ name, value }) => [name, value]));
  assert.equal(told.exception, "TypeError");
});
