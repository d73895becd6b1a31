//! Beurer BM 85: Blood Pressure Measurement (0x2A35) in a layout of its own. The flags say 0x56 (time, pulse, status, and bit
//! 6, which the service reserves); a user id is always there although bit 3 is not set; pulse and status are big-endian; the
//! mean pressure is 0.

use afferent_plugin_sdk::registry::{flags, kinds, methods};
use afferent_plugin_sdk::{DecodeError, Flags, Number, OnChange, Outcome, Reader, Reading, Value, record_key};

/// The only flags that this cuff was seen to send. Any other set would be another layout.
const OWN: u8 = 0x56;

const MMHG: &str = "mm[Hg]";

/// Bits of the status that are words of their own; bits 3 and 4 are the pulse range.
const STATUS: &[(u32, &str)] = &[
    (0, flags::BODY_MOVEMENT),
    (1, flags::CUFF_TOO_LOOSE),
    (2, flags::IRREGULAR_PULSE),
    (5, flags::IMPROPER_POSITION),
];

/// Every flag that a reading may carry.
pub const FLAGS: &[&str] = &[
    flags::BODY_MOVEMENT,
    flags::CUFF_TOO_LOOSE,
    flags::IRREGULAR_PULSE,
    flags::PULSE_EXCEEDS_UPPER,
    flags::PULSE_BELOW_LOWER,
    flags::IMPROPER_POSITION,
];

/// One blood pressure and the pulse.
///
/// # Errors
///
/// The flags are not this cuff's (`not-for-me`), or the length is not.
pub fn decode(data: &[u8]) -> Result<Outcome, DecodeError> {
    let mut reader = Reader::new(data);
    let sent = reader.u8()?;
    if sent != OWN {
        let message = format!("the flags are {sent:#04x}, and those of a BM 85 are {OWN:#04x}");
        return Err(DecodeError::not_for_me(message).at(0));
    }
    let (systolic, diastolic, mean) = (reader.sfloat()?, reader.sfloat()?, reader.sfloat()?);
    let clock = reader.date_time()?.wall_clock();
    let pulse = Number::from_sfloat(reader.u16_be()?);
    let user = reader.u8()?.to_string();
    let status = reader.u16_be()?;
    reader.finish()?;

    let words = status_words(status);
    let key = record_key(&clock, Some(&user));
    let around = |reading: Reading| {
        let reading = reading.at_wall_clock(&clock).flags(&words).user_slot(Some(&user));
        reading.record_key(key.clone(), OnChange::Distinct)
    };
    let mut pressure = Reading::new(kinds::BLOOD_PRESSURE, Value::None)
        .component(kinds::BLOOD_PRESSURE_SYSTOLIC, measured(systolic).in_unit(MMHG))
        .component(kinds::BLOOD_PRESSURE_DIASTOLIC, measured(diastolic).in_unit(MMHG))
        .method(methods::OSCILLOMETRIC);
    if measured(mean) != Number::NotANumber {
        pressure = pressure.component(kinds::BLOOD_PRESSURE_MEAN, mean.in_unit(MMHG));
    }
    Ok(vec![around(pressure), around(Reading::new(kinds::PULSE_RATE, measured(pulse).in_unit("/min")))].into())
}

/// Zero is what this cuff says where it has nothing: no pressure and no pulse of a person is 0.
fn measured(number: Number) -> Number {
    match number {
        Number::Finite(decimal) if decimal.mantissa == 0 => Number::NotANumber,
        number => number,
    }
}

fn status_words(status: u16) -> Vec<&'static str> {
    let mut words = Flags::any(u32::from(status)).words(STATUS);
    match status >> 3 & 0b11 {
        1 => words.push(flags::PULSE_EXCEEDS_UPPER),
        2 => words.push(flags::PULSE_BELOW_LOWER),
        // 0 is within the range, and 3 is reserved.
        _ => {}
    }
    words
}
