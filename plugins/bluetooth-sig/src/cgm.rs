//! CGM Measurement (0x2AA7) and CGM Session Start Time (0x2AAA), Continuous Glucose Monitoring Service 1.0.1. A
//! notification holds one record or several, whose times are minutes since the start of the sensor session.

use afferent_plugin_sdk::registry::{clock_states, flags, kinds, nothing_reasons};
use afferent_plugin_sdk::{
    Decimal, DecodeError, DeviceTime, Flags, Input, Nothing, Number, OnChange, Outcome, Reader, Reading, Timestamp,
};

/// The variable with the session's start as the device's wall clock shows it: `2026-01-15T08:00:00`. With an offset from UTC
/// behind it, times are points in time, which a change to daylight saving in the middle of a session does not shift.
pub const SESSION_START_LOCAL: &str = "session_start_local";

/// Bits of the octets Status (0 to 7), Calibration and Temperature (8 to 15) and Warning (16 to 23); the others are
/// reserved.
const ANNUNCIATION: &[(u32, &str)] = &[
    (0, flags::SESSION_STOPPED),
    (1, flags::BATTERY_LOW),
    (2, flags::SENSOR_TYPE_INCORRECT),
    (3, flags::SENSOR_MALFUNCTION),
    (4, flags::DEVICE_ALERT),
    (5, flags::GENERAL_FAULT),
    (8, flags::TIME_SYNCHRONISATION_REQUIRED),
    (9, flags::CALIBRATION_NOT_ALLOWED),
    (10, flags::CALIBRATION_RECOMMENDED),
    (11, flags::CALIBRATION_REQUIRED),
    (12, flags::TEMPERATURE_TOO_HIGH),
    (13, flags::TEMPERATURE_TOO_LOW),
    (16, flags::BELOW_PATIENT_LOW),
    (17, flags::ABOVE_PATIENT_HIGH),
    (18, flags::BELOW_HYPOGLYCAEMIA),
    (19, flags::ABOVE_HYPERGLYCAEMIA),
    (20, flags::RATE_OF_DECREASE_EXCEEDED),
    (21, flags::RATE_OF_INCREASE_EXCEEDED),
    (22, flags::RESULT_TOO_LOW),
    (23, flags::RESULT_TOO_HIGH),
];

/// Pairs of bits that exclude each other.
const CONTRADICTIONS: &[(u32, u32)] = &[(12, 13), (16, 17), (18, 19), (20, 21), (22, 23)];

/// The fastest change that is believed, in mg/dL a minute. Sensors stop at 3 to 8; glucose clamps move it by 5.
const FASTEST: i64 = 10;

/// Every flag that a continuous measurement may carry.
pub fn flags() -> impl Iterator<Item = &'static str> {
    ANNUNCIATION.iter().map(|(_, word)| *word).chain([
        flags::ESTIMATED_TIME,
        flags::CONTRADICTORY_STATUS,
        flags::IMPLAUSIBLE_TREND,
    ])
}

/// One record.
#[derive(Debug, Clone)]
pub struct Measurement {
    glucose: Number,
    /// Minutes since the start of the session.
    pub minutes: u16,
    annunciation: Flags,
    trend: Option<Number>,
}

/// Reads all records of a notification.
///
/// # Errors
///
/// There is none; a record's size is not that of its fields, with or without a check sum; its check sum is wrong; or it
/// sets a flag that would shift the fields.
pub fn read(data: &[u8]) -> Result<Vec<Measurement>, DecodeError> {
    let mut records = Vec::new();
    let mut start = 0;
    loop {
        let rest = data.get(start..).unwrap_or_default();
        let size = rest.first().copied().map_or(0, usize::from);
        let Some(record) = rest.get(..size).filter(|record| !record.is_empty()) else {
            return Err(DecodeError::malformed("truncated: a record is shorter than the size that it names").at(start));
        };
        let measurement = Measurement::read(record).map_err(|error| {
            let within = error.offset.and_then(|offset| usize::try_from(offset).ok()).unwrap_or(0);
            error.at(start + within)
        })?;
        records.push(measurement);
        start += size;
        if start == data.len() {
            return Ok(records);
        }
    }
}

impl Measurement {
    /// Reads one record: size, flags, glucose, minutes, the octets of the annunciation in the order of their bits (and not
    /// of the flags, which run the other way), trend and quality.
    fn read(record: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(without_check_sum(record)?);
        reader.u8()?;
        let flags = reader.flags_u8(0b1110_0011)?;
        let glucose = reader.sfloat()?;
        let minutes = reader.u16_le()?;
        let mut octet = |bit: u32| if flags.has(bit) { reader.u8() } else { Ok(0) };
        let annunciation = Flags::any(u32::from_le_bytes([octet(7)?, octet(6)?, octet(5)?, 0]));
        let trend = if flags.has(0) { Some(reader.sfloat()?) } else { None };
        if flags.has(1) {
            reader.sfloat()?;
        }
        reader.finish()?;
        Ok(Self { glucose, minutes, annunciation, trend })
    }

    fn reading(&self) -> Reading {
        let mut words = self.annunciation.words(ANNUNCIATION);
        if CONTRADICTIONS.iter().any(|(one, other)| self.annunciation.has(*one) && self.annunciation.has(*other)) {
            words.push(flags::CONTRADICTORY_STATUS);
        }
        if self.trend.is_some_and(is_implausible) {
            words.push(flags::IMPLAUSIBLE_TREND);
        }
        Reading::new(kinds::GLUCOSE_INTERSTITIAL, self.glucose.in_unit("mg/dL")).flags(&words)
    }
}

