//! Laica PS7011 and PS7020, and others with an Icomon broadcast (local name `AAA002`, number 0xA0AC).
//!
//! Manufacturer data behind the number: `address 6, reversed | 6 bytes`. The six bytes are each masked (XOR) with 0xA0; in the
//! clear they are `state u8 | weight u24 BE | type u8 | checksum u8`. The low five bits of the checksum are those of the
//! sum of the bytes before it; its high bits show the unit of the display, while the weight is always in grams: its low
//! 18 bits, below bits that have always been 100011. Type 0xAD is a weight, settled when bit 7 of the state is set; type
//! 0xA6 comes after a weighing and has a number that looks like an impedance (`u16 BE` in state and first byte).
//!
//! The public capture of this scale has a weight whose bit for "settled" is clear. It is decoded, and flagged.

use afferent_plugin_sdk::registry::{flags, kinds, nothing_reasons};
use afferent_plugin_sdk::{Advertisement, DecodeError, Nothing, Outcome, Reader, Reading};

use crate::{nobody, quantity, same_address};

const NUMBER: u16 = 0xA0AC;
const LENGTH: usize = 12;
const MASK: u8 = 0xA0;
const WEIGHT: u8 = 0xAD;
const AFTER_WEIGHING: u8 = 0xA6;
/// The bits above the weight.
const ABOVE: u32 = 0b10_0011;

pub fn decode(advertisement: &Advertisement<'_>) -> Option<Result<Outcome, DecodeError>> {
    let mut found = advertisement.manufacturer_data();
    let (_, data) = found.find(|(number, data)| *number == NUMBER && data.len() == LENGTH)?;
    Some(read(data, advertisement))
}

fn read(data: &[u8], advertisement: &Advertisement<'_>) -> Result<Outcome, DecodeError> {
    let mut reader = Reader::new(data);
    let mut address = [0; 6];
    address.iter_mut().rev().zip(reader.bytes(6)?).for_each(|(place, octet)| *place = *octet);
    same_address(&address, advertisement)?;
    let clear: Vec<u8> = reader.bytes(6)?.iter().map(|byte| byte ^ MASK).collect();
    let mut reader = Reader::new(&clear);
    let (state, weight, kind, checksum) = (reader.u8()?, reader.u24_be()?, reader.u8()?, reader.u8()?);
    let sum = clear.iter().take(5).fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    if (sum ^ checksum) & 0x1F != 0 {
        return Err(DecodeError::malformed("the checksum is wrong").at(11));
    }
    match kind {
        WEIGHT => {}
        AFTER_WEIGHING => {
            // What the number of this frame is, its publishers still discuss.
            return Ok(Nothing::because(nothing_reasons::STATUS, "the frame after a weighing").into());
        }
        _ => return Err(DecodeError::unsupported("a type of frame that is not known").at(10)),
    }
    if weight >> 18 != ABOVE {
        return Err(DecodeError::unsupported("bits above the weight that are not known").at(7));
    }
    let grams = i64::from(weight & 0x3_FFFF);
    if grams == 0 {
        return Ok(nobody());
    }
    // The scale shows, and its publisher gives, steps of 100 g.
    let weight = Reading::new(kinds::BODY_WEIGHT, quantity((grams + 50) / 100, -1, "kg"));
    Ok(if state & 0x80 == 0 { weight.flags(&[flags::UNSTABLE]).into() } else { weight.into() })
}
