//! What holds for records that no vector shows: packed fields, slots, what was not measured, impossible dates.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use afferent_plugin_sdk::registry::flags;
use afferent_plugin_sdk::{Decoder, DeviceTime, ErrorKind, Input, Outcome, Reading, value_lines};
use omron::Omron;

const SHORT: &str = "00003ac85f024e183b6d223389cc0000000000000000000000005a8000000000";

fn readings(channel: &str, hex: &str) -> Vec<Reading> {
    match Omron::decode(&Input::hex("omron-wlc", channel, hex)).unwrap() {
        Outcome::Readings(decoded) => decoded.readings,
        other => panic!("{other:?}"),
    }
}

#[test]
fn fields_that_share_a_byte_are_told_apart() {
    let found = readings("", SHORT);
    assert_eq!(found[0].time, DeviceTime::Local("2024-03-17T07:45:12".into()));
    assert!(found.iter().all(|reading| reading.flags == [flags::FROM_STORAGE]));
    // Every bit of the neighbours set: visceral fat, classifications, the unused bits of minute, month and second.
    let crowded = SHORT.replace("3ac85f024e18", "3aff5f0f4e18").replace("6d2233", "6dff f3");
    assert_eq!(
        value_lines(&Omron::decode(&Input::hex("omron-wlc", "", &crowded)).unwrap()),
        value_lines(&Omron::decode(&Input::hex("omron-wlc", "", SHORT)).unwrap())
    );
}

#[test]
fn a_slot_comes_from_the_channel() {
    let found = readings("slot-2", SHORT);
    assert_eq!(found[0].user_slot.as_deref(), Some("2"));
    assert_eq!(found[0].record_key.as_deref(), Some("2024-03-17T07:45:12#2"));
    assert_eq!(readings("", SHORT)[0].user_slot, None);
    for wrong in ["slot-0", "slot-5", "slot-", "2"] {
        assert!(Omron::decode(&Input::hex("omron-wlc", wrong, SHORT)).is_err(), "{wrong}");
    }
}

#[test]
fn what_was_not_measured_is_no_reading() {
    let sparse = SHORT.replace("3ac85f02", "00000000");
    let lines = value_lines(&Omron::decode(&Input::hex("omron-wlc", "", &sparse)).unwrap());
    assert_eq!(lines, ["body-weight 72.40 kg", "body-muscle-percentage 31.2 %", "body-mass-index 23.7 kg/m2"]);
}

#[test]
fn blank_weightless_and_impossible_records() {
    for blank in ["00".repeat(32), "ff".repeat(48), SHORT.replace("5a80", "0000")] {
        assert!(matches!(Omron::decode(&Input::hex("omron-wlc", "", &blank)), Ok(Outcome::Nothing(_))), "{blank}");
    }
    for (from, to) in [("223389", "223089"), ("223389", "223d89"), ("3389cc", "3281cc"), ("89cc0000", "89ff0000")] {
        assert!(SHORT.contains(from));
        let wrong = SHORT.replace(from, to);
        let error = Omron::decode(&Input::hex("omron-wlc", "", &wrong));
        // 17 February exists; the others do not.
        assert_eq!(error.is_err(), to != "3281cc", "{to}");
    }
    for length in [31, 33, 47, 49, 96] {
        let wrong = Input::hex("omron-wlc", "", &"5a".repeat(length));
        assert_eq!(Omron::decode(&wrong).unwrap_err().kind, ErrorKind::Malformed, "{length}");
    }
}