/// Does glucose change faster than it can? A trend that is no number says nothing.
fn is_implausible(trend: Number) -> bool {
    match trend {
        Number::Finite(Decimal { mantissa, exponent }) => {
            let (scale, steps) = (10_i64.pow(exponent.unsigned_abs().min(8)), mantissa.abs());
            if exponent < 0 { steps > FASTEST * scale } else { steps * scale > FASTEST }
        }
        _ => false,
    }
}

/// The record without its check sum. Whether there is one is a matter of the sensor (CGM Feature), and shows in the size.
fn without_check_sum(record: &[u8]) -> Result<&[u8], DecodeError> {
    const FIXED: u32 = 6;
    let Some(flags) = record.get(1) else {
        return Err(DecodeError::malformed("truncated: a record has at least 6 bytes").at(record.len()));
    };
    let fields = usize::try_from(FIXED + 2 * (flags & 0b11).count_ones() + (flags & 0b1110_0000).count_ones());
    let fields = fields.unwrap_or(usize::MAX);
    match record.split_at_checked(fields) {
        Some((fields, [])) => Ok(fields),
        Some((fields, [low, high])) => verified(fields, u16::from_le_bytes([*low, *high])),
        _ => {
            let message = format!("the size {} is not that of {fields} bytes of fields", record.len());
            Err(DecodeError::malformed(message).at(0))
        }
    }
}

/// The bytes, if their check sum is the one that was sent.
fn verified(bytes: &[u8], sent: u16) -> Result<&[u8], DecodeError> {
    if check_sum(bytes) == sent {
        Ok(bytes)
    } else {
        Err(DecodeError::malformed("the check sum (E2E-CRC) is wrong").at(bytes.len()))
    }
}

/// CRC-16/MCRF4XX: polynomial 0x1021 reflected, beginning with 0xFFFF, nothing inverted at the end.
fn check_sum(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |sum, byte| {
        (0..8).fold(sum ^ u16::from(*byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0x8408 } else { sum >> 1 })
    })
}

/// When a sensor session began: a wall clock, with its offset from UTC where the sensor knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session(Timestamp);

impl Session {
    /// Reads CGM Session Start Time: Date Time, time zone in quarters of an hour (-128 unknown), daylight saving (255
    /// unknown), and a check sum where the sensor has one. None where the sensor says that it does not know.
    ///
    /// # Errors
    ///
    /// The payload has another length, or its check sum is wrong.
    pub fn read(data: &[u8]) -> Result<Option<Self>, DecodeError> {
        let data = match data.split_at_checked(9) {
            Some((fields, [low, high])) => verified(fields, u16::from_le_bytes([*low, *high]))?,
            _ => data,
        };
        let mut reader = Reader::new(data);
        let start = reader.date_time()?;
        let zone = reader.i8()?;
        let daylight_saving = match reader.u8()? {
            0 => Some(0),
            2 => Some(30),
            4 => Some(60),
            8 => Some(120),
            _ => None,
        };
        reader.finish()?;
        let zone = (-48..=56).contains(&zone).then(|| i16::from(zone) * 15);
        let east = zone.zip(daylight_saving).map(|(zone, daylight_saving)| zone + daylight_saving);
        let start = start.timestamp();
        Ok(start.map(|start| Self(east.map_or(start, |east| start.with_wall_clock_offset(east)))))
    }

    /// The session that the device's settings name.
    ///
    /// # Errors
    ///
    /// The setting is no time: a wrong time of a glucose is worse than none.
    pub fn of_variables(input: &Input) -> Result<Option<Self>, DecodeError> {
        let Some(text) = input.variable(SESSION_START_LOCAL) else { return Ok(None) };
        let start = Timestamp::parse(text).map_err(|_no_time| {
            DecodeError::unsupported("the variable session_start_local is no time such as 2026-01-15T08:00:00")
        })?;
        Ok(Some(Self(start)))
    }

    /// Puts the time of a record on its reading. Only with an offset is it a point in time; the key is the wall clock in
    /// both cases, so that the same record is known however the start was learnt.
    fn stamp(&self, reading: Reading, minutes: u16) -> Reading {
        match self.0.plus_ms(i64::from(minutes) * 60_000) {
            Ok(time) => {
                let key = time.as_wall_clock().to_string();
                reading.at(time.device_time()).record_key(Some(key), OnChange::Distinct)
            }
            Err(_beyond_the_calendar) => reading.clock_state(clock_states::FAULT),
        }
    }
}

/// The readings of a notification. Without the start of the session, the newest record of the uplink, at `newest` minutes,
/// is taken to be as old as its capture, and the older ones by as much older as they say; they are flagged as estimates,
/// and have no key, because every session counts its minutes from 0.
pub fn readings(records: &[Measurement], session: Option<&Session>, newest: u16) -> Vec<Reading> {
    let told = |record: &Measurement| match session {
        Some(session) => session.stamp(record.reading(), record.minutes),
        None => match newest.saturating_sub(record.minutes) {
            0 => record.reading(),
            older => {
                let estimate = record.reading().flags(&[flags::ESTIMATED_TIME]);
                estimate.at(DeviceTime::BeforeCapture(u64::from(older) * 60_000))
            }
        },
    };
    records.iter().map(told).collect()
}

/// What the start of a session comes to without measurements.
pub fn start_alone() -> Outcome {
    Nothing::because(nothing_reasons::STATUS, "the start of a sensor session, without measurements").into()
}
