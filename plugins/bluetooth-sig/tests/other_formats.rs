//! Heart rate (0x2A37), continuous oximetry (0x2A5F), clocks (0x2A08, 0x2A2B) and bare numbers.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use afferent_plugin_sdk::registry::{flags, nothing_reasons, warnings};
use afferent_plugin_sdk::{Decoder, DeviceTime, ErrorKind, Input, Outcome, Value, value_lines};
use bluetooth_sig::BluetoothSig;
use support::{bytes, decoded, lines, nothing, readings, refusal, together};

#[test]
fn every_combination_of_a_heart_rates_fields() {
    for flags in 0..0x20_u8 {
        let rate = if flags & 1 == 1 { "4801" } else { "48" };
        let energy = if flags >> 3 & 1 == 1 { "ffff" } else { "" };
        let intervals: &[&str] =
            if flags >> 4 & 1 == 1 { &["0004", "0004 ffff", "0000 0000 0000 0000"] } else { &[""] };
        for intervals in intervals {
            let hex = format!("{flags:02x} {rate} {energy} {intervals}");
            let decoded = decoded("2A37", &hex);
            let expected = if flags & 1 == 1 { "heart-rate 328 /min" } else { "heart-rate 72 /min" };
            assert_eq!(value_lines(&decoded.clone().into()), [expected], "{hex}");
            let no_contact = flags >> 1 & 0b11 == 0b10;
            let words: &[&str] = if no_contact { &[flags::NO_CONTACT] } else { &[] };
            assert_eq!(decoded.readings[0].flags, words, "{hex}");
            assert_eq!(decoded.warnings.iter().any(|warning| warning.code == warnings::NO_SENSOR_CONTACT), no_contact);
            assert_eq!(decoded.readings[0].time, DeviceTime::None);
            assert_eq!(decoded.readings[0].record_key, None, "the same heart rate twice is two heart rates");
            assert_eq!(refusal("2A37", &format!("{hex} 00")).kind, ErrorKind::Malformed, "{hex}");
        }
        for unknown in 5..8 {
            assert_eq!(refusal("2A37", &format!("{:02x} {rate} {energy}", flags | 1 << unknown)).offset, Some(0));
        }
    }
    assert_eq!(refusal("2A37", "10 48").offset, Some(2), "intervals announced, and none there");
    assert_eq!(refusal("2A37", "10 48 00").kind, ErrorKind::Malformed);
    for zero in ["00 00", "01 0000", "04 00"] {
        assert_eq!(lines("2A37", zero), ["heart-rate absent unknown"], "a strap that finds no beats");
    }
    assert_eq!(lines("2A37", "01 ffff"), ["heart-rate 65535 /min"], "the host judges ranges, and holds it");
}

#[test]
fn every_combination_of_a_continuous_oximeters_fields() {
    for flags in 0..0x20_u8 {
        let has = |bit: u8| flags >> bit & 1 == 1;
        let mut hex = format!("{flags:02x} 6100 4a00");
        let mut expected = vec!["oxygen-saturation 97 %", "pulse-rate-oximeter 74 /min"];
        let mut methods = vec!["continuous"; 2];
        if has(0) {
            hex += "6000 4b00";
            expected.extend(["oxygen-saturation 96 %", "pulse-rate-oximeter 75 /min"]);
            methods.extend(["fast"; 2]);
        }
        if has(1) {
            hex += "6200 4900";
            expected.extend(["oxygen-saturation 98 %", "pulse-rate-oximeter 73 /min"]);
            methods.extend(["slow"; 2]);
        }
        if has(2) {
            hex += "8000";
        }
        if has(3) {
            hex += "200000";
        }
        if has(4) {
            hex += "1ef0";
            expected.push("perfusion-index 3.0 %");
            methods.push("continuous");
        }
        assert_eq!(lines("2A5F", &hex), expected, "{hex}");
        let mut words = Vec::new();
        words.extend(has(2).then_some(flags::VALIDATED));
        words.extend(has(3).then_some(flags::LOW_PERFUSION));
        for (reading, method) in readings("2A5F", &hex).iter().zip(methods) {
            assert_eq!(reading.flags, words, "{hex}");
            assert_eq!(reading.method.as_deref(), Some(method));
            let modality = match (reading.kind.as_str(), method) {
                ("oxygen-saturation", "fast") => Some("150580"),
                ("oxygen-saturation", "slow") => Some("150584"),
                _ => None,
            };
            assert_eq!(reading.codings.first().map(|coding| coding.code.as_str()), modality);
        }
        assert_eq!(refusal("2A5F", &format!("{hex} 00")).kind, ErrorKind::Malformed);
        for unknown in 5..8 {
            assert_eq!(
                refusal("2A5F", &hex.replacen(&hex[..2], &format!("{:02x}", flags | 1 << unknown), 1)).offset,
                Some(0)
            );
        }
    }
}

