//! `activities-steps`: a total for each day of the person's own calendar, whose zone the API does not name.

use afferent_plugin_sdk::json::Json;
use afferent_plugin_sdk::registry::{kinds, methods, nothing_reasons};
use afferent_plugin_sdk::{DecodeError, Decoded, OnChange, Outcome, Reading, Timestamp, Value};

const DAY_MS: i64 = 86_400_000;

/// Decodes an answer, or a single day. Minutes of a day (`activities-steps-intraday`) are the parts of its total, and
/// would count it twice.
pub(crate) fn answer(root: Json<'_>) -> Result<Outcome, DecodeError> {
    let mut decoded = Decoded::from(Vec::new());
    if root.get("dateTime")?.is_some() {
        decoded.readings.extend(day(root)?);
    } else {
        for item in root.required("activities-steps")?.items()? {
            decoded.readings.extend(day(item)?);
        }
    }
    Ok(decoded.or_nothing(nothing_reasons::NO_MEASUREMENT, "no day has steps"))
}

/// The total of one day, which replaces that of the same date. `"0"` is a day on which nothing was worn or synchronised:
/// a gap is not zero.
///
/// # Errors
///
/// The date is missing or none, or the total is no whole number.
pub fn day(item: Json<'_>) -> Result<Option<Reading>, DecodeError> {
    let date = item.required("dateTime")?;
    let midnight = Timestamp::parse_date(date.text()?).map_err(|error| error.at_path(date.path()))?;
    let total = item.required("value")?.integer()?;
    if total <= 0 {
        return Ok(None);
    }
    let steps = Value::decimal(afferent_plugin_sdk::Decimal::new(total, 0), "{steps}/(24.h)");
    let reading = Reading::new(kinds::STEPS_DAY, steps).method(methods::PEDOMETER);
    let reading = reading.at(midnight.device_time()).until(midnight.plus_ms(DAY_MS)?.device_time());
    Ok(Some(reading.record_key(Some(midnight.date_text()), OnChange::Replace)))
}
