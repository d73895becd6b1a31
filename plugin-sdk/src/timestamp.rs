//! Points in time as clouds and cellular devices write them: seconds, milliseconds or nanoseconds since 1970, RFC 3339
//! and its relatives, and wall clocks without a zone.

use core::fmt;

use crate::{DecodeError, DeviceTime};

const DAY_MS: i64 = 86_400_000;

/// The last millisecond of the year 9999, since 1970.
const LAST_MS: i64 = 253_402_300_799_999;

/// The first millisecond of the year 1, since 1970.
const FIRST_MS: i64 = -62_135_596_800_000;

/// A date and time of the years 1 to 9999, in milliseconds, with an offset from UTC or without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timestamp {
    /// What the clock on the wall shows, as if it were UTC.
    wall_ms: i64,
    /// East of Greenwich; none where the sender does not say.
    offset_minutes: Option<i16>,
}

impl Timestamp {
    fn new(wall_ms: i64, offset_minutes: Option<i16>) -> Option<Self> {
        (FIRST_MS..=LAST_MS).contains(&wall_ms).then_some(Self { wall_ms, offset_minutes })
    }

    /// So many milliseconds after 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    ///
    /// It is beyond the year 9999.
    pub fn from_epoch_ms(epoch_ms: i64) -> Result<Self, DecodeError> {
        Self::new(epoch_ms, Some(0)).ok_or_else(no_time)
    }

    /// So many seconds after 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    ///
    /// It is beyond the year 9999.
    pub fn from_epoch_seconds(epoch_seconds: i64) -> Result<Self, DecodeError> {
        Self::from_epoch_ms(epoch_seconds.checked_mul(1000).ok_or_else(no_time)?)
    }

    /// So many nanoseconds after 1970-01-01T00:00:00Z; what is below a millisecond is cut off.
    ///
    /// # Errors
    ///
    /// It is beyond the year 9999.
    pub fn from_epoch_nanoseconds(epoch_nanoseconds: i64) -> Result<Self, DecodeError> {
        Self::from_epoch_ms(epoch_nanoseconds.div_euclid(1_000_000))
    }

    /// Reads `2026-03-10T12:00:01.123Z`, `2026-03-10 07:15:00 -0500`, `2019-02-01T22:46:01.8750000+01:00` and the like:
    /// a date, `T` or a space, a time to the minute or finer, and an offset or none (a wall clock). What is below a
    /// millisecond is cut off.
    ///
    /// # Errors
    ///
    /// It is no such text, or a time that does not exist.
    pub fn parse(text: &str) -> Result<Self, DecodeError> {
        parse(text.trim()).ok_or_else(no_time)
    }

    /// Midnight at the beginning of a day, `2015-02-21`, on the wall clock of an unnamed zone.
    ///
    /// # Errors
    ///
    /// It is no such text, or a day that does not exist.
    pub fn parse_date(text: &str) -> Result<Self, DecodeError> {
        let date = || {
            let (days, rest) = date(text.trim())?;
            if rest.is_empty() { Self::new(days * DAY_MS, None) } else { None }
        };
        date().ok_or_else(no_time)
    }

    /// A date and time on the wall clock of an unnamed zone.
    ///
    /// # Errors
    ///
    /// It does not exist.
    pub fn from_wall_clock(date: [i64; 3], time: [i64; 3]) -> Result<Self, DecodeError> {
        let [year, month, day] = date;
        let wall = || Self::new(days_since_1970(year, month, day)? * DAY_MS + time_of_day(time)?, None);
        wall().ok_or_else(no_time)
    }

    /// The same wall clock with this offset: for senders that dress their local time as an epoch, and name the offset
    /// beside it.
    #[must_use]
    pub const fn with_wall_clock_offset(self, offset_minutes: i16) -> Self {
        Self { wall_ms: self.wall_ms, offset_minutes: Some(offset_minutes) }
    }

    /// The same wall clock, with no offset: for senders that dress their local time as UTC, or say that it is none.
    #[must_use]
    pub const fn as_wall_clock(self) -> Self {
        Self { wall_ms: self.wall_ms, offset_minutes: None }
    }

