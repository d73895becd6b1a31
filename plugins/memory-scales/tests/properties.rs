//! What holds for payloads that no vector shows: parts in any order, memories, users, clocks, contradictions.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use afferent_plugin_sdk::registry::{clock_states, fact_kinds, flags, nothing_reasons, warnings};
use afferent_plugin_sdk::{DecodeError, Decoded, Decoder, DeviceTime, ErrorKind, Input, Outcome, value_lines};
use memory_scales::MemoryScales;

const USER: &str = "e759 03 01 01 0000000000000065";
const HEAD: &str = "e759 03 02 6a21f4c6 0687 01b5 00df 02";
const TAIL: &str = "e759 03 03 09 018d 00e9 0717 0aa2 0108";
const WHOLE: [&str; 4] =
    ["body-weight 83.55 kg", "body-impedance 437 Ohm", "body-fat-percentage 22.3 %", "body-muscle-percentage 39.7 %"];

fn sanitas(frames: &[&str]) -> Result<Outcome, DecodeError> {
    let mut input = Input::hex("sanitas-sbf70", "", "");
    input.frames = frames.iter().flat_map(|frame| Input::hex("", "FFE1", frame).frames).collect();
    MemoryScales::decode(&input)
}

fn soehnle(hex: &str) -> Result<Outcome, DecodeError> {
    MemoryScales::decode(&Input::hex("soehnle-shape", "", hex))
}

fn decoded(outcome: Result<Outcome, DecodeError>) -> Decoded {
    match outcome.unwrap() {
        Outcome::Readings(decoded) => decoded,
        other => panic!("{other:?}"),
    }
}

#[test]
fn three_parts_are_one_measurement_in_any_order_and_repeated() {
    for order in [[USER, HEAD, TAIL], [TAIL, USER, HEAD], [HEAD, TAIL, USER]] {
        let found = decoded(sanitas(&order));
        assert_eq!(value_lines(&Outcome::Readings(found.clone())), WHOLE);
        assert!(found.readings.iter().all(|reading| reading.user_slot.as_deref() == Some("101")));
        assert!(found.readings.iter().all(|reading| reading.record_key.as_deref() == Some("1780610246")));
        assert_eq!(found.readings[0].time, DeviceTime::Zoned("2026-06-04T21:57:26Z".into()));
        assert!(found.readings[0].flags.is_empty());
    }
    assert_eq!(value_lines(&sanitas(&["e758010680", USER, HEAD, HEAD, TAIL]).unwrap()), WHOLE);
}

#[test]
fn missing_parts_are_waited_for_but_not_by_the_user_alone() {
    assert!(matches!(sanitas(&[HEAD]), Ok(Outcome::Incomplete(_))));
    assert!(matches!(sanitas(&[TAIL]), Ok(Outcome::Incomplete(_))));
    assert!(matches!(sanitas(&[USER, HEAD]), Ok(Outcome::Incomplete(_))));
    assert!(matches!(sanitas(&[USER]), Ok(Outcome::Nothing(_))));
}

#[test]
fn a_measurement_without_its_user_is_ambiguous() {
    for frames in [&[HEAD, TAIL][..], &["e759 03 01 01 0000000000000000", HEAD, TAIL]] {
        let found = decoded(sanitas(frames));
        assert!(found.readings.iter().all(|reading| reading.flags == [flags::AMBIGUOUS_USER]));
        assert!(found.readings.iter().all(|reading| reading.user_slot.is_none()));
    }
}

#[test]
fn memories_are_from_storage_and_unknown_ones_ambiguous() {
    let unknown =
        decoded(sanitas(&["e74c 02 01 5d5776b1 0707 01e2 00b9 02", "e74c 02 02 20 0199 0118 0829 0c3e 00f1"]));
    assert_eq!(unknown.readings[0].flags, [flags::FROM_STORAGE, flags::AMBIGUOUS_USER]);
    assert_eq!(value_lines(&Outcome::Readings(unknown))[0], "body-weight 89.95 kg");
    let two = decoded(sanitas(&[
        "e742 04 01 5d5776b1 0707 01e2 00b9 02",
        "e742 04 02 20 0199 0118 0829 0c3e 00f1",
        "e742 04 03 5d5876b1 0700 0000 0000 00",
        "e742 04 04 00 0000 0000 0829 0c3e 00f1",
    ]));
    assert_eq!(two.readings.len(), 5, "what was not measured is no reading");
    assert_eq!(two.readings[4].flags, [flags::FROM_STORAGE]);
    assert!(matches!(sanitas(&["e742 04 01 5d5776b1 0707 01e2 00b9 02"]), Ok(Outcome::Incomplete(_))));
}

