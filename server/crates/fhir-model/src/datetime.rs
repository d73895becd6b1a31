//! FHIR dates and times of any precision, and the half-open range of instants each stands for
//! (<https://hl7.org/fhir/R4/datatypes.html#dateTime>, <https://hl7.org/fhir/R4/search.html#date>).
//!
//! Without an offset a time is read as UTC: a server that serves several zones has no better answer, and the
//! specification leaves it to the server. Instants are cut to microseconds, which is what Postgres holds.

use chrono::{DateTime, Days, FixedOffset, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};

/// How exactly a date was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Precision {
    /// `2026`
    Year,
    /// `2026-11`
    Month,
    /// `2026-11-22`
    Day,
    /// `2026-11-22T20:52`; in search only, resources must give the seconds.
    Minute,
    /// `2026-11-22T20:52:10`
    Second,
    /// `2026-11-22T20:52:10.123`
    Fraction,
}

/// What a date, dateTime or instant stands for: all instants from `low` (included) to `high` (excluded).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateRange {
    /// The first instant.
    pub low: DateTime<Utc>,
    /// The first instant that is no longer meant.
    pub high: DateTime<Utc>,
    /// How exactly it was given.
    pub precision: Precision,
    /// Whether it carried `Z` or an offset. False means UTC was assumed.
    pub zoned: bool,
}

/// Why a text is no date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DateError {
    /// Not of the form that FHIR prescribes.
    #[error("is not of the form YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss(.sss)(Z or +hh:mm)")]
    Form,
    /// Well formed, but there is no such day or time.
    #[error("names a day or time that does not exist")]
    NoSuchDay,
}

impl DateRange {
    /// Reads any of the forms; which of them are allowed where is for the caller, by `precision` and `zoned`.
    ///
    /// # Errors
    /// [`DateError`] when the text is none of them.
    pub fn parse(text: &str) -> Result<Self, DateError> {
        let (date, time) = match text.split_once('T') {
            Some((date, time)) => (date, Some(time)),
            None => (text, None),
        };
        let (day, precision) = parse_date(date)?;
        match time {
            None => Self::of_days(day, precision).ok_or(DateError::NoSuchDay),
            Some(_) if precision != Precision::Day => Err(DateError::Form),
            Some(time) => Self::of_time(day, time),
        }
    }

    fn of_days(day: NaiveDate, precision: Precision) -> Option<Self> {
        let after = match precision {
            Precision::Year => day.checked_add_months(Months::new(12))?,
            Precision::Month => day.checked_add_months(Months::new(1))?,
            _ => day.checked_add_days(Days::new(1))?,
        };
        let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
        Some(Self { low: midnight(day), high: midnight(after), precision, zoned: false })
    }

    fn of_time(day: NaiveDate, text: &str) -> Result<Self, DateError> {
        let (clock, offset) = split_offset(text)?;
        let (time, precision, width) = parse_clock(clock)?;
        let local = day.and_time(NaiveTime::MIN).checked_add_signed(time).ok_or(DateError::NoSuchDay)?;
        let low = to_utc(local, offset).ok_or(DateError::NoSuchDay)?;
        let high = low.checked_add_signed(width).ok_or(DateError::NoSuchDay)?;
        Ok(Self { low, high, precision, zoned: offset.is_some() })
    }
}

fn to_utc(local: NaiveDateTime, offset: Option<FixedOffset>) -> Option<DateTime<Utc>> {
    let seconds = offset.map_or(0, |offset| offset.local_minus_utc());
    Some(local.checked_sub_signed(TimeDelta::seconds(i64::from(seconds)))?.and_utc())
}

fn parse_date(text: &str) -> Result<(NaiveDate, Precision), DateError> {
    let mut parts = text.split('-');
    let year = digits(parts.next().unwrap_or_default(), 4)?;
    let month = parts.next().map(|part| digits(part, 2)).transpose()?;
    let day = parts.next().map(|part| digits(part, 2)).transpose()?;
    if parts.next().is_some() {
        return Err(DateError::Form);
    }
    let precision = match (month, day) {
        (None, _) => Precision::Year,
        (_, None) => Precision::Month,
        _ => Precision::Day,
    };
    let year = i32::try_from(year).map_err(|_too_large| DateError::Form)?;
    if year == 0 {
        return Err(DateError::NoSuchDay);
    }
    let day = NaiveDate::from_ymd_opt(year, month.unwrap_or(1), day.unwrap_or(1)).ok_or(DateError::NoSuchDay)?;
    Ok((day, precision))
}

/// Splits `Z` or `±hh:mm` (up to 14:00) off a time.
fn split_offset(text: &str) -> Result<(&str, Option<FixedOffset>), DateError> {
    if let Some(clock) = text.strip_suffix('Z') {
        return Ok((clock, FixedOffset::east_opt(0)));
    }
    let Some(at) = text.rfind(['+', '-']) else {
        return Ok((text, None));
    };
    let (clock, offset) = text.split_at(at);
    let (sign, hours_minutes) = offset.split_at(1);
    let (hours, minutes) = hours_minutes.split_once(':').ok_or(DateError::Form)?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    if minutes > 59 || hours > 14 || (hours == 14 && minutes > 0) {
        return Err(DateError::NoSuchDay);
    }
    let seconds = i32::try_from(hours * 3600 + minutes * 60).map_err(|_too_large| DateError::NoSuchDay)?;
    let offset = FixedOffset::east_opt(if sign == "-" { -seconds } else { seconds });
    Ok((clock, Some(offset.ok_or(DateError::NoSuchDay)?)))
}