    /// The same moment at another offset; a wall clock without an offset takes it for its own.
    ///
    /// # Errors
    ///
    /// The offset is more than a day, no whole minutes where that matters, or leads beyond the year 9999.
    pub fn at_offset_seconds(self, offset_seconds: i64) -> Result<Self, DecodeError> {
        let minutes = i16::try_from(offset_seconds / 60).ok().filter(|minutes| minutes.abs() < 24 * 60);
        let minutes = minutes.filter(|_| offset_seconds % 60 == 0);
        let minutes = minutes.ok_or_else(|| DecodeError::malformed("an offset from UTC that no place has"))?;
        let Some(before) = self.offset_minutes else { return Ok(self.with_wall_clock_offset(minutes)) };
        let moved = self.wall_ms + (i64::from(minutes) - i64::from(before)) * 60_000;
        Self::new(moved, Some(minutes)).ok_or_else(no_time)
    }

    /// So much later; earlier where it is negative.
    ///
    /// # Errors
    ///
    /// It is beyond the year 9999.
    pub fn plus_ms(self, ms: i64) -> Result<Self, DecodeError> {
        let moved = self.wall_ms.checked_add(ms);
        moved.and_then(|moved| Self::new(moved, self.offset_minutes)).ok_or_else(no_time)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z; none where the offset is not known.
    #[must_use]
    pub fn epoch_ms(self) -> Option<i64> {
        self.offset_minutes.map(|minutes| self.wall_ms - i64::from(minutes) * 60_000)
    }

    /// Minutes east of Greenwich; none where the sender does not say.
    #[must_use]
    pub const fn offset_minutes(self) -> Option<i16> {
        self.offset_minutes
    }

    /// The day on the wall clock, `2015-02-21`.
    #[must_use]
    pub fn date_text(self) -> String {
        let (year, month, day) = civil(self.wall_ms.div_euclid(DAY_MS));
        format!("{year:04}-{month:02}-{day:02}")
    }

    /// The time for a reading: with its offset, or as a wall clock.
    #[must_use]
    pub fn device_time(self) -> DeviceTime {
        match self.offset_minutes {
            Some(_) => DeviceTime::Zoned(self.to_string()),
            None => DeviceTime::Local(self.to_string()),
        }
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339, with milliseconds only where there are some; without an offset where none is known.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil(self.wall_ms.div_euclid(DAY_MS));
        let ms = self.wall_ms.rem_euclid(DAY_MS);
        let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
        write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if ms % 1000 != 0 {
            write!(out, ".{:03}", ms % 1000)?;
        }
        match self.offset_minutes {
            None => Ok(()),
            Some(0) => out.write_str("Z"),
            Some(minutes) => {
                let sign = if minutes < 0 { '-' } else { '+' };
                write!(out, "{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
            }
        }
    }
}

#[cold]
fn no_time() -> DecodeError {
    DecodeError::malformed("not a date and time that exists")
}

fn parse(text: &str) -> Option<Timestamp> {
    let (days, rest) = date(text)?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (hour, rest) = number(rest, 2)?;
    let (minute, rest) = number(rest.strip_prefix(':')?, 2)?;
    let (second, rest) = match rest.strip_prefix(':') {
        Some(rest) => number(rest, 2)?,
        None => (0, rest),
    };
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => milliseconds(rest)?,
        None => (0, rest),
    };
    let offset_minutes = offset(rest.trim_start())?;
    Timestamp::new(days * DAY_MS + time_of_day([hour, minute, second])? + fraction, offset_minutes)
}

/// Days since 1970 and what follows the date.
fn date(text: &str) -> Option<(i64, &str)> {
    let (year, rest) = number(text, 4)?;
    let (month, rest) = number(rest.strip_prefix('-')?, 2)?;
    let (day, rest) = number(rest.strip_prefix('-')?, 2)?;
    Some((days_since_1970(year, month, day)?, rest))
}

/// A number of exactly so many digits, and what follows it.
fn number(text: &str, digits: usize) -> Option<(i64, &str)> {
    let (digits, rest) = text.split_at_checked(digits)?;
    let value = digits
        .bytes()
        .try_fold(0, |value, digit| digit.is_ascii_digit().then(|| value * 10 + i64::from(digit - b'0')))?;
    Some((value, rest))
}

/// The digits behind the point, cut to three.
fn milliseconds(text: &str) -> Option<(i64, &str)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at_checked(length).filter(|(digits, _)| !digits.is_empty())?;
    let padded = digits.bytes().chain([b'0'; 3]).take(3);
    Some((padded.fold(0, |value, digit| value * 10 + i64::from(digit - b'0')), rest))
}

