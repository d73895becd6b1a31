//! Which clock is believed.

use chrono::TimeDelta;
use fhir_model::observation::Effective;
use plugin_host::DeviceTime;

use super::super::TimeSource;
use super::*;

fn timed(time: DeviceTime) -> Reading {
    Reading { time, ..reading("body-weight", quantity("70", "kg")) }
}

fn local(text: &str) -> Reading {
    timed(DeviceTime::Local(text.to_owned()))
}

fn zoned(text: &str) -> Reading {
    timed(DeviceTime::Zoned(text.to_owned()))
}

#[track_caller]
fn check(reading: &Reading, context: &InterpretContext, effective: &str, source: TimeSource, conditions: &[&str]) {
    let interpreted = interpret(reading, context, &tables());
    assert_eq!(interpreted.draft.effective, Effective::Instant(effective.to_owned()));
    assert_eq!(interpreted.time.source, source);
    assert_eq!(interpreted.time.conditions, conditions);
}

#[test]
fn a_wall_clock_is_read_in_its_zone() {
    check(&local("2026-07-01T08:30:00"), &context(), "2026-07-01T08:30:00+02:00", TimeSource::DeviceLocal, &[]);
    check(&local("2026-11-22T08:30:00.250"), &context(), "2026-11-22T08:30:00.250+01:00", TimeSource::DeviceLocal, &[]);
}

#[test]
fn an_offset_of_the_payload_stays() {
    check(
        &zoned("2026-11-22T08:30:00-05:00"),
        &InterpretContext::new(instant("2026-11-22T13:30:05Z"), BERLIN),
        "2026-11-22T08:30:00-05:00",
        TimeSource::DeviceZoned,
        &[],
    );
    check(&zoned("2026-11-22T08:30:00Z"), &context(), "2026-11-22T08:30:00Z", TimeSource::DeviceZoned, &[]);
}

#[test]
fn the_repeated_hour_is_the_first_one_and_flagged() {
    check(
        &local("2026-10-25T02:30:00"),
        &context(),
        "2026-10-25T02:30:00+02:00",
        TimeSource::DeviceLocal,
        &["time-repeated-hour"],
    );
    check(&local("2026-10-25T03:00:00"), &context(), "2026-10-25T03:00:00+01:00", TimeSource::DeviceLocal, &[]);
}

#[test]
fn the_skipped_hour_has_the_offset_from_before() {
    check(
        &local("2026-03-29T02:30:00"),
        &context(),
        "2026-03-29T02:30:00+01:00",
        TimeSource::DeviceLocal,
        &["time-skipped-hour"],
    );
    // Samoa skipped the whole of 30 December 2011.
    let samoa = InterpretContext::new(instant("2026-11-22T11:00:00Z"), chrono_tz::Pacific::Apia);
    check(
        &local("2011-12-30T12:00:00"),
        &samoa,
        "2011-12-30T12:00:00-10:00",
        TimeSource::DeviceLocal,
        &["time-skipped-hour"],
    );
}

#[test]
fn a_flagged_hour_is_told_to_people() {
    let interpreted = interpret(&local("2026-10-25T02:30:00"), &context(), &tables());
    assert!(interpreted.disposition.forwarded && interpreted.warnings().is_empty());
    assert_eq!(interpreted.disposition.notes, ["The local time occurs twice on that day; the earlier one was taken."]);
}

#[test]
fn the_future_is_not_believed_beyond_the_tolerance() {
    check(&local("2026-11-22T12:15:00"), &context(), "2026-11-22T12:15:00+01:00", TimeSource::DeviceLocal, &[]);
    let lost = ["device-time-in-future", "device-time-untrusted", "time-from-receipt"];
    check(&local("2026-11-22T12:15:01"), &context(), "2026-11-22T12:00:00+01:00", TimeSource::Receipt, &lost);
    let interpreted = interpret(&local("2028-01-01T00:00:00"), &context(), &tables());
    assert_eq!(interpreted.warnings(), lost);
}

