//! PLX Spot-Check Measurement (0x2A5E), Pulse Oximeter Service 1.0.1.

use afferent_plugin_sdk::registry::{clock_states, flags, kinds, methods, nothing_reasons, warnings};
use afferent_plugin_sdk::{
    DecodeError, Decoded, Flags, Nothing, Number, OnChange, Outcome, Reader, Reading, Value, WallClock, record_key,
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

/// Every flag that a spot-check may carry.
pub fn flags() -> impl Iterator<Item = &'static str> {
    MEASUREMENT_STATUS.iter().chain(DEVICE_STATUS).map(|(_, word)| *word)
}

/// Oxygen saturation, pulse, and the pulse amplitude index where the oximeter gives it.
///
/// # Errors
///
/// The payload is truncated, has trailing bytes, or sets a flag that would shift the fields.
pub fn decode(data: &[u8]) -> Result<Outcome, DecodeError> {
    let mut reader = Reader::new(data);
    let flags = reader.flags_u8(0b0001_1111)?;
    let saturation = reader.sfloat()?;
    let pulse = reader.sfloat()?;
    let clock = if flags.has(0) { Some(reader.date_time()?.wall_clock()) } else { None };
    let status = Flags::any(if flags.has(1) { u32::from(reader.u16_le()?) } else { 0 });
    let device = Flags::any(if flags.has(2) { reader.u24_le()? } else { 0 });
    let amplitude = if flags.has(3) { Some(reader.sfloat()?) } else { None };
    reader.finish()?;
    if status.has(DEMO) {
        return Ok(Nothing::because(nothing_reasons::DEMO, "the oximeter sends demonstration data").into());
    }
    if status.has(TEST) {
        return Ok(Nothing::because(nothing_reasons::TEST, "the oximeter sends test data").into());
    }

    let mut words = status.words(MEASUREMENT_STATUS);
    words.extend(device.words(DEVICE_STATUS));
    let clock = Clock { time: clock, not_set: flags.has(4) };
    let around = |kind: &str, number: Number, unit: &str| {
        let reading = Reading::new(kind, value(number, unit, status)).flags(&words).method(methods::SPOT_CHECK);
        clock.stamp(reading)
    };
    let mut readings = Vec::with_capacity(3);
    readings.push(around(kinds::OXYGEN_SATURATION, saturation, "%"));
    readings.push(around(kinds::PULSE_RATE_OXIMETER, pulse, "/min"));
    if let Some(amplitude) = amplitude {
        readings.push(around(kinds::PERFUSION_INDEX, amplitude, "%"));
    }
    let mut decoded = Decoded::from(readings);
    if clock.is_untrusted() {
        decoded = decoded.warning(warnings::DEVICE_TIME_UNTRUSTED, "the oximeter says that its clock is not set");
    }
    Ok(decoded.into())
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
