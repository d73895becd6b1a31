//! The rules of the decoder beyond its vectors: powers of ten, attribution, objectives, keys, days and their zones.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use afferent_plugin_sdk::registry::{flags, nothing_reasons, warnings};
use afferent_plugin_sdk::{
    DecodeError, Decoded, Decoder, DeviceTime, ErrorKind, Input, OnChange, Outcome, value_lines,
};
use withings::Withings;

fn decode(model: &str, json: &str) -> Result<Outcome, DecodeError> {
    Withings::decode(&Input::new(model, "", json))
}

fn group(attrib: i64, category: i64, measures: &str) -> Result<Outcome, DecodeError> {
    let head = format!(r#""grpid":42,"attrib":{attrib},"date":1433052383,"category":{category}"#);
    let body = format!(r#"{{"measuregrps":[{{{head},"measures":[{measures}]}}]}}"#);
    decode("withings-measure", &format!(r#"{{"status":0,"body":{body}}}"#))
}

fn readings(outcome: Outcome) -> Decoded {
    match outcome {
        Outcome::Readings(decoded) => decoded,
        other => panic!("{other:?}"),
    }
}

fn measure(number: i64, value: i64, unit: i64) -> String {
    format!(r#"{{"type":{number},"value":{value},"unit":{unit}}}"#)
}

#[test]
fn every_type_with_a_kind_has_its_unit_and_its_digits() {
    for (number, value, unit, line) in [
        (1, 74126, -3, "body-weight 74.126 kg"),
        (4, 1930, -3, "body-height 1.930 m"),
        (5, 60012, -3, "fat-free-mass 60.012 kg"),
        (6, 21934, -3, "body-fat-percentage 21.934 %"),
        (11, 47, 0, "heart-rate 47 /min"),
        (54, 97, 0, "oxygen-saturation 97 %"),
        (71, 36784, -3, "body-temperature 36.784 Cel"),
        (71, 37, 0, "body-temperature 37 Cel"),
        (76, 5501, -2, "body-muscle-mass 55.01 kg"),
        (77, 412, -1, "body-water-mass 41.2 kg"),
        (226, 17, 2, "basal-metabolism 1700 kcal/d"),
    ] {
        assert_eq!(value_lines(&group(0, 1, &measure(number, value, unit)).unwrap()), [line]);
    }
}

#[test]
fn a_type_without_a_kind_is_told_and_the_rest_is_read() {
    let both = format!("{},{}", measure(91, 7, 0), measure(1, 74126, -3));
    let decoded = readings(group(0, 1, &both).unwrap());
    assert_eq!(decoded.readings.len(), 1);
    assert_eq!(decoded.warnings[0].code, warnings::UNSUPPORTED_METRIC);
    assert!(decoded.warnings[0].message.contains("meastype 91"));
    // A room's temperature and the skin's are no body temperature.
    for number in [12, 73] {
        assert!(matches!(group(0, 1, &measure(number, 215, -1)).unwrap(), Outcome::Nothing(_)), "{number}");
    }
}

#[test]
fn half_a_pressure_says_what_is_missing() {
    let decoded = group(0, 1, &measure(10, 120, 0)).unwrap();
    assert_eq!(
        value_lines(&decoded),
        ["blood-pressure/blood-pressure-systolic 120 mm[Hg]", "blood-pressure/blood-pressure-diastolic absent unknown"]
    );
    let all = [measure(9, 80, 0), measure(10, 120, 0), measure(11, 60, 0)].join(",");
    let decoded = readings(group(0, 1, &all).unwrap());
    let kinds: Vec<&str> = decoded.readings.iter().map(|reading| reading.kind.as_str()).collect();
    assert_eq!(kinds, ["blood-pressure", "pulse-rate"], "a pulse beside a pressure is the cuff's");
}

#[test]
fn attribution_becomes_flags_and_what_is_unknown_waits_for_a_person() {
    let weight = measure(1, 70000, -3);
    for (attrib, expected) in [
        (0, &[][..]),
        (1, &[flags::AMBIGUOUS_USER]),
        (2, &[flags::MANUAL_ENTRY]),
        (4, &[flags::MANUAL_ENTRY]),
        (5, &[]),
        (7, &[]),
        (8, &[]),
        (99, &[flags::AMBIGUOUS_USER]),
    ] {
        assert_eq!(readings(group(attrib, 1, &weight).unwrap()).readings[0].flags, expected, "attrib {attrib}");
    }
    assert!(matches!(group(0, 2, &weight).unwrap(), Outcome::Nothing(_)), "an objective");
}

#[test]
fn a_group_is_one_record_and_twins_within_it_are_told_apart() {
    let twins = [measure(1, 70000, -3), measure(1, 71000, -3), measure(6, 200, -1)].join(",");
    let decoded = readings(group(0, 1, &twins).unwrap());
    let keys: Vec<_> = decoded.readings.iter().map(|reading| reading.record_key.as_deref().unwrap()).collect();
    assert_eq!(keys, ["42", "42/1", "42"]);
    assert!(decoded.readings.iter().all(|reading| reading.on_change == OnChange::Replace));
}

#[test]
fn wrong_powers_and_missing_members_are_refused_with_their_path() {
    for (measures, path) in [
        (measure(1, 70, 40), "$.body.measuregrps[0].measures[0].unit"),
        (r#"{"type":1,"unit":0}"#.to_owned(), "$.body.measuregrps[0].measures[0]"),
        (r#"{"type":1,"unit":0,"value":7,"value":8}"#.to_owned(), "$.body.measuregrps[0].measures[0]"),
        (r#"{"value":1,"unit":0}"#.to_owned(), "$.body.measuregrps[0].measures[0]"),
    ] {
        assert_eq!(group(0, 1, &measures).unwrap_err().path.as_deref(), Some(path));
    }
    let error = decode("withings-measure", r#"{"status":401,"body":{}}"#).unwrap_err();
    assert_eq!((error.kind, error.path.as_deref()), (ErrorKind::Unsupported, Some("$.status")));
}

#[test]
fn a_day_lies_in_the_zone_that_it_names_and_grows() {
    let day = |steps: i64| {
        format!(
            r#"{{"status":0,"body":{{"activities":[{{"date":"2015-12-31","timezone":"Europe/Paris","steps":{steps}}}]}}}}"#
        )
    };
    let decoded = readings(decode("withings-activity", &day(4210)).unwrap());
    let reading = &decoded.readings[0];
    assert_eq!(reading.time, DeviceTime::Local("2015-12-31T00:00:00".into()));
    assert_eq!(reading.time_end, DeviceTime::Local("2016-01-01T00:00:00".into()));
    assert_eq!((reading.extra[0].name.as_str(), reading.extra[0].value.as_str()), ("time-zone", "Europe/Paris"));
    assert_eq!((reading.record_key.as_deref(), reading.on_change), (Some("2015-12-31"), OnChange::Replace));
    match decode("withings-activity", &day(0)).unwrap() {
        Outcome::Nothing(nothing) => assert_eq!(nothing.reason, nothing_reasons::NO_MEASUREMENT),
        other => panic!("a gap is not zero: {other:?}"),
    }
}

#[test]
fn stretches_of_a_day_are_steps_of_an_interval() {
    let json =
        r#"{"status":0,"body":{"series":{"1434758640":{"steps":21,"duration":60},"1434758700":{"duration":1440}}}}"#;
    let decoded = readings(decode("withings-activity", json).unwrap());
    assert_eq!(value_lines(&decoded.clone().into()), ["steps 21 {steps}"]);
    assert_eq!(decoded.readings[0].time, DeviceTime::Zoned("2015-06-20T00:04:00Z".into()));
    assert_eq!(decoded.readings[0].time_end, DeviceTime::Zoned("2015-06-20T00:05:00Z".into()));
}

/// A feed that splits accounts hands on groups and days by themselves.
#[test]
fn a_group_and_a_day_by_themselves_are_read() {
    let group = format!(r#"{{"grpid":1,"date":1433052383,"measures":[{}]}}"#, measure(1, 70000, -3));
    assert_eq!(value_lines(&decode("withings-measure", &group).unwrap()), ["body-weight 70.000 kg"]);
    let day = r#"{"date":"2015-02-21","steps":12}"#;
    assert_eq!(value_lines(&decode("withings-activity", day).unwrap()), ["steps-day 12 {steps}/(24.h)"]);
}
