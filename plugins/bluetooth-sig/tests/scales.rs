//! Body Composition Measurement (0x2A9C): every field, two packets, and the weight (0x2A9D) of the same moment.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use afferent_plugin_sdk::registry::{clock_states, methods, nothing_reasons};
use afferent_plugin_sdk::{DeviceTime, ErrorKind, Outcome, Reading, value_lines};
use support::{decode, expect_readings, frame_of, lines, nothing, readings, refusal, together};

/// The optional fields by bit, with 1000 in each, and what they come to in SI and imperial units.
const FIELDS: [(u32, &str, &str, &str); 9] = [
    (10, "body-weight", "5.000 kg", "10.00 [lb_av]"),
    (11, "body-height", "1.000 m", "100.0 [in_i]"),
    (4, "body-muscle-percentage", "100.0 %", "100.0 %"),
    (5, "body-muscle-mass", "5.000 kg", "10.00 [lb_av]"),
    (6, "fat-free-mass", "5.000 kg", "10.00 [lb_av]"),
    (7, "soft-lean-mass", "5.000 kg", "10.00 [lb_av]"),
    (8, "body-water-mass", "5.000 kg", "10.00 [lb_av]"),
    (9, "body-impedance", "100.0 Ohm", "100.0 Ohm"),
    (3, "basal-metabolism", "1000 kJ/d", "1000 kJ/d"),
];

fn payload(flags: u16, fat: u16, time: &str, user: u8, value: u16) -> String {
    let [low, high] = flags.to_le_bytes();
    let [fat_low, fat_high] = fat.to_le_bytes();
    let mut hex = format!("{low:02x}{high:02x} {fat_low:02x}{fat_high:02x}");
    if flags >> 1 & 1 == 1 {
        hex += time;
    }
    if flags >> 2 & 1 == 1 {
        hex += &format!("{user:02x}");
    }
    let [value_low, value_high] = value.to_le_bytes();
    for _ in (3..12).filter(|bit| flags >> bit & 1 == 1) {
        hex += &format!("{value_low:02x}{value_high:02x}");
    }
    hex
}

const TIME: &str = "ea07050c123536";

#[test]
fn every_combination_of_fields_is_read_in_its_order() {
    for flags in 0..1_u16 << 12 {
        let imperial = flags & 1 == 1;
        let mut expected = vec!["body-fat-percentage 19.4 %".to_owned()];
        for (_, kind, metric, other) in FIELDS.iter().filter(|(bit, ..)| flags >> bit & 1 == 1) {
            expected.push(format!("{kind} {}", if imperial { other } else { metric }));
        }
        let hex = payload(flags, 194, TIME, 3, 1000);
        let outcome = decode("2A9C", &hex).unwrap();
        assert_eq!(value_lines(&outcome), expected, "{flags:#x}");
        for reading in expect_readings(outcome).readings {
            let slot = (flags >> 2 & 1 == 1).then_some("3");
            let key = (flags >> 1 & 1 == 1).then(|| match slot {
                Some(slot) => format!("2026-05-12T18:53:54#{slot}"),
                None => "2026-05-12T18:53:54".to_owned(),
            });
            assert_eq!((reading.user_slot.as_deref(), reading.record_key), (slot, key), "{flags:#x}");
        }
        assert_eq!(refusal("2A9C", &format!("{hex}00")).kind, ErrorKind::Malformed, "{flags:#x}");
        assert_eq!(refusal("2A9C", &hex[..hex.len() - 2]).kind, ErrorKind::Malformed, "{flags:#x}");
        for unknown in [13, 14, 15] {
            assert_eq!(refusal("2A9C", &payload(flags | 1 << unknown, 194, TIME, 3, 1000)).offset, Some(0));
        }
    }
}

