//! The rules of the decoder beyond its vectors.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use afferent_plugin_sdk::{DecodeError, Decoded, Decoder, Input, Outcome, value_lines};
use tenovi::Tenovi;

fn decode(json: &str) -> Result<Outcome, DecodeError> {
    Tenovi::decode(&Input::new("tenovi", "", json))
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

fn one(rest: &str) -> String {
    format!(r#"{{"hwi_device_id":"d1","timestamp":"2026-03-10T12:00:01Z",{rest}}}"#)
}

#[test]
fn every_metric_has_the_unit_of_the_device_overview() {
    for (rest, line) in [
        (r#""metric":"spO2","sensor_code":"11","value_1":"97","value_2":"0.5""#, "oxygen-saturation 97 %"),
        (r#""metric":"pulse","sensor_code":"11","value_1":"74""#, "pulse-rate-oximeter 74 /min"),
        (r#""metric":"pulse","sensor_code":24,"value_1":74"#, "pulse-rate-oximeter 74 /min"),
        (r#""metric":"pulse","sensor_code":"10","value_1":74"#, "pulse-rate 74 /min"),
        (r#""metric":"pulse","value_1":74"#, "heart-rate 74 /min"),
        (r#""metric":"perfusion_index","value_1":"4.5""#, "perfusion-index 4.5 %"),
        (r#""metric":"weight","value_1":"182.40""#, "body-weight 182.40 [lb_av]"),
        (r#""metric":"temperature","value_1":98.6"#, "body-temperature 98.6 [degF]"),
        (r#""metric":"blood_glucose","value_1":"104""#, "glucose-capillary 104 mg/dL"),
        (r#""metric":"peak_expiratory_flow","value_1":322"#, "peak-expiratory-flow 322 L/min"),
        (r#""metric":"forced_expiratory_volume","value_1":1.85"#, "forced-expiratory-volume-1s 1.85 L"),
        (r#""metric":"steps","value_1":"0""#, "steps 0 {steps}"),
    ] {
        assert_eq!(lines(&one(rest)), [line]);
    }
    assert_eq!(path(&one(r#""metric":"temperature","value_1":37.0"#)), "$.value_1", "no body has 37 °F");
}

#[test]
fn a_reading_says_when_by_what_and_how_sure() {
    let decoded = readings(&one(
        r#""metric":"weight","value_1":1,"filter_params":{"measurement_index":7},"estimated_timestamp":true,"dummy_data":true"#,
    ));
    let reading = &decoded.readings[0];
    assert_eq!(reading.flags, ["estimated-time", "test"]);
    assert_eq!(reading.record_key.as_deref(), Some("weight/2026-03-10T12:00:01Z/7"));
    assert_eq!(reading.device_identity[0].name, "vendor-device-id");
    assert_eq!(path(r#"[{"metric":"weight","hwi_device_id":"d1","value_1":1,"timestamp":"soon"}]"#), "$[0].timestamp");
    assert_eq!(path(&one(r#""metric":"weight""#)), "$");
}

#[test]
fn a_sample_is_described_and_a_control_solution_is_nobodys() {
    let glucose = |filters: &str| one(&format!(r#""metric":"glucose","value_1":104,"filter_params":{{{filters}}}"#));
    let decoded = readings(&glucose(
        r#""meal_context":"fasting","measurement_location":"finger","alert":"sensor_result_above_range""#,
    ));
    let reading = &decoded.readings[0];
    assert_eq!((reading.context[0].value.as_str(), reading.body_site.as_deref()), ("fasting", Some("finger")));
    assert_eq!(reading.flags, ["result-too-high"]);
    assert_eq!(reason(&glucose(r#""measurement_location":"control solution""#)), "status");
}

#[test]
fn an_irregular_heartbeat_flags_the_pressure_of_its_moment() {
    let pressure = one(r#""metric":"blood_pressure","value_1":128,"value_2":82"#);
    let irregular = one(r#""metric":"irregular_heartbeat","value_1":1"#);
    assert_eq!(readings(&format!("[{pressure},{irregular}]")).readings[0].flags, ["irregular-pulse"]);
    let later = irregular.replace("12:00:01", "12:05:00");
    let apart = readings(&format!("[{pressure},{later}]"));
    assert!(apart.readings[0].flags.is_empty());
    assert!(apart.warnings[0].message.contains("irregular_heartbeat"));
    assert_eq!(reason(&irregular), "status");
    assert_eq!(reason(&one(r#""metric":"sleep","value_1":7"#)), "status");
    assert_eq!(reason(&one(r#""metric":"blood_pressure","value_1":0,"value_2":0"#)), "status");
}
