//! One push: `deviceId`, `ts`, `batteryVoltage`, `rssi` and the `values`.

use afferent_plugin_sdk::json::Json;
use afferent_plugin_sdk::registry::{device_identity, fact_kinds, flags, kinds, methods, nothing_reasons};
use afferent_plugin_sdk::{DecodeError, Decoded, OnChange, Outcome, Reading, Timestamp, Value};

/// Members of `values` that are read, or that say how the device displays (`unit`) or was loaded (`tare`).
const KNOWN: &[&str] = &["weight", "unit", "tare", "systolic", "diastolic", "pulse", "irregular"];

/// 15 mm[Hg]. No living arm has less; a number below it is not in pascal.
const LEAST_PASCAL: i64 = 2000;

/// Decodes one push of BodyTrace's cloud.
///
/// # Errors
///
/// Device, time or values are missing, or a pressure is too small to be in pascal.
pub fn measurement(root: Json<'_>) -> Result<Outcome, DecodeError> {
    let device = root.required("deviceId")?;
    let time = Timestamp::from_epoch_ms(root.required("ts")?.integer()?)?;
    let values = root.required("values")?;
    let mut decoded = Decoded::from(Vec::new());
    // Grams, whatever `unit` says: that is what the scale's display shows.
    if let Some(grams) = values.measured("weight", 0)? {
        let weight = Value::decimal(grams.shifted(-3), "kg");
        decoded.readings.push(Reading::new(kinds::BODY_WEIGHT, weight));
    }
    decoded.readings.extend(blood_pressure(values)?);
    for reading in core::mem::take(&mut decoded.readings) {
        let mut reading = reading.at(time.device_time()).record_key(Some(time.to_string()), OnChange::Distinct);
        if let Some(imei) = imei(device.identifier()?) {
            reading = reading.device_identity(device_identity::IMEI, imei);
        }
        decoded.readings.push(reading);
    }
    for (name, member) in values.members()? {
        if !KNOWN.contains(&name) && !member.is_null() {
            decoded.warn_of_metric(name);
        }
    }
    if let Some(voltage) = root.get("batteryVoltage")? {
        decoded.add_fact(fact_kinds::BATTERY_VOLTAGE, Value::decimal(voltage.decimal()?, "mV"));
    }
    if let Some(signal) = root.get("rssi")? {
        decoded.add_fact(fact_kinds::SIGNAL_STRENGTH, Value::Text(signal.decimal()?.to_string()));
    }
    Ok(decoded.or_nothing(nothing_reasons::NO_MEASUREMENT, "the push has no value above zero"))
}

/// Pressures in pascal, which the host converts, and the pulse of the cuff.
fn blood_pressure(values: Json<'_>) -> Result<Vec<Reading>, DecodeError> {
    let mut readings = Vec::new();
    if let (Some(systolic), Some(diastolic)) = (pressure(values, "systolic")?, pressure(values, "diastolic")?) {
        readings.push(Reading::blood_pressure(systolic, diastolic).method(methods::OSCILLOMETRIC));
    }
    if let Some(pulse) = values.measured("pulse", 1)? {
        readings.push(Reading::new(kinds::PULSE_RATE, Value::decimal(pulse, "/min")));
    }
    let irregular = match values.get("irregular")? {
        Some(bit) => bit.boolean().or_else(|_not_boolean| bit.integer().map(|bit| bit != 0))?,
        None => false,
    };
    let flagged = if irregular { &[flags::IRREGULAR_PULSE][..] } else { &[] };
    Ok(readings.into_iter().map(|reading| reading.flags(flagged)).collect())
}

fn pressure(values: Json<'_>, name: &str) -> Result<Option<Value>, DecodeError> {
    let Some(pascal) = values.measured(name, 0)? else { return Ok(None) };
    if pascal.compare(LEAST_PASCAL).is_lt() {
        return Err(values
            .required(name)?
            .unsupported("a pressure in pascal is expected, and this is too small for one"));
    }
    Ok(Some(Value::decimal(pascal, "Pa")))
}

/// BodyTrace writes an IMEI without its leading zeros and without its check digit.
fn imei(id: &str) -> Option<String> {
    if id.len() > 14 || !id.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let body = format!("{id:0>14}");
    let doubled = |(place, digit): (usize, u8)| {
        let digit = u32::from(digit - b'0') * if place % 2 == 1 { 2 } else { 1 };
        digit / 10 + digit % 10
    };
    let sum: u32 = body.bytes().enumerate().map(doubled).sum();
    Some(format!("{body}{}", (10 - sum % 10) % 10))
}

#[cfg(test)]
mod tests {
    use super::imei;

    #[test]
    fn an_imei_gets_its_zeros_and_its_check_digit_back() {
        // The example of 3GPP TS 23.003, annex B: 26 05 31 79 31 13 83, check digit 7.
        assert_eq!(imei("26053179311383").as_deref(), Some("260531793113837"));
        assert_eq!(imei("1480000000000").as_deref().map(str::len), Some(15));
        assert_eq!(imei("1480000000000").as_deref().map(|imei| imei.starts_with("01480")), Some(true));
        assert_eq!(imei("351358815532467"), None, "15 digits are no such id");
        assert_eq!(imei("12a"), None);
    }
}
