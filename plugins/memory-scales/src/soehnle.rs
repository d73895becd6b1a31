//! Soehnle Shape Sense Connect 50, 100, 200 and Style Sense Connect 100, notifications of characteristic 352e3001, 15
//! bytes, big-endian: `09 | user u8 | year u16, month, day, hour, minute, second | weight u16, 0.1 kg | impedance at 5 kHz u16
//! | impedance at 50 kHz u16`, in ohms.

use afferent_plugin_sdk::registry::{clock_states, kinds, methods, nothing_reasons, warnings};
use afferent_plugin_sdk::{
    DateTime, Decimal, DecodeError, Decoded, Nothing, OnChange, Outcome, Reader, Reading, Value, WallClock, record_key,
};

const RECORD: u8 = 0x09;
/// The clock begins in 2016 with every set of batteries; the first of these scales was sold later.
const FACTORY_YEAR: u16 = 2016;

/// One weight, and the impedances where the scale has measured them.
///
/// # Errors
///
/// Another frame than a record, truncated, or longer.
pub fn decode(data: &[u8]) -> Result<Outcome, DecodeError> {
    let mut reader = Reader::new(data);
    if reader.u8()? != RECORD {
        return Err(DecodeError::unsupported("not a record: the frame does not begin with 09").at(0));
    }
    let user = reader.u8()?;
    let year = reader.u16_be()?;
    let (month, day) = (reader.u8()?, reader.u8()?);
    let (hour, minute, second) = (reader.u8()?, reader.u8()?, reader.u8()?);
    let weight = reader.u16_be()?;
    let impedances = [("/5kHz", reader.u16_be()?), ("/50kHz", reader.u16_be()?)];
    reader.finish()?;
    if weight == 0 {
        return Ok(Nothing::because(nothing_reasons::NO_MEASUREMENT, "the record has no weight").into());
    }
    let slot = (user != 0).then(|| user.to_string());
    let clock = DateTime { year, month, day, hour, minute, second }.wall_clock();
    let is_set = year > FACTORY_YEAR;
    let key = record_key(&clock, slot.as_deref()).filter(|_| is_set);
    let around = |reading: Reading, part: &str| {
        let key = key.as_ref().map(|key| format!("{key}{part}"));
        let reading = reading.at_wall_clock(&clock).user_slot(slot.as_deref()).record_key(key, OnChange::Distinct);
        if is_set { reading } else { reading.clock_state(clock_states::NOT_SET) }
    };
    let value = |raw: u16, exponent: i32, unit: &str| Value::decimal(Decimal::new(i64::from(raw), exponent), unit);
    let mut readings = vec![around(Reading::new(kinds::BODY_WEIGHT, value(weight, -1, "kg")), "")];
    for (part, ohms) in impedances.into_iter().filter(|(_, ohms)| *ohms != 0) {
        let impedance = Reading::new(kinds::BODY_IMPEDANCE, value(ohms, 0, "Ohm")).method(methods::BIOIMPEDANCE);
        readings.push(around(impedance, part));
    }
    let decoded = Decoded::from(readings);
    if !is_set && matches!(clock, WallClock::Local(_)) {
        return Ok(decoded.warning(warnings::DEVICE_TIME_UNTRUSTED, "the scale's clock was never set").into());
    }
    Ok(decoded.into())
}
