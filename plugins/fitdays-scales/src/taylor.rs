//! Taylor 5331891, notifications of characteristic 0xFFB2.
//!
//! `AC 27 | flag u8 | channel u8 | weight u16 BE …`, 20 bytes; recordings that keep only the first six are taken too. The
//! weight is in grams and has 17 bits: the highest is the lowest of the channel (0x8C or 0x8D). Flag 0x00 is live, 0x80
//! final, 0x01 a summary that repeats the final weight from byte 8 on. The scale gives no impedance over the air, and no
//! checksum that a source explains.

use afferent_plugin_sdk::{DecodeError, Outcome, Reader};

use crate::{final_weight, nobody, not_final};

const HEADER: [u8; 2] = [0xAC, 0x27];
const WHOLE: usize = 20;
const SHORTENED: usize = 6;

/// A weight when it is final.
///
/// # Errors
///
/// Another scale's frame, another length, or a flag or channel that is not known.
pub fn decode(data: &[u8]) -> Result<Outcome, DecodeError> {
    let mut reader = Reader::new(data);
    if reader.bytes(2)? != HEADER {
        return Err(DecodeError::not_for_me("the frame does not begin with AC 27").at(0));
    }
    if data.len() != WHOLE && data.len() != SHORTENED {
        return Err(DecodeError::malformed(format!("a frame has 20 bytes, or 6 of them, and not {}", data.len())));
    }
    let flag = reader.u8()?;
    match flag {
        0x01 if data.len() == WHOLE => {
            reader.bytes(5)?;
            Ok(final_weight(grams(&mut reader)?, -3))
        }
        0x00 => Ok(if grams(&mut reader)? == 0 { nobody() } else { not_final() }),
        0x80 => Ok(final_weight(grams(&mut reader)?, -3)),
        _ => Err(DecodeError::unsupported(format!("the flag {flag:#04x} is not known")).at(2)),
    }
}

fn grams(reader: &mut Reader<'_>) -> Result<u32, DecodeError> {
    let at = reader.position();
    let channel = reader.u8()?;
    if channel != 0x8C && channel != 0x8D {
        return Err(DecodeError::unsupported(format!("the channel {channel:#04x} is not that of the weight")).at(at));
    }
    Ok(u32::from(channel & 1) << 16 | u32::from(reader.u16_be()?))
}
