//! CGM Measurement (0x2AA7) and the start of its session: sizes, check sums, octets, times.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use afferent_plugin_sdk::registry::{clock_states, flags, nothing_reasons};
use afferent_plugin_sdk::{
    DecodeError, Decoder, DeviceTime, ErrorKind, Input, NameValue, OnChange, Outcome, Reading, value_lines,
};
use bluetooth_sig::BluetoothSig;
use support::{bytes, expect_readings, frame_of, lines, readings, refusal, several, together};

/// CRC-16/MCRF4XX by the bits, as its catalogue describes it: reflected in, reflected out.
fn check_sum(data: &[u8]) -> u16 {
    let mut sum = 0xFFFF_u16;
    for byte in data {
        for bit in 0..8 {
            let top = (sum >> 15 & 1 == 1) != (byte >> bit & 1 == 1);
            sum <<= 1;
            if top {
                sum ^= 0x1021;
            }
        }
    }
    sum.reverse_bits()
}

#[test]
fn the_check_sum_is_the_catalogues() {
    assert_eq!(check_sum(b"123456789"), 0x6F91);
}

/// A record of 120 mg/dL after 30 minutes with these flags and all the fields that they announce.
fn record(flags: u8, octets: [u8; 3], trend: &str, with_check_sum: bool) -> Vec<u8> {
    let mut data = bytes("78 00 1e 00");
    for (bit, octet) in [(7, octets[0]), (6, octets[1]), (5, octets[2])] {
        if flags >> bit & 1 == 1 {
            data.push(octet);
        }
    }
    if flags & 1 == 1 {
        data.extend(bytes(trend));
    }
    if flags >> 1 & 1 == 1 {
        data.extend(bytes("60 00"));
    }
    let size = u8::try_from(data.len() + 2 + if with_check_sum { 2 } else { 0 }).unwrap();
    let mut whole = [&[size, flags][..], &data].concat();
    if with_check_sum {
        let sum = check_sum(&whole);
        whole.extend(sum.to_le_bytes());
    }
    whole
}

fn decode(data: Vec<u8>) -> Result<Outcome, DecodeError> {
    BluetoothSig::decode(&Input::new("gatt-2AA7", "", data))
}

fn reading(data: Vec<u8>) -> Reading {
    expect_readings(decode(data).unwrap()).readings.remove(0)
}

#[test]
fn every_combination_of_fields_has_its_size_with_and_without_a_check_sum() {
    for flags in 0..=u8::MAX {
        for with_check_sum in [false, true] {
            let data = record(flags, [0; 3], "19f0", with_check_sum);
            if flags & 0b0001_1100 != 0 {
                assert_eq!(decode(data).unwrap_err().kind, ErrorKind::Malformed, "{flags:#x}");
                continue;
            }
            let outcome = decode(data.clone()).unwrap();
            assert_eq!(value_lines(&outcome), ["glucose-interstitial 120 mg/dL"], "{flags:#x}");
            for wrong in [data[0] - 1, data[0] + 1, data[0] + 2, 0, 1, 255] {
                let other = [&[wrong][..], &data[1..]].concat();
                assert!(decode(other).is_err(), "{flags:#x} as {wrong}");
            }
            if with_check_sum {
                for byte in 0..data.len() {
                    let mut damaged = data.clone();
                    damaged[byte] ^= 0x10;
                    assert!(decode(damaged).is_err(), "{flags:#x}, byte {byte}");
                }
            }
        }
    }
}

#[test]
fn every_bit_of_the_octets_is_its_own_word_in_the_order_of_the_octets() {
    let mut words = Vec::new();
    for (octet, bits) in [(0, 6), (1, 6), (2, 8)] {
        for bit in 0..8 {
            let mut octets = [0; 3];
            octets[octet] = 1 << bit;
            let all = reading(record(0b1110_0000, octets, "", false)).flags;
            let alone = reading(record(0x80 >> octet, octets, "", false)).flags;
            assert_eq!(all, alone, "octet {octet} bit {bit}");
            assert_eq!(all.len(), usize::from(bit < bits), "octet {octet} bit {bit}");
            words.extend(all);
        }
    }
    assert_eq!(words.len(), 20);
    assert_eq!((words[0].as_str(), words[6].as_str()), (flags::SESSION_STOPPED, flags::TIME_SYNCHRONISATION_REQUIRED));
    assert_eq!((words[12].as_str(), words[19].as_str()), (flags::BELOW_PATIENT_LOW, flags::RESULT_TOO_HIGH));
    words.sort();
    words.dedup();
    assert_eq!(words.len(), 20);
}

