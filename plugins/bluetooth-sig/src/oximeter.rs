//! PLX Spot-Check Measurement (0x2A5E) and PLX Continuous Measurement (0x2A5F), Pulse Oximeter Service 1.0.1.

use afferent_plugin_sdk::registry::{clock_states, flags, kinds, methods, nothing_reasons, warnings};
use afferent_plugin_sdk::{
    Coding, DecodeError, Decoded, Flags, Nothing, Number, OnChange, Outcome, Reader, Reading, Value, WallClock,
    record_key,
};

/// Measurement status: demonstration data.
const DEMO: u32 = 10;
/// Measurement status: test data.
const TEST: u32 = 11;
/// Measurement status: there is no measurement.
const UNAVAILABLE: u32 = 13;
/// Measurement status: the device declares its measurement invalid.
const INVALID: u32 = 15;

/// Bits of the measurement status; 0 to 4 are reserved, demonstration and test data never become readings.
const MEASUREMENT_STATUS: &[(u32, &str)] = &[
    (5, flags::ONGOING),
    (6, flags::EARLY_ESTIMATE),
    (7, flags::VALIDATED),
    (8, flags::FULLY_QUALIFIED),
    (9, flags::FROM_STORAGE),
    (12, flags::CALIBRATION_ONGOING),
    (UNAVAILABLE, flags::UNAVAILABLE),
    (14, flags::QUESTIONABLE),
    (INVALID, flags::INVALID),
];

/// Bits of the device and sensor status; 16 to 23 are reserved.
const DEVICE_STATUS: &[(u32, &str)] = &[
    (0, flags::EXTENDED_DISPLAY),
    (1, flags::EQUIPMENT_MALFUNCTION),
    (2, flags::SIGNAL_IRREGULARITY),
    (3, flags::INADEQUATE_SIGNAL),
    (4, flags::POOR_SIGNAL),
    (5, flags::LOW_PERFUSION),
    (6, flags::ERRATIC_SIGNAL),
    (7, flags::NON_PULSATILE_SIGNAL),
    (8, flags::QUESTIONABLE_PULSE),
    (9, flags::SIGNAL_ANALYSIS_ONGOING),
    (10, flags::SENSOR_INTERFERENCE),
    (11, flags::SENSOR_UNCONNECTED),
    (12, flags::UNKNOWN_SENSOR),
    (13, flags::SENSOR_DISPLACED),
    (14, flags::SENSOR_MALFUNCTION),
    (15, flags::SENSOR_DISCONNECTED),
];

/// Every flag that an oximeter's reading may carry.
pub fn flags() -> impl Iterator<Item = &'static str> {
    MEASUREMENT_STATUS.iter().chain(DEVICE_STATUS).map(|(_, word)| *word)
}

/// Saturation and pulse of one averaging.
struct Pair {
    method: &'static str,
    saturation: Number,
    pulse: Number,
}

impl Pair {
    fn read(reader: &mut Reader, method: &'static str) -> Result<Self, DecodeError> {
        Ok(Self { method, saturation: reader.sfloat()?, pulse: reader.sfloat()? })
    }
}

/// What both characteristics end with.
struct Tail {
    status: Flags,
    device: Flags,
    amplitude: Option<Number>,
}

impl Tail {
    /// Reads measurement status, device status and amplitude, whose flags are three bits in a row from `first`.
    fn read(mut reader: Reader, flags: Flags, first: u32) -> Result<Self, DecodeError> {
        let status = Flags::any(if flags.has(first) { u32::from(reader.u16_le()?) } else { 0 });
        let device = Flags::any(if flags.has(first + 1) { reader.u24_le()? } else { 0 });
        let amplitude = if flags.has(first + 2) { Some(reader.sfloat()?) } else { None };
        reader.finish()?;
        Ok(Self { status, device, amplitude })
    }

    /// Why there is nothing of a person in it.
    fn nothing(&self) -> Option<Nothing> {
        if self.status.has(DEMO) {
            Some(Nothing::because(nothing_reasons::DEMO, "the oximeter sends demonstration data"))
        } else if self.status.has(TEST) {
            Some(Nothing::because(nothing_reasons::TEST, "the oximeter sends test data"))
        } else {
            None
        }
    }

