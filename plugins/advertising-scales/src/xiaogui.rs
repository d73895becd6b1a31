//! Xiaogui TZC4, MaxxMee QJ-J and other scales with a Chipsea C0 broadcast: manufacturer data whose first byte is 0xC0.
//!
//! `C0 | counter u8 | weight u16 | impedance u16, 0.1 Ω | 2 bytes | state u8 | address 6`, big-endian. State: bit 0 final;
//! bits 1–2 decimals of the weight (0: one, 1: none, 2: two); bits 3–4 unit (0 kilogram, 1 jin, 2 pound, 3 stone and
//! pounds); bit 5 always 1.

use afferent_plugin_sdk::registry::kinds;
use afferent_plugin_sdk::{Advertisement, DecodeError, OnChange, Outcome, Reader, Reading, Value};

use crate::{impedance, nobody, not_final, quantity, same_address};

/// What the manufacturer's number is for: the format in its low byte, the counter of weighings in the high one.
const FORMAT: u8 = 0xC0;
/// Behind the manufacturer's number.
const LENGTH: usize = 13;

pub fn decode(advertisement: &Advertisement<'_>) -> Option<Result<Outcome, DecodeError>> {
    let mut found = advertisement.manufacturer_data().map(|(number, data)| (number.to_le_bytes(), data));
    let ([_, counter], data) = found.find(|([format, _], data)| *format == FORMAT && data.len() == LENGTH)?;
    Some(read(counter, data, advertisement))
}

fn read(counter: u8, data: &[u8], advertisement: &Advertisement<'_>) -> Result<Outcome, DecodeError> {
    let mut reader = Reader::new(data);
    let (raw, ohms) = (reader.u16_be()?, reader.u16_be()?);
    reader.bytes(2)?;
    let state = reader.flags_u8(0b0011_1111)?;
    same_address(reader.bytes(6)?, advertisement)?;
    reader.finish()?;
    let decimals = match (state.has(2), state.has(1)) {
        (false, false) => 1,
        (false, true) => 0,
        (true, false) => 2,
        (true, true) => return Err(DecodeError::unsupported("a number of decimals that is not known").at(6)),
    };
    if !state.has(5) {
        return Err(DecodeError::unsupported("a bit of the state that has always been 1 is 0").at(6));
    }
    if raw == 0 {
        return Ok(nobody());
    }
    if !state.has(0) {
        return Ok(not_final());
    }
    // The counter is one byte, so that it alone would come again after 256 weighings.
    let key = format!("{counter}:{raw}:{ohms}");
    let around = |reading: Reading| reading.record_key(Some(key.clone()), OnChange::Distinct);
    let weight = weight(raw, decimals, (state.has(4), state.has(3)));
    let mut readings = vec![around(Reading::new(kinds::BODY_WEIGHT, weight))];
    if !matches!(ohms, 0 | 0xFFF0..) {
        readings.push(around(impedance(ohms, -1)));
    }
    Ok(readings.into())
}

/// A jin is half a kilogram. Stones stand in the high byte, the pounds beside them in the low one.
fn weight(raw: u16, decimals: i32, unit: (bool, bool)) -> Value {
    let number = i64::from(raw);
    match unit {
        (false, false) => quantity(number, -decimals, "kg"),
        (false, true) => quantity(number * 5, -decimals - 1, "kg"),
        (true, false) => quantity(number, -decimals, "[lb_av]"),
        (true, true) => {
            let scale = [1, 10, 100].get(usize::try_from(decimals).unwrap_or(0)).copied().unwrap_or(1);
            quantity((number >> 8) * 14 * scale + (number & 0xFF), -decimals, "[lb_av]")
        }
    }
}
