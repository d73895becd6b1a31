//! Huawei AH100, Honor CH100: a decrypted measurement, 15 bytes, or 16 with the byte of padding of its block.
//!
//! `user u8 | weight u16, 0.1 kg | fat u16, 0.1 % | time 7 | weekday u8 | impedance u16, ohms`, little-endian. There is no
//! checksum: a frame that was opened with another session's key is told by what it cannot say.

use afferent_plugin_sdk::registry::{kinds, methods, nothing_reasons};
use afferent_plugin_sdk::{
    Decimal, DecodeError, Nothing, OnChange, Outcome, Reader, Reading, Value, WallClock, record_key,
};

/// A share of 100 %, in tenths.
const WHOLE: u16 = 1000;

/// Weight, body fat and impedance of one measurement.
///
/// # Errors
///
/// Truncated, longer, or with a date, weekday or share that cannot be: it was opened with another key.
pub fn decode(data: &[u8]) -> Result<Outcome, DecodeError> {
    let mut reader = Reader::new(data);
    let user = reader.u8()?;
    let (weight, fat) = (reader.u16_le()?, reader.u16_le()?);
    let clock = reader.date_time()?.wall_clock();
    let weekday = reader.u8()?;
    let impedance = reader.u16_le()?;
    if reader.remaining() == 1 && reader.u8()? != 0 {
        return Err(DecodeError::malformed("the byte of padding is not 0").at(15));
    }
    reader.finish()?;
    if fat > WHOLE || weekday > 7 || clock == WallClock::Impossible {
        let message =
            "a share of fat, weekday or date that cannot be: the frame was not decrypted, or with another key";
        return Err(DecodeError::malformed(message));
    }
    if weight == 0 {
        return Ok(Nothing::because(nothing_reasons::NO_MEASUREMENT, "the record has no weight").into());
    }
    let slot = (user != 0).then(|| user.to_string());
    let key = record_key(&clock, slot.as_deref());
    let reading = |kind: &str, value: Value| {
        let reading = Reading::new(kind, value).at_wall_clock(&clock).user_slot(slot.as_deref());
        reading.record_key(key.clone(), OnChange::Distinct)
    };
    let tenths = |raw: u16, unit: &str| Value::decimal(Decimal::new(i64::from(raw), -1), unit);
    let mut readings = vec![reading(kinds::BODY_WEIGHT, tenths(weight, "kg"))];
    if fat != 0 {
        readings.push(reading(kinds::BODY_FAT_PERCENTAGE, tenths(fat, "%")).method(methods::BIOIMPEDANCE));
    }
    if impedance != 0 {
        let ohms = Value::decimal(Decimal::new(i64::from(impedance), 0), "Ohm");
        readings.push(reading(kinds::BODY_IMPEDANCE, ohms).method(methods::BIOIMPEDANCE));
    }
    Ok(readings.into())
}
