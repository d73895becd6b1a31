//! Yonker YK-IBPA1: the result of a measurement, 15 bytes.
//!
//! `0x81 | systolic u8 | diastolic u8 | pulse u8 | 2 bytes | day | month | year - 2000 | hour | minute | 4 bytes`.

use afferent_plugin_sdk::registry::nothing_reasons;
use afferent_plugin_sdk::{DateTime, DecodeError, Nothing, Outcome, Reader};

use crate::Measured;

/// The frame's type: the result of a measurement. Others are live pressures and the state of the connection.
const RESULT: u8 = 0x81;

/// One blood pressure with its pulse.
///
/// # Errors
///
/// The frame is another one, truncated or longer, or has one pressure without the other.
pub fn decode(data: &[u8]) -> Result<Outcome, DecodeError> {
    let mut reader = Reader::new(data);
    let kind = reader.u8()?;
    if kind != RESULT {
        return Err(
            DecodeError::unsupported("not the result of a measurement: the frame does not begin with 0x81").at(0)
        );
    }
    let (systolic, diastolic, pulse) = (reader.u8()?, reader.u8()?, reader.u8()?);
    reader.bytes(2)?;
    let (day, month, year) = (reader.u8()?, reader.u8()?, reader.u8()?);
    let (hour, minute) = (reader.u8()?, reader.u8()?);
    reader.bytes(4)?;
    reader.finish()?;
    let time = DateTime { year: 2000 + u16::from(year), month, day, hour, minute, second: 0 };
    let measured = Measured { systolic, diastolic, pulse, time };
    if measured.is_half() {
        return Err(DecodeError::malformed("one pressure is 0 and the other is not").at(1));
    }
    if measured.is_empty() {
        return Ok(Nothing::because(nothing_reasons::FAILED_MEASUREMENT, "the cuff gives no pressure").into());
    }
    Ok(measured.readings(&[]).into())
}
