//! Senssun `IF_B7`: manufacturer data under the number 0x0100, 17 bytes behind it, big-endian.
//!
//! `3 bytes | address 6 | division u8 | weight u16 | impedance u16, Ω | state u8 | 2 bytes`. The division says how
//! many decimals the weight has, and has always been 2. Bits 5 and 7 of the state are set when the scale has come to rest;
//! its other bits have always been 0x01, and what the unit would look like there is not known. The last two bytes may hold a
//! checksum; one published frame does not tell which.

use afferent_plugin_sdk::registry::kinds;
use afferent_plugin_sdk::{Advertisement, DecodeError, Outcome, Reader, Reading};

use crate::{impedance, nobody, not_final, quantity, same_address};

const NUMBER: u16 = 0x0100;
const LENGTH: usize = 17;
const AT_REST: u8 = 0b1010_0000;
const KILOGRAMS: u8 = 0x01;

pub fn decode(advertisement: &Advertisement<'_>) -> Option<Result<Outcome, DecodeError>> {
    let mut found = advertisement.manufacturer_data();
    let (_, data) = found.find(|(number, data)| *number == NUMBER && data.len() == LENGTH)?;
    Some(read(data, advertisement))
}

fn read(data: &[u8], advertisement: &Advertisement<'_>) -> Result<Outcome, DecodeError> {
    let mut reader = Reader::new(data);
    reader.bytes(3)?;
    same_address(reader.bytes(6)?, advertisement)?;
    let division = reader.u8()?;
    let (weight, ohms) = (reader.u16_be()?, reader.u16_be()?);
    let state = reader.u8()?;
    if division != 2 || state & !AT_REST != KILOGRAMS {
        return Err(DecodeError::unsupported(
            "a division or unit that is not known: only hundredths of a kilogram are",
        ));
    }
    if weight == 0 {
        return Ok(nobody());
    }
    if state & AT_REST != AT_REST {
        return Ok(not_final());
    }
    let mut readings = vec![Reading::new(kinds::BODY_WEIGHT, quantity(i64::from(weight), -2, "kg"))];
    if !matches!(ohms, 0 | 0xFFF0..) {
        readings.push(impedance(ohms, 0));
    }
    Ok(readings.into())
}
