//! Amazfit Smart Scale: service data of 0xFEE0 (Huami), 20 bytes, little-endian.
//!
//! `5 bytes | impedance u16, 0.1 Ω | weight u16, 0.005 kg | 3 bytes | pulse u8 | 7 bytes`. The three bytes after the weight
//! are 0 until the scale has come to rest.

use afferent_plugin_sdk::registry::kinds;
use afferent_plugin_sdk::{Advertisement, DecodeError, Outcome, Reader, Reading};

use crate::{impedance, nobody, not_final, quantity};

const SERVICE: u16 = 0xFEE0;
const LENGTH: usize = 20;

pub fn decode(advertisement: &Advertisement<'_>) -> Option<Result<Outcome, DecodeError>> {
    let data = advertisement.service_data(SERVICE).filter(|data| data.len() == LENGTH)?;
    Some(read(data))
}

fn read(data: &[u8]) -> Result<Outcome, DecodeError> {
    let mut reader = Reader::new(data);
    reader.bytes(5)?;
    let (ohms, weight) = (reader.u16_le()?, reader.u16_le()?);
    let at_rest = reader.u24_le()? != 0;
    let pulse = reader.u8()?;
    if weight == 0 {
        return Ok(nobody());
    }
    if !at_rest {
        return Ok(not_final());
    }
    let mut readings = vec![Reading::new(kinds::BODY_WEIGHT, quantity(i64::from(weight) * 5, -3, "kg"))];
    if !matches!(ohms, 0 | 0xFFF0..) {
        readings.push(impedance(ohms, -1));
    }
    if !matches!(pulse, 0 | 0xFF) {
        readings.push(Reading::new(kinds::HEART_RATE, quantity(i64::from(pulse), 0, "/min")));
    }
    Ok(readings.into())
}