/// `Z`, `+01:00`, `-0500`, `+05` or nothing, in minutes.
fn offset(text: &str) -> Option<Option<i16>> {
    if text.is_empty() {
        return Some(None);
    }
    if text.eq_ignore_ascii_case("z") {
        return Some(Some(0));
    }
    let negative = text.starts_with('-');
    let (hours, rest) = number(text.strip_prefix(['+', '-'])?, 2)?;
    let (minutes, rest) = match rest.strip_prefix(':').unwrap_or(rest) {
        "" => (0, ""),
        digits => number(digits, 2)?,
    };
    if hours > 23 || minutes > 59 || !rest.is_empty() {
        return None;
    }
    let total = i16::try_from(hours * 60 + minutes).ok()?;
    Some(Some(if negative { -total } else { total }))
}

fn time_of_day([hour, minute, second]: [i64; 3]) -> Option<i64> {
    let exists = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..60).contains(&second);
    exists.then_some(((hour * 60 + minute) * 60 + second) * 1000)
}

/// Days from 1970-01-01 to a day of the Gregorian calendar; none for a day that it does not have.
fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=9999).contains(&year) || !(1..=length).contains(&day) {
        return None;
    }
    // Years that begin in March have their leap day at the end, so that the days before a month are the same in all.
    let march_year = if month > 2 { year } else { year - 1 };
    let months = (month + 9) % 12;
    let before_month = (153 * months + 2) / 5;
    let before_year = march_year * 365 + march_year / 4 - march_year / 100 + march_year / 400;
    // 719,468 days lie between 0000-03-01 and 1970-01-01.
    Some(before_year + before_month + day - 1 - 719_468)
}

