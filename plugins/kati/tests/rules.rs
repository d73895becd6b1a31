//! The rules of the decoder beyond its vectors.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use afferent_plugin_sdk::{DecodeError, Decoded, Decoder, Input, Outcome, value_lines};
use kati::Kati;

fn decode(json: &str) -> Result<Outcome, DecodeError> {
    Kati::decode(&Input::new("kati-watch", "", json))
}

fn lines(json: &str) -> Vec<String> {
    value_lines(&decode(json).unwrap())
}

fn readings(json: &str) -> Decoded {
    match decode(json).unwrap() {
        Outcome::Readings(decoded) => decoded,
        other => panic!("{other:?}"),
    }
}

fn reason(json: &str) -> String {
    match decode(json).unwrap() {
        Outcome::Nothing(nothing) => nothing.reason,
        other => panic!("{other:?}"),
    }
}

fn path(json: &str) -> String {
    decode(json).unwrap_err().path.unwrap_or_default()
}

use afferent_plugin_sdk::DeviceTime;

fn watch(rest: &str) -> String {
    format!(r#"{{"IMEI":"865067123456789",{rest}}}"#)
}

#[test]
fn the_day_comes_first_and_an_impossible_time_spoils_no_value() {
    let at = |time: &str| readings(&watch(&format!(r#""heartRate":72,"timeStamps":"{time}""#))).readings.remove(0);
    let first = at("05/06/2025 02:03:04");
    assert_eq!(first.time, DeviceTime::Local("2025-06-05T02:03:04".into()));
    assert_eq!(first.record_key.as_deref(), Some("2025-06-05T02:03:04"));
    for wrong in ["16/16/2025 12:30:45", "2025-06-16T12:30:45", "16/06/2025", "x/06/2025 1:2:3", ""] {
        let reading = at(wrong);
        assert_eq!((reading.time, reading.clock_state.as_str()), (DeviceTime::None, "fault"), "{wrong}");
        assert_eq!(reading.record_key, None);
    }
}

#[test]
fn the_steps_of_a_day_are_one_record_that_grows() {
    let steps = |time: &str, steps: i64| {
        readings(&watch(&format!(r#""step":{steps},"timeStamps":"{time}""#))).readings.remove(0)
    };
    let (noon, night) = (steps("16/06/2025 12:30:45", 999), steps("16/06/2025 22:00:00", 4000));
    assert_eq!(noon.record_key, night.record_key);
    assert_eq!(noon.on_change, afferent_plugin_sdk::OnChange::Replace);
    assert_ne!(noon.record_key, steps("17/06/2025 12:30:45", 10).record_key);
}

#[test]
fn a_watch_that_is_not_worn_measures_nothing_and_a_cuffless_pressure_says_so() {
    let zeros = r#""heartRate":0,"spO2":0,"bodyTemperature":0,"bloodPressure":{"bp_sys":0,"bp_dia":0},"battery":5"#;
    assert_eq!(reason(&watch(zeros)), "heartbeat");
    let decoded = readings(&watch(r#""bloodPressure":{"bp_sys":119,"bp_dia":73},"stress":3"#));
    assert_eq!(decoded.readings[0].method.as_deref(), Some("photoplethysmography"));
    assert_eq!(decoded.readings[0].body_site.as_deref(), Some("wrist"));
    assert!(decoded.warnings[0].message.contains("`stress`"));
}

#[test]
fn alarms_are_seen_and_states_are_states() {
    match decode(&watch(r#""status":"FALL DOWN","location":{}"#)).unwrap() {
        Outcome::Nothing(nothing) => assert!(nothing.warnings[0].message.contains("FALL DOWN")),
        other => panic!("{other:?}"),
    }
    assert_eq!(reason(&watch(r#""status":"offline""#)), "status");
    assert_eq!(reason(&watch(r#""sleep":{"num":145}"#)), "no-measurement");
    assert_eq!(lines(&watch(r#""data":[],"num_datas":12"#)), Vec::<String>::new());
    assert_eq!(path(r#"{"heartRate":72}"#), "$");
    assert_eq!(path(&watch(r#""data":[{"heartRate":72}]"#)), "$.data[0]");
}