/// Time since midnight, its precision, and how long that precision lasts.
fn parse_clock(text: &str) -> Result<(TimeDelta, Precision, TimeDelta), DateError> {
    let mut parts = text.split(':');
    let hours = digits(parts.next().unwrap_or_default(), 2)?;
    let minutes = digits(parts.next().ok_or(DateError::Form)?, 2)?;
    let seconds = parts.next();
    if parts.next().is_some() {
        return Err(DateError::Form);
    }
    let (seconds, fraction) = match seconds.map(|text| text.split_once('.').map_or((text, None), |(s, f)| (s, Some(f))))
    {
        None => (None, None),
        Some((seconds, fraction)) => (Some(digits(seconds, 2)?), fraction.map(parse_fraction).transpose()?),
    };
    // Leap seconds exist: 60 is allowed and means the first instant of the next minute.
    if hours > 23 || minutes > 59 || seconds.is_some_and(|seconds| seconds > 60) {
        return Err(DateError::NoSuchDay);
    }
    let whole = TimeDelta::seconds(i64::from(hours * 3600 + minutes * 60 + seconds.unwrap_or(0)));
    Ok(match (seconds, fraction) {
        (None, _) => (whole, Precision::Minute, TimeDelta::minutes(1)),
        (_, None) => (whole, Precision::Second, TimeDelta::seconds(1)),
        (_, Some((micros, width))) => {
            (whole + TimeDelta::microseconds(micros), Precision::Fraction, TimeDelta::microseconds(width))
        }
    })
}

/// Microseconds, and the width of the last digit given, which is never below one microsecond.
fn parse_fraction(text: &str) -> Result<(i64, i64), DateError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DateError::Form);
    }
    let mut micros = 0;
    let mut width = 1_000_000;
    for byte in text.bytes().take(6) {
        width /= 10;
        micros += i64::from(byte - b'0') * width;
    }
    Ok((micros, width))
}

fn digits(text: &str, count: usize) -> Result<u32, DateError> {
    if text.len() != count || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DateError::Form);
    }
    text.parse().map_err(|_too_large| DateError::Form)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn range(text: &str) -> (String, String) {
        let range = DateRange::parse(text).unwrap();
        (range.low.to_rfc3339(), range.high.to_rfc3339())
    }

    fn pair(low: &str, high: &str) -> (String, String) {
        (low.to_owned(), high.to_owned())
    }

    #[test]
    fn partial_dates_are_ranges() {
        assert_eq!(range("2024"), pair("2024-01-01T00:00:00+00:00", "2025-01-01T00:00:00+00:00"));
        assert_eq!(range("2024-02"), pair("2024-02-01T00:00:00+00:00", "2024-03-01T00:00:00+00:00"));
        assert_eq!(range("2024-02-29"), pair("2024-02-29T00:00:00+00:00", "2024-03-01T00:00:00+00:00"));
        assert_eq!(range("9999-12-31").1, "+10000-01-01T00:00:00+00:00");
    }

    #[test]
    fn times_keep_their_offset_and_precision() {
        assert_eq!(range("2026-11-22T20:52:10+01:00"), pair("2026-11-22T19:52:10+00:00", "2026-11-22T19:52:11+00:00"));
        assert_eq!(
            range("2026-11-22T20:52:10.12Z"),
            pair("2026-11-22T20:52:10.120+00:00", "2026-11-22T20:52:10.130+00:00")
        );
        assert_eq!(range("2026-11-22T20:52"), pair("2026-11-22T20:52:00+00:00", "2026-11-22T20:53:00+00:00"));
        assert_eq!(range("2026-11-22T20:52:10.1234567Z").0, "2026-11-22T20:52:10.123456+00:00");
        assert_eq!(range("2016-12-31T23:59:60Z").0, "2017-01-01T00:00:00+00:00");
        let minute = DateRange::parse("2026-11-22T20:52").unwrap();
        assert_eq!((minute.precision, minute.zoned), (Precision::Minute, false));
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "20",
            "2024-1",
            "2024-01-01T",
            "2024-01-01T10",
            "2024-01T10:00:00Z",
            "2024-01-01 10:00:00",
            "2024-01-01T10:00:00.Z",
            "2024-01-01T10:00:00+0100",
            "02024",
            "2024-01-01-01",
            "٢٠٢٤",
        ] {
            assert_eq!(DateRange::parse(text), Err(DateError::Form), "{text}");
        }
        for text in [
            "0000",
            "2023-02-29",
            "2024-13",
            "2024-04-31",
            "2024-01-01T24:00:00Z",
            "2024-01-01T10:60:00Z",
            "2024-01-01T10:00:61Z",
            "2024-01-01T10:00:00+14:30",
        ] {
            assert_eq!(DateRange::parse(text), Err(DateError::NoSuchDay), "{text}");
        }
    }
}