/// Year, month and day of a number of days since 1970.
fn civil(days: i64) -> (i64, i64, i64) {
    const DAYS_OF_400_YEARS: i64 = 146_097;
    let days = days + 719_468;
    let (cycle, day) = (days.div_euclid(DAYS_OF_400_YEARS), days.rem_euclid(DAYS_OF_400_YEARS));
    // Leap days that the calendar has put in so far: every 4 years, but not every 100, but every 400.
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let months = (5 * day + 2) / 153;
    let day_of_month = day - (153 * months + 2) / 5 + 1;
    let month = if months < 10 { months + 3 } else { months - 9 };
    (cycle * 400 + year + i64::from(month <= 2), month, day_of_month)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn text(time: Result<Timestamp, DecodeError>) -> String {
        time.map_or_else(|_| "none".to_owned(), |time| time.to_string())
    }

    #[test]
    fn an_epoch_becomes_the_date_that_it_is() {
        for (epoch_ms, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (1_721_400_730_106, "2024-07-19T14:52:10.106Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (4_107_542_399_000, "2100-02-28T23:59:59Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00Z"),
            (LAST_MS, "9999-12-31T23:59:59.999Z"),
            (FIRST_MS, "0001-01-01T00:00:00Z"),
            (LAST_MS + 1, "none"),
            (FIRST_MS - 1, "none"),
            (i64::MAX, "none"),
        ] {
            assert_eq!(text(Timestamp::from_epoch_ms(epoch_ms)), expected);
        }
        assert_eq!(text(Timestamp::from_epoch_seconds(i64::MIN)), "none");
        assert_eq!(text(Timestamp::from_epoch_nanoseconds(1_422_632_268_186_999_999)), "2015-01-30T15:37:48.186Z");
    }

    /// Every day of eight centuries, there and back.
    #[test]
    fn days_and_dates_are_each_others_inverse() {
        let first = days_since_1970(1600, 1, 1).unwrap();
        let last = days_since_1970(2400, 12, 31).unwrap();
        let mut before = (1599, 12, 31);
        for day in first..=last {
            let date = civil(day);
            assert_eq!(days_since_1970(date.0, date.1, date.2), Some(day));
            assert!(date > before);
            before = date;
        }
        assert_eq!(before, (2400, 12, 31));
    }

    #[test]
    fn texts_of_many_kinds_are_read() {
        for (written, expected) in [
            ("2026-03-10T12:00:01Z", "2026-03-10T12:00:01Z"),
            ("2019-02-01T22:46:01.8750000Z", "2019-02-01T22:46:01.875Z"),
            ("2019-01-30T22:45:02.6073744Z", "2019-01-30T22:45:02.607Z"),
            ("2026-03-10 07:15:00 -0500", "2026-03-10T07:15:00-05:00"),
            ("2014-07-19T10:49:15.000-07:00", "2014-07-19T10:49:15-07:00"),
            ("2016-01-16 15:52:01+00", "2016-01-16T15:52:01Z"),
            ("2026-03-10t12:00z", "2026-03-10T12:00:00Z"),
            ("2026-03-10T12:00:01.5", "2026-03-10T12:00:01.500"),
            (" 2026-03-10T12:00:01 ", "2026-03-10T12:00:01"),
        ] {
            assert_eq!(text(Timestamp::parse(written)), expected, "{written}");
        }
        for wrong in [
            "",
            "2026-03-10",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-03-10T24:00:00Z",
            "2026-03-10T12:00:60Z",
            "2026-03-10T12:00:00.Z",
            "2026-03-10T12:00:00+24:00",
            "2026-03-10T12:00:00+5:00",
            "2026-03-10T12:00:00 EST",
            "10/03/2026 12:00:00",
            "2026-03-1é 12:00:00",
            "0000-01-01T00:00:00Z",
        ] {
            assert_eq!(text(Timestamp::parse(wrong)), "none", "{wrong}");
        }
    }

    #[test]
    fn offsets_move_the_clock_or_the_moment() {
        let utc = Timestamp::from_epoch_seconds(1_519_679_700).unwrap();
        assert_eq!(text(utc.at_offset_seconds(-21_600)), "2018-02-26T15:15:00-06:00");
        assert_eq!(utc.at_offset_seconds(-21_600).unwrap().epoch_ms(), utc.epoch_ms());
        // A local time that is dressed as an epoch: the clock stays, the moment moves.
        let dressed = Timestamp::from_epoch_seconds(1_442_498_865).unwrap().with_wall_clock_offset(-360);
        assert_eq!(dressed.to_string(), "2015-09-17T14:07:45-06:00");
        assert_eq!(dressed.as_wall_clock().epoch_ms(), None);
        for offset in [1, 86_400, -86_400, i64::MAX] {
            assert_eq!(text(utc.at_offset_seconds(offset)), "none", "{offset}");
        }
        assert_eq!(text(utc.plus_ms(i64::MAX)), "none");
        assert_eq!(text(utc.plus_ms(840_000)), "2018-02-26T21:29:00Z");
    }

    #[test]
    fn a_day_is_a_wall_clock_at_midnight() {
        let day = Timestamp::parse_date("2015-02-28").unwrap();
        assert_eq!(day.device_time(), DeviceTime::Local("2015-02-28T00:00:00".into()));
        assert_eq!(day.plus_ms(DAY_MS).unwrap().date_text(), "2015-03-01");
        for wrong in ["2015-02-29", "2015-2-28", "2015-02-28T", ""] {
            assert_eq!(text(Timestamp::parse_date(wrong)), "none", "{wrong}");
        }
        assert_eq!(text(Timestamp::from_wall_clock([2025, 6, 16], [12, 30, 45])), "2025-06-16T12:30:45");
        assert_eq!(text(Timestamp::from_wall_clock([2025, 16, 6], [12, 30, 45])), "none");
    }
}
