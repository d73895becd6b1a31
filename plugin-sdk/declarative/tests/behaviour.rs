//! What tables do at run time: epochs, the order of checks, and refusals that name the field.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use afferent_plugin_sdk::{DecodeError, DeviceTime, Input, Outcome};
use declarative_decoder::{run, source, table::Table};

/// A peak flow meter: 17 bytes a blow, little endian; seconds since 2000-01-01 on the device's wall clock.
const BLOW: &str = r#"[decoder]
name = "breathe-pf1"
vendor = "Breathe"
version = "1.0.0"

[[model]]
name = "breathe-pf1"
title = "Breathe PF-1 peak flow meter"
channels = ["app"]
format = "blow"

[format.blow]
payload = "bytes"

[[format.blow.field]]
name = "start"
type = "u8"
equals = 0xB5

[[format.blow.field]]
name = "flags"
type = "u8"
bits = { clock-unset = 0, training = 1, doubtful = 2 }

[[format.blow.field]]
name = "record"
type = "u16"

[[format.blow.field]]
name = "time"
type = "epoch-seconds"
epoch = "2000-01-01"
local = true

[[format.blow.field]]
name = "pef"
type = "u16"
absent = { 0xFFFF = "not-performed" }

[[format.blow.field]]
name = "fev1"
type = "u16"
absent = { 0xFFFF = "not-performed" }
scale = "0.01"

[[format.blow.field]]
name = "air"
type = "skip"
length = 2

[[format.blow.field]]
name = "battery"
type = "u8"
missing = [255]

[[format.blow.field]]
type = "skip"
length = 1

[[format.blow.field]]
name = "sum"
type = "checksum"
algorithm = "sum8"

[[format.blow.refuse]]
when = "pef < 50 or pef > 900"
message = "a peak flow outside of 50 to 900 L/min"

[[format.blow.nothing]]
when = "flags.training"
reason = "demo"
message = "a training blow"

[format.blow.every-reading]
time = "time"
clock-state = [{ when = "flags.clock-unset", is = "not-set" }]
record-key = "{record}[@{time}]"
flags = [{ when = "flags.doubtful", is = "questionable" }]

[[format.blow.reading]]
kind = "peak-expiratory-flow"
value = "pef"
unit = "L/min"

[[format.blow.reading]]
kind = "forced-expiratory-volume-1s"
value = "fev1"
unit = "L"
"#;

/// The payload of the datasheet: 412 L/min, 2.87 L, 81 %, 23 May 2026 08:30:00, record 7.
const SEEN: &str = "b5 00 07 00 08 22 a4 31 9c 01 1f 01 e6 00 51 00 af";

fn bytes(hex: &str) -> Vec<u8> {
    Input::hex("", "", &hex.replace(' ', "")).frames.pop().unwrap().data
}

/// The payload with some bytes changed, and its sum made right.
fn changed(changes: &[(usize, u8)]) -> Vec<u8> {
    let mut data = bytes(SEEN);
    for (at, byte) in changes {
        data[*at] = *byte;
    }
    data[16] = data[..16].iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte));
    data
}

fn decode(table: &str, data: Vec<u8>) -> Result<Outcome, DecodeError> {
    let table = source::compile(table).unwrap_or_else(|problems| panic!("{problems:#?}"));
    // As it comes out of the component.
    let table = Table::from_bytes(&table.to_bytes().unwrap()).unwrap();
    run::decode(&table, &Input::new("breathe-pf1", "app", data))
}

/// The time of the first reading.
fn time(table: &str, data: Vec<u8>) -> DeviceTime {
    match decode(table, data).unwrap() {
        Outcome::Readings(decoded) => decoded.readings.first().unwrap().time.clone(),
        other => panic!("{other:?}"),
    }
}

fn refusal(table: &str, data: Vec<u8>) -> String {
    decode(table, data).unwrap_err().message
}

fn local(text: &str) -> DeviceTime {
    DeviceTime::Local(text.to_owned())
}

fn zoned(text: &str) -> DeviceTime {
    DeviceTime::Zoned(text.to_owned())
}

#[test]
fn a_clock_that_counts_from_2000_on_the_wall_is_read() {
    let Outcome::Readings(decoded) = decode(BLOW, bytes(SEEN)).unwrap() else { panic!() };
    let first = decoded.readings.first().unwrap();
    assert_eq!(first.time, local("2026-05-23T08:30:00"));
    assert_eq!(first.record_key.as_deref(), Some("7@2026-05-23T08:30:00"));
    assert_eq!(time(BLOW, changed(&[(4, 0), (5, 0), (6, 0), (7, 0)])), local("2000-01-01T00:00:00"));
    assert_eq!(time(BLOW, changed(&[(4, 255), (5, 255), (6, 255), (7, 255)])), local("2136-02-07T06:28:15"));
}

#[test]
fn epochs_are_of_the_wall_clock_of_utc_or_of_an_offset() {
    let with = |from: &str, to: &str| {
        assert!(BLOW.contains(from));
        time(&BLOW.replacen(from, to, 1), bytes(SEEN))
    };
    assert_eq!(with("local = true", "local = false"), zoned("2026-05-23T08:30:00Z"));
    assert_eq!(with("local = true\n", ""), zoned("2026-05-23T08:30:00Z"));
    assert_eq!(with("2000-01-01\"", "2000-01-01T00:00:10\""), local("2026-05-23T08:30:10"));
    assert_eq!(with("2000-01-01\"\nlocal = true", "2000-01-01T00:00:00+02:00\""), zoned("2026-05-23T06:30:00Z"));
    assert_eq!(with("epoch = \"2000-01-01\"\nlocal = true", ""), zoned("1996-05-23T08:30:00Z"));
    assert_eq!(with("epoch = \"2000-01-01\"\n", ""), local("1996-05-23T08:30:00"));
}