#[test]
fn parts_that_contradict_each_other_are_refused() {
    for frames in [
        &[HEAD, "e759 03 02 6a21f4c7 0687 01b5 00df 02"][..],
        &[HEAD, "e759 04 03 09 018d 00e9 0717 0aa2 0108"],
        &["e759 03 04 6a21f4c6 0687 01b5 00df 02"],
        &["e759 03 00 6a21f4c6 0687 01b5 00df 02"],
        &["e759 00 00"],
        &["e742 03 01 00", "e742 03 02 00", "e742 03 03 00"],
        &[USER, "e759 03 02 6a21f4c6", "e759 03 03 09"],
        &[USER, "e759 03 02 6a21f4c6 ffff 01b5 00df 02", TAIL],
        &[USER, "e759 03 02 6a21f4c6 0687 01b5 ffff 02", TAIL],
        &[],
    ] {
        assert_eq!(sanitas(frames).unwrap_err().kind, ErrorKind::Malformed, "{frames:?}");
    }
}

#[test]
fn a_scale_that_tells_its_state_is_heard() {
    match sanitas(&["e7f0 4f 00 64 14dc01000000 05"]).unwrap() {
        Outcome::Nothing(nothing) => {
            assert_eq!(
                (nothing.reason.as_str(), nothing.facts[0].kind.as_str()),
                (nothing_reasons::STATUS, fact_kinds::BATTERY)
            );
        }
        other => panic!("{other:?}"),
    }
    let whole = decoded(sanitas(&["e7f0 4f 00 64 14dc01000000 05", USER, HEAD, TAIL]));
    assert_eq!(whole.facts.len(), 1);
    assert!(matches!(sanitas(&["e758 00 0000"]), Ok(Outcome::Nothing(_))));
    assert!(matches!(sanitas(&["e758 01 085e"]), Ok(Outcome::Nothing(_))));
    assert!(sanitas(&["e758 01 1771"]).is_err(), "300.05 kg");
    assert!(sanitas(&["e758 01 0680 00"]).is_err());
}

#[test]
fn all_zero_is_no_measurement() {
    let nothing = sanitas(&[USER, "e759 03 02 6a21f4c6 0000 0000 0000 00", "e759 03 03 00 0000 0000 0000 0000 0000"]);
    assert!(matches!(nothing, Ok(Outcome::Nothing(_))));
}

#[test]
fn a_soehnle_clock_begins_in_2016() {
    let factory = decoded(soehnle("09 01 07e0 01090a331c 0555 01dc 019d"));
    assert_eq!(factory.warnings[0].code, warnings::DEVICE_TIME_UNTRUSTED);
    assert!(
        factory
            .readings
            .iter()
            .all(|reading| reading.record_key.is_none() && reading.clock_state == clock_states::NOT_SET)
    );
    let set = decoded(soehnle("09 03 07e7 01090a331c 0555 01dc 019d"));
    assert!(set.warnings.is_empty());
    let keys: Vec<_> = set.readings.iter().map(|reading| reading.record_key.clone().unwrap()).collect();
    assert_eq!(keys, ["2023-01-09T10:51:28#3", "2023-01-09T10:51:28#3/5kHz", "2023-01-09T10:51:28#3/50kHz"]);
    assert_eq!(set.readings[0].user_slot.as_deref(), Some("3"));
    let shod = decoded(soehnle("09 00 07e7 01090a331c 0555 0000 0000"));
    assert_eq!((shod.readings.len(), shod.readings[0].user_slot.clone()), (1, None));
    assert!(soehnle("30 01 00 0565 00000000").is_err());
}
