//! When a reading was measured: which of the clocks is believed, and what FHIR writes.
//!
//! The device's clock comes first, then the capture by phone or hub, then the receipt. A device's time is not believed when
//! the device says that its clock is not set or at fault, when it lies before [`FIRST_YEAR`] or later than the receipt by
//! more than the tolerance, or when it is no time at all. Its own text is kept in every case.

use chrono::{
    DateTime, Datelike, FixedOffset, LocalResult, NaiveDateTime, Offset, SecondsFormat, TimeDelta, TimeZone, Timelike,
    Utc,
};
use fhir_model::observation::Effective;
use plugin_host::{DeviceTime, Reading};

use super::{InterpretContext, RepeatedHour};

/// Clocks before this year were never set: factory clocks say 1970, or 1 January 2000 and the days after it.
pub const FIRST_YEAR: i32 = 2001;

/// Which clock gave the time; the codes of our `time-source` code system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeSource {
    /// The device's clock, with its offset.
    DeviceZoned,
    /// The device's wall clock, in the zone configured for it.
    DeviceLocal,
    /// So long before the capture.
    DeviceRelative,
    /// The phone or hub, when it took the reading from the device.
    Capture,
    /// Our own clock.
    Receipt,
}

impl TimeSource {
    /// The code.
    pub fn code(self) -> &'static str {
        match self {
            Self::DeviceZoned => "device-zoned",
            Self::DeviceLocal => "device-local",
            Self::DeviceRelative => "device-relative",
            Self::Capture => "capture",
            Self::Receipt => "receipt",
        }
    }
}

/// When a reading was measured, and how that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeasuredTime {
    /// The instant, with the offset that is written; the start of a period.
    pub start: DateTime<FixedOffset>,
    /// The end of a period.
    pub end: Option<DateTime<FixedOffset>>,
    /// Which clock gave it.
    pub source: TimeSource,
    /// What the device itself said, before zone and correction.
    pub device_text: Option<String>,
    /// The same for the end of the period.
    pub device_text_end: Option<String>,
    /// What was added to the device's time.
    pub clock_offset: Option<TimeDelta>,
    /// Rows of the table of dispositions that concern the time.
    pub conditions: Vec<&'static str>,
}

impl MeasuredTime {
    /// FHIR's `effective[x]`.
    pub fn effective(&self) -> Effective {
        match self.end {
            Some(end) => Effective::Period { start: text(self.start), end: text(end) },
            None => Effective::Instant(text(self.start)),
        }
    }
}

