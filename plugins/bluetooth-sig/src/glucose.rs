//! Glucose Measurement (0x2A18), Glucose Service 1.0.1: one record of a meter's memory.

use afferent_plugin_sdk::registry::{body_sites, clock_states, fact_kinds, flags, kinds, methods, nothing_reasons};
use afferent_plugin_sdk::{
    DateTime, Decimal, DecodeError, Flags, Nothing, Number, OnChange, Outcome, Reader, Reading, Value, WallClock,
};

use crate::glucose_context::Context;

/// Sensor status: the clock is at fault.
const TIME_FAULT: u32 = 11;
/// Sensor status: the result is above what the device can process.
const TOO_HIGH: u32 = 5;
/// Sensor status: the result is below what the device can process.
const TOO_LOW: u32 = 6;
/// Sensor status: bits that say why there may be no result, with what they mean to a person.
const FAILURES: u32 = 0b0111_1001_1110;

/// Bits of the sensor status; 12 to 15 are reserved.
const STATUS: &[(u32, &str)] = &[
    (0, flags::BATTERY_LOW),
    (1, flags::SENSOR_MALFUNCTION),
    (2, flags::SAMPLE_INSUFFICIENT),
    (3, flags::STRIP_INSERTION_ERROR),
    (4, flags::STRIP_TYPE_ERROR),
    (TOO_HIGH, flags::RESULT_TOO_HIGH),
    (TOO_LOW, flags::RESULT_TOO_LOW),
    (7, flags::TEMPERATURE_TOO_HIGH),
    (8, flags::TEMPERATURE_TOO_LOW),
    (9, flags::READ_INTERRUPTED),
    (10, flags::GENERAL_FAULT),
    (TIME_FAULT, flags::TIME_FAULT),
];

/// What was sampled; 0 and 11 to 15 are reserved.
const SAMPLES: &[(u8, &str)] = &[
    (1, kinds::GLUCOSE_CAPILLARY_WHOLE_BLOOD),
    (2, kinds::GLUCOSE_CAPILLARY_PLASMA),
    (3, kinds::GLUCOSE_VENOUS_WHOLE_BLOOD),
    (4, kinds::GLUCOSE_VENOUS_PLASMA),
    (5, kinds::GLUCOSE_ARTERIAL_WHOLE_BLOOD),
    (6, kinds::GLUCOSE_ARTERIAL_PLASMA),
    (7, kinds::GLUCOSE_WHOLE_BLOOD),
    (8, kinds::GLUCOSE_PLASMA),
    (9, kinds::GLUCOSE_INTERSTITIAL),
];
/// The type that is a control solution.
const CONTROL_TYPE: u8 = 10;
/// The location that is a control solution.
const CONTROL_LOCATION: u8 = 4;

/// Where it was sampled; the others are reserved or "not available".
const LOCATIONS: &[(u8, &str)] = &[(1, body_sites::FINGER), (2, body_sites::ALTERNATE_SITE), (3, body_sites::EARLOBE)];

/// Every flag that a glucose reading may carry.
pub fn flags() -> impl Iterator<Item = &'static str> {
    STATUS.iter().map(|(_, word)| *word).chain([flags::QUESTIONABLE])
}

/// The fields as they are on the wire.
#[derive(Debug, Clone)]
pub struct Glucose {
    /// Number of the record in the meter's memory.
    pub sequence: u16,
    base: DateTime,
    offset: Option<i16>,
    sample: Option<Sample>,
    status: Flags,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    concentration: Number,
    in_moles: bool,
    what: u8,
    location: u8,
}

impl Glucose {
    /// Reads the whole payload. That a context follows (bit 4) changes nothing about the record itself.
    ///
    /// # Errors
    ///
    /// It is truncated, has trailing bytes, or sets a flag that would shift the fields.
    pub fn read(data: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(data);
        let flags = reader.flags_u8(0b0001_1111)?;
        let sequence = reader.u16_le()?;
        let base = reader.date_time()?;
        let offset = if flags.has(0) { Some(reader.i16_le()?) } else { None };
        let sample = if flags.has(1) { Some(Sample::read(&mut reader, flags.has(2))?) } else { None };
        let status = Flags::any(if flags.has(3) { u32::from(reader.u16_le()?) } else { 0 });
        reader.finish()?;
        Ok(Self { sequence, base, offset, sample, status })
    }

