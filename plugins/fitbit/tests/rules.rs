//! The rules of the decoder beyond its vectors.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use afferent_plugin_sdk::{DecodeError, Decoded, Decoder, Input, Outcome, value_lines};
use fitbit::Fitbit;

fn decode(json: &str) -> Result<Outcome, DecodeError> {
    Fitbit::decode(&Input::new("fitbit-steps", "", json))
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

use afferent_plugin_sdk::{DeviceTime, NameValue};

#[test]
fn a_day_is_the_wearers_own_and_its_minutes_are_not_counted_twice() {
    let json = r#"{"activities-steps":[{"dateTime":"2015-08-21","value":"3212"}],
        "activities-steps-intraday":{"dataset":[{"time":"00:00:00","value":7}],"datasetInterval":1,"datasetType":"minute"}}"#;
    let decoded = readings(json);
    assert_eq!(lines(json), ["steps-day 3212 {steps}/(24.h)"]);
    let reading = &decoded.readings[0];
    assert_eq!(reading.time, DeviceTime::Local("2015-08-21T00:00:00".into()));
    assert_eq!(reading.time_end, DeviceTime::Local("2015-08-22T00:00:00".into()));
    assert_eq!(reading.record_key.as_deref(), Some("2015-08-21"));
    assert_eq!(reason(r#"{"activities-steps":[{"dateTime":"2015-08-21","value":"0"}]}"#), "no-measurement");
    assert_eq!(
        path(r#"{"activities-steps":[{"dateTime":"2015-02-30","value":"1"}]}"#),
        "$['activities-steps'][0].dateTime"
    );
    assert_eq!(
        path(r#"{"activities-steps":[{"dateTime":"2015-02-03","value":"1.5"}]}"#),
        "$['activities-steps'][0].value"
    );
}

#[test]
fn the_unit_of_a_weight_follows_the_requests() {
    let weigh = |system: &str, entry: &str| {
        let mut input = Input::new("fitbit-weight", "", format!(r#"{{"weight":[{entry}]}}"#));
        if !system.is_empty() {
            input.variables = vec![NameValue { name: "unit-system".to_owned(), value: system.to_owned() }];
        }
        Fitbit::decode(&input).map(|outcome| value_lines(&outcome))
    };
    let entry =
        |weight: &str| format!(r#"{{"logId":1,"date":"2015-05-22","time":"18:12:06","bmi":21.99,"weight":{weight}}}"#);
    assert_eq!(weigh("", &entry("58.1")).unwrap(), ["body-weight 58.1 kg", "body-mass-index 21.99 kg/m2"]);
    assert_eq!(weigh("metric", &entry("58.1")).unwrap()[0], "body-weight 58.1 kg");
    assert_eq!(weigh("en_US", &entry("128.1")).unwrap()[0], "body-weight 128.1 [lb_av]");
    assert_eq!(weigh("en_GB", &entry("9.5")).unwrap()[0], "body-weight 133.0 [lb_av]");
    assert!(weigh("fr_FR", &entry("58.1")).is_err());
    assert!(weigh("", &entry("128.1")).is_err(), "128.1 kg at that index are a person of 2.41 m");
    assert_eq!(
        weigh("", r#"{"logId":1,"date":"2015-05-22","time":"18:12:06","weight":58.1,"fat":21.5}"#).unwrap()[1],
        "body-fat-percentage 21.5 %"
    );
}
