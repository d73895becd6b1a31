//! Which clock is believed.

use chrono::TimeDelta;
use fhir_model::observation::Effective;
use plugin_host::DeviceTime;

use super::super::{RepeatedHour, TimeSource, repeated_hours};
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

/// A cloud's day of steps: the account's zone decides where it begins, winter and summer.
#[test]
fn the_zone_that_the_payload_names_goes_before_the_configured_one() {
    let in_zone = |text: &str, zone: &str| {
        let mut reading = local(text);
        reading.extra.push(plugin_host::NameValue { name: "time-zone".to_owned(), value: zone.to_owned() });
        reading
    };
    for (text, zone, effective) in [
        ("2015-02-21T00:00:00", "America/Los_Angeles", "2015-02-21T00:00:00-08:00"),
        ("2015-06-18T00:00:00", "America/Los_Angeles", "2015-06-18T00:00:00-07:00"),
        ("2015-02-21T00:00:00", "Somewhere/Else", "2015-02-21T00:00:00+01:00"),
    ] {
        check(&in_zone(text, zone), &context(), effective, TimeSource::DeviceLocal, &[]);
    }
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

#[test]
fn the_calendar_has_its_edges() {
    let at = |received: &str| InterpretContext::new(instant(received), BERLIN);
    let later = at("2031-01-01T12:00:00Z");
    for (text, effective) in [
        ("2028-02-29T23:59:59", "2028-02-29T23:59:59+01:00"),
        ("2024-02-29T00:00:00", "2024-02-29T00:00:00+01:00"),
        ("2028-12-31T23:59:59.999", "2028-12-31T23:59:59.999+01:00"),
        ("2030-03-31T01:59:59", "2030-03-31T01:59:59+01:00"),
        ("2030-03-31T03:00:00", "2030-03-31T03:00:00+02:00"),
        ("2001-01-01T00:00:00", "2001-01-01T00:00:00+01:00"),
    ] {
        check(&local(text), &later, effective, TimeSource::DeviceLocal, &[]);
    }
    // 24:00 is written in texts and shown by no clock; a leap day of the wrong year is none; 2000 is a factory's.
    let lost = ["device-time-untrusted", "time-from-receipt"];
    for text in [
        "2026-11-21T24:00:00",
        "2027-02-29T10:00:00",
        "2100-02-29T10:00:00",
        "2000-01-01T00:03:00",
        "2000-06-15T10:00:00",
    ] {
        check(&local(text), &later, "2031-01-01T13:00:00+01:00", TimeSource::Receipt, &lost);
    }
}

#[test]
fn an_hour_that_cannot_be_the_second_yet_is_the_first() {
    // Received at 02:40 while daylight saving lasts: the second 02:30 is still to come.
    let during = InterpretContext::new(instant("2026-10-25T00:40:00Z"), BERLIN);
    check(&local("2026-10-25T02:30:00"), &during, "2026-10-25T02:30:00+02:00", TimeSource::DeviceLocal, &[]);
    let after = InterpretContext::new(instant("2026-10-25T01:31:00Z"), BERLIN);
    let flagged = ["time-repeated-hour"];
    check(&local("2026-10-25T02:30:00"), &after, "2026-10-25T02:30:00+02:00", TimeSource::DeviceLocal, &flagged);
    let second = InterpretContext { repeated: RepeatedHour::Second, ..after.clone() };
    check(&local("2026-10-25T02:30:00"), &second, "2026-10-25T02:30:00+01:00", TimeSource::DeviceLocal, &[]);
    let first = InterpretContext { repeated: RepeatedHour::First, ..after };
    check(&local("2026-10-25T02:30:00"), &first, "2026-10-25T02:30:00+02:00", TimeSource::DeviceLocal, &[]);
}

#[test]
fn the_order_of_a_memory_settles_the_repeated_hour() {
    use RepeatedHour::{First, Second, Unknown};
    let order = |times: &[&str]| {
        let readings: Vec<_> = times.iter().map(|time| local(&format!("2026-10-25T{time}"))).collect();
        repeated_hours(&readings, BERLIN)
    };
    assert_eq!(
        order(&["01:50:00", "02:10:00", "02:50:00", "02:05:00", "03:10:00"]),
        [First, First, First, Second, Second]
    );
    // Newest first, no way back, a way back elsewhere, a way back of more than the hour: nothing tells.
    assert_eq!(order(&["02:50:00", "02:40:00", "02:10:00"]), [Unknown; 3]);
    assert_eq!(order(&["02:10:00", "02:50:00"]), [Unknown; 2]);
    assert_eq!(order(&["08:10:00", "07:50:00"]), [Unknown; 2]);
    assert_eq!(order(&["03:50:00", "02:10:00"]), [Unknown; 2]);
    assert_eq!(repeated_hours(&[], BERLIN), []);
    let ticks =
        [timed(DeviceTime::None), local("2026-10-25T02:50:00"), timed(DeviceTime::None), local("2026-10-25T02:10:00")];
    assert_eq!(repeated_hours(&ticks, BERLIN), [First, First, First, Second]);
}

#[test]
fn a_corrected_time_is_written_in_the_offset_that_holds_then() {
    // An hour behind since it missed spring: 01:30 on its display was 03:30, behind the gap.
    let hour = InterpretContext { clock_offset: Some(TimeDelta::hours(1)), ..context() };
    check(&local("2026-03-29T01:30:00"), &hour, "2026-03-29T03:30:00+02:00", TimeSource::DeviceLocal, &[]);
    // What it measured before is left as it is.
    let since = InterpretContext { clock_offset_since: Some(instant("2026-03-29T00:00:00Z")), ..hour };
    check(&local("2026-03-28T08:30:00"), &since, "2026-03-28T08:30:00+01:00", TimeSource::DeviceLocal, &[]);
    let uncorrected = interpret(&local("2026-03-28T08:30:00"), &since, &tables());
    assert!(uncorrected.draft.extensions.iter().all(|(name, _)| *name != "clock-offset"));
    check(&local("2026-03-29T08:30:00"), &since, "2026-03-29T09:30:00+02:00", TimeSource::DeviceLocal, &[]);
    // A clock that runs ahead is believed once it is known by how much; a factory date never.
    let ahead = InterpretContext { clock_offset: Some(TimeDelta::hours(-3)), ..context() };
    check(&local("2026-11-22T14:30:00"), &ahead, "2026-11-22T11:30:00+01:00", TimeSource::DeviceLocal, &[]);
    let lost = ["device-time-untrusted", "time-from-receipt"];
    check(&local("2000-01-01T00:10:00"), &ahead, "2026-11-22T12:00:00+01:00", TimeSource::Receipt, &lost);
}