/// A dateTime as FHIR writes it: seconds always, a fraction only where there is one.
fn text(time: DateTime<FixedOffset>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// A point that the device told.
struct Point {
    time: DateTime<FixedOffset>,
    source: TimeSource,
    clock_offset: Option<TimeDelta>,
    condition: Option<&'static str>,
}

/// Why a device's time is not used.
enum Unusable {
    /// Its payload carries none.
    Untold,
    /// Its payload should carry one, and its clock had none to give.
    Lost,
    /// It cannot be right.
    Untrusted,
    /// It has not come yet.
    Future,
}

/// Chooses the clock and resolves the time of a reading.
pub(super) fn resolve(reading: &Reading, context: &InterpretContext) -> MeasuredTime {
    let mut measured = match point(&reading.time, reading, context) {
        Ok(start) => told(start, reading, context),
        Err(reason) => stand_in(&reason, reading, context),
    };
    measured.device_text = device_text(&reading.time);
    measured.device_text_end = device_text(&reading.time_end);
    measured
}

/// The device's own time is used.
fn told(start: Point, reading: &Reading, context: &InterpretContext) -> MeasuredTime {
    let mut conditions: Vec<_> = start.condition.into_iter().collect();
    if start.source == TimeSource::DeviceRelative && usable_capture(context).is_none() {
        conditions.push("time-from-receipt");
    }
    let end = point(&reading.time_end, reading, context).ok().filter(|end| end.time > start.time);
    conditions.extend(end.as_ref().and_then(|end| end.condition).filter(|found| Some(*found) != start.condition));
    let end = end.map(|end| end.time);
    MeasuredTime {
        start: start.time,
        end,
        source: start.source,
        device_text: None,
        device_text_end: None,
        clock_offset: start.clock_offset,
        conditions,
    }
}

/// The capture or the receipt stands for the device's time.
fn stand_in(reason: &Unusable, reading: &Reading, context: &InterpretContext) -> MeasuredTime {
    let (instant, source) = match usable_capture(context) {
        Some(captured) => (captured, TimeSource::Capture),
        None => (context.received_at, TimeSource::Receipt),
    };
    let mut conditions = match reason {
        Unusable::Future => vec!["device-time-in-future", "device-time-untrusted"],
        Unusable::Untrusted => vec!["device-time-untrusted"],
        Unusable::Untold | Unusable::Lost => Vec::new(),
    };
    // A payload that never carries a time is expected to be timed by its receipt; a lost time is worth a warning.
    if source == TimeSource::Receipt && !matches!(reason, Unusable::Untold) {
        conditions.push("time-from-receipt");
    }
    if reading.flags.iter().any(|flag| flag == "from-storage") {
        conditions.push("stored-without-clock");
    }
    let start = in_zone(instant, context);
    let (device_text, device_text_end) = (None, None);
    MeasuredTime { start, end: None, source, device_text, device_text_end, clock_offset: None, conditions }
}

fn point(time: &DeviceTime, reading: &Reading, context: &InterpretContext) -> Result<Point, Unusable> {
    let clock_fails = matches!(reading.clock_state.as_str(), "not-set" | "fault");
    let clock_fails = clock_fails || reading.flags.iter().any(|flag| flag == "time-fault");
    let point = match time {
        DeviceTime::None if clock_fails => Err(Unusable::Lost),
        DeviceTime::None => Err(Unusable::Untold),
        // A count of ticks does not need a clock that was set, but one that runs.
        DeviceTime::BeforeCapture(_) if reading.clock_state == "fault" => Err(Unusable::Untrusted),
        DeviceTime::BeforeCapture(elapsed_ms) => relative(*elapsed_ms, context),
        DeviceTime::Local(_) | DeviceTime::Zoned(_) if clock_fails => Err(Unusable::Untrusted),
        DeviceTime::Local(local) => wall_clock(local, context),
        DeviceTime::Zoned(zoned) => with_offset(zoned, context),
    }?;
    if point.time.year() < FIRST_YEAR {
        return Err(Unusable::Untrusted);
    }
    if is_future(point.time.to_utc(), context) {
        return Err(Unusable::Future);
    }
    Ok(point)
}

fn relative(elapsed_ms: u64, context: &InterpretContext) -> Result<Point, Unusable> {
    let anchor = usable_capture(context).unwrap_or(context.received_at);
    let elapsed = i64::try_from(elapsed_ms).ok().and_then(TimeDelta::try_milliseconds);
    let instant = elapsed.and_then(|elapsed| anchor.checked_sub_signed(elapsed)).ok_or(Unusable::Untrusted)?;
    let time = in_zone(instant, context);
    Ok(Point { time, source: TimeSource::DeviceRelative, clock_offset: None, condition: None })
}

fn with_offset(text: &str, context: &InterpretContext) -> Result<Point, Unusable> {
    let time = DateTime::parse_from_rfc3339(text).ok().filter(is_whole).ok_or(Unusable::Untrusted)?;
    let (time, clock_offset) = corrected(time, context)?;
    Ok(Point { time, source: TimeSource::DeviceZoned, clock_offset, condition: None })
}

fn wall_clock(text: &str, context: &InterpretContext) -> Result<Point, Unusable> {
    let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok().filter(is_whole);
    let local = local.ok_or(Unusable::Untrusted)?;
    let (time, condition) = match context.zone.from_local_datetime(&local) {
        LocalResult::Single(time) => (time.fixed_offset(), None),
        // The end of daylight saving: the hour comes twice. Where nothing settles it, the first one is taken.
        LocalResult::Ambiguous(earlier, later) => match context.repeated {
            RepeatedHour::Second => (later.fixed_offset(), None),
            RepeatedHour::First => (earlier.fixed_offset(), None),
            // What has been received cannot be measured later.
            RepeatedHour::Unknown if is_future(later.to_utc(), context) => (earlier.fixed_offset(), None),
            RepeatedHour::Unknown => (earlier.fixed_offset(), Some("time-repeated-hour")),
        },
        // The start of daylight saving: the device did not advance, so the offset from before the change still holds.
        LocalResult::None => (before_gap(local, context).ok_or(Unusable::Untrusted)?, Some("time-skipped-hour")),
    };
    let (time, clock_offset) = corrected(time, context)?;
    Ok(Point { time, source: TimeSource::DeviceLocal, clock_offset, condition })
}

/// Reads a wall clock that the zone skips with the offset that was valid before the change. Gaps are of an hour, or of a
/// day where a country crossed the date line.
fn before_gap(local: NaiveDateTime, context: &InterpretContext) -> Option<DateTime<FixedOffset>> {
    let earlier = (1..=26).find_map(|hours| {
        let earlier = local.checked_sub_signed(TimeDelta::hours(hours))?;
        context.zone.from_local_datetime(&earlier).latest()
    })?;
    earlier.offset().fix().from_local_datetime(&local).single()
}

/// Adds the measured offset of the device's clock, where it holds for that time. A factory date is none that could be
/// corrected: how long ago the clock began to run is not known.
fn corrected(
    time: DateTime<FixedOffset>,
    context: &InterpretContext,
) -> Result<(DateTime<FixedOffset>, Option<TimeDelta>), Unusable> {
    if time.year() < FIRST_YEAR {
        return Err(Unusable::Untrusted);
    }
    let holds = context.clock_offset_since.is_none_or(|since| time >= since);
    let Some(offset) = context.clock_offset.filter(|_| holds) else { return Ok((time, None)) };
    let moved = time.to_utc().checked_add_signed(offset).ok_or(Unusable::Untrusted)?;
    // A wall clock is shown in the offset that its zone has at the corrected time; a payload's own offset stays.
    let zone = context.zone.offset_from_utc_datetime(&time.naive_utc()).fix();
    let time = if zone == *time.offset() { in_zone(moved, context) } else { moved.with_timezone(time.offset()) };
    Ok((time, Some(offset)))
}

/// The capture, unless the phone's or hub's clock is as wrong as a device's can be.
fn usable_capture(context: &InterpretContext) -> Option<DateTime<Utc>> {
    context.captured_at.filter(|captured| captured.year() >= FIRST_YEAR && !is_future(*captured, context))
}

fn is_future(instant: DateTime<Utc>, context: &InterpretContext) -> bool {
    instant.signed_duration_since(context.received_at) > context.future_tolerance
}

fn in_zone(instant: DateTime<Utc>, context: &InterpretContext) -> DateTime<FixedOffset> {
    instant.with_timezone(&context.zone).fixed_offset()
}

/// Whether it is a second that clocks show: chrono reads second 60 as a fraction beyond the 59th.
fn is_whole(time: &impl Timelike) -> bool {
    time.nanosecond() < 1_000_000_000
}

fn device_text(time: &DeviceTime) -> Option<String> {
    match time {
        DeviceTime::Local(text) | DeviceTime::Zoned(text) => Some(text.clone()),
        DeviceTime::None | DeviceTime::BeforeCapture(_) => None,
    }
}