#[test]
fn what_cannot_be_right_is_not_believed() {
    let lost = ["device-time-untrusted", "time-from-receipt"];
    for text in [
        "1970-01-01T10:26:21",
        "1999-12-31T22:00:00",
        "2026-02-30T10:00:00",
        "2026-13-01T00:00:00",
        "2026-11-22T08:30:60",
        "",
        "17:00",
    ] {
        check(&local(text), &context(), "2026-11-22T12:00:00+01:00", TimeSource::Receipt, &lost);
    }
    check(&zoned("2026-11-22T08:30:00"), &context(), "2026-11-22T12:00:00+01:00", TimeSource::Receipt, &lost);
    for state in ["not-set", "fault"] {
        let reading = Reading { clock_state: state.to_owned(), ..local("2026-11-22T08:30:00") };
        check(&reading, &context(), "2026-11-22T12:00:00+01:00", TimeSource::Receipt, &lost);
    }
    check(
        &flagged(local("2026-11-22T08:30:00"), &["time-fault"]),
        &context(),
        "2026-11-22T12:00:00+01:00",
        TimeSource::Receipt,
        &lost,
    );
}

#[test]
fn the_capture_stands_in_before_the_receipt() {
    let captured = InterpretContext { captured_at: Some(instant("2026-11-22T10:59:30Z")), ..context() };
    let reading = Reading { clock_state: "not-set".to_owned(), ..local("2017-01-01T01:34:19") };
    check(&reading, &captured, "2026-11-22T11:59:30+01:00", TimeSource::Capture, &["device-time-untrusted"]);
    check(&timed(DeviceTime::None), &captured, "2026-11-22T11:59:30+01:00", TimeSource::Capture, &[]);
    // A hub in 2028 is not believed either.
    let wrong = InterpretContext { captured_at: Some(instant("2028-01-01T00:00:00Z")), ..context() };
    check(&timed(DeviceTime::None), &wrong, "2026-11-22T12:00:00+01:00", TimeSource::Receipt, &[]);
}

#[test]
fn a_payload_that_never_has_a_time_is_not_warned_about() {
    check(&timed(DeviceTime::None), &context(), "2026-11-22T12:00:00+01:00", TimeSource::Receipt, &[]);
    let unknown_date = Reading { clock_state: "not-set".to_owned(), ..timed(DeviceTime::None) };
    check(&unknown_date, &context(), "2026-11-22T12:00:00+01:00", TimeSource::Receipt, &["time-from-receipt"]);
}

#[test]
fn ticks_are_counted_back_from_the_capture() {
    let ticks = timed(DeviceTime::BeforeCapture(90_000));
    let captured = InterpretContext { captured_at: Some(instant("2026-11-22T10:59:30Z")), ..context() };
    check(&ticks, &captured, "2026-11-22T11:58:00+01:00", TimeSource::DeviceRelative, &[]);
    check(&ticks, &context(), "2026-11-22T11:58:30+01:00", TimeSource::DeviceRelative, &["time-from-receipt"]);
    let endless = timed(DeviceTime::BeforeCapture(u64::MAX));
    check(
        &endless,
        &context(),
        "2026-11-22T12:00:00+01:00",
        TimeSource::Receipt,
        &["device-time-untrusted", "time-from-receipt"],
    );
}

#[test]
fn a_stored_reading_without_a_clock_waits_for_a_person() {
    let reading =
        flagged(Reading { clock_state: "not-set".to_owned(), ..local("2017-01-01T01:34:19") }, &["from-storage"]);
    let interpreted = interpret(&reading, &context(), &tables());
    assert!(interpreted.disposition.held && !interpreted.disposition.forwarded);
    assert!(!meaning(&flagged(local("2026-11-20T01:34:19"), &["from-storage"])).disposition.held);
}

#[test]
fn a_measured_clock_offset_is_added_and_told() {
    let late = InterpretContext { clock_offset: Some(TimeDelta::milliseconds(93_500)), ..context() };
    let interpreted = interpret(&local("2026-11-22T08:30:00"), &late, &tables());
    assert_eq!(interpreted.draft.effective, Effective::Instant("2026-11-22T08:31:33.500+01:00".to_owned()));
    let offset = interpreted.draft.extensions.iter().find(|(name, _)| *name == "clock-offset");
    assert!(offset.is_some());
    assert_eq!(interpreted.time.device_text.as_deref(), Some("2026-11-22T08:30:00"));
}

#[test]
fn a_period_ends_after_its_start_or_not_at_all() {
    let mut backwards = local("2026-11-22T08:00:00");
    backwards.time_end = DeviceTime::Local("2026-11-22T07:00:00".to_owned());
    check(&backwards, &context(), "2026-11-22T08:00:00+01:00", TimeSource::DeviceLocal, &[]);
}
