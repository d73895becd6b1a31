//! Vitafit VT701, notifications of characteristic 0xFFF1.
//!
//! `5A | length u8 | 26 | type u8 | data … | checksum u8 | AA`. The length counts what is behind it; the checksum is the
//! exclusive or from the length to the last byte of the data. Type 0x10 is the weight: `stability | 2 bytes of 0 | 1 byte
//! | u16 BE, 0.01 kg`, final when the stability is 2. Type 0x11 is the impedance: `5 bytes of 0 | u16 BE, ohms`.

use afferent_plugin_sdk::registry::nothing_reasons;
use afferent_plugin_sdk::{DecodeError, Nothing, Outcome, Reader};

use crate::{final_weight, impedance, not_final, status};

const START: u8 = 0x5A;
const PRODUCT: u8 = 0x26;
const END: u8 = 0xAA;

/// The weight when it is final, or the impedance.
///
/// # Errors
///
/// Another scale's frame, a wrong length or checksum, or data that the layout does not explain.
pub fn decode(data: &[u8]) -> Result<Outcome, DecodeError> {
    let (kind, fields) = opened(data)?;
    let mut reader = Reader::new(fields);
    let at = |error: DecodeError| {
        let within = error.offset.unwrap_or(0);
        error.at(usize::try_from(within).unwrap_or(0) + 4)
    };
    match kind {
        0x10 => weight(&mut reader).and_then(|outcome| reader.finish().map(|()| outcome)).map_err(at),
        0x11 => ohms(&mut reader).and_then(|outcome| reader.finish().map(|()| outcome)).map_err(at),
        _ => Ok(status("an answer of the scale to its app")),
    }
}

/// Type and data of a frame that is whole.
fn opened(data: &[u8]) -> Result<(u8, &[u8]), DecodeError> {
    let mut reader = Reader::new(data);
    if reader.u8()? != START {
        return Err(DecodeError::not_for_me("the frame does not begin with 5A").at(0));
    }
    let length = usize::from(reader.u8()?);
    if length != reader.remaining() || length < 4 {
        return Err(reader.error(format!("the frame says {length} bytes, and has {}", reader.remaining())));
    }
    if reader.u8()? != PRODUCT {
        return Err(DecodeError::not_for_me("the frame is of another product than 26").at(2));
    }
    let kind = reader.u8()?;
    let fields = reader.bytes(length - 4)?;
    let sum = data.iter().skip(1).take(length - 1).fold(0, |sum, byte| sum ^ byte);
    let at = reader.position();
    if reader.u8()? != sum {
        return Err(DecodeError::malformed("the checksum is wrong").at(at));
    }
    if reader.u8()? != END {
        return Err(DecodeError::malformed("the frame does not end with AA").at(at + 1));
    }
    Ok((kind, fields))
}

fn weight(reader: &mut Reader<'_>) -> Result<Outcome, DecodeError> {
    let stability = reader.u8()?;
    zeros(reader, 2)?;
    // Equal to the byte after it in every record that was published; what it is, nobody says.
    reader.u8()?;
    let weight = reader.u16_be()?;
    match stability {
        2 => Ok(final_weight(u32::from(weight), -2)),
        0 | 1 => Ok(not_final()),
        _ => Err(DecodeError::unsupported(format!("the stability {stability} is not known")).at(0)),
    }
}

fn ohms(reader: &mut Reader<'_>) -> Result<Outcome, DecodeError> {
    zeros(reader, 5)?;
    match reader.u16_be()? {
        0 => Ok(Nothing::because(nothing_reasons::FAILED_MEASUREMENT, "no impedance: the feet were not bare").into()),
        ohms => Ok(impedance(ohms).into()),
    }
}

/// Bytes that have been 0 in every record: anything else may be a unit or a flag.
fn zeros(reader: &mut Reader<'_>, count: usize) -> Result<(), DecodeError> {
    let at = reader.position();
    if reader.bytes(count)?.iter().any(|byte| *byte != 0) {
        return Err(DecodeError::unsupported("a byte that has always been 0 is not").at(at));
    }
    Ok(())
}