#[test]
fn a_time_beyond_the_year_9999_is_refused_and_does_not_wrap() {
    let wide = |hex: &str| {
        let table = BLOW.replacen("type = \"epoch-seconds\"", "type = \"epoch-seconds\"\nlength = 8", 1);
        let mut data = bytes(SEEN);
        data.splice(4..8, bytes(hex));
        let sum = data.len() - 1;
        data[sum] = data[..sum].iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte));
        decode(&table, data)
    };
    // 252,455,615,999 seconds after 2000-01-01 is the last second of 9999.
    assert!(wide("ff fd 86 c7 3a 00 00 00").is_ok());
    for beyond in
        ["00 fe 86 c7 3a 00 00 00", "ff ff ff ff ff ff ff 7f", "ff ff ff ff ff ff ff ff", "00 00 00 00 00 00 00 80"]
    {
        let error = wide(beyond).unwrap_err();
        assert_eq!((error.message.as_str(), error.offset), ("field `time`: a time beyond the year 9999", Some(4)));
    }
}

#[test]
fn a_count_may_stand_for_no_time() {
    let table = BLOW.replacen("local = true", "local = true\nmissing = [0, 0xFFFFFFFF]", 1);
    assert_eq!(time(&table, changed(&[(4, 0), (5, 0), (6, 0), (7, 0)])), DeviceTime::None);
    assert_eq!(time(&table, changed(&[(4, 255), (5, 255), (6, 255), (7, 255)])), DeviceTime::None);
    assert_eq!(time(&table, bytes(SEEN)), local("2026-05-23T08:30:00"));
}

#[test]
fn epochs_of_json_are_the_same() {
    const JSON: &str = r#"[decoder]
name = "acme"
vendor = "ACME"
version = "1.0.0"

[[model]]
name = "breathe-pf1"
title = "ACME"
channels = ["app"]
format = "message"

[format.message]
payload = "json"

[[format.message.field]]
name = "time"
type = "epoch-milliseconds"
path = "$.at"
epoch = "2000-01-01"
local = true
missing = [0]

[[format.message.field]]
name = "weight"
type = "number"
path = "$.kg"

[[format.message.reading]]
kind = "body-weight"
value = "weight"
unit = "kg"
time = "time"
"#;
    let of = |at: &str| format!("{{\"at\": {at}, \"kg\": 70.5}}").into_bytes();
    assert_eq!(time(JSON, of("832840200000")), local("2026-05-23T08:30:00"));
    assert_eq!(time(JSON, of("0")), DeviceTime::None);
    let utc = JSON.replacen("local = true\n", "", 1);
    assert_eq!(time(&utc, of("832840200001")), zoned("2026-05-23T08:30:00.001Z"));
    assert_eq!(time(JSON, of("252455615999999")), local("9999-12-31T23:59:59.999"));
    for wrong in ["252455616000000", "9223372036854775807", "-1"] {
        let error = decode(JSON, of(wrong)).unwrap_err();
        assert_eq!(error.message, "field `time`: a time before its epoch, or beyond the year 9999", "{wrong}");
        assert_eq!(error.path.as_deref(), Some("$.at"));
    }
}

#[test]
fn a_refusal_names_the_field() {
    for (length, expected) in [
        (0, "truncated: field `start`: 1 bytes are needed at offset 0, and the payload has 0"),
        (5, "truncated: field `time`: 4 bytes are needed at offset 4, and the payload has 5"),
        (9, "truncated: field `pef`: 2 bytes are needed at offset 8, and the payload has 9"),
        (13, "truncated: field `air`: 2 bytes are needed at offset 12, and the payload has 13"),
        (15, "truncated: field `skip`: 1 bytes are needed at offset 15, and the payload has 15"),
        (16, "truncated: field `sum`: 1 bytes are needed at offset 16, and the payload has 16"),
    ] {
        assert_eq!(refusal(BLOW, bytes(SEEN)[..length].to_vec()), expected);
    }
    assert_eq!(refusal(BLOW, changed(&[(0, 0xB6)])), "field `start`: only 181 can stand here");
    assert_eq!(refusal(BLOW, changed(&[(1, 8)])), "field `flags`: flag bit 3 is not one of this format");
    let mut wrong_sum = bytes(SEEN);
    wrong_sum[16] ^= 1;
    assert!(refusal(BLOW, wrong_sum).starts_with("field `sum`: the check sum is wrong"));
}

#[test]
fn a_value_that_no_word_is_for_names_its_field() {
    let unit = "unit = { from = \"battery\", map = { 80 = \"L/min\", 82 = \"L/s\" } }";
    let table = BLOW.replacen("unit = \"L/min\"", unit, 1);
    assert_eq!(refusal(&table, bytes(SEEN)), "field `battery`: a value that this format does not have; it has 80, 82");
}

#[test]
fn what_is_no_measurement_is_not_refused_for_its_values() {
    // 901 L/min.
    let beyond = [(8, 0x85), (9, 0x03)];
    assert_eq!(refusal(BLOW, changed(&beyond)), "a peak flow outside of 50 to 900 L/min");
    let training: Vec<(usize, u8)> = beyond.into_iter().chain([(1, 2)]).collect();
    match decode(BLOW, changed(&training)).unwrap() {
        Outcome::Nothing(nothing) => assert_eq!(nothing.reason, "demo"),
        other => panic!("{other:?}"),
    }
    // What is read wrongly is refused all the same.
    assert_eq!(refusal(BLOW, changed(&[(1, 2), (0, 0)])), "field `start`: only 181 can stand here");
}
