//! The rules of the decoder beyond its vectors: versions, units, meals, what is not measured, keys and facts.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use afferent_plugin_sdk::registry::{flags, nothing_reasons, warnings};
use afferent_plugin_sdk::{
    DecodeError, Decoded, Decoder, DeviceTime, ErrorKind, Input, Nothing, Outcome, Value, value_lines,
};
use tellihealth::Tellihealth;

fn decode(model: &str, json: &str) -> Result<Outcome, DecodeError> {
    Tellihealth::decode(&Input::new(model, "", json))
}

fn v1(reading_type: &str, data: &str) -> Result<Outcome, DecodeError> {
    let head = r#""deviceId":"864351055723276","time":"1721386225000""#;
    decode("telli-v1", &format!(r#"{{{head},"readingType":"{reading_type}","data":{data}}}"#))
}

fn v2(rest: &str) -> Result<Outcome, DecodeError> {
    decode("telli-v2", &format!(r#"{{"deviceId":"864351055723276","time":"1721386225000","genVer":"2",{rest}}}"#))
}

fn readings(outcome: Outcome) -> Decoded {
    match outcome {
        Outcome::Readings(decoded) => decoded,
        other => panic!("{other:?}"),
    }
}

fn nothing(outcome: Outcome) -> Nothing {
    match outcome {
        Outcome::Nothing(nothing) => nothing,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_unit_of_the_specification_is_kept_and_every_other_is_refused() {
    for (reading_type, data, line) in [
        ("Weight", r#"{"weight":61.25,"unit":"kg"}"#, "body-weight 61.25 kg"),
        ("Weight", r#"{"weight":"135.20","unit":"lb"}"#, "body-weight 135.20 [lb_av]"),
        ("Weight", r#"{"weight":61.250000001,"unit":"kg"}"#, "body-weight 61.25 kg"),
        ("Temperature", r#"{"temperature":36.6,"unit":"C"}"#, "body-temperature 36.6 Cel"),
        ("BloodGlucose", r#"{"glucose":6.1,"unit":"mmol/L"}"#, "glucose-capillary 6.1 mmol/L"),
        ("BloodGlucose", r#"{"glucose":110.0}"#, "glucose-capillary 110.0 mg/dL"),
    ] {
        assert_eq!(value_lines(&v1(reading_type, data).unwrap()), [line]);
    }
    for (reading_type, data, path) in [
        ("Weight", r#"{"weight":61,"unit":"KG"}"#, "$.data.unit"),
        ("Weight", r#"{"weight":61}"#, "$.data"),
        ("Temperature", r#"{"temperature":36.6,"unit":"K"}"#, "$.data.unit"),
        ("BloodGlucose", r#"{"glucose":6.1,"unit":"mmol/l"}"#, "$.data.unit"),
        ("BloodGlucose", r#"{"glucose":110,"readingPeriod":"during"}"#, "$.data.readingPeriod"),
        ("BloodPressure", r#"{"systolic":120,"diastolic":80,"arrhythmia":2}"#, "$.data.arrhythmia"),
        ("BloodPressure", r#"{"systolic":120}"#, "$.data"),
        ("SpO2", r#"{"spo2":"ninety"}"#, "$.data.spo2"),
        ("Ecg", "{}", "$.readingType"),
    ] {
        assert_eq!(v1(reading_type, data).unwrap_err().path.as_deref(), Some(path), "{data}");
    }
}

#[test]
fn a_glucose_of_version_2_must_say_its_unit() {
    let message = |data: &str| format!(r#""readingType":"BloodGlucose","data":{data}"#);
    let lines = value_lines(&v2(&message(r#"{"glucose":110,"unit":"mg/dL"}"#)).unwrap());
    assert_eq!(lines, ["glucose-capillary 110 mg/dL"]);
    assert_eq!(v2(&message(r#"{"glucose":110}"#)).unwrap_err().kind, ErrorKind::Malformed);
}

#[test]
fn a_message_of_the_other_version_is_refused() {
    let v1_message = r#"{"deviceId":"1","time":"1721386225000","readingType":"PeakFlow","data":{"pef":1,"fev1":1}}"#;
    assert_eq!(decode("telli-v2", v1_message).unwrap_err().kind, ErrorKind::NotForMe);
    let v2_message = v1_message.replace("\"time\"", "\"genVer\":\"2\",\"time\"");
    assert_eq!(decode("telli-v1", &v2_message).unwrap_err().kind, ErrorKind::NotForMe);
    assert!(decode("telli-v1", v1_message).is_ok() && decode("telli-v2", &v2_message).is_ok());
    assert_eq!(decode("telli-v3", v1_message).unwrap_err().kind, ErrorKind::NotForMe);
}

/// At-least-once delivery: a copy out of the device's memory is the same record with the same content.
#[test]
fn a_copy_out_of_memory_is_the_same_reading() {
    let message = |mem: &str, cycles: &str| {
        let devdata = format!(r#"{{"r":"1","batt":"9","cycles":"{cycles}"}}"#);
        format!(r#""readingType":"Weight","data":{{"weight":135,"unit":"lb"}},"mem":{mem},"devdata":{devdata}"#)
    };
    let live = readings(v2(&message("\"0\"", "0")).unwrap());
    let stored = readings(v2(&message("\"1\"", "3")).unwrap());
    assert_eq!(live.readings, stored.readings);
    assert_eq!(live.readings[0].record_key.as_deref(), Some("Weight/2024-07-19T10:50:25Z"));
    let identity = &live.readings[0].device_identity[0];
    assert_eq!((identity.name.as_str(), identity.value.as_str()), ("imei", "864351055723276"));
}

#[test]
fn what_was_not_measured_is_no_number() {
    assert_eq!(value_lines(&v1("SpO2", r#"{"spo2":98,"pulse":0}"#).unwrap()), ["oxygen-saturation 98 %"]);
    for (reading_type, data) in [
        ("SpO2", r#"{"spo2":0,"pulse":0}"#),
        ("Weight", r#"{"weight":0,"unit":"kg"}"#),
        ("BloodPressure", r#"{"systolic":0,"diastolic":0,"pulse":62}"#),
        ("PeakFlow", r#"{"pef":-1,"fev1":0}"#),
    ] {
        assert_eq!(nothing(v1(reading_type, data).unwrap()).reason, nothing_reasons::FAILED_MEASUREMENT, "{data}");
    }
}

#[test]
fn messages_that_are_no_readings_are_told_apart() {
    for (kind, reason) in [
        ("Heartbeat", nothing_reasons::HEARTBEAT),
        ("ReminderCleared", nothing_reasons::STATUS),
        ("SettingsResponse", nothing_reasons::STATUS),
    ] {
        let message = format!(r#""type":"{kind}","devdata":{{"r":"3","batt":"10","cycles":"0"}}"#);
        let nothing = nothing(v2(&message).unwrap());
        assert_eq!(nothing.reason, reason);
        let facts: Vec<&str> = nothing.facts.iter().map(|fact| fact.kind.as_str()).collect();
        assert_eq!(facts, ["battery", "signal-strength"]);
        let Value::Quantity(battery) = &nothing.facts[0].value else { panic!("no quantity") };
        assert_eq!((battery.value.to_string().as_str(), battery.unit.as_str()), ("100", "%"));
    }
    assert!(nothing(v2(r#""type":"Heartbeat","devdata":null"#).unwrap()).facts.is_empty());
    assert!(nothing(v2(r#""type":"Heartbeat","devdata":{"batt":"pwr","r":null}"#).unwrap()).facts.is_empty());
    assert_eq!(v2(r#""type":"Other""#).unwrap_err().kind, ErrorKind::Unsupported);
}

#[test]
fn an_arrhythmia_flags_both_and_an_unknown_metric_is_told() {
    let outcome = v1("BloodPressure", r#"{"systolic":122,"diastolic":98,"pulse":62,"arrhythmia":1,"map":101}"#);
    let decoded = readings(outcome.unwrap());
    assert!(decoded.readings.iter().all(|reading| reading.flags == [flags::IRREGULAR_PULSE]));
    assert_eq!(decoded.readings.len(), 2);
    assert_eq!(decoded.warnings.len(), 1);
    assert_eq!(decoded.warnings[0].code, warnings::UNSUPPORTED_METRIC);
    assert!(decoded.warnings[0].message.contains("`map`"));
}

#[test]
fn a_sleeping_mat_measures_heart_and_breath() {
    let data = r#"{"bedTime":["2024-07-19/04:00"],"bodyTurnOver":25,"duration":"04:00~08:00","getUpTime":[],"pulse":71,"respiration":14}"#;
    let decoded = readings(v1("SleepingMatActivity", data).unwrap());
    assert_eq!(value_lines(&decoded.clone().into()), ["heart-rate 71 /min", "respiratory-rate 14 /min"]);
    assert!(decoded.warnings.is_empty());
    assert_eq!(decoded.readings[0].context[0].value, "sleeping");
}

/// Ten digits are milliseconds in 1970 here, never seconds: the host does not believe them, and nothing is guessed.
#[test]
fn the_time_is_milliseconds_whatever_its_length() {
    let outcome = decode(
        "telli-v1",
        r#"{"deviceId":"1","time":"1721386225","readingType":"Weight","data":{"weight":1,"unit":"kg"}}"#,
    );
    let time = &readings(outcome.unwrap()).readings[0].time;
    assert_eq!(*time, DeviceTime::Zoned("1970-01-20T22:09:46.225Z".into()));
}
