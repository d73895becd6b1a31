//! The rules of the decoder beyond its vectors.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use afferent_plugin_sdk::{DecodeError, Decoded, Decoder, Input, Outcome, value_lines};
use nightscout::Nightscout;

fn decode(json: &str) -> Result<Outcome, DecodeError> {
    Nightscout::decode(&Input::new("nightscout-sgv", "", json))
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

#[test]
fn low_and_high_are_bounds_and_codes_are_no_glucose() {
    let sgv = |value: &str| format!(r#"{{"type":"sgv","sgv":{value},"date":1405792155000}}"#);
    for (value, line) in [
        ("39", "glucose-interstitial < 40 mg/dL"),
        ("40", "glucose-interstitial 40 mg/dL"),
        ("\"120\"", "glucose-interstitial 120 mg/dL"),
        ("400", "glucose-interstitial 400 mg/dL"),
        ("401", "glucose-interstitial > 400 mg/dL"),
    ] {
        assert_eq!(lines(&sgv(value)), [line]);
    }
    for code in ["0", "5", "38", "-1"] {
        assert_eq!(reason(&sgv(code)), "error-code");
    }
    assert_eq!(lines(&format!("[{},{}]", sgv("5"), sgv("120"))), ["glucose-interstitial 120 mg/dL"]);
}

#[test]
fn other_entries_are_meters_calibrations_or_told() {
    assert_eq!(lines(r#"{"type":"mbg","mbg":110,"date":1405792155000}"#), ["glucose-capillary 110 mg/dL"]);
    assert_eq!(reason(r#"{"type":"cal","slope":1,"date":1405792155000}"#), "no-measurement");
    assert_eq!(reason(r#"{"type":"sgv","sgv":120,"date":1405792155000,"isValid":false}"#), "no-measurement");
    assert_eq!(reason(r#"{"type":"etc","date":1405792155000}"#), "no-measurement");
    assert_eq!(reason("[]"), "no-measurement");
}

#[test]
fn the_epoch_decides_and_a_contradiction_is_told() {
    let at = |times: &str| readings(&format!(r#"{{"sgv":120,{times}}}"#));
    let agree = at(r#""date":1405792155000.7,"dateString":"2014-07-19T10:49:15.000-07:00""#);
    assert_eq!(agree.readings[0].time, DeviceTime::Zoned("2014-07-19T17:49:15.001Z".into()));
    assert!(agree.warnings.is_empty());
    let apart = at(r#""date":1405792155000,"dateString":"2014-07-19T10:51:15.000-07:00""#);
    assert_eq!(apart.warnings[0].code, "timestamp-fields-disagree");
    assert_eq!(apart.readings[0].record_key.as_deref(), Some("sgv/2014-07-19T17:49:15Z"));
    let text = at(r#""dateString":"2014-07-19T10:49:15.000-07:00""#);
    assert_eq!(text.readings[0].time, DeviceTime::Zoned("2014-07-19T10:49:15-07:00".into()));
    assert_eq!(path(r#"{"sgv":120}"#), "$");
    assert_eq!(path(r#"[{"sgv":120,"date":"soon"}]"#), "$[0].date");
}
