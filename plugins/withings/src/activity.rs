//! `getactivity`: a day's totals in the zone of the account; `getintradayactivity`: stretches of a day.

use afferent_plugin_sdk::json::Json;
use afferent_plugin_sdk::registry::{device_identity, kinds, methods, nothing_reasons};
use afferent_plugin_sdk::{Decimal, DecodeError, Decoded, OnChange, Outcome, Reading, Timestamp, Value};

const DAY_MS: i64 = 86_400_000;

/// Decodes the body of an answer, or a single day.
pub(crate) fn answer(body: Json<'_>) -> Result<Outcome, DecodeError> {
    let mut decoded = Decoded::from(Vec::new());
    if let Some(series) = body.get("series")? {
        for (start, stretch) in series.members()? {
            stretch_of_day(start, stretch, &mut decoded)?;
        }
    } else if body.get("steps")?.is_some() {
        activity(body, &mut decoded)?;
    } else {
        for day in body.required("activities")?.items()? {
            activity(day, &mut decoded)?;
        }
    }
    Ok(decoded.or_nothing(nothing_reasons::NO_MEASUREMENT, "no day has steps"))
}

/// Adds the steps of one day, from midnight to midnight in the zone that the day names. A day without steps was not
/// worn: a gap is not zero. The total replaces that of the same date.
///
/// # Errors
///
/// The day's date is missing or none.
pub fn activity(day: Json<'_>, decoded: &mut Decoded) -> Result<(), DecodeError> {
    let date = day.required("date")?;
    let midnight = Timestamp::parse_date(date.text()?).map_err(|error| error.at_path(date.path()))?;
    let Some(steps) = day.measured("steps", 0)? else { return Ok(()) };
    let mut reading = Reading::new(kinds::STEPS_DAY, Value::decimal(steps, "{steps}/(24.h)"))
        .at(midnight.device_time())
        .until(midnight.plus_ms(DAY_MS)?.device_time())
        .method(methods::PEDOMETER)
        .record_key(Some(midnight.date_text()), OnChange::Replace);
    if let Some(zone) = day.get("timezone")? {
        reading = reading.in_zone(zone.text()?);
    }
    if let Some(device) = day.get("deviceid")? {
        reading = reading.device_identity(device_identity::VENDOR_DEVICE_ID, device.identifier()?);
    }
    decoded.readings.push(reading);
    Ok(())
}

/// Steps of a stretch that is named by its start in seconds since 1970.
fn stretch_of_day(start: &str, stretch: Json<'_>, decoded: &mut Decoded) -> Result<(), DecodeError> {
    let Some(steps) = stretch.measured("steps", 0)? else { return Ok(()) };
    let seconds = Decimal::parse(start).ok().and_then(Decimal::to_integer);
    let seconds = seconds.ok_or_else(|| stretch.malformed("a stretch is named by seconds since 1970"))?;
    let begin = Timestamp::from_epoch_seconds(seconds)?;
    let length = stretch.required("duration")?.integer()?;
    let end = begin.plus_ms(length.checked_mul(1000).ok_or_else(|| stretch.malformed("a duration without end"))?)?;
    let reading = Reading::new(kinds::STEPS, Value::decimal(steps, "{steps}"));
    let reading = reading.at(begin.device_time()).until(end.device_time()).method(methods::PEDOMETER);
    decoded.readings.push(reading.record_key(Some(format!("intraday/{begin}")), OnChange::Replace));
    Ok(())
}
