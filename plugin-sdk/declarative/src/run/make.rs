//! Fields that are made of others: settings of the device, and times that a payload says in parts.

use std::borrow::Cow;

use afferent_plugin_sdk::{DateTime, DecodeError, Timestamp, WallClock};

use super::Run;
use super::datum::{Datum, Moment};
use crate::table::{MadeField, Make};

impl Run<'_, '_> {
    /// Makes one field, if its condition holds.
    pub(super) fn make(&mut self, field: &MadeField) -> Result<(), DecodeError> {
        if !field.when.as_ref().is_none_or(|when| self.holds(when)) {
            return Ok(());
        }
        let made = match &field.make {
            Make::Variable(name) => {
                self.input.variable(name).map_or(Datum::Missing, |value| Datum::Text(Cow::Owned(value.to_owned())))
            }
            Make::TimeParts(parts, second, year_base) => {
                let part = |slot: u16| self.slot(slot).integer();
                let [year, month, day, hour, minute] = parts.map(part);
                let second = second.map_or(Some(0), part);
                let year = year.and_then(|year| year.checked_add(*year_base));
                clock([year, month, day, hour, minute, second])
            }
            Make::Later(time, by, unit_ms) => match self.slot(*by).integer() {
                None => self.slot(*time).clone(),
                Some(by) => later(self.slot(*time), by.checked_mul(*unit_ms)),
            },
            Make::AtOffset(time, offset, unit_seconds) => match (self.slot(*time), self.slot(*offset).integer()) {
                (Datum::Time(Moment::Stamp(stamp)), Some(offset)) => {
                    let seconds = offset.checked_mul(*unit_seconds).unwrap_or(i64::MAX);
                    Datum::Time(Moment::Stamp(stamp.at_offset_seconds(seconds)?))
                }
                (time, _) => time.clone(),
            },
            Make::BeforeCapture(age, unit_ms) => {
                let ms = self.slot(*age).integer().and_then(|age| age.checked_mul(*unit_ms));
                match ms.and_then(|ms| u64::try_from(ms).ok()) {
                    Some(ms) => Datum::Time(Moment::Before(ms)),
                    None => Datum::Missing,
                }
            }
            Make::First(slots) => {
                let mut there = slots.iter().map(|slot| self.slot(*slot)).filter(|datum| datum.is_there());
                there.next().cloned().unwrap_or(Datum::Missing)
            }
        };
        self.put(field.slot, made);
        Ok(())
    }
}

/// A wall clock of its parts; missing where one is missing.
fn clock(parts: [Option<i64>; 6]) -> Datum<'static> {
    let [Some(year), Some(month), Some(day), Some(hour), Some(minute), Some(second)] = parts else {
        return Datum::Missing;
    };
    let byte = |part: i64| u8::try_from(part).unwrap_or(u8::MAX);
    let time = DateTime {
        year: u16::try_from(year).unwrap_or(u16::MAX),
        month: byte(month),
        day: byte(day),
        hour: byte(hour),
        minute: byte(minute),
        second: byte(second),
    };
    Datum::Time(Moment::Clock(time.wall_clock()))
}

/// A time and so much more; what is no time stays what it is.
fn later<'d>(time: &Datum<'d>, ms: Option<i64>) -> Datum<'d> {
    let impossible = || Datum::Time(Moment::Clock(WallClock::Impossible));
    let Some(ms) = ms else { return impossible() };
    let moved = |stamp: Timestamp| stamp.plus_ms(ms);
    match time {
        Datum::Time(Moment::Clock(WallClock::Local(text))) => match Timestamp::parse(text).and_then(moved) {
            Ok(stamp) => Datum::Time(Moment::Clock(WallClock::Local(stamp.to_string()))),
            Err(_) => impossible(),
        },
        Datum::Time(Moment::Stamp(stamp)) => match moved(*stamp) {
            Ok(stamp) => Datum::Time(Moment::Stamp(stamp)),
            Err(_) => impossible(),
        },
        other => other.clone(),
    }
}
