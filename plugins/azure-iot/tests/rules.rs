//! The rules of the decoder beyond its vectors.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use afferent_plugin_sdk::{DecodeError, Decoded, Decoder, Input, Outcome, value_lines};
use azure_iot::AzureIot;

fn decode(json: &str) -> Result<Outcome, DecodeError> {
    AzureIot::decode(&Input::new("iomt-fhir-json", "", json))
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
fn lists_within_a_body_share_its_device() {
    let json = r#"{"Body":{"deviceId":"device123","data":[{"systolic":"120","diastolic":"80","date":"2021-07-13T17:29:01.061144Z"},
        {"systolic":"122","diastolic":"82","date":"2021-07-13T17:28:01.061122Z"}]},"Properties":{},"SystemProperties":{}}"#;
    let decoded = readings(json);
    assert_eq!(decoded.readings.len(), 2);
    assert_eq!(decoded.readings[1].time, DeviceTime::Zoned("2021-07-13T17:28:01.061Z".into()));
    assert!(decoded.readings.iter().all(|reading| reading.device_identity[0].value == "device123"));
}

#[test]
fn the_connection_names_the_device_and_the_hubs_time_is_the_last_resort() {
    let json = r#"{"Body":{"systolic":"111","diastolic":"75","steps":"30","deviceId":"liar"},"Properties":{"tz":"America/Los_Angeles"},
        "SystemProperties":{"iothub-connection-device-id":"ev-1","iothub-enqueuedtime":"2019-02-01T22:46:01.875Z"}}"#;
    let decoded = readings(json);
    assert_eq!(lines(json).len(), 3);
    assert_eq!(decoded.readings[0].time, DeviceTime::Zoned("2019-02-01T22:46:01.875Z".into()));
    assert_eq!(decoded.readings[0].device_identity[0].value, "ev-1");
}

#[test]
fn several_messages_of_iot_central_are_read_in_one() {
    let json = r#"{"Body":[{"deviceId":"a","enqueuedTime":"2021-06-08T19:45:20.2020000Z","telemetry":{"HeartRate":75,"RespiratoryRate":15,
        "HeartRateVariability":47,"BodyTemperature":98.43639286275842,"BloodPressure":{"Systolic":62,"Diastolic":30},"Activity":"unknown",
        "BatteryLevel":45,"DeviceTemperature":99.7},"messageProperties":{"iothub-creation-time-utc":"2021-06-08T19:45:20.1960000Z"}},
        {"deviceId":"b","enqueuedTime":"2021-06-08T19:44:31.8750000Z","telemetry":{"BatteryLevel":18,"Acceleration":{"x":55.9},"KneeBend":-19}}]}"#;
    assert_eq!(
        lines(json),
        [
            "blood-pressure/blood-pressure-systolic 62 mm[Hg]",
            "blood-pressure/blood-pressure-diastolic 30 mm[Hg]",
            "heart-rate 75 /min",
            "respiratory-rate 15 /min",
            "heart-rate-variability 47 ms",
            "body-temperature 98.4364 [degF]",
        ]
    );
    let decoded = readings(json);
    assert_eq!(decoded.readings[0].time, DeviceTime::Zoned("2021-06-08T19:45:20.196Z".into()));
    assert_eq!(decoded.facts.len(), 2);
    let told: Vec<&str> = decoded.warnings.iter().map(|warning| warning.message.as_str()).collect();
    assert!(told[0].contains("`Acceleration`") && told[1].contains("`KneeBend`") && told.len() == 2, "{told:?}");
}

#[test]
fn units_are_named_or_beyond_doubt() {
    let body = |rest: &str| format!(r#"{{"endDate":"2019-02-01T22:46:01Z",{rest}}}"#);
    for (rest, line) in [
        (r#""weight":"80.5","unit":"kg""#, "body-weight 80.5 kg"),
        (r#""bodyMass":180,"unit":"Pounds""#, "body-weight 180 [lb_av]"),
        (r#""bloodGlucose":5.6,"unit":"mmol/L""#, "glucose-capillary 5.6 mmol/L"),
        (r#""bodyTemperature":36.6"#, "body-temperature 36.6 Cel"),
        (r#""body_temperature":36.6,"unit":"Celsius""#, "body-temperature 36.6 Cel"),
        (r#""oxygenSaturation":98"#, "oxygen-saturation 98 %"),
    ] {
        assert_eq!(lines(&body(rest)), [line]);
    }
    for (rest, at) in [
        (r#""weight":80"#, "$.weight"),
        (r#""weight":80,"unit":"stone""#, "$.unit"),
        (r#""bodyTemperature":60"#, "$.bodyTemperature"),
        (r#""oxygenSaturation":0.98"#, "$.oxygenSaturation"),
        (r#""heartRate":"fast""#, "$.heartRate"),
    ] {
        assert_eq!(path(&body(rest)), at);
    }
    assert_eq!(path(r#"{"heartRate":70,"time":12345}"#), "$.time");
    assert_eq!(reason(&body(r#""temperature":21.5"#)), "no-measurement", "a room's temperature is no body's");
}

#[test]
fn an_observation_is_read_by_its_codes() {
    let observation = |status: &str, unit: &str| {
        format!(
            r#"{{"resourceType":"Observation","status":"{status}","identifier":[{{"value":"o1"}}],
                "code":{{"coding":[{{"system":"http://loinc.org","code":"85354-9"}}]}},
                "subject":{{"reference":"Patient/1"}},"effectiveDateTime":"2026-03-10T12:00:01+01:00","component":[
                {{"code":{{"coding":[{{"system":"http://loinc.org","code":"8480-6"}}]}},"valueQuantity":{{"value":120.0,"code":"{unit}"}}}},
                {{"code":{{"coding":[{{"system":"http://loinc.org","code":"8462-4"}}]}},"dataAbsentReason":{{}}}}]}}"#
        )
    };
    let json = observation("final", "mm[Hg]");
    assert_eq!(
        lines(&json),
        [
            "blood-pressure/blood-pressure-systolic 120.0 mm[Hg]",
            "blood-pressure/blood-pressure-diastolic absent unknown"
        ]
    );
    let reading =
        readings(&format!(r#"{{"resourceType":"Bundle","entry":[{{"resource":{json}}}]}}"#)).readings.remove(0);
    assert_eq!(reading.time, DeviceTime::Zoned("2026-03-10T12:00:01+01:00".into()));
    assert_eq!(reading.record_key.as_deref(), Some("o1"));
    assert_eq!(reason(&observation("entered-in-error", "mm[Hg]")), "no-measurement");
    assert_eq!(reason(&observation("preliminary", "mm[Hg]")), "no-measurement");
    assert_eq!(path(&observation("done", "mm[Hg]")), "$.status");
    assert_eq!(path(&observation("final", "mmHg")), "$.component[0].valueQuantity.code");
}
