//! What a field says.

use std::borrow::Cow;

use afferent_plugin_sdk::{Decimal, DeviceTime, Timestamp, WallClock};

use crate::table::Literal;

/// The value in a slot.
#[derive(Debug, Clone)]
pub(super) enum Datum<'d> {
    /// The field is not there, or stands for no value.
    Missing,
    /// Why there is no value.
    Absent(Cow<'static, str>),
    Number(Decimal),
    Text(Cow<'d, str>),
    Boolean(bool),
    Time(Moment),
}

/// A time as the payload says it.
#[derive(Debug, Clone)]
pub(super) enum Moment {
    /// A device's wall clock, which may be unset or impossible.
    Clock(WallClock),
    Stamp(Timestamp),
    /// Milliseconds before the capture.
    Before(u64),
}

impl Datum<'_> {
    pub(super) fn is_there(&self) -> bool {
        match self {
            Self::Missing | Self::Time(Moment::Clock(WallClock::Unknown | WallClock::Impossible)) => false,
            Self::Absent(_) | Self::Number(_) | Self::Text(_) | Self::Boolean(_) | Self::Time(_) => true,
        }
    }

    /// The whole number that it is.
    pub(super) fn integer(&self) -> Option<i64> {
        match self {
            Self::Number(number) => number.to_integer(),
            _ => None,
        }
    }

    /// As a text shows it; none where there is none.
    pub(super) fn shown(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Missing | Self::Absent(_) => None,
            Self::Number(number) => Some(Cow::Owned(number.to_string())),
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Boolean(boolean) => Some(Cow::Borrowed(if *boolean { "true" } else { "false" })),
            Self::Time(Moment::Clock(WallClock::Local(text))) => Some(Cow::Borrowed(text)),
            Self::Time(Moment::Stamp(stamp)) => Some(Cow::Owned(stamp.to_string())),
            Self::Time(_) => None,
        }
    }

    /// Is it what the table wrote?
    pub(super) fn is(&self, literal: &Literal) -> bool {
        match (self, literal) {
            (Self::Number(number), Literal::Number(other)) => same(*number, (*other).into()),
            (Self::Boolean(boolean), Literal::Boolean(other)) => boolean == other,
            (Self::Boolean(boolean), Literal::Number(other)) => {
                same(Decimal::new(i64::from(*boolean), 0), (*other).into())
            }
            (Self::Text(text), Literal::Text(other)) => text == other,
            _ => false,
        }
    }
}

impl Moment {
    pub(super) fn device_time(&self) -> DeviceTime {
        match self {
            Self::Clock(clock) => clock.device_time(),
            Self::Stamp(stamp) => stamp.device_time(),
            Self::Before(ms) => DeviceTime::BeforeCapture(*ms),
        }
    }
}

/// As numbers: 5.0 is 5.
pub(super) fn same(one: Decimal, other: Decimal) -> bool {
    compare(one, other).is_eq()
}

/// How two decimals compare, whatever their exponents.
pub(super) fn compare(one: Decimal, other: Decimal) -> core::cmp::Ordering {
    if one.exponent == other.exponent {
        return one.mantissa.cmp(&other.mantissa);
    }
    if other.exponent == 0 {
        return one.compare(other.mantissa);
    }
    let (Some(places), sign) = (one.exponent.checked_sub(other.exponent), one.mantissa.signum()) else {
        return core::cmp::Ordering::Equal;
    };
    let power = 10_i128.checked_pow(places.unsigned_abs()).filter(|_| places.unsigned_abs() < 19);
    match (power, places > 0) {
        (Some(power), true) => (i128::from(one.mantissa) * power).cmp(&i128::from(other.mantissa)),
        (Some(power), false) => i128::from(one.mantissa).cmp(&(i128::from(other.mantissa) * power)),
        // Nineteen places apart the one with the greater exponent is the greater in size, unless it is 0.
        (None, true) if one.mantissa != 0 => sign.cmp(&0),
        (None, true) => 0.cmp(&other.mantissa),
        (None, false) if other.mantissa != 0 => 0.cmp(&other.mantissa.signum()),
        (None, false) => one.mantissa.cmp(&0),
    }
}