#[test]
fn what_was_not_measured_is_no_number() {
    for flags in [0, 0x0001, 0x0006, 0x0FFE] {
        assert_eq!(
            nothing("2A9C", &payload(flags, 0xFFFF, TIME, 3, 1000)).reason,
            nothing_reasons::FAILED_MEASUREMENT,
            "{flags:#x}: the service disables every other field then"
        );
    }
    assert_eq!(nothing("2A9C", &payload(0x0FFE, 0, TIME, 3, 0)).reason, nothing_reasons::NO_MEASUREMENT);
    assert_eq!(nothing("2A9C", &payload(0x0FFE, 0, TIME, 3, 0xFFFF)).reason, nothing_reasons::NO_MEASUREMENT);
    assert_eq!(lines("2A9C", &payload(0x0FFE, 194, TIME, 3, 0)), ["body-fat-percentage 19.4 %"]);
    assert_eq!(lines("2A9C", &payload(0x0FFE, 194, TIME, 3, 0xFFFF)), ["body-fat-percentage 19.4 %"]);
    assert_eq!(lines("2A9C", &payload(0x0400, 0, "", 0, 14_000)), ["body-weight 70.000 kg"]);
    assert_eq!(lines("2A9C", "0000 0100"), ["body-fat-percentage 0.1 %"]);
    assert_eq!(lines("2A9C", "0000 e803"), ["body-fat-percentage 100.0 %"]);
    assert_eq!(lines("2A9C", "0004 c200 feff")[1], "body-weight 327.670 kg");
}

#[test]
fn what_is_estimated_from_impedance_says_so() {
    for reading in readings("2A9C", &payload(0x0FF8, 194, "", 0, 1000)) {
        let measured = ["body-weight", "body-height"].contains(&reading.kind.as_str());
        assert_eq!(reading.method.as_deref(), (!measured).then_some(methods::BIOIMPEDANCE), "{}", reading.kind);
    }
}

const FIRST: &str = "3e10 c800 ea07090a0f3500 01 401f 9001 581b";
const SECOND: &str = "c01f c800 e02e 882c 401f 8813 983a d606";

#[test]
fn two_packets_are_one_measurement() {
    let outcome = together(&[("2A9C", FIRST), ("2A9C", SECOND)]).unwrap();
    assert_eq!(
        value_lines(&outcome),
        [
            "body-fat-percentage 20.0 %",
            "body-weight 75.000 kg",
            "body-height 1.750 m",
            "body-muscle-percentage 40.0 %",
            "body-muscle-mass 35.000 kg",
            "fat-free-mass 60.000 kg",
            "soft-lean-mass 57.000 kg",
            "body-water-mass 40.000 kg",
            "body-impedance 500.0 Ohm",
            "basal-metabolism 8000 kJ/d",
        ]
    );
    for reading in expect_readings(outcome).readings {
        assert_eq!(reading.record_key.as_deref(), Some("2026-09-10T15:53:00#1"));
        assert_eq!(frame_of(&reading), "0");
    }
    let between = together(&[("2A9C", FIRST), ("2A37", "0050"), ("2A9C", SECOND)]).unwrap();
    assert_eq!(value_lines(&between).len(), 11);
    let weight = "0e 983a ea07090a0f3500 01 f500 d606";
    let joined = together(&[("2A9D", weight), ("2A9C", FIRST), ("2A9C", SECOND)]).unwrap();
    assert_eq!(value_lines(&joined).len(), 11);
}