#[test]
fn what_excludes_itself_and_what_no_body_does_is_flagged() {
    for octets in [[0, 0x30, 0], [0, 0, 0x03], [0, 0, 0x0C], [0, 0, 0x30], [0, 0, 0xC0]] {
        let words = reading(record(0b1110_0000, octets, "", false)).flags;
        assert_eq!(words.len(), 3);
        assert_eq!(words[2], flags::CONTRADICTORY_STATUS);
    }
    for (trend, plausible) in [
        ("19f0", true),
        ("0a00", true),
        ("f6ff", true),
        ("f60f", true),
        ("64f0", true),
        ("65f0", false),
        ("0b00", false),
        ("f50f", false),
        ("5000", false),
        ("0110", true),
        ("0210", false),
        ("0170", false),
        ("fd77", false),
        ("fd87", true),
        ("ff07", true),
        ("0008", true),
    ] {
        let words = reading(record(0x01, [0; 3], trend, false)).flags;
        assert_eq!(words.is_empty(), plausible, "{trend}: {words:?}");
    }
}

#[test]
fn a_glucose_that_is_none_is_absent() {
    for (sfloat, expected) in [
        ("ff07", "absent not-a-number"),
        ("fe07", "absent positive-infinity"),
        ("0208", "absent negative-infinity"),
        ("0008", "absent error"),
        ("d2e4", "12.34 mg/dL"),
        ("0c10", "120 mg/dL"),
    ] {
        assert_eq!(lines("2AA7", &format!("06 00 {sfloat} 0500")), [format!("glucose-interstitial {expected}")]);
    }
}

/// An input with the session's start among the device's settings.
fn since(start: &str, frames: &[(&str, &str)]) -> Input {
    let mut input = several(frames);
    input.variables = vec![NameValue { name: "session_start_local".into(), value: start.into() }];
    input
}

#[test]
fn minutes_count_from_the_start_of_the_session() {
    let times = |start: &str| -> Vec<(DeviceTime, Option<String>)> {
        let input = since(start, &[("2AA7", "06 00 7800 0000 06 00 7800 ffff"), ("2AA7", "06 00 7800 a005")]);
        let decoded = expect_readings(BluetoothSig::decode(&input).unwrap());
        decoded.readings.into_iter().map(|reading| (reading.time, reading.record_key)).collect()
    };
    let local = |text: &str| (DeviceTime::Local(text.into()), Some(text.to_owned()));
    assert_eq!(
        times("2026-01-15T08:00:00"),
        [local("2026-01-15T08:00:00"), local("2026-03-01T20:15:00"), local("2026-01-16T08:00:00")]
    );
    let zoned = |text: &str| (DeviceTime::Zoned(format!("{text}+01:00")), Some(text.to_owned()));
    assert_eq!(
        times("2026-01-15T08:00:00+01:00"),
        [zoned("2026-01-15T08:00:00"), zoned("2026-03-01T20:15:00"), zoned("2026-01-16T08:00:00")],
        "the key is the wall clock, however the start was learnt"
    );
    for wrong in ["", "yesterday", "2026-02-30T08:00:00", "0000-00-00T00:00:00"] {
        let error = BluetoothSig::decode(&since(wrong, &[("2AA7", "06 00 7800 0000")])).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unsupported, "{wrong}");
    }
    let other = BluetoothSig::decode(&since("yesterday", &[("2A37", "0050"), ("2A9D", "00 b036")]));
    assert_eq!(value_lines(&other.unwrap()).len(), 2, "a wrong setting concerns nothing else");
    let beyond = BluetoothSig::decode(&since("9999-12-31T23:59:00", &[("2AA7", "06 00 7800 0500")])).unwrap();
    let beyond = expect_readings(beyond).readings.remove(0);
    assert_eq!((beyond.time, beyond.clock_state.as_str()), (DeviceTime::None, clock_states::FAULT));
}