    /// Oxygen saturation and pulse of each averaging, and the pulse amplitude index where the oximeter gives it.
    fn readings(&self, pairs: &[Pair]) -> Vec<Reading> {
        let mut words = self.status.words(MEASUREMENT_STATUS);
        words.extend(self.device.words(DEVICE_STATUS));
        let around = |kind: &str, number: Number, unit: &str, method: &str| {
            Reading::new(kind, value(number, unit, self.status)).flags(&words).method(method)
        };
        let mut readings = Vec::with_capacity(2 * pairs.len() + 1);
        for pair in pairs {
            let mut saturation = around(kinds::OXYGEN_SATURATION, pair.saturation, "%", pair.method);
            saturation.codings.extend(modality(pair.method));
            readings.push(saturation);
            readings.push(around(kinds::PULSE_RATE_OXIMETER, pair.pulse, "/min", pair.method));
        }
        if let (Some(amplitude), [first, ..]) = (self.amplitude, pairs) {
            readings.push(around(kinds::PERFUSION_INDEX, amplitude, "%", first.method));
        }
        readings
    }
}

/// The code of an averaging other than the normal, which goes beside that of the saturation (HL7 PHD IG: pulse oximetry
/// modality, a supplemental type).
fn modality(method: &str) -> Option<Coding> {
    let (code, display) = match method {
        methods::FAST => ("150580", "MDC_MODALITY_FAST"),
        methods::SLOW => ("150584", "MDC_MODALITY_SLOW"),
        _ => return None,
    };
    Some(Coding::new("urn:iso:std:iso:11073:10101", code, display))
}

/// One measurement at a time.
///
/// # Errors
///
/// The payload is truncated, has trailing bytes, or sets a flag that would shift the fields.
pub fn decode_spot_check(data: &[u8]) -> Result<Outcome, DecodeError> {
    let mut reader = Reader::new(data);
    let flags = reader.flags_u8(0b0001_1111)?;
    let pair = Pair::read(&mut reader, methods::SPOT_CHECK)?;
    let time = if flags.has(0) { Some(reader.date_time()?.wall_clock()) } else { None };
    let tail = Tail::read(reader, flags, 1)?;
    if let Some(nothing) = tail.nothing() {
        return Ok(nothing.into());
    }
    let clock = Clock { time, not_set: flags.has(4) };
    let readings: Vec<Reading> = tail.readings(&[pair]).into_iter().map(|reading| clock.stamp(reading)).collect();
    let mut decoded = Decoded::from(readings);
    if clock.is_untrusted() {
        decoded = decoded.warning(warnings::DEVICE_TIME_UNTRUSTED, "the oximeter says that its clock is not set");
    }
    Ok(decoded.into())
}

/// A measurement that goes on, averaged normally and, where the oximeter gives them, fast and slowly. It carries no time.
///
/// # Errors
///
/// As [`decode_spot_check`].
pub fn decode_continuous(data: &[u8]) -> Result<Outcome, DecodeError> {
    let mut reader = Reader::new(data);
    let flags = reader.flags_u8(0b0001_1111)?;
    let mut pairs = Vec::with_capacity(3);
    pairs.push(Pair::read(&mut reader, methods::CONTINUOUS)?);
    for (bit, method) in [(0, methods::FAST), (1, methods::SLOW)] {
        if flags.has(bit) {
            pairs.push(Pair::read(&mut reader, method)?);
        }
    }
    let tail = Tail::read(reader, flags, 2)?;
    match tail.nothing() {
        Some(nothing) => Ok(nothing.into()),
        None => Ok(tail.readings(&pairs).into()),
    }
}

/// A reason that the status gives beats a special float, and a number beside it is not a measurement (HL7 PHD IG,
/// measurement status: invalid is `error`, not available is `not-performed`).
fn value(number: Number, unit: &str, status: Flags) -> Value {
    if status.has(INVALID) {
        Value::absent("error")
    } else if status.has(UNAVAILABLE) {
        Value::absent("not-performed")
    } else {
        number.in_unit(unit)
    }
}

/// The oximeter's clock, which may say of itself that it is not set.
struct Clock {
    time: Option<WallClock>,
    not_set: bool,
}

impl Clock {
    fn is_untrusted(&self) -> bool {
        self.not_set && matches!(self.time, Some(WallClock::Local(_)))
    }

    /// A clock that is not set starts again with every battery: its time identifies nothing, so it makes no key.
    fn stamp(&self, mut reading: Reading) -> Reading {
        if let Some(time) = &self.time {
            reading = reading.at_wall_clock(time);
            if !self.not_set {
                reading = reading.record_key(record_key(time, None), OnChange::Distinct);
            }
        }
        if self.not_set { reading.clock_state(clock_states::NOT_SET) } else { reading }
    }
}
