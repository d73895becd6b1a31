//! The Bluetooth SIG's Date Time (0x2A08): a wall clock without a zone, which is often wrong.

use crate::registry::clock_states;
use crate::{DeviceTime, Timestamp};

/// The seven bytes of a Date Time as they came. Year (1582 to 9999), month and day are 0 when unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateTime {
    /// 1582 to 9999, 0 unknown.
    pub year: u16,
    /// 1 to 12, 0 unknown.
    pub month: u8,
    /// 1 to 31, 0 unknown.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
}

/// What a device's clock said. A clock that is wrong does not spoil the value beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WallClock {
    /// A time that exists: `YYYY-MM-DDThh:mm:ss`.
    Local(String),
    /// Year, month or day are said to be unknown.
    Unknown,
    /// A time that does not exist, such as month 13 or the 30th of February.
    Impossible,
}

impl DateTime {
    /// Is it a time, unknown, or impossible?
    #[must_use]
    pub fn wall_clock(&self) -> WallClock {
        let Self { year, month, day, hour, minute, second } = *self;
        let date_fits = (year == 0 || (1582..=9999).contains(&year)) && month <= 12 && day <= days(year, month);
        if !date_fits || hour > 23 || minute > 59 || second > 59 {
            return WallClock::Impossible;
        }
        if year == 0 || month == 0 || day == 0 {
            return WallClock::Unknown;
        }
        WallClock::Local(self.text())
    }

    /// What the clock shows so many minutes later (or earlier), without changes of the clock in between. Unknown and
    /// impossible times stay what they are; what leaves the years 1582 to 9999 is impossible.
    #[must_use]
    pub fn wall_clock_after(&self, minutes: i64) -> WallClock {
        let clock = self.wall_clock();
        if minutes == 0 || !matches!(clock, WallClock::Local(_)) {
            return clock;
        }
        let moved = minutes.checked_mul(60_000).zip(self.timestamp()).and_then(|(ms, time)| time.plus_ms(ms).ok());
        match moved.map(|time| time.to_string()) {
            Some(text) if text.as_str() >= "1582" => WallClock::Local(text),
            _ => WallClock::Impossible,
        }
    }

    /// The day of the week, 1 Monday to 7 Sunday; none unless the time exists.
    #[must_use]
    pub fn day_of_week(&self) -> Option<u8> {
        let days = self.timestamp()?.with_wall_clock_offset(0).epoch_ms()?.div_euclid(86_400_000);
        // 1970-01-01 was a Thursday.
        u8::try_from((days + 3).rem_euclid(7) + 1).ok()
    }

    /// The time as a wall clock of an unnamed zone; none unless it exists.
    #[must_use]
    pub fn timestamp(&self) -> Option<Timestamp> {
        let date = [self.year.into(), self.month.into(), self.day.into()];
        let time = [self.hour.into(), self.minute.into(), self.second.into()];
        Timestamp::from_wall_clock(date, time).ok().filter(|_| matches!(self.wall_clock(), WallClock::Local(_)))
    }

    fn text(&self) -> String {
        let mut text = String::with_capacity(19);
        let [century, rest] = [self.year / 100, self.year % 100].map(|part| u8::try_from(part).unwrap_or(0));
        push_two(&mut text, century);
        push_two(&mut text, rest);
        for (before, part) in
            [('-', self.month), ('-', self.day), ('T', self.hour), (':', self.minute), (':', self.second)]
        {
            text.push(before);
            push_two(&mut text, part);
        }
        text
    }
}