#[test]
fn the_sensors_own_word_about_its_start_goes_before_the_setting() {
    let measurement = ("2AA7", "06 00 7800 0500");
    for (start, expected) in [
        ("ea07 01 0f 08 00 00 04 00", DeviceTime::Zoned("2026-01-15T08:05:00+01:00".into())),
        ("ea07 01 0f 08 00 00 ec 04", DeviceTime::Zoned("2026-01-15T08:05:00-04:00".into())),
        ("ea07 01 0f 08 00 00 16 02", DeviceTime::Zoned("2026-01-15T08:05:00+06:00".into())),
        ("ea07 01 0f 08 00 00 00 00", DeviceTime::Zoned("2026-01-15T08:05:00Z".into())),
        ("ea07 01 0f 08 00 00 80 00", DeviceTime::Local("2026-01-15T08:05:00".into())),
        ("ea07 01 0f 08 00 00 04 ff", DeviceTime::Local("2026-01-15T08:05:00".into())),
        ("ea07 01 0f 08 00 00 7f 00", DeviceTime::Local("2026-01-15T08:05:00".into())),
        ("0000 00 00 08 00 00 04 00", DeviceTime::Local("2020-02-02T02:07:02".into())),
        ("ea07 0d 0f 08 00 00 04 00", DeviceTime::Local("2020-02-02T02:07:02".into())),
    ] {
        for frames in [[("2AAA", start), measurement], [measurement, ("2AAA", start)]] {
            let input = since("2020-02-02T02:02:02", &frames);
            let readings = expect_readings(BluetoothSig::decode(&input).unwrap()).readings;
            assert_eq!(readings[0].time, expected, "{start}");
            assert_eq!(readings[0].on_change, OnChange::Distinct);
        }
    }
    let start = bytes("ea07 01 0f 08 00 00 04 00");
    let sum = check_sum(&start).to_le_bytes();
    let checked = format!("ea07 01 0f 08 00 00 04 00 {:02x}{:02x}", sum[0], sum[1]);
    let readings = expect_readings(together(&[("2AAA", &checked), measurement]).unwrap()).readings;
    assert_eq!(readings[0].time, DeviceTime::Zoned("2026-01-15T08:05:00+01:00".into()));
    let wrong = format!("ea07 01 0f 08 00 00 04 00 {:02x}{:02x}", sum[0] ^ 1, sum[1]);
    assert!(together(&[("2AAA", &wrong), measurement]).unwrap_err().message.starts_with("frame 1: "));
    for length in ["ea07 01 0f 08 00 00 04", "ea07 01 0f 08 00 00 04 00 00", &format!("{checked} 00")] {
        assert!(together(&[("2AAA", length), measurement]).is_err(), "{length}");
    }
    match together(&[("2AAA", &checked)]).unwrap() {
        Outcome::Nothing(nothing) => assert_eq!(nothing.reason, nothing_reasons::STATUS),
        other => panic!("{other:?}"),
    }
}

#[test]
fn without_a_start_the_newest_record_is_now_and_the_others_are_estimates() {
    let single = readings("2AA7", "06 00 7800 1e00").remove(0);
    assert_eq!((single.time, single.record_key, single.flags.len()), (DeviceTime::None, None, 0));
    let frames = [("2AA7", "06 00 7800 1e00 06 00 7900 2300"), ("2AA7", "06 00 7700 1900")];
    let decoded = expect_readings(together(&frames).unwrap());
    let times: Vec<&DeviceTime> = decoded.readings.iter().map(|reading| &reading.time).collect();
    assert_eq!(times, [&DeviceTime::BeforeCapture(300_000), &DeviceTime::None, &DeviceTime::BeforeCapture(600_000)]);
    let estimates: Vec<bool> =
        decoded.readings.iter().map(|reading| reading.flags == [flags::ESTIMATED_TIME]).collect();
    assert_eq!(estimates, [true, false, true]);
    assert!(decoded.readings.iter().all(|reading| reading.record_key.is_none()));
    assert_eq!(decoded.readings.iter().map(frame_of).collect::<Vec<_>>(), ["0", "0", "1"]);
}

#[test]
fn one_record_that_is_wrong_refuses_the_notification() {
    for (hex, offset) in [
        ("06 00 7800 1e00 05 00 7900 23", 6),
        ("06 00 7800 1e00 06 00 7900 23", 6),
        ("06 00 7800 1e00 06 04 7900 2300", 7),
        ("06 00 7800 1e00 00", 6),
        ("06 00 7800 1e00 01", 7),
        ("", 0),
        ("00", 0),
    ] {
        let error = refusal("2AA7", hex);
        assert_eq!((error.kind, error.offset), (ErrorKind::Malformed, Some(offset)), "{hex}");
    }
}
