//! What holds for records that no vector shows: users, padding, wrong keys, history, both bands.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use afferent_plugin_sdk::registry::{clock_states, flags};
use afferent_plugin_sdk::{DecodeError, Decoder, DeviceTime, Input, Outcome, Reading, value_lines};
use huawei_scales::HuaweiScales;

const CH100: &str = "01 ca03 1801 ea070513080c21 02 1c02";
const LIVE: &str = "341e b900 ea0706160f0e2a 00 f401f501f601f701f801f901 4800";
const HIGH: &str = "580259025a025b025c025d02";

fn ch100(hex: &str) -> Result<Outcome, DecodeError> {
    HuaweiScales::decode(&Input::hex("huawei-ch100-plain", "", hex))
}

fn hagrid(hex: &str) -> Result<Outcome, DecodeError> {
    HuaweiScales::decode(&Input::hex("huawei-hagrid-plain", "", hex))
}

fn readings(outcome: Result<Outcome, DecodeError>) -> Vec<Reading> {
    match outcome.unwrap() {
        Outcome::Readings(decoded) => decoded.readings,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_ch100_record_has_its_user_and_may_be_padded() {
    let found = readings(ch100(CH100));
    assert_eq!(found[0].user_slot.as_deref(), Some("1"));
    assert_eq!(found[0].record_key.as_deref(), Some("2026-05-19T08:12:33#1"));
    assert_eq!(readings(ch100(&format!("{CH100}00"))), found);
    assert!(ch100(&format!("{CH100}01")).is_err());
    assert!(ch100(&format!("{CH100}0000")).is_err());
    let nobody = readings(ch100(&CH100.replacen("01", "00", 1)));
    assert_eq!(nobody[0].user_slot, None);
    let shod = ch100(&CH100.replace("1801", "0000").replace("1c02", "0000")).unwrap();
    assert_eq!(value_lines(&shod), ["body-weight 97.0 kg"]);
}

#[test]
fn what_another_key_opened_is_refused() {
    for wrong in [
        CH100.replace("1801", "e903"),
        CH100.replace("21 02", "21 08"),
        CH100.replace("0513", "0d13"),
        CH100.replace("080c21", "180c21"),
    ] {
        assert!(ch100(&wrong).is_err(), "{wrong}");
    }
    let undated = readings(ch100(&CH100.replace("ea0705", "000005")));
    assert_eq!((undated[0].clock_state.as_str(), undated[0].record_key.clone()), (clock_states::NOT_SET, None));
}

#[test]
fn a_hagrid_measurement_has_one_band_or_two() {
    let lines = ["body-weight 77.32 kg", "body-fat-percentage 18.5 %", "heart-rate 72 /min"];
    assert_eq!(value_lines(&hagrid(LIVE).unwrap()), lines);
    assert_eq!(value_lines(&hagrid(&format!("{LIVE}{HIGH}")).unwrap()), lines);
    assert_eq!(readings(hagrid(LIVE))[0].time, DeviceTime::Local("2026-06-22T15:14:42".into()));
    for length in [2, 25, 29, 37, 41] {
        assert!(hagrid(&"01".repeat(length)).is_err(), "{length}");
    }
    assert!(hagrid(&LIVE.replace("b900", "e903")).is_err(), "more than 100 % of fat");
    let rate = hagrid(&LIVE.replace("4800", "f100")).unwrap();
    assert_eq!(value_lines(&rate).len(), 2, "no heart beats at 241");
}

#[test]
fn a_history_record_is_from_storage_and_perhaps_anothers() {
    let known = readings(hagrid(&format!("{LIVE}{HIGH}0001")));
    assert_eq!(known[0].flags, [flags::FROM_STORAGE]);
    let suspected = readings(hagrid(&format!("{LIVE}0100")));
    assert_eq!(suspected[0].flags, [flags::FROM_STORAGE, flags::AMBIGUOUS_USER]);
    let undated = LIVE.replace("ea0706", "000000");
    assert!(hagrid(&format!("{undated}{HIGH}0000")).is_err());
    assert_eq!(readings(hagrid(&undated))[0].record_key, None, "a live one keeps its value");
}
