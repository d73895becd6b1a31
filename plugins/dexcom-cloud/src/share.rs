//! Dexcom Share: a list of values in mg/dL with times as `Date(1638396953000)`.

use afferent_plugin_sdk::json::Json;
use afferent_plugin_sdk::registry::{kinds, nothing_reasons, warnings};
use afferent_plugin_sdk::{Decimal, DecodeError, Decoded, OnChange, Outcome, Quantity, Reading, Timestamp, Value};

/// What is below is a code of the sensor: not calibrated, no antenna, and the like.
const LEAST_GLUCOSE: i64 = 39;

/// Times of one record that are further apart than this contradict each other.
const TOLERANCE_MS: i64 = 60_000;

/// Decodes an answer: a list of values, or one.
pub(crate) fn answer(root: Json<'_>) -> Result<Outcome, DecodeError> {
    let mut decoded = Decoded::from(Vec::new());
    let mut codes = 0;
    let mut take = |item: Json<'_>| -> Result<(), DecodeError> {
        match share_value(item, &mut decoded)? {
            Some(reading) => decoded.readings.push(reading),
            None => codes += 1,
        }
        Ok(())
    };
    if root.is_list() {
        root.items()?.try_for_each(take)?
    } else {
        take(root)?
    };
    if codes > 0 {
        return Ok(decoded.or_nothing(nothing_reasons::ERROR_CODE, "codes of the sensor in the place of glucose"));
    }
    Ok(decoded.or_nothing(nothing_reasons::NO_MEASUREMENT, "the list is empty"))
}

/// One value; none where it is a code of the sensor.
///
/// # Errors
///
/// Value or time are missing or no such thing.
pub fn share_value(item: Json<'_>, decoded: &mut Decoded) -> Result<Option<Reading>, DecodeError> {
    let wall = time(item.required("WT")?)?;
    if let Some(system) = item.get("ST")? {
        let apart = time(system)?.epoch_ms().zip(wall.epoch_ms()).map(|(system, wall)| (system - wall).abs());
        if apart.is_some_and(|apart| apart > TOLERANCE_MS) {
            decoded.warn(warnings::TIMESTAMP_FIELDS_DISAGREE, "`ST` is another time than `WT`, which is taken");
        }
    }
    let number = item.required("Value")?.decimal()?;
    if number.compare(LEAST_GLUCOSE).is_lt() {
        return Ok(None);
    }
    let reading = Reading::new(kinds::GLUCOSE_INTERSTITIAL, bounded(number));
    Ok(Some(reading.at(wall.device_time()).record_key(Some(wall.to_string()), OnChange::Distinct)))
}

/// The sensor measures from 40 to 400 mg/dL: 39 stands for LOW, and 401 for HIGH.
fn bounded(number: Decimal) -> Value {
    let bound =
        |limit: i64, sign: &str| Value::Quantity(Quantity::new(Decimal::new(limit, 0), "mg/dL").compared(Some(sign)));
    if number.compare(40).is_lt() {
        bound(40, "<")
    } else if number.compare(400).is_gt() {
        bound(400, ">")
    } else {
        Value::decimal(number, "mg/dL")
    }
}

/// `Date(1638396953000)`, `/Date(1638396953000)/` or `Date(1638396953000+0000)`: milliseconds since 1970, UTC. The offset
/// is that of the display.
fn time(written: Json<'_>) -> Result<Timestamp, DecodeError> {
    let wrong = || written.malformed("a time is written as Date(milliseconds)");
    let text = written.text()?.trim_matches('/');
    let inner = text.strip_prefix("Date(").and_then(|rest| rest.strip_suffix(')')).ok_or_else(wrong)?;
    let digits = inner.split(['+', '-']).next().unwrap_or_default();
    let ms = Decimal::parse(digits).ok().and_then(Decimal::to_integer).ok_or_else(wrong)?;
    Timestamp::from_epoch_ms(ms).map_err(|error| error.at_path(written.path()))
}
