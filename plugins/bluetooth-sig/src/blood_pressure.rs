//! Blood Pressure Measurement (0x2A35) and Intermediate Cuff Pressure (0x2A36), Blood Pressure Service 1.0.

use afferent_plugin_sdk::registry::{flags, kinds, methods, nothing_reasons};
use afferent_plugin_sdk::{
    DecodeError, Flags, Nothing, Number, OnChange, Outcome, Reader, Reading, Value, WallClock, record_key,
};

use crate::user_slot;

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
    clock: Option<WallClock>,
    pulse: Option<Number>,
    user: Option<String>,
    status: Vec<&'static str>,
}

impl Fields {
    fn read(data: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(data);
        let flags = reader.flags_u8(0b0001_1111)?;
        let fields = Self {
            unit: if flags.has(0) { "kPa" } else { "mm[Hg]" },
            systolic: reader.sfloat()?,
            diastolic: reader.sfloat()?,
            mean: reader.sfloat()?,
            clock: if flags.has(1) { Some(reader.date_time()?.wall_clock()) } else { None },
            pulse: if flags.has(2) { Some(reader.sfloat()?) } else { None },
            user: if flags.has(3) { user_slot(reader.u8()?) } else { None },
            status: if flags.has(4) { status_words(reader.u16_le()?) } else { Vec::new() },
        };
        reader.finish()?;
        Ok(fields)
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
    let key = fields.clock.as_ref().and_then(|clock| record_key(clock, fields.user.as_deref()));
    let around = |mut reading: Reading| {
        if let Some(clock) = &fields.clock {
            reading = reading.at_wall_clock(clock);
        }
        reading.flags(&fields.status).user_slot(fields.user.as_deref()).record_key(key.clone(), OnChange::Distinct)
    };
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
