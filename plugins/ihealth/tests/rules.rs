//! The rules of the decoder beyond its vectors.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use afferent_plugin_sdk::{DecodeError, Decoded, Decoder, Input, Outcome, value_lines};
use ihealth::IHealth;

fn decode(json: &str) -> Result<Outcome, DecodeError> {
    IHealth::decode(&Input::new("ihealth", "", json))
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

fn page(list: &str, item: &str, rest: &str) -> String {
    format!(r#"{{"{list}":[{{"DataID":"d1","MDate":1442491463,"TimeZone":"-0800",{item}}}]{rest}}}"#)
}

#[test]
fn units_stand_beside_the_list() {
    for (list, item, rest, expected) in [
        (
            "BPDataList",
            r#""HP":16.0,"LP":10.5,"HR":0"#,
            r#","BPUnit":1"#,
            "blood-pressure/blood-pressure-systolic 16.0 kPa",
        ),
        ("BGDataList", r#""BG":5.6"#, r#","BGUnit":1"#, "glucose-capillary 5.6 mmol/L"),
        ("WeightDataList", r#""WeightValue":171.0"#, r#","WeightUnit":1"#, "body-weight 171.0 [lb_av]"),
        ("WeightDataList", r#""WeightValue":12.5"#, r#","WeightUnit":2"#, "body-weight 175.0 [lb_av]"),
        ("WeightDataList", r#""WeightValue":77.5643875134944"#, r#","WeightUnit":0"#, "body-weight 77.5644 kg"),
    ] {
        assert_eq!(lines(&page(list, item, rest))[0], expected);
    }
    assert_eq!(path(&page("BPDataList", r#""HP":120,"LP":80"#, r#","BPUnit":2"#)), "$.BPUnit");
    assert_eq!(path(&page("BPDataList", r#""HP":120,"LP":80"#, "")), "$");
    assert_eq!(path(r#"{"Other":[]}"#), "$");
}

#[test]
fn zeros_were_not_measured() {
    let weight = r#""WeightValue":0,"BMI":0,"FatValue":0,"WaterValue":25"#;
    assert_eq!(reason(&page("WeightDataList", weight, r#","WeightUnit":0"#)), "no-measurement");
    assert_eq!(reason(&page("BODataList", r#""BO":0,"HR":0"#, "")), "no-measurement");
    assert_eq!(lines(&page("BODataList", r#""BO":99,"HR":0"#, "")), ["oxygen-saturation 99 %"]);
    assert_eq!(reason(&page("ARDataList", r#""Steps":0"#, "")), "no-measurement");
}

#[test]
fn a_local_time_that_is_dressed_as_an_epoch_gets_its_offset() {
    let at = |zone: &str| {
        let json = page("BODataList", r#""BO":99"#, "").replace(r#""-0800""#, zone);
        readings(&json).readings.remove(0).time
    };
    for (zone, offset) in
        [(r#""-0800""#, "-08:00"), (r#""+05:30""#, "+05:30"), (r#""+0000""#, "Z"), ("-8", "-08:00"), ("1", "+01:00")]
    {
        assert_eq!(at(zone), DeviceTime::Zoned(format!("2015-09-17T12:04:23{offset}")), "{zone}");
    }
    assert_eq!(at("null"), DeviceTime::Local("2015-09-17T12:04:23".into()));
    let wrong = page("BODataList", r#""BO":99"#, "").replace("-0800", "PST");
    assert_eq!(path(&wrong), "$.BODataList[0].TimeZone");
}

#[test]
fn steps_are_those_of_the_local_day() {
    let json =
        r#"{"ARDataList":[{"DataID":"a1","DataSource":"Manual","MDate":1447831200,"Steps":4398,"TimeZone":"+0500"}]}"#;
    let reading = readings(json).readings.remove(0);
    assert_eq!(reading.time, DeviceTime::Zoned("2015-11-18T00:00:00+05:00".into()));
    assert_eq!(reading.time_end, DeviceTime::Zoned("2015-11-19T00:00:00+05:00".into()));
    assert_eq!((reading.flags[0].as_str(), reading.record_key.as_deref()), ("manual-entry", Some("a1")));
}

#[test]
fn an_arrhythmia_is_flagged_and_a_meal_is_told() {
    let cuff = |code: i64| {
        readings(&page("BPDataList", &format!(r#""HP":120,"LP":80,"HR":60,"IsArr":{code}"#), r#","BPUnit":0"#))
    };
    assert!(cuff(2).readings.iter().all(|reading| reading.flags == ["irregular-pulse"]));
    assert!([-1, 0, 1, 3].iter().all(|code| cuff(*code).readings[0].flags.is_empty()));
    let meal = |situation: &str| {
        let item = format!(r#""BG":60,"DinnerSituation":"{situation}""#);
        readings(&page("BGDataList", &item, r#","BGUnit":0"#))
            .readings
            .remove(0)
            .context
            .pop()
            .map(|context| context.value)
    };
    assert_eq!(meal("Before_breakfast").as_deref(), Some("pre-prandial"));
    assert_eq!(meal("After_dinner").as_deref(), Some("post-prandial"));
    assert_eq!(meal("Before_exercise"), None);
}
