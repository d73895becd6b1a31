//! Date Time (0x2A08) and Current Time (0x2A2B) by themselves: what the device's clock says now. A fact about the device,
//! by which the host measures how far its clock is off; never a reading.

use afferent_plugin_sdk::registry::{fact_kinds, warnings};
use afferent_plugin_sdk::{DateTime, DecodeError, Decoded, Outcome, Reader, Value, WallClock};

/// Date Time, 7 bytes.
///
/// # Errors
///
/// The payload is truncated, has trailing bytes, or names a time that does not exist.
pub fn decode_date_time(data: &[u8]) -> Result<Outcome, DecodeError> {
    let mut reader = Reader::new(data);
    let time = reader.date_time()?;
    reader.finish()?;
    Ok(fact(&time, 0)?.into())
}

/// Current Time, 10 bytes: Date Time, day of the week (1 Monday to 7 Sunday, 0 unknown), 256ths of a second, and the
/// reason of the last adjustment, which says nothing about the time.
///
/// # Errors
///
/// As [`decode_date_time`], and when the day of the week is none.
pub fn decode_current_time(data: &[u8]) -> Result<Outcome, DecodeError> {
    let mut reader = Reader::new(data);
    let time = reader.date_time()?;
    let at = reader.position();
    let day_of_week = reader.u8()?;
    let fraction = reader.u8()?;
    reader.u8()?;
    reader.finish()?;
    if day_of_week > 7 {
        return Err(DecodeError::malformed("the day of the week is none of 0 to 7").at(at));
    }
    let decoded = fact(&time, fraction)?;
    if day_of_week != 0 && time.day_of_week().is_some_and(|of_date| of_date != day_of_week) {
        let message = "the day of the week is not that of the date";
        return Ok(decoded.warning(warnings::TIMESTAMP_FIELDS_DISAGREE, message).into());
    }
    Ok(decoded.into())
}

/// The clock as a fact: its time, or that it has no date.
fn fact(time: &DateTime, fraction: u8) -> Result<Decoded, DecodeError> {
    let decoded = Decoded::from(Vec::new());
    Ok(match time.wall_clock() {
        WallClock::Local(mut text) => {
            if fraction > 0 {
                // 1000 / 256 is 125 / 32, and 255 of 256 are 996 thousandths: three digits, rounded down.
                text.push_str(&format!(".{:03}", u32::from(fraction) * 125 / 32));
            }
            decoded.fact(fact_kinds::CLOCK, Value::Text(text))
        }
        WallClock::Unknown => decoded.fact(fact_kinds::FAULT, Value::Text("the clock has no date".to_owned())),
        WallClock::Impossible => return Err(DecodeError::malformed("this time does not exist").at(0)),
    })
}
