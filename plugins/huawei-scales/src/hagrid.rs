//! Huawei Scale 2 Pro, Scale 3 and Scale 3 Pro: a decrypted measurement, little-endian.
//!
//! `weight u16, 0.01 kg | fat u16, 0.1 % | time 7 | 1 byte | 6 impedances u16 | heart rate u16 | [6 impedances u16] | [flags]`.
//! 26 bytes, or 38 with the impedances at the high frequency; a record of the history is one or two bytes longer: the
//! first says that the scale only suspects whose it is, the second is 0 in the last record.
//!
//! The impedances are of body segments in an order that nobody has published, and in ohms or tenths of them as the
//! model has it: they are no readings.

use afferent_plugin_sdk::registry::{flags, kinds, methods, nothing_reasons};
use afferent_plugin_sdk::{
    Decimal, DecodeError, Nothing, OnChange, Outcome, Reader, Reading, Value, WallClock, record_key,
};

const LIVE: [usize; 2] = [26, 38];
const HISTORY: [usize; 4] = [27, 28, 39, 40];
const WHOLE: u16 = 1000;
/// Heart rates that the scale can have counted.
const RATES: core::ops::RangeInclusive<u16> = 1..=240;

/// Weight, body fat and heart rate of one measurement.
///
/// # Errors
///
/// It has another length, a share that cannot be, or, in the history, a date that does not exist.
pub fn decode(data: &[u8]) -> Result<Outcome, DecodeError> {
    let is_history = HISTORY.contains(&data.len());
    if !is_history && !LIVE.contains(&data.len()) {
        return Err(DecodeError::malformed(format!("no measurement of this family has {} bytes", data.len())));
    }
    let mut reader = Reader::new(data);
    let (weight, fat) = (reader.u16_le()?, reader.u16_le()?);
    let clock = reader.date_time()?.wall_clock();
    reader.bytes(1 + 6 * 2)?;
    let rate = reader.u16_le()?;
    if data.len() >= 38 {
        reader.bytes(6 * 2)?;
    }
    let is_suspected = is_history && reader.u8()? != 0;
    if fat > WHOLE {
        return Err(DecodeError::malformed("more than 100 % of fat: not decrypted, or with another key").at(2));
    }
    if is_history && !matches!(clock, WallClock::Local(_)) {
        return Err(DecodeError::malformed("a record of the history without a date that exists").at(4));
    }
    if weight == 0 {
        return Ok(Nothing::because(nothing_reasons::NO_MEASUREMENT, "the record has no weight").into());
    }
    let mut said = Vec::new();
    if is_history {
        said.push(flags::FROM_STORAGE);
    }
    if is_suspected {
        said.push(flags::AMBIGUOUS_USER);
    }
    let key = record_key(&clock, None);
    let reading = |kind: &str, mantissa: u16, exponent: i32, unit: &str| {
        Reading::new(kind, Value::decimal(Decimal::new(i64::from(mantissa), exponent), unit))
            .at_wall_clock(&clock)
            .flags(&said)
            .record_key(key.clone(), OnChange::Distinct)
    };
    let mut readings = vec![reading(kinds::BODY_WEIGHT, weight, -2, "kg")];
    if fat != 0 {
        readings.push(reading(kinds::BODY_FAT_PERCENTAGE, fat, -1, "%").method(methods::BIOIMPEDANCE));
    }
    if RATES.contains(&rate) {
        readings.push(reading(kinds::HEART_RATE, rate, 0, "/min"));
    }
    Ok(readings.into())
}
