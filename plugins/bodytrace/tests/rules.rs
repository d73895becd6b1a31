//! The rules of the decoder beyond its vectors.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use afferent_plugin_sdk::{DecodeError, Decoded, Decoder, Input, Outcome, value_lines};
use bodytrace::BodyTrace;

fn decode(json: &str) -> Result<Outcome, DecodeError> {
    BodyTrace::decode(&Input::new("bodytrace", "", json))
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

fn push(values: &str) -> String {
    format!(r#"{{"deviceId":14800000000000,"ts":1380562575798,"values":{values}}}"#)
}

#[test]
fn grams_and_pascal_whatever_the_display_shows() {
    assert_eq!(lines(&push(r#"{"unit":0,"weight":69850}"#)), ["body-weight 69.850 kg"]);
    assert_eq!(
        lines(&push(r#"{"systolic":16132,"diastolic":10399,"pulse":66,"irregular":0}"#)),
        [
            "blood-pressure/blood-pressure-systolic 16132 Pa",
            "blood-pressure/blood-pressure-diastolic 10399 Pa",
            "pulse-rate 66 /min"
        ]
    );
    assert_eq!(path(&push(r#"{"systolic":121,"diastolic":78}"#)), "$.values.systolic", "mm[Hg] are no pascal");
    let irregular = readings(&push(r#"{"systolic":16132,"diastolic":10399,"irregular":true}"#));
    assert_eq!(irregular.readings[0].flags, ["irregular-pulse"]);
}

#[test]
fn the_imei_is_whole_and_the_key_is_the_time() {
    let decoded = readings(&push(r#"{"weight":69850,"fat":20}"#));
    let reading = &decoded.readings[0];
    assert_eq!(reading.device_identity[0].value, "148000000000003");
    assert_eq!(reading.record_key.as_deref(), Some("2013-09-30T17:36:15.798Z"));
    assert!(decoded.warnings[0].message.contains("`fat`"));
    assert_eq!(reason(&push(r#"{"weight":0}"#)), "no-measurement");
    assert_eq!(path(r#"{"deviceId":1,"values":{}}"#), "$");
}
