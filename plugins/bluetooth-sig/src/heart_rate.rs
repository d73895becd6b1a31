//! Heart Rate Measurement (0x2A37), Heart Rate Service 1.0.

use afferent_plugin_sdk::registry::{flags, kinds, warnings};
use afferent_plugin_sdk::{Decimal, DecodeError, Decoded, Outcome, Reader, Reading, Value};

/// Every flag that a heart rate may carry.
pub const FLAGS: &[&str] = &[flags::NO_CONTACT];

/// One heart rate. The energy expended (a total since the last reset, of no known beginning) and the intervals between
/// beats are checked for their length and not told.
///
/// # Errors
///
/// The payload is truncated, has trailing bytes, announces intervals and has none, or sets a flag that would shift the
/// fields.
pub fn decode(data: &[u8]) -> Result<Outcome, DecodeError> {
    let mut reader = Reader::new(data);
    let flags = reader.flags_u8(0b0001_1111)?;
    let rate = if flags.has(0) { reader.u16_le()? } else { u16::from(reader.u8()?) };
    if flags.has(3) {
        reader.u16_le()?;
    }
    if flags.has(4) {
        reader.u16_le()?;
        while reader.remaining() > 0 {
            reader.u16_le()?;
        }
    }
    reader.finish()?;
    // A strap that finds no beats says 0: a heart that does not beat is not what it measured.
    let value = match rate {
        0 => Value::absent("unknown"),
        rate => Value::decimal(Decimal::new(i64::from(rate), 0), "/min"),
    };
    let reading = Reading::new(kinds::HEART_RATE, value);
    // Contact is supported (bit 2) and was not detected (bit 1). Without support, bit 1 says nothing.
    if flags.has(2) && !flags.has(1) {
        let decoded = Decoded::from(vec![reading.flags(FLAGS)]);
        let message = "the sensor detects contact with the skin, and detected none";
        return Ok(decoded.warning(warnings::NO_SENSOR_CONTACT, message).into());
    }
    Ok(reading.into())
}
