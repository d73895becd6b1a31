//! Microlife: the answer to "get measurements", the whole memory of the cuff.
//!
//! The payload is 38 bytes of header (identity and counters, not described) and then records of 10 bytes:
//! `systolic | diastolic | pulse | year - 2000 | month | day | hour | minute | 2 bytes`. The last one may come without its
//! last two bytes. On the air the payload stands in a frame `4D 3A | length u16 BE | payload | sum u8`, in which the
//! length counts the payload and the sum; both forms are taken.

use afferent_plugin_sdk::registry::{flags, nothing_reasons, warnings};
use afferent_plugin_sdk::{DateTime, DecodeError, Decoded, Nothing, Outcome, Reader, WallClock};

use crate::Measured;

const FRAME: [u8; 2] = [0x4D, 0x3A];
const HEADER: usize = 38;
const RECORD: usize = 10;
const USED: usize = 8;

/// Every reading of the memory, in its order.
///
/// # Errors
///
/// The frame's length or sum is wrong, the header or a record is cut short, or a record has one pressure without the
/// other.
pub fn decode(data: &[u8]) -> Result<Outcome, DecodeError> {
    let (start, payload) = if data.starts_with(&FRAME) { (4, unframed(data)?) } else { (0, data) };
    let mut reader = Reader::new(payload);
    reader.bytes(HEADER).map_err(|error| error.at(start))?;
    let mut readings = Vec::new();
    let mut undated = 0_usize;
    while reader.remaining() > 0 {
        let at = start + reader.position();
        let length = if reader.remaining() == USED { USED } else { RECORD };
        let record =
            reader.bytes(length).map_err(|_truncated| DecodeError::malformed("the last record is cut short").at(at))?;
        let measured = record_of(record)?;
        if measured.is_half() {
            return Err(DecodeError::malformed("one pressure is 0 and the other is not").at(at));
        }
        if measured.is_empty() {
            continue;
        }
        // The cuff writes the date before the pressure: a record without one was not finished.
        if matches!(measured.time.wall_clock(), WallClock::Local(_)) {
            readings.extend(measured.readings(&[flags::FROM_STORAGE]));
        } else {
            undated += 1;
        }
    }
    let left_out = format!("{undated} records without a date that exists are left out");
    match (readings.is_empty(), undated) {
        (true, 0) => Ok(Nothing::because(nothing_reasons::NO_MEASUREMENT, "the memory is empty").into()),
        (true, _) => Ok(Nothing::because(nothing_reasons::NO_MEASUREMENT, &left_out).into()),
        (false, 0) => Ok(readings.into()),
        (false, _) => Ok(Decoded::from(readings).warning(warnings::DEVICE_TIME_UNTRUSTED, &left_out).into()),
    }
}

/// The payload of a frame, after its length and sum were found right.
fn unframed(data: &[u8]) -> Result<&[u8], DecodeError> {
    let mut reader = Reader::new(data);
    reader.bytes(FRAME.len())?;
    let length = usize::from(reader.u16_be()?);
    if length != reader.remaining() || length == 0 {
        return Err(reader.error(format!("the frame says {length} bytes, and has {}", reader.remaining())));
    }
    let payload = reader.bytes(length - 1)?;
    let sum = data.iter().take(data.len() - 1).fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    if reader.u8()? != sum {
        return Err(DecodeError::malformed("the frame's sum is wrong").at(data.len() - 1));
    }
    Ok(payload)
}

fn record_of(record: &[u8]) -> Result<Measured, DecodeError> {
    let mut reader = Reader::new(record);
    let (systolic, diastolic, pulse) = (reader.u8()?, reader.u8()?, reader.u8()?);
    let year = 2000 + u16::from(reader.u8()?);
    let (month, day, hour, minute) = (reader.u8()?, reader.u8()?, reader.u8()?, reader.u8()?);
    Ok(Measured { systolic, diastolic, pulse, time: DateTime { year, month, day, hour, minute, second: 0 } })
}