#[test]
fn half_a_measurement_waits_for_the_other_half() {
    for frames in [
        &[("2A9C", FIRST)][..],
        &[("2A9C", SECOND)],
        &[("2A9D", "00 b036"), ("2A9C", FIRST)],
        &[("2A9C", FIRST), ("2A37", "0050")],
        // Another body fat, other units, another time, another user, a value that both have: two halves of two.
        &[("2A9C", FIRST), ("2A9C", "c01f c900 e02e 882c 401f 8813 983a d606")],
        &[("2A9C", FIRST), ("2A9C", "c11f c800 e02e 882c 401f 8813 983a d606")],
        &[("2A9C", FIRST), ("2A9C", "0214 c800 ea07090a0f3501 983a")],
        &[("2A9C", FIRST), ("2A9C", "0414 c800 02 983a")],
        &[("2A9C", FIRST), ("2A9C", "1010 c800 9101")],
        &[("2A9C", FIRST), ("2A9C", SECOND), ("2A9C", FIRST)],
    ] {
        match together(frames).unwrap() {
            Outcome::Incomplete(incomplete) => assert!(!incomplete.is_decoded()),
            other => panic!("{frames:?}: {other:?}"),
        }
    }
    let lost = expect_readings(together(&[("2A9C", FIRST), ("2A9D", "00 b036")]).unwrap());
    let kinds: Vec<(&str, &str)> =
        lost.readings.iter().map(|reading| (frame_of(reading), reading.kind.as_str())).collect();
    let rest = ["body-fat-percentage", "body-muscle-percentage", "body-muscle-mass", "basal-metabolism"];
    assert_eq!(kinds[..4], rest.map(|kind| ("0", kind)), "the second packet was lost: a weight does not wait for it");
    assert_eq!((kinds[4], &lost.readings[4].record_key), (("1", "body-weight"), &None), "and is another measurement");
    let repeated = together(&[("2A9C", FIRST), ("2A9C", "0614 c800 ea07090a0f3500 01 983a")]).unwrap();
    assert_eq!(value_lines(&repeated)[1], "body-weight 75.000 kg", "the same time and user may be repeated");
    let failed = together(&[("2A9C", "0010 ffff"), ("2A9C", "0010 ffff")]).unwrap();
    assert!(matches!(failed, Outcome::Nothing(nothing) if nothing.reason == nothing_reasons::FAILED_MEASUREMENT));
}

/// A weight of 70 kg at this second, user 1, height 1.75 m.
fn weight(second: u8) -> String {
    format!("0e b036 ea07050c1235{second:02x} 01 f500 d606")
}

fn keys(readings: &[Reading]) -> Vec<(&str, &str, Option<&str>)> {
    readings.iter().map(|reading| (frame_of(reading), reading.kind.as_str(), reading.record_key.as_deref())).collect()
}

#[test]
fn a_composition_beside_a_weight_has_its_time_user_and_key_and_repeats_nothing() {
    let composition = "000e c200 8813 b036 d606";
    for frames in [
        [("2A9D", weight(54)), ("2A9C", composition.to_owned())],
        [("2A9C", composition.to_owned()), ("2A9D", weight(54))],
    ] {
        let frames: Vec<(&str, &str)> = frames.iter().map(|(channel, hex)| (*channel, hex.as_str())).collect();
        let decoded = expect_readings(together(&frames).unwrap());
        let at = frames.iter().position(|(channel, _)| *channel == "2A9D").unwrap().to_string();
        let key = Some("2026-05-12T18:53:54#1");
        let expected = ["body-weight", "body-mass-index", "body-height", "body-fat-percentage", "body-impedance"];
        assert_eq!(keys(&decoded.readings), expected.map(|kind| (at.as_str(), kind, key)));
        for reading in &decoded.readings {
            assert_eq!(reading.time, DeviceTime::Local("2026-05-12T18:53:54".into()));
            assert_eq!(reading.user_slot.as_deref(), Some("1"));
        }
    }
}

#[test]
fn what_only_the_composition_says_is_kept() {
    let timed = "060c c200 ea07050c123536 01 b036 d606";
    let decoded = expect_readings(together(&[("2A9D", "00 b036"), ("2A9C", timed)]).unwrap());
    let key = Some("2026-05-12T18:53:54#1");
    let expected = ["body-weight", "body-fat-percentage", "body-height"];
    assert_eq!(keys(&decoded.readings), expected.map(|kind| ("0", kind, key)), "time and user are those of both");
}

