//! Blood Pressure Measurement (0x2A35) and Intermediate Cuff Pressure (0x2A36), Blood Pressure Service 1.0.

use afferent_plugin_sdk::registry::{flags, kinds, methods, nothing_reasons};
use afferent_plugin_sdk::{DecodeError, Flags, Nothing, Number, Outcome, Reader, Reading, Value};

use crate::origin::{Origin, user_slot};

/// Bits of the measurement status that are words of their own; bits 3 and 4 are the pulse range.
const STATUS: &[(u32, &str)] = &[
    (0, flags::BODY_MOVEMENT),
    (1, flags::CUFF_TOO_LOOSE),
    (2, flags::IRREGULAR_PULSE),
    (5, flags::IMPROPER_POSITION),
];

/// Every flag that a blood pressure may carry.
pub const FLAGS: &[&str] = &[
    flags::BODY_MOVEMENT,
    flags::CUFF_TOO_LOOSE,
    flags::IRREGULAR_PULSE,
    flags::PULSE_EXCEEDS_UPPER,
    flags::PULSE_BELOW_LOWER,
    flags::IMPROPER_POSITION,
];

/// The fields as they are on the wire.
struct Fields {
    unit: &'static str,
    systolic: Number,
    diastolic: Number,
    mean: Number,
    pulse: Option<Number>,
    origin: Origin,
    status: Vec<&'static str>,
}

impl Fields {
    fn read(data: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(data);
        let flags = reader.flags_u8(0b0001_1111)?;
        let unit = if flags.has(0) { "kPa" } else { "mm[Hg]" };
        let (systolic, diastolic, mean) = (reader.sfloat()?, reader.sfloat()?, reader.sfloat()?);
        let clock = if flags.has(1) { Some(reader.date_time()?.wall_clock()) } else { None };
        let pulse = if flags.has(2) { Some(reader.sfloat()?) } else { None };
        let user = if flags.has(3) { user_slot(reader.u8()?) } else { None };
        let status = if flags.has(4) { status_words(reader.u16_le()?) } else { Vec::new() };
        reader.finish()?;
        Ok(Self { unit, systolic, diastolic, mean, pulse, origin: Origin { clock, user }, status })
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

/// One blood pressure, and the pulse as a reading of its own where the cuff counted it.
///
/// # Errors
///
/// The payload is truncated, has trailing bytes, or sets a flag that would shift the fields.
pub fn decode(data: &[u8]) -> Result<Outcome, DecodeError> {
    let fields = Fields::read(data)?;
    let around = |reading: Reading| fields.origin.stamp(reading).flags(&fields.status);
    let mut readings = Vec::with_capacity(2);
    readings.push(around(
        Reading::new(kinds::BLOOD_PRESSURE, Value::None)
            .component(kinds::BLOOD_PRESSURE_SYSTOLIC, fields.systolic.in_unit(fields.unit))
            .component(kinds::BLOOD_PRESSURE_DIASTOLIC, fields.diastolic.in_unit(fields.unit))
            .component(kinds::BLOOD_PRESSURE_MEAN, fields.mean.in_unit(fields.unit))
            .method(methods::OSCILLOMETRIC),
    ));
    if let Some(pulse) = fields.pulse {
        readings.push(around(Reading::new(kinds::PULSE_RATE, pulse.in_unit("/min"))));
    }
    Ok(readings.into())
}

/// The pressure while the cuff deflates: the layout of 0x2A35, and never a blood pressure.
///
/// # Errors
///
/// As [`decode`].
pub fn decode_intermediate(data: &[u8]) -> Result<Outcome, DecodeError> {
    Fields::read(data)?;
    Ok(Nothing::because(nothing_reasons::INTERMEDIATE, "the pressure of the cuff during a measurement").into())
}
