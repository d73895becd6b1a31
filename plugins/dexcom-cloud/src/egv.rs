//! Dexcom API v3, `users/self/egvs`: records with a unit, a status and two clocks.

use afferent_plugin_sdk::json::Json;
use afferent_plugin_sdk::registry::{flags, kinds, nothing_reasons};
use afferent_plugin_sdk::{DecodeError, Decoded, OnChange, Outcome, Quantity, Reading, Timestamp, Value};

/// Decodes an answer, or a single record.
pub(crate) fn answer(root: Json<'_>) -> Result<Outcome, DecodeError> {
    if let Some(kind) = root.get("recordType")?
        && kind.text()? != "egv"
    {
        return Err(kind.unsupported("only records of estimated glucose values (`egv`) are read"));
    }
    let mut decoded = Decoded::from(Vec::new());
    if root.get("recordId")?.is_some() {
        decoded.readings.extend(egv(root)?);
    } else {
        for record in root.required("records")?.items()? {
            decoded.readings.extend(egv(record)?);
        }
    }
    Ok(decoded.or_nothing(nothing_reasons::NO_MEASUREMENT, "no record has a value"))
}

/// One record; none where its value is `null`. `high` and `low` mean that the value is the sensor's limit.
///
/// # Errors
///
/// Id, time or unit are missing, or the unit or status are none of the API's.
pub fn egv(record: Json<'_>) -> Result<Option<Reading>, DecodeError> {
    let key = record.required("recordId")?.identifier()?;
    let unit = record.required("unit")?;
    let ucum = match unit.text()? {
        "mg/dL" => "mg/dL",
        "mmol/L" => "mmol/L",
        _ => return Err(unit.unsupported("the unit is neither mg/dL nor mmol/L")),
    };
    let Some(value) = record.measured("value", 2)? else { return Ok(None) };
    let (comparator, flags): (_, &[&str]) = match record.get("status")? {
        None => (None, &[]),
        Some(status) => match status.text()? {
            "ok" => (None, &[]),
            "high" => (Some(">"), &[]),
            "low" => (Some("<"), &[]),
            "unknown" => (None, &[flags::QUESTIONABLE]),
            _ => return Err(status.unsupported("a status that the API does not have")),
        },
    };
    let value = Value::Quantity(Quantity::new(value, ucum).compared(comparator));
    let reading = Reading::new(kinds::GLUCOSE_INTERSTITIAL, value).flags(flags);
    let time = system_time(record.required("systemTime")?)?;
    Ok(Some(reading.at(time.device_time()).record_key(Some(key.to_owned()), OnChange::Replace)))
}

/// The clock of the system in UTC; receivers write it without an offset. The display's clock is the person's to set.
fn system_time(written: Json<'_>) -> Result<Timestamp, DecodeError> {
    let time = Timestamp::parse(written.text()?).map_err(|error| error.at_path(written.path()))?;
    Ok(if time.offset_minutes().is_none() { time.with_wall_clock_offset(0) } else { time })
}