#[test]
fn other_moments_users_and_weights_are_not_joined() {
    for composition in [
        // Another time, user, weight, height, units; and one that failed.
        "0200 c200 ea07050c123537",
        "0400 c200 02",
        "0004 c200 b136",
        "0008 c200 d706",
        "0104 c200 b036",
    ] {
        let weight = weight(54);
        let decoded = expect_readings(together(&[("2A9D", &weight), ("2A9C", composition)]).unwrap());
        let (with_key, rest): (Vec<_>, Vec<_>) =
            keys(&decoded.readings).into_iter().partition(|(_, _, key)| *key == Some("2026-05-12T18:53:54#1"));
        assert_eq!(with_key.len(), 3, "{composition}");
        assert!(rest.iter().all(|(frame, ..)| *frame == "1"), "{composition}: {rest:?}");
    }
    let weight = weight(54);
    let failed = together(&[("2A9D", &weight), ("2A9C", "0000 ffff")]).unwrap();
    assert_eq!(value_lines(&failed).len(), 3, "a composition that failed takes nothing from the weight");
    let failed = together(&[("2A9D", "00 ffff"), ("2A9C", "0004 c200 b036")]).unwrap();
    assert_eq!(value_lines(&failed), ["body-fat-percentage 19.4 %", "body-weight 70.000 kg"]);
}

#[test]
fn a_memory_of_pairs_keeps_its_pairs() {
    let timed = |second: u8, fat: u8| format!("0200 {fat:02x}00 ea07050c1235{second:02x}");
    let timeless = |fat: u8| format!("0000 {fat:02x}00");
    let check = |frames: Vec<(&str, String)>, expected: &[(&str, Option<&str>)]| {
        let frames: Vec<(&str, &str)> = frames.iter().map(|(channel, hex)| (*channel, hex.as_str())).collect();
        let decoded = expect_readings(together(&frames).unwrap());
        let mut fats: Vec<(String, Option<&str>)> = Vec::new();
        for reading in decoded.readings.iter().filter(|reading| reading.kind == "body-fat-percentage") {
            let line = value_lines(&reading.clone().into()).remove(0);
            let second = reading.record_key.as_deref().map(|key| &key[17..19]);
            fats.push((line.trim_start_matches("body-fat-percentage ").to_owned(), second));
        }
        let expected: Vec<(String, Option<&str>)> =
            expected.iter().map(|(fat, second)| ((*fat).to_owned(), *second)).collect();
        assert_eq!(fats, expected, "{frames:?}");
    };
    check(
        vec![("2A9D", weight(1)), ("2A9C", timeless(10)), ("2A9D", weight(2)), ("2A9C", timeless(20))],
        &[("1.0 %", Some("01")), ("2.0 %", Some("02"))],
    );
    check(
        vec![("2A9C", timeless(10)), ("2A9D", weight(1)), ("2A9C", timeless(20)), ("2A9D", weight(2))],
        &[("1.0 %", Some("01")), ("2.0 %", Some("02"))],
    );
    // The composition follows the second weight; the first has none.
    check(vec![("2A9D", weight(1)), ("2A9D", weight(2)), ("2A9C", timeless(20))], &[("2.0 %", Some("02"))]);
    // A second composition after the same weight belongs to nobody.
    check(
        vec![("2A9D", weight(1)), ("2A9D", weight(2)), ("2A9C", timeless(20)), ("2A9C", timeless(30))],
        &[("2.0 %", Some("02")), ("3.0 %", None)],
    );
    // With a time of their own, they find their weights wherever those are.
    check(
        vec![("2A9D", weight(1)), ("2A9D", weight(2)), ("2A9C", timed(2, 20)), ("2A9C", timed(1, 10))],
        &[("1.0 %", Some("01")), ("2.0 %", Some("02"))],
    );
    check(
        vec![("2A9C", timed(2, 20)), ("2A9D", weight(1)), ("2A9C", timed(1, 10)), ("2A9D", weight(2))],
        &[("1.0 %", Some("01")), ("2.0 %", Some("02"))],
    );
}

#[test]
fn a_wrong_clock_does_not_spoil_the_values() {
    let reading = readings("2A9C", "0200 c200 ea070d0c123536").remove(0);
    assert_eq!((reading.time, reading.clock_state.as_str()), (DeviceTime::None, clock_states::FAULT));
    let decoded = expect_readings(together(&[("2A9D", "02 b036 00000000123536"), ("2A9C", "0000 c200")]).unwrap());
    for reading in decoded.readings {
        assert_eq!((reading.clock_state.as_str(), reading.record_key), (clock_states::NOT_SET, None));
    }
}