    /// What the record comes to, with the context that the meter sent for it, if any.
    ///
    /// # Errors
    ///
    /// The type of the sample is reserved: whether it is a result of the patient cannot be told.
    pub fn outcome(&self, context: Option<&Context>) -> Result<Outcome, DecodeError> {
        let Some(sample) = &self.sample else { return Ok(self.without_concentration(context)) };
        if sample.what == CONTROL_TYPE || sample.location == CONTROL_LOCATION {
            let message = "a control solution, never a result of the patient";
            return Ok(Nothing::because(nothing_reasons::CONTROL_SOLUTION, message).into());
        }
        let Some((_, kind)) = SAMPLES.iter().find(|(code, _)| *code == sample.what) else {
            let message = format!("the sample type {} is reserved: it may be a control solution", sample.what);
            return Err(DecodeError::unsupported(message));
        };
        let mut reading = self.stamp(Reading::new(kind, sample.value()));
        if *kind != kinds::GLUCOSE_INTERSTITIAL {
            reading = reading.method(methods::GLUCOMETER);
        }
        if let Some((_, site)) = LOCATIONS.iter().find(|(code, _)| *code == sample.location) {
            reading = reading.body_site(site);
        }
        Ok(self.with_context(reading, context).into())
    }

    /// No concentration. A result that was only too high or too low is a finding; whose sample it was the record does not
    /// say, as it does not say the type.
    fn without_concentration(&self, context: Option<&Context>) -> Outcome {
        let failed = self.status.words(STATUS);
        let reason = match (self.status.has(TOO_HIGH), self.status.has(TOO_LOW)) {
            (true, false) => Some("positive-infinity"),
            (false, true) => Some("negative-infinity"),
            _ => None,
        };
        if let (Some(reason), false) = (reason, self.status.has_any(FAILURES)) {
            let reading = Reading::new(kinds::GLUCOSE_WHOLE_BLOOD, Value::absent(reason)).method(methods::GLUCOMETER);
            return self.with_context(self.stamp(reading), context).into();
        }
        if self.status.has_any(FAILURES) {
            let nothing = Nothing::because(nothing_reasons::FAILED_MEASUREMENT, "the meter could not measure");
            return nothing.fact(fact_kinds::FAULT, Value::Text(failed.join(", "))).into();
        }
        Nothing::because(nothing_reasons::NO_MEASUREMENT, "the record has no concentration").into()
    }

    /// The reading with its context, and what the context measured itself.
    fn with_context(&self, mut reading: Reading, context: Option<&Context>) -> Vec<Reading> {
        let Some(context) = context else { return vec![reading] };
        if context.has_reserved_meal() {
            // Some meters send ketones as glucose and mark them with a meal that the service does not know (CareSens: 6).
            reading.value = Value::absent("unsupported");
            reading = reading.flags(&[flags::QUESTIONABLE]);
        }
        let mut readings = vec![context.describe(reading)];
        if let Some(hba1c) = context.hba1c() {
            readings.push(self.stamp(Reading::new(kinds::HBA1C, hba1c)));
        }
        readings
    }

    /// Time, state of the clock, status and key. What the user sees as the time is base time plus offset.
    fn stamp(&self, reading: Reading) -> Reading {
        let time = match self.offset {
            None => Some(self.base.wall_clock()),
            // Overrun and underrun: the offset is larger than the field can say, so only the base time is known.
            Some(i16::MAX | i16::MIN) => None,
            Some(offset) => Some(self.base.wall_clock_after(i64::from(offset))),
        };
        let mut reading = match &time {
            Some(time) => reading.at_wall_clock(time),
            None => reading.at_wall_clock(&self.base.wall_clock()).clock_state(clock_states::FAULT),
        };
        if self.status.has(TIME_FAULT) {
            reading = reading.clock_state(clock_states::FAULT);
        }
        let (key, on_change) = self.record_key();
        reading.flags(&self.status.words(STATUS)).record_key(Some(key), on_change)
    }

    /// The sequence number with the base time, because the numbers begin again when the memory is cleared. The offset takes
    /// no part: it is how the meter's clock is told, not which record it is. What comes again with other content is the same
    /// record, once without and once with its context. Without a base time, only the same number with the same content is
    /// the same record.
    fn record_key(&self) -> (String, OnChange) {
        match self.base.wall_clock() {
            WallClock::Local(base) => (format!("{base}/{}", self.sequence), OnChange::Replace),
            WallClock::Unknown | WallClock::Impossible => (format!("/{}", self.sequence), OnChange::Distinct),
        }
    }
}

impl Sample {
    fn read(reader: &mut Reader, in_moles: bool) -> Result<Self, DecodeError> {
        let concentration = reader.sfloat()?;
        let nibbles = reader.u8()?;
        Ok(Self { concentration, in_moles, what: nibbles & 0x0F, location: nibbles >> 4 })
    }

    /// kg/L in mg/dL, and mol/L in mmol/L: powers of ten, so every digit stays what it was.
    fn value(&self) -> Value {
        let (power, unit) = if self.in_moles { (3, "mmol/L") } else { (5, "mg/dL") };
        match self.concentration {
            Number::Finite(number) => Value::decimal(Decimal::new(number.mantissa, number.exponent + power), unit),
            special => special.in_unit(unit),
        }
    }
}
