//! The rules of the decoder beyond its vectors.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use afferent_plugin_sdk::{DecodeError, Decoded, Decoder, Input, Outcome, value_lines};
use health_auto_export::HealthAutoExport;

fn decode(json: &str) -> Result<Outcome, DecodeError> {
    HealthAutoExport::decode(&Input::new("health-auto-export", "", json))
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

use afferent_plugin_sdk::OnChange;

fn metric(name: &str, units: &str, point: &str) -> String {
    let point = format!(r#"{{"date":"2026-03-10 07:15:00 -0500",{point}}}"#);
    format!(r#"{{"data":{{"metrics":[{{"name":"{name}","units":"{units}","data":[{point}]}}]}}}}"#)
}

#[test]
fn every_metric_has_its_units_and_no_other() {
    for (name, units, point, line) in [
        ("heart_rate", "count/min", r#""Min":65,"Avg":72,"Max":85"#, "heart-rate 72 /min"),
        ("heart_rate", "bpm", r#""qty":72"#, "heart-rate 72 /min"),
        ("resting_heart_rate", "count/min", r#""qty":55"#, "heart-rate-resting 55 /min"),
        ("heart_rate_variability", "ms", r#""qty":41.23456789"#, "heart-rate-variability 41.2346 ms"),
        ("blood_oxygen_saturation", "%", r#""qty":97"#, "oxygen-saturation 97 %"),
        ("body_temperature", "degF", r#""qty":98.60000000000001"#, "body-temperature 98.6 [degF]"),
        ("body_temperature", "degC", r#""qty":36.6"#, "body-temperature 36.6 Cel"),
        ("height", "cm", r#""qty":180"#, "body-height 180 cm"),
        ("body_mass_index", "count", r#""qty":23.4"#, "body-mass-index 23.4 kg/m2"),
        ("step_count", "count", r#""qty":1234.4999"#, "steps 1234 {steps}"),
        ("active_energy", "kJ", r#""qty":418.4"#, "active-energy 418.4 kJ"),
        ("respiratory_rate", "count/min", r#""qty":14.5"#, "respiratory-rate 14.5 /min"),
        (
            "blood_glucose",
            "mmol<180.1558800000541>/L",
            r#""qty":5.6,"mealTime":"Before Meal""#,
            "glucose-capillary 5.6 mmol/L",
        ),
        ("blood_glucose", "mg/dL", r#""qty":101,"source":"Dexcom G7""#, "glucose-interstitial 101 mg/dL"),
    ] {
        assert_eq!(lines(&metric(name, units, point)), [line]);
    }
    for (name, units) in
        [("weight_body_mass", "st"), ("weight_body_mass", "mg/dL"), ("blood_glucose", "mmol"), ("step_count", "km")]
    {
        assert_eq!(path(&metric(name, units, r#""qty":5"#)), "$.data.metrics[0].units", "{name} {units}");
    }
    assert_eq!(path(&metric("blood_oxygen_saturation", "%", r#""qty":0.97"#)), "$.data.metrics[0].data[0].qty");
}

#[test]
fn what_has_no_kind_is_told_by_name() {
    let json = r#"{"data":{"metrics":[{"name":"sleep_analysis","units":"hr","data":[{"asleep":7}]},
        {"name":"weight_body_mass","units":"kg","data":[{"date":"2026-03-10 07:10:00 -0500","qty":80}]}],"workouts":[{}],"ecg":[]}}"#;
    let decoded = readings(json);
    let told: Vec<&str> = decoded.warnings.iter().map(|warning| warning.message.as_str()).collect();
    assert_eq!(decoded.readings.len(), 1);
    assert!(told[0].contains("`sleep_analysis`") && told[1].contains("`workouts`") && told.len() == 2);
    assert_eq!(reason(r#"{"data":{"metrics":[]}}"#), "no-measurement");
    assert_eq!(path("{}"), "$");
}

#[test]
fn totals_grow_and_vital_signs_belong_to_their_source() {
    let key = |name: &str, units: &str, source: &str| {
        let reading = readings(&metric(name, units, &format!(r#""qty":80,"source":"{source}""#))).readings.remove(0);
        assert_eq!(reading.on_change, OnChange::Replace);
        reading.record_key.unwrap()
    };
    assert_eq!(key("step_count", "count", "Watch"), key("step_count", "count", "Watch|Phone"));
    assert_ne!(key("weight_body_mass", "kg", "A"), key("weight_body_mass", "kg", "B"));
    assert_eq!(key("weight_body_mass", "kg", "Scale"), "weight_body_mass/2026-03-10T07:15:00-05:00/Scale");
}