/// How many days the month has; the most that are possible where year or month are unknown.
const fn days(year: u16, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year == 0 || (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Appends two decimal digits; every decode with a time does this, so it avoids the formatting machinery.
fn push_two(text: &mut String, number: u8) {
    text.push(char::from(b'0' + number / 10 % 10));
    text.push(char::from(b'0' + number % 10));
}

impl WallClock {
    /// The time for a reading; none unless it exists.
    #[must_use]
    pub fn device_time(&self) -> DeviceTime {
        match self {
            Self::Local(text) => DeviceTime::Local(text.clone()),
            Self::Unknown | Self::Impossible => DeviceTime::None,
        }
    }

    /// The registered state of the clock that this shows: `unknown`, `not-set` or `fault`.
    #[must_use]
    pub const fn clock_state(&self) -> &'static str {
        match self {
            Self::Local(_) => clock_states::UNKNOWN,
            Self::Unknown => clock_states::NOT_SET,
            Self::Impossible => clock_states::FAULT,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(year: u16, month: u8, day: u8, hour: u8, minute: u8, second: u8) -> WallClock {
        DateTime { year, month, day, hour, minute, second }.wall_clock()
    }

    #[test]
    fn a_time_that_exists_is_text() {
        assert_eq!(clock(2024, 6, 15, 7, 17, 5), WallClock::Local("2024-06-15T07:17:05".into()));
        assert_eq!(clock(1582, 1, 1, 0, 0, 0), WallClock::Local("1582-01-01T00:00:00".into()));
        assert_eq!(clock(9999, 12, 31, 23, 59, 59), WallClock::Local("9999-12-31T23:59:59".into()));
        assert_eq!(clock(2000, 2, 29, 0, 0, 0), WallClock::Local("2000-02-29T00:00:00".into()));
    }

    fn at(year: u16, month: u8, day: u8, hour: u8, minute: u8, second: u8) -> DateTime {
        DateTime { year, month, day, hour, minute, second }
    }

    #[test]
    fn minutes_are_carried_over_days_months_and_years() {
        for (start, minutes, expected) in [
            (at(2026, 12, 31, 23, 55, 7), 10, "2027-01-01T00:05:07"),
            (at(2027, 1, 1, 0, 5, 7), -10, "2026-12-31T23:55:07"),
            (at(2024, 2, 28, 23, 59, 0), 1, "2024-02-29T00:00:00"),
            (at(2023, 2, 28, 23, 59, 0), 1, "2023-03-01T00:00:00"),
            (at(1900, 2, 28, 12, 0, 0), 1440, "1900-03-01T12:00:00"),
            (at(1969, 12, 31, 23, 59, 59), 1, "1970-01-01T00:00:59"),
            (at(2026, 1, 15, 8, 0, 0), 65_535, "2026-03-01T20:15:00"),
            (at(2026, 7, 1, 0, 0, 0), -32_767, "2026-06-08T05:53:00"),
            (at(2026, 7, 1, 0, 0, 0), 0, "2026-07-01T00:00:00"),
        ] {
            assert_eq!(start.wall_clock_after(minutes), WallClock::Local(expected.into()), "{start:?} {minutes}");
        }
        assert_eq!(at(9999, 12, 31, 23, 59, 0).wall_clock_after(1), WallClock::Impossible);
        assert_eq!(at(1582, 1, 1, 0, 0, 0).wall_clock_after(-1), WallClock::Impossible);
        assert_eq!(at(2026, 2, 30, 0, 0, 0).wall_clock_after(5), WallClock::Impossible);
        assert_eq!(at(0, 2, 28, 0, 0, 0).wall_clock_after(5), WallClock::Unknown);
        assert_eq!(at(2026, 7, 1, 0, 0, 0).wall_clock_after(i64::MIN), WallClock::Impossible);
    }

    #[test]
    fn days_of_the_week_follow_each_other() {
        for (date, day) in [(at(1970, 1, 1, 0, 0, 0), 4), (at(2017, 1, 4, 23, 59, 59), 3), (at(2026, 3, 1, 0, 0, 0), 7)]
        {
            assert_eq!(date.day_of_week(), Some(day), "{date:?}");
        }
        assert_eq!(at(1582, 10, 15, 0, 0, 0).day_of_week(), Some(5), "the first day of the Gregorian calendar");
        assert_eq!(at(2023, 2, 29, 0, 0, 0).day_of_week(), None);
        assert_eq!(at(2023, 0, 1, 0, 0, 0).day_of_week(), None);
    }

    #[test]
    fn unknown_is_not_impossible() {
        for unknown in [(0, 4, 17), (2024, 0, 17), (2024, 4, 0), (0, 0, 0), (0, 2, 29)] {
            assert_eq!(clock(unknown.0, unknown.1, unknown.2, 20, 41, 59), WallClock::Unknown, "{unknown:?}");
        }
        for impossible in [(2024, 13, 1), (2023, 2, 29), (1900, 2, 29), (2024, 4, 31), (1581, 1, 1), (10_000, 1, 1)] {
            assert_eq!(
                clock(impossible.0, impossible.1, impossible.2, 0, 0, 0),
                WallClock::Impossible,
                "{impossible:?}"
            );
        }
        for (hour, minute, second) in [(24, 0, 0), (0, 60, 0), (0, 0, 60), (255, 255, 255)] {
            assert_eq!(clock(2024, 1, 1, hour, minute, second), WallClock::Impossible);
        }
    }
}
