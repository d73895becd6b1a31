//! Weight Measurement (0x2A9D), Weight Scale Service 1.0.

use afferent_plugin_sdk::registry::{kinds, nothing_reasons};
use afferent_plugin_sdk::{Decimal, DecodeError, Nothing, OnChange, Outcome, Reader, Reading, Value, record_key};

use crate::user_slot;

/// The weight that means "measurement unsuccessful".
const UNSUCCESSFUL: u16 = 0xFFFF;

/// A body weight, and body mass index and height as readings of their own where the scale knows them.
///
/// # Errors
///
/// The payload is truncated, has trailing bytes, or sets a flag that would shift the fields.
pub fn decode(data: &[u8]) -> Result<Outcome, DecodeError> {
    let mut reader = Reader::new(data);
    let flags = reader.flags_u8(0b0000_1111)?;
    let imperial = flags.has(0);
    let weight = reader.u16_le()?;
    let clock = if flags.has(1) { Some(reader.date_time()?.wall_clock()) } else { None };
    let user = if flags.has(2) { user_slot(reader.u8()?) } else { None };
    let body = if flags.has(3) { Some((reader.u16_le()?, reader.u16_le()?)) } else { None };
    reader.finish()?;
    if weight == UNSUCCESSFUL {
        let message = "the scale says that the measurement was unsuccessful";
        return Ok(Nothing::because(nothing_reasons::FAILED_MEASUREMENT, message).into());
    }

    let key = clock.as_ref().and_then(|clock| record_key(clock, user.as_deref()));
    let around = |kind: &str, value: Value| {
        let mut reading = Reading::new(kind, value);
        if let Some(clock) = &clock {
            reading = reading.at_wall_clock(clock);
        }
        reading.user_slot(user.as_deref()).record_key(key.clone(), OnChange::Distinct)
    };
    let mut readings = Vec::with_capacity(3);
    readings.push(around(kinds::BODY_WEIGHT, weight_value(weight, imperial)));
    if let Some((index, height)) = body {
        // Zero is what a scale says that was never told how tall its user is: there is nothing to report.
        if index != 0 {
            let value = Value::decimal(Decimal::new(i64::from(index), -1), "kg/m2");
            readings.push(around(kinds::BODY_MASS_INDEX, value));
        }
        if height != 0 {
            readings.push(around(kinds::BODY_HEIGHT, height_value(height, imperial)));
        }
    }
    Ok(readings.into())
}

/// Steps of 0.005 kg or 0.01 lb.
fn weight_value(raw: u16, imperial: bool) -> Value {
    if imperial {
        Value::decimal(Decimal::new(i64::from(raw), -2), "[lb_av]")
    } else {
        Value::decimal(Decimal::new(i64::from(raw) * 5, -3), "kg")
    }
}

/// Steps of 0.001 m or 0.1 in.
fn height_value(raw: u16, imperial: bool) -> Value {
    if imperial {
        Value::decimal(Decimal::new(i64::from(raw), -1), "[in_i]")
    } else {
        Value::decimal(Decimal::new(i64::from(raw), -3), "m")
    }
}
