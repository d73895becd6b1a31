//! The rules of the decoder beyond its vectors: days, offsets, contradictions, what Garmin could not measure.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use afferent_plugin_sdk::registry::{flags, methods, warnings};
use afferent_plugin_sdk::{DecodeError, Decoded, Decoder, DeviceTime, Input, OnChange, Outcome, value_lines};
use garmin_health::GarminHealth;

fn decode(json: &str) -> Result<Outcome, DecodeError> {
    GarminHealth::decode(&Input::new("garmin-health", "", json))
}

fn readings(json: &str) -> Decoded {
    match decode(json).unwrap() {
        Outcome::Readings(decoded) => decoded,
        other => panic!("{other:?}"),
    }
}

fn zoned(text: &str) -> DeviceTime {
    DeviceTime::Zoned(text.to_owned())
}

#[test]
fn a_day_has_steps_and_a_resting_heart_rate_and_no_statistics() {
    let decoded = readings(
        r#"{"dailies":[{"summaryId":"EXAMPLE 67892","calendarDate":"2016-01-12","steps":3305,"durationInSeconds":86400,
            "startTimeInSeconds":1452556800,"startTimeOffsetInSeconds":3600,"activeKilocalories":304,
            "minHeartRateInBeatsPerMinute":62,"averageHeartRateInBeatsPerMinute":67,"restingHeartRateInBeatsPerMinute":64,
            "timeOffsetHeartRateSamples":{"15":77}}]}"#,
    );
    assert_eq!(value_lines(&decoded.clone().into()), ["steps-day 3305 {steps}/(24.h)", "heart-rate-resting 64 /min"]);
    assert!(decoded.warnings.is_empty());
    for reading in &decoded.readings {
        assert_eq!(
            (&reading.time, &reading.time_end),
            (&zoned("2016-01-12T01:00:00+01:00"), &zoned("2016-01-13T01:00:00+01:00"))
        );
        assert_eq!((reading.record_key.as_deref(), reading.on_change), (Some("day/2016-01-12"), OnChange::Replace));
    }
}

#[test]
fn a_saturation_is_at_its_offset_and_a_contradicting_date_is_told() {
    let decoded = readings(
        r#"{"pulseox":[{"summaryId":"example1234-spo2OnDemand","calendarDate":"2018-08-27","startTimeInSeconds":1572303600,
            "timeOffsetSpo2Values":{"55740":93},"durationInSeconds":0,"startTimeOffsetInSeconds":3600,"onDemand":true}]}"#,
    );
    let reading = &decoded.readings[0];
    assert_eq!(value_lines(&decoded.clone().into()), ["oxygen-saturation 93 %"]);
    assert_eq!(reading.time, zoned("2019-10-29T15:29:00+01:00"), "the epoch decides");
    assert_eq!(reading.method.as_deref(), Some(methods::SPOT_CHECK));
    assert_eq!(reading.record_key.as_deref(), Some("example1234-spo2OnDemand/55740"));
    assert_eq!(decoded.warnings[0].code, warnings::TIMESTAMP_FIELDS_DISAGREE);
}

#[test]
fn breaths_that_could_not_be_measured_are_none() {
    let decoded = readings(
        r#"{"allDayRespiration":[{"summaryId":"x15372ea-5d7866b4","startTimeInSeconds":1568171700,"durationInSeconds":900,
            "startTimeOffsetInSeconds":-18000,"timeOffsetEpochToBreaths":{"0":14.63,"60":-1.0,"300":17.1,"360":null}}]}"#,
    );
    assert_eq!(value_lines(&decoded.clone().into()), ["respiratory-rate 14.63 /min", "respiratory-rate 17.1 /min"]);
    assert_eq!(decoded.readings[1].time, zoned("2019-09-10T22:20:00-05:00"));
}

