//! One entry: type, glucose in mg/dL, and its time twice (`date` as an epoch, `dateString` as text).

use afferent_plugin_sdk::json::Json;
use afferent_plugin_sdk::registry::{kinds, methods, warnings};
use afferent_plugin_sdk::{Decimal, DecodeError, Decoded, OnChange, Quantity, Reading, Timestamp, Value};

/// What is below is a code of the sensor, such as 5 for one that is not calibrated.
const LEAST_GLUCOSE: i64 = 39;

/// Times of one entry that are further apart than this contradict each other.
const TOLERANCE_MS: i64 = 60_000;

/// What an entry is.
#[derive(Debug)]
pub enum Entry {
    /// A glucose.
    Reading(Box<Reading>),
    /// A code of the sensor.
    ErrorCode,
    /// Something else, such as a calibration, or an entry that was deleted.
    NoMeasurement,
}

/// Decodes one entry.
///
/// # Errors
///
/// Glucose or time are missing or no such thing.
pub fn entry(item: Json<'_>, decoded: &mut Decoded) -> Result<Entry, DecodeError> {
    if item.get("isValid")?.is_some_and(|valid| valid.boolean() == Ok(false)) {
        return Ok(Entry::NoMeasurement);
    }
    let kind = item.get("type")?.map_or(Ok("sgv"), Json::text)?;
    let reading = match kind {
        "sgv" => {
            let glucose = item.required("sgv")?.decimal()?;
            if glucose.compare(LEAST_GLUCOSE).is_lt() {
                return Ok(Entry::ErrorCode);
            }
            Reading::new(kinds::GLUCOSE_INTERSTITIAL, of_sensor(glucose))
        }
        "mbg" => match item.measured("mbg", 1)? {
            Some(glucose) => {
                Reading::new(kinds::GLUCOSE_CAPILLARY, Value::decimal(glucose, "mg/dL")).method(methods::GLUCOMETER)
            }
            None => return Ok(Entry::NoMeasurement),
        },
        "cal" => return Ok(Entry::NoMeasurement),
        other => {
            decoded.warn_of_metric(other);
            return Ok(Entry::NoMeasurement);
        }
    };
    let time = time(item, decoded)?;
    let key = Some(format!("{kind}/{time}"));
    Ok(Entry::Reading(Box::new(reading.at(time.device_time()).record_key(key, OnChange::Replace))))
}

/// Sensors measure from 40 to 400 mg/dL: 39 stands for LOW, and 401 for HIGH.
fn of_sensor(glucose: Decimal) -> Value {
    let (limit, sign) = if glucose.compare(40).is_lt() {
        (40, "<")
    } else if glucose.compare(401).is_eq() {
        (400, ">")
    } else {
        return Value::decimal(glucose, "mg/dL");
    };
    Value::Quantity(Quantity::new(Decimal::new(limit, 0), "mg/dL").compared(Some(sign)))
}

/// The epoch decides; a text that says another time is told.
fn time(item: Json<'_>, decoded: &mut Decoded) -> Result<Timestamp, DecodeError> {
    let written = match item.get("dateString")? {
        Some(text) => Some(Timestamp::parse(text.text()?).map_err(|error| error.at_path(text.path()))?),
        None => None,
    };
    let Some(date) = item.get("date")? else {
        return written.ok_or_else(|| item.malformed("neither `date` nor `dateString` is here"));
    };
    // Some uploaders write fractions of a millisecond.
    let ms = date.decimal()?;
    let ms = Decimal::parse_rounded(&ms.to_string(), 0).ok().and_then(Decimal::to_integer);
    let epoch = Timestamp::from_epoch_ms(ms.ok_or_else(|| date.malformed("not milliseconds since 1970"))?);
    let epoch = epoch.map_err(|error| error.at_path(date.path()))?;
    let apart = written.and_then(Timestamp::epoch_ms).zip(epoch.epoch_ms()).map(|(text, epoch)| (text - epoch).abs());
    if apart.is_some_and(|apart| apart > TOLERANCE_MS) {
        decoded.warn(warnings::TIMESTAMP_FIELDS_DISAGREE, "`dateString` is another time than `date`, which is taken");
    }
    Ok(epoch)
}