#[test]
fn the_status_of_a_continuous_oximeter_is_that_of_a_spot_check() {
    for (status, reason) in
        [("0004", nothing_reasons::DEMO), ("0008", nothing_reasons::TEST), ("000c", nothing_reasons::DEMO)]
    {
        assert_eq!(nothing("2A5F", &format!("04 6100 4a00 {status}")).reason, reason);
    }
    for (status, absent) in [("0020", "not-performed"), ("0080", "error"), ("00a0", "error")] {
        let expected =
            ["oxygen-saturation", "pulse-rate-oximeter", "oxygen-saturation", "pulse-rate-oximeter", "perfusion-index"];
        let expected = expected.map(|kind| format!("{kind} absent {absent}"));
        assert_eq!(lines("2A5F", &format!("15 6100 4a00 6000 4b00 {status} 1ef0")), expected);
    }
    let mut words = Vec::new();
    for bit in (0..16).filter(|bit| ![10, 11].contains(bit)) {
        let [low, high, ..] = (1_u32 << bit).to_le_bytes();
        words.extend(readings("2A5F", &format!("04 6100 4a00 {low:02x}{high:02x}"))[0].flags.clone());
    }
    assert_eq!(words.len(), 9);
}

/// Kind and text of the only fact.
fn fact(characteristic: &str, hex: &str) -> (String, String) {
    let decoded = decoded(characteristic, hex);
    assert!(decoded.readings.is_empty());
    match decoded.facts.as_slice() {
        [fact] => match &fact.value {
            Value::Text(text) => (fact.kind.clone(), text.clone()),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_clock_by_itself_is_a_fact_about_the_device() {
    let clock = |text: &str| ("clock".to_owned(), text.to_owned());
    assert_eq!(fact("2A08", "e8 07 02 1d 17 3b 3b"), clock("2024-02-29T23:59:59"));
    assert_eq!(fact("2A08", "2e 06 01 01 00 00 00"), clock("1582-01-01T00:00:00"));
    for dateless in ["00 00 04 11 12 1a 20", "e8 07 00 11 12 1a 20", "e8 07 04 00 12 1a 20"] {
        assert_eq!(fact("2A08", dateless).0, "fault", "{dateless}");
        assert_eq!(fact("2A2B", &format!("{dateless} 03 01 02")).0, "fault");
    }
    for impossible in ["e7 07 02 1d 00 00 00", "e7 07 0d 01 00 00 00", "e7 07 04 01 18 00 00", "2d 06 01 01 00 00 00"] {
        assert_eq!(refusal("2A08", impossible).kind, ErrorKind::Malformed, "{impossible}");
        assert_eq!(refusal("2A2B", &format!("{impossible} 00 00 00")).kind, ErrorKind::Malformed, "{impossible}");
    }
    assert_eq!(refusal("2A08", "e8 07 02 1d 17 3b 3b 00").offset, Some(7));
    for (fraction, text) in [("00", "45"), ("01", "45.003"), ("80", "45.500"), ("ff", "45.996")] {
        let expected = clock(&format!("2017-01-04T11:38:{text}"));
        assert_eq!(fact("2A2B", &format!("e1 07 01 04 0b 26 2d 03 {fraction} ff")), expected);
    }
    assert_eq!(refusal("2A2B", "e1 07 01 04 0b 26 2d 08 00 00").offset, Some(7));
    assert!(decoded("2A2B", "e1 07 01 04 0b 26 2d 00 00 00").warnings.is_empty(), "an unknown day says nothing");
    let wrong = decoded("2A2B", "e1 07 01 04 0b 26 2d 04 00 00");
    assert_eq!(wrong.warnings[0].code, warnings::TIMESTAMP_FIELDS_DISAGREE);
    let beside = together(&[("2A2B", "e1 07 01 04 0b 26 2d 03 00 00"), ("2A37", "00 50")]).unwrap();
    assert!(matches!(beside, Outcome::Readings(decoded) if decoded.facts.len() == 1 && decoded.readings.len() == 1));
}

/// The line of a number, without the name of its format.
fn number(model: &str, data: &[u8]) -> String {
    let outcome = BluetoothSig::decode(&Input::new(model, "", data)).unwrap();
    match &outcome {
        Outcome::Readings(decoded) => assert_eq!(decoded.readings[0].flags, [flags::TEST], "a measurement of nobody"),
        other => panic!("{other:?}"),
    }
    let line = value_lines(&outcome).remove(0);
    line.split_once(' ').unwrap().1.to_owned()
}

#[test]
fn every_sfloat_is_its_number() {
    for raw in 0..=u16::MAX {
        let line = number("ieee11073-sfloat", &raw.to_le_bytes());
        // Two's complement by arithmetic, where the decoder shifts.
        let mantissa = i32::from(raw & 0x0FFF) - if raw & 0x0800 == 0 { 0 } else { 0x1000 };
        let exponent = i32::from(raw >> 12) - if raw & 0x8000 == 0 { 0 } else { 16 };
        match raw {
            0x07FF => assert_eq!(line, "absent not-a-number"),
            0x07FE => assert_eq!(line, "absent positive-infinity"),
            0x0802 => assert_eq!(line, "absent negative-infinity"),
            0x0800 | 0x0801 => assert_eq!(line, "absent error"),
            _ => {
                let text = line.strip_suffix(" 1").unwrap();
                let places = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
                assert_eq!(places, usize::try_from(-exponent.min(0)).unwrap(), "{raw:#06x} is {text}");
                let digits: i64 = text.replace('.', "").parse().unwrap();
                assert_eq!(digits, i64::from(mantissa) * 10_i64.pow(exponent.max(0).unsigned_abs()), "{raw:#06x}");
            }
        }
    }
}

#[test]
fn floats_keep_their_digits_and_their_reasons() {
    for (hex, expected) in [
        ("6a0100ff", "36.2 1"),
        ("c80000fe", "2.00 1"),
        ("02000001", "20 1"),
        ("ffff7f01", "83886070 1"),
        ("00008001", "-83886080 1"),
        ("fdff7f00", "8388605 1"),
        ("03008000", "-8388605 1"),
        ("ffff7f00", "absent not-a-number"),
        ("feff7f00", "absent positive-infinity"),
        ("02008000", "absent negative-infinity"),
        ("00008000", "absent error"),
        ("01008000", "absent error"),
    ] {
        assert_eq!(number("ieee11073-float", &bytes(hex)), expected, "{hex}");
    }
    for (model, hex) in [
        ("ieee11073-sfloat", ""),
        ("ieee11073-sfloat", "00"),
        ("ieee11073-sfloat", "000000"),
        ("ieee11073-float", "000000"),
        ("ieee11073-float", "0000000000"),
        ("ieee11073-float", "01000041"),
    ] {
        assert!(BluetoothSig::decode(&Input::new(model, "", bytes(hex))).is_err(), "{model} {hex}");
    }
}