#[test]
fn a_snapshot_is_the_means_of_two_minutes() {
    let decoded = readings(
        r#"{"healthSnapshot":[{"summaryId":"x42","calendarDate":"2021-08-31","startTimeInSeconds":1630409178,
            "durationInSeconds":120,"offsetStartTimeInSeconds":7200,"summaries":[
            {"summaryType":"heart_rate","minValue":78.0,"avgValue":83.0},{"summaryType":"respiration","avgValue":14.49},
            {"summaryType":"sdrr_hrv","avgValue":41.5},{"summaryType":"stress","avgValue":20}]}]}"#,
    );
    assert_eq!(
        value_lines(&decoded.clone().into()),
        ["heart-rate 83.0 /min", "respiratory-rate 14.49 /min", "heart-rate-variability 41.5 ms"]
    );
    assert_eq!(decoded.readings[0].time_end, zoned("2021-08-31T13:28:18+02:00"));
    assert!(decoded.warnings.iter().any(|warning| warning.message.contains("`stress`")));
}

#[test]
fn a_typed_pressure_is_flagged_and_a_device_s_is_not() {
    let cuff = |source: &str| {
        readings(&format!(
            r#"{{"bloodPressures":[{{"summaryId":"x1","systolic":120,"diastolic":80,"pulse":0,"sourceType":"{source}",
                "measurementTimeInSeconds":1663776000,"measurementTimeOffsetInSeconds":-18000}}]}}"#
        ))
    };
    assert_eq!(cuff("MANUAL").readings[0].flags, [flags::MANUAL_ENTRY]);
    assert!(cuff("DEVICE").readings[0].flags.is_empty());
    assert_eq!(cuff("DEVICE").readings.len(), 1, "a pulse of 0 was not measured");
}

#[test]
fn an_epoch_is_keyed_by_start_and_activity() {
    let epoch = |id: &str, steps: i64, duration: i64| {
        readings(&format!(
            r#"{{"epochs":[{{"summaryId":"{id}","activityType":"WALKING","steps":{steps},"durationInSeconds":{duration},
                "startTimeInSeconds":1519679700,"startTimeOffsetInSeconds":-21600}}]}}"#
        ))
    };
    let (early, late) = (epoch("a", 50, 400), epoch("b", 93, 840));
    assert_eq!(early.readings[0].record_key, late.readings[0].record_key);
    assert_eq!(late.readings[0].record_key.as_deref(), Some("epoch/2018-02-26T15:15:00-06:00/WALKING"));
    assert_eq!(late.readings[0].on_change, OnChange::Replace);
    assert_eq!(late.readings[0].time_end, zoned("2018-02-26T15:29:00-06:00"));
}

#[test]
fn what_has_no_kind_is_told_and_what_is_wrong_is_refused() {
    let decoded = readings(
        r#"{"stressDetails":[{}],"bodyComps":[{"summaryId":"x","measurementTimeInSeconds":1439741130,"weightInGrams":75450}]}"#,
    );
    assert_eq!(value_lines(&decoded.clone().into()), ["body-weight 75.450 kg"]);
    assert!(decoded.warnings[0].message.contains("`stressDetails`"));
    for (json, path) in [
        (r#"{"dailies":[{"summaryId":"x","steps":1}]}"#, "$.dailies[0]"),
        (
            r#"{"dailies":[{"summaryId":"x","startTimeInSeconds":1,"startTimeOffsetInSeconds":1,"durationInSeconds":1}]}"#,
            "$.dailies[0].startTimeOffsetInSeconds",
        ),
        (r#"{"epochs":[{"summaryId":"x","startTimeInSeconds":1,"durationInSeconds":86401}]}"#, "$.epochs[0]"),
        (
            r#"{"pulseox":[{"summaryId":"x","startTimeInSeconds":1,"timeOffsetSpo2Values":{"soon":93}}]}"#,
            "$.pulseox[0].timeOffsetSpo2Values.soon",
        ),
        (r#"{"bodyComps":{}}"#, "$.bodyComps"),
        (r#"{"error":1}"#, "$"),
    ] {
        assert_eq!(decode(json).unwrap_err().path.as_deref(), Some(path), "{json}");
    }
}
