//! One record of the device's memory: 32 bytes (HBF-222T, 227T, 228T, 230T) or 48 (HBF-702T), big-endian, packed by bits.
//!
//! | bytes | bits from the lowest | field |
//! |---|---|---|
//! | 2–3 | 6–15 | body fat, 0.1 %; bits 0–5 the visceral fat level |
//! | 4–5 | 4–15 | basal metabolism, kcal a day |
//! | 6–7 | 6–15 | skeletal muscle, 0.1 % |
//! | 7 | 0–5 | year less 2000 |
//! | 8–9 | 6–15 | body mass index, 0.1 |
//! | 9 | 0–5 | minute |
//! | 10 | 0–6 | body age |
//! | 11 | 0–3 | month |
//! | 12 | 3–7 | day |
//! | 12–13 | 6–10 | hour |
//! | 13 | 0–5 | second |
//! | 26–27 | 4–15 | weight, 0.05 kg |
//!
//! 0 stands for "not measured". A slot of the ring that was never written is all 0xFF or all 0. The user is not in the
//! record: the memory has a ring for each of four, so whoever reads it names the ring in the channel (`slot-1` …).

use afferent_plugin_sdk::registry::{flags, kinds, methods, nothing_reasons};
use afferent_plugin_sdk::{
    DateTime, Decimal, DecodeError, Nothing, OnChange, Outcome, Reading, Value, WallClock, record_key,
};

/// Record of the HBF-222T and its kind.
pub const SHORT: usize = 32;
/// Record of the HBF-702T, which has segments behind the fields of the short one.
pub const LONG: usize = 48;

/// A field: the byte that it begins at, and the bits within the two bytes from there, counted from the lowest.
type Field = (usize, core::ops::RangeInclusive<u16>);

const BODY_FAT: Field = (2, 6..=15);
const BASAL_METABOLISM: Field = (4, 4..=15);
const MUSCLE: Field = (6, 6..=15);
const YEAR: Field = (6, 0..=5);
const BODY_MASS_INDEX: Field = (8, 6..=15);
const MINUTE: Field = (8, 0..=5);
const MONTH: Field = (10, 0..=3);
const DAY: Field = (12, 11..=15);
const HOUR: Field = (12, 6..=10);
const SECOND: Field = (12, 0..=5);
const WEIGHT: Field = (26, 4..=15);

/// The readings of one record.
///
/// # Errors
///
/// The record has another length than the model's, a date that does not exist, or comes from an unknown channel.
pub fn decode(data: &[u8], channel: &str, lengths: &[usize]) -> Result<Outcome, DecodeError> {
    if !lengths.contains(&data.len()) {
        return Err(DecodeError::malformed(format!("a record has {lengths:?} bytes, and not {}", data.len())));
    }
    let slot = slot(channel)?;
    if data.iter().all(|byte| *byte == 0xFF) || data.iter().all(|byte| *byte == 0) {
        return Ok(nothing("this slot of the memory was never written"));
    }
    let field = |(at, bits): Field| {
        let pair = data.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |pair| u16::from_be_bytes(*pair));
        pair >> bits.start() & (u16::MAX >> (15 - (bits.end() - bits.start())))
    };
    let small = |of: Field| u8::try_from(field(of)).unwrap_or(u8::MAX);
    let time = DateTime {
        year: 2000 + field(YEAR),
        month: small(MONTH),
        day: small(DAY),
        hour: small(HOUR),
        minute: small(MINUTE),
        second: small(SECOND),
    };
    let clock = time.wall_clock();
    // A date that cannot be is what a slot looks like that was half written or half erased: nothing of it is trusted.
    if !matches!(clock, WallClock::Local(_)) {
        return Err(DecodeError::malformed("the record's date does not exist").at(7));
    }
    if field(WEIGHT) == 0 {
        return Ok(nothing("the record has no weight"));
    }
    let key = record_key(&clock, slot.as_deref());
    let reading = |kind: &str, mantissa: i64, exponent: i32, unit: &str| {
        Reading::new(kind, Value::decimal(Decimal::new(mantissa, exponent), unit))
            .at_wall_clock(&clock)
            .flags(&[flags::FROM_STORAGE])
            .user_slot(slot.as_deref())
            .record_key(key.clone(), OnChange::Distinct)
    };
    let mut readings = vec![reading(kinds::BODY_WEIGHT, i64::from(field(WEIGHT)) * 5, -2, "kg")];
    for (kind, of, exponent, unit) in [
        (kinds::BODY_FAT_PERCENTAGE, BODY_FAT, -1, "%"),
        (kinds::BODY_MUSCLE_PERCENTAGE, MUSCLE, -1, "%"),
        (kinds::BASAL_METABOLISM, BASAL_METABOLISM, 0, "kcal/d"),
    ] {
        let raw = field(of);
        if raw != 0 {
            readings.push(reading(kind, i64::from(raw), exponent, unit).method(methods::BIOIMPEDANCE));
        }
    }
    if field(BODY_MASS_INDEX) != 0 {
        readings.push(reading(kinds::BODY_MASS_INDEX, i64::from(field(BODY_MASS_INDEX)), -1, "kg/m2"));
    }
    Ok(readings.into())
}

/// The user's ring, where the channel names one.
fn slot(channel: &str) -> Result<Option<String>, DecodeError> {
    match channel.strip_prefix("slot-") {
        None if channel.is_empty() => Ok(None),
        Some(slot @ ("1" | "2" | "3" | "4")) => Ok(Some(slot.to_owned())),
        _ => Err(DecodeError::unsupported("the channel is none of slot-1 to slot-4")),
    }
}

fn nothing(message: &str) -> Outcome {
    Nothing::because(nothing_reasons::NO_MEASUREMENT, message).into()
}
