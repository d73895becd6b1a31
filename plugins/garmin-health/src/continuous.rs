//! Values by seconds after a start: oxygen saturation, respiration, and the two minutes of a health snapshot.

use afferent_plugin_sdk::json::Json;
use afferent_plugin_sdk::registry::{kinds, methods};
use afferent_plugin_sdk::{Decimal, DecodeError, Decoded, Reading, Value};

use crate::summary::Summary;

/// `timeOffsetSpo2Values`: on demand, one; all day or asleep, one a minute.
pub(crate) fn pulse_oximetry(item: Json<'_>, decoded: &mut Decoded) -> Result<(), DecodeError> {
    let method = match item.get("onDemand")? {
        Some(on_demand) if on_demand.boolean()? => methods::SPOT_CHECK,
        _ => methods::CONTINUOUS,
    };
    let oximetry = |value| Reading::new(kinds::OXYGEN_SATURATION, Value::decimal(value, "%")).method(method);
    by_offset(item, "timeOffsetSpo2Values", 1, oximetry, decoded)
}

/// `timeOffsetEpochToBreaths`: breaths a minute. Negative ones are Garmin's codes for what could not be measured.
pub(crate) fn respiration(item: Json<'_>, decoded: &mut Decoded) -> Result<(), DecodeError> {
    let breaths = |value| Reading::new(kinds::RESPIRATORY_RATE, Value::decimal(value, "/min"));
    by_offset(item, "timeOffsetEpochToBreaths", 2, breaths, decoded)
}

fn by_offset(
    item: Json<'_>,
    name: &str,
    places: u8,
    make: impl Fn(Decimal) -> Reading,
    decoded: &mut Decoded,
) -> Result<(), DecodeError> {
    let summary = Summary::read(item, decoded)?;
    let values = item.required(name)?;
    for (offset, value) in values.members()? {
        if value.is_null() {
            continue;
        }
        let seconds = Decimal::parse(offset).ok().and_then(Decimal::to_integer);
        let seconds = seconds.ok_or_else(|| value.malformed("a value is named by seconds after the start"))?;
        let number = value.rounded(places)?;
        if number.compare(0).is_gt() {
            decoded.readings.push(summary.around_later(seconds, make(number))?);
        }
    }
    Ok(())
}

/// The means of the two minutes in which somebody sat still. Stress and RMSSD have no kind.
pub(crate) fn health_snapshot(item: Json<'_>, decoded: &mut Decoded) -> Result<(), DecodeError> {
    let summary = Summary::read(item, decoded)?;
    let length = item.required("durationInSeconds")?.integer()?;
    let end = summary.start.plus_ms(length.checked_mul(1000).unwrap_or(i64::MAX))?;
    for part in item.required("summaries")?.items()? {
        let (kind, unit) = match part.required("summaryType")?.text()? {
            "heart_rate" => (kinds::HEART_RATE, "/min"),
            "respiration" => (kinds::RESPIRATORY_RATE, "/min"),
            "spo2" => (kinds::OXYGEN_SATURATION, "%"),
            "sdrr_hrv" => (kinds::HEART_RATE_VARIABILITY, "ms"),
            other => {
                decoded.warn_of_metric(other);
                continue;
            }
        };
        let Some(mean) = part.measured("avgValue", 2)? else { continue };
        let reading = summary.around(Reading::new(kind, Value::decimal(mean, unit)));
        decoded.readings.push(reading.until(end.device_time()));
    }
    Ok(())
}
