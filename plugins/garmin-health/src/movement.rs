//! Days and epochs: steps, and the resting heart rate of a day.

use afferent_plugin_sdk::json::Json;
use afferent_plugin_sdk::registry::{kinds, methods};
use afferent_plugin_sdk::{DecodeError, Decoded, OnChange, Reading, Timestamp, Value};

use crate::summary::Summary;

const DAY_SECONDS: i64 = 86_400;

fn end(item: Json<'_>, start: Timestamp) -> Result<(i64, Timestamp), DecodeError> {
    let duration = item.required("durationInSeconds")?;
    let seconds = duration.integer()?;
    let end =
        start.plus_ms(seconds.checked_mul(1000).unwrap_or(i64::MAX)).map_err(|error| error.at_path(duration.path()));
    Ok((seconds, end?))
}

/// A day so far: what comes later under the same id replaces it. Mean, least and most heart rate of a day and its energy
/// are Garmin's statistics, and no measurements.
pub(crate) fn daily(item: Json<'_>, decoded: &mut Decoded) -> Result<(), DecodeError> {
    let summary = Summary::read(item, decoded)?;
    let (_, end) = end(item, summary.start)?;
    let steps = item.measured("steps", 0)?.map(|steps| Value::decimal(steps, "{steps}/(24.h)"));
    let steps = steps.map(|steps| Reading::new(kinds::STEPS_DAY, steps).method(methods::PEDOMETER));
    let resting = item.measured("restingHeartRateInBeatsPerMinute", 0)?.map(|rate| Value::decimal(rate, "/min"));
    let resting = resting.map(|rate| Reading::new(kinds::HEART_RATE_RESTING, rate));
    // A day that has only begun is keyed by its start, as its id may change until it is over.
    let key = format!("day/{}", summary.start.date_text());
    for reading in steps.into_iter().chain(resting) {
        let reading = summary.around(reading).until(end.device_time());
        decoded.readings.push(reading.record_key(Some(key.clone()), OnChange::Replace));
    }
    Ok(())
}

/// A quarter of an hour of one activity. A later one of the same start and activity, with the same or a longer duration,
/// replaces it.
pub(crate) fn epoch(item: Json<'_>, decoded: &mut Decoded) -> Result<(), DecodeError> {
    let summary = Summary::read(item, decoded)?;
    let (seconds, end) = end(item, summary.start)?;
    if seconds > DAY_SECONDS {
        return Err(item.malformed("an epoch is never longer than a day"));
    }
    let activity = item.required("activityType")?.identifier()?;
    let Some(steps) = item.measured("steps", 0)? else { return Ok(()) };
    let reading = Reading::new(kinds::STEPS, Value::decimal(steps, "{steps}")).method(methods::PEDOMETER);
    let key = format!("epoch/{}/{activity}", summary.start);
    let reading = summary.around(reading).until(end.device_time());
    decoded.readings.push(reading.record_key(Some(key), OnChange::Replace));
    Ok(())
}
