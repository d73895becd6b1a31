//! Robi S9, 20 bytes: live weights on characteristic 0xFFB2, the result on 0xFFB3.
//!
//! `sequence u8 | length u8 | 00 | type u8 | payload … | checksum u8`. The length counts the type and the payload, the
//! checksum is the low five bits of the sum from the type on. Type 0xA2 is a live weight, 0xA3 the result: `1 byte |
//! weight u24 BE, grams | heart rate u8 | impedance u16 BE, ohms`, the last two 0 where the scale did not measure them.

use afferent_plugin_sdk::registry::kinds;
use afferent_plugin_sdk::{Decimal, DecodeError, Outcome, Reader, Reading, Value};

use crate::{final_weight, impedance, not_final, status};

const LENGTH: usize = 20;
/// Type, one byte, weight, heart rate, impedance.
const RESULT: u8 = 8;

/// The weight of a result, with heart rate and impedance where the scale has measured them.
///
/// # Errors
///
/// Another scale's frame, another length, or a wrong checksum.
pub fn decode(data: &[u8]) -> Result<Outcome, DecodeError> {
    let mut reader = Reader::new(data);
    reader.u8()?;
    let length = reader.u8()?;
    if reader.u8()? != 0 {
        return Err(DecodeError::malformed("byte 2 must be 0").at(2));
    }
    let kind = reader.u8()?;
    if data.len() != LENGTH {
        return Err(DecodeError::malformed(format!("a frame has 20 bytes, and not {}", data.len())));
    }
    let sum = data.iter().skip(3).take(LENGTH - 4).fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    if data.last() != Some(&(sum & 0x1F)) {
        return Err(DecodeError::malformed("the checksum is wrong").at(LENGTH - 1));
    }
    match kind {
        0xA3 if length < RESULT => Err(DecodeError::malformed("a result has at least 8 bytes").at(1)),
        0xA3 => result(&mut reader),
        0xA2 => Ok(not_final()),
        _ => Ok(status("neither a weight nor a result")),
    }
}

fn result(reader: &mut Reader<'_>) -> Result<Outcome, DecodeError> {
    reader.u8()?;
    let grams = reader.u24_be()?;
    let (rate, ohms) = (reader.u8()?, reader.u16_be()?);
    let mut outcome = final_weight(grams, -3);
    if let Outcome::Readings(decoded) = &mut outcome {
        if rate != 0 {
            let value = Value::decimal(Decimal::new(i64::from(rate), 0), "/min");
            decoded.readings.push(Reading::new(kinds::HEART_RATE, value));
        }
        if ohms != 0 {
            decoded.readings.push(impedance(ohms));
        }
    }
    Ok(outcome)
}
