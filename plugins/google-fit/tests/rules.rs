//! The rules of the decoder beyond its vectors.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use afferent_plugin_sdk::{DecodeError, Decoded, Decoder, Input, Outcome, value_lines};
use google_fit::GoogleFit;

fn decode(json: &str) -> Result<Outcome, DecodeError> {
    GoogleFit::decode(&Input::new("googlefit", "", json))
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

fn point(name: &str, values: &str) -> String {
    format!(
        r#"{{"point":[{{"startTimeNanos":"1436325426030000000","endTimeNanos":"1436325426030000000","dataTypeName":"com.google.{name}",
            "originDataSourceId":"raw:com.google.{name}:com.google.android.apps.fitness:user_input","value":[{values}]}}]}}"#
    )
}

#[test]
fn single_floats_keep_seven_digits_and_no_noise() {
    for (name, value, line) in [
        ("weight", r#"{"fpVal":75.75070190429688}"#, "body-weight 75.7507 kg"),
        ("height", r#"{"fpVal":1.8287990093231201}"#, "body-height 1.828799 m"),
        ("heart_rate.bpm", r#"{"fpVal":58.0}"#, "heart-rate 58.0 /min"),
        ("body.fat.percentage", r#"{"fpVal":21.700000762939453}"#, "body-fat-percentage 21.7 %"),
        ("body.temperature", r#"{"fpVal":36.599998474121094}"#, "body-temperature 36.6 Cel"),
        ("oxygen_saturation", r#"{"fpVal":98},{"fpVal":0}"#, "oxygen-saturation 98 %"),
        ("step_count.delta", r#"{"intVal":4146}"#, "steps 4146 {steps}"),
        (
            "blood_glucose",
            r#"{"fpVal":5.599999904632568},{"intVal":2},{},{},{"intVal":1}"#,
            "glucose-interstitial 5.6 mmol/L",
        ),
    ] {
        assert_eq!(lines(&point(name, value)), [line]);
    }
    let reading = readings(&point("weight", r#"{"fpVal":72}"#)).readings.remove(0);
    assert_eq!(reading.flags, ["manual-entry"]);
}

#[test]
fn a_pressure_says_how_and_where() {
    let decoded = readings(&point("blood_pressure", r#"{"fpVal":120},{"fpVal":80},{"intVal":2},{"intVal":3}"#));
    let reading = &decoded.readings[0];
    assert_eq!(reading.components.len(), 2);
    let words: Vec<&str> = reading.context.iter().map(|context| context.value.as_str()).collect();
    assert_eq!((words, reading.body_site.as_deref()), (vec!["sitting", "left"], Some("upper-arm")));
}

#[test]
fn aggregates_are_read_and_what_has_no_kind_is_told() {
    let inner = point("weight", r#"{"fpVal":72}"#);
    assert_eq!(lines(&format!(r#"{{"bucket":[{{"dataset":[{inner}]}}]}}"#)), ["body-weight 72 kg"]);
    match decode(&point("speed", r#"{"fpVal":0.75}"#)).unwrap() {
        Outcome::Nothing(nothing) => assert!(nothing.warnings[0].message.contains("com.google.speed")),
        other => panic!("{other:?}"),
    }
    assert_eq!(reason(&point("step_count.delta", r#"{"intVal":0}"#)), "no-measurement", "a gap is not zero");
    assert_eq!(path(&point("blood_glucose", r#"{"fpVal":5},{},{},{},{"intVal":5}"#)), "$.point[0].value");
    assert_eq!(
        path(&point("weight", r#"{"fpVal":72}"#).replace("1436325426030000000", "1e30")),
        "$.point[0].startTimeNanos"
    );
}
