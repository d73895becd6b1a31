//! Exact decimals, and the number formats of IEEE 11073-20601 with their special values.

use core::cmp::Ordering;
use core::fmt;

use crate::{Decimal, DecodeError, Quantity, Value};

impl Decimal {
    /// `mantissa × 10^exponent`. Trailing zeros are precision: `new(200, -2)` is 2.00.
    #[must_use]
    pub const fn new(mantissa: i64, exponent: i32) -> Self {
        Self { mantissa, exponent }
    }

    /// Reads a decimal as JSON or a text protocol writes it (`97`, `-0.5`, `36.60`, `1.2e-6`), keeping its precision.
    ///
    /// # Errors
    ///
    /// It is no decimal number, has more than 18 significant digits, or an exponent outside -64 to 64.
    pub fn parse(text: &str) -> Result<Self, DecodeError> {
        let written = Written::read(text)?;
        written.decimal(written.digits(), written.exponent)
    }

    /// Reads a decimal and rounds it, half to even, to this many decimal places where it has more: the resolution of
    /// the device. More digits than that are the noise of a binary float (`72.0999984741211`, `36.43000031`), so zeros
    /// that rounding leaves are no precision either: 72.1, not 72.100. A number that has no more places stays as it was
    /// written: `97.50` keeps its zero.
    ///
    /// # Errors
    ///
    /// It is no decimal number, or has more than 18 significant digits at this resolution.
    pub fn parse_rounded(text: &str, places: u8) -> Result<Self, DecodeError> {
        let written = Written::read(text)?;
        let resolution = -i32::from(places);
        let Ok(surplus) = usize::try_from(resolution.saturating_sub(written.exponent)) else {
            return Self::parse(text);
        };
        if surplus == 0 {
            return Self::parse(text);
        }
        let kept = (written.whole.len() + written.fraction.len()).checked_sub(surplus);
        let magnitude = written.decimal(written.digits().take(kept.unwrap_or(0)), resolution)?.mantissa;
        let mut rest = written.digits().skip(kept.unwrap_or(0)).map(|digit| digit - b'0');
        // Where all digits lie more than a place below the resolution, none of them can lift it.
        let first = if kept.is_some() { rest.next() } else { None };
        let up = match first {
            Some(5) => rest.any(|digit| digit > 0) || magnitude % 2 != 0,
            Some(digit) => digit > 5,
            None => false,
        };
        let (mut mantissa, mut exponent) = (magnitude.abs() + i64::from(up), resolution);
        while exponent < 0 && mantissa % 10 == 0 {
            (mantissa, exponent) = (mantissa / 10, exponent + 1);
        }
        Ok(Self::new(if written.negative { -mantissa } else { mantissa }, exponent))
    }

    /// Times `10^places`, exactly: grams in kilograms are `shifted(-3)`, with their precision (69800 g are 69.800 kg).
    #[must_use]
    pub const fn shifted(self, places: i32) -> Self {
        Self::new(self.mantissa, self.exponent.saturating_add(places))
    }

    /// The whole number that it is; none where it has a fraction, or does not fit.
    #[must_use]
    pub fn to_integer(self) -> Option<i64> {
        if self.mantissa == 0 {
            return Some(0);
        }
        let power = 10_i64.checked_pow(self.exponent.unsigned_abs())?;
        match self.exponent {
            0.. => self.mantissa.checked_mul(power),
            _ => (self.mantissa % power == 0).then(|| self.mantissa / power),
        }
    }

    /// How it compares with a whole number, as numbers: 5.0 equals 5.
    #[must_use]
    pub fn compare(self, whole: i64) -> Ordering {
        let places = self.exponent.unsigned_abs().min(64);
        // Beyond 19 places the smaller side is known without the product: mantissas have at most 19 digits.
        let power = 10_i128.pow(places.min(19));
        let (mantissa, whole) = (i128::from(self.mantissa), i128::from(whole));
        if self.exponent >= 0 { (mantissa * power).cmp(&whole) } else { mantissa.cmp(&(whole * power)) }
    }
}

/// The parts of a number as text.
struct Written<'t> {
    negative: bool,
    whole: &'t str,
    fraction: &'t str,
    /// The power of ten of the last digit.
    exponent: i32,
}

impl<'t> Written<'t> {
    fn read(text: &'t str) -> Result<Self, DecodeError> {
        let (number, power) = match text.split_once(['e', 'E']) {
            Some((number, power)) => (number, power.parse::<i32>().map_err(|_no_integer| not_a_number())?),
            None => (text, 0),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let (negative, whole) = whole.strip_prefix('-').map_or((false, whole), |digits| (true, digits));
        let is_number = |digits: &str| digits.bytes().all(|digit| digit.is_ascii_digit());
        if whole.is_empty() || number.ends_with('.') || !is_number(whole) || !is_number(fraction) {
            return Err(not_a_number());
        }
        let places = i32::try_from(fraction.len()).map_err(|_too_long| not_a_number())?;
        let exponent = power.checked_sub(places).ok_or_else(not_a_number)?;
        Ok(Self { negative, whole, fraction, exponent })
    }

    fn digits(&self) -> impl Iterator<Item = u8> + use<'t> {
        self.whole.bytes().chain(self.fraction.bytes())
    }

    fn decimal(&self, digits: impl Iterator<Item = u8>, exponent: i32) -> Result<Decimal, DecodeError> {
        if !(-64..=64).contains(&exponent) {
            return Err(not_a_number());
        }
        let mut mantissa = 0_i64;
        for digit in digits {
            if mantissa >= 100_000_000_000_000_000 {
                return Err(DecodeError::malformed("a number of more than 18 digits"));
            }
            mantissa = mantissa * 10 + i64::from(digit - b'0');
        }
        Ok(Decimal::new(if self.negative { -mantissa } else { mantissa }, exponent))
    }
}

#[cold]
fn not_a_number() -> DecodeError {
    DecodeError::malformed("not a decimal number")
}

impl fmt::Display for Decimal {
    /// As FHIR writes it: plain digits, with the precision that it has (`2.0`, `0.0012`, `-40`).
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.mantissa.unsigned_abs().to_string();
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let Ok(places) = usize::try_from(self.exponent.saturating_neg()) else {
            let zeros = if self.mantissa == 0 { 0 } else { usize::try_from(self.exponent).unwrap_or(0) };
            return write!(out, "{sign}{digits}{:0<zeros$}", "");
        };
        if places == 0 {
            return write!(out, "{sign}{digits}");
        }
        let padded = format!("{digits:0>width$}", width = places + 1);
        let (whole, fraction) = padded.split_at(padded.len() - places);
        write!(out, "{sign}{whole}.{fraction}")
    }
}

/// A number as a medical device says it: a decimal, or the reason why there is none (IEEE 11073-20601).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// An exact decimal.
    Finite(Decimal),
    /// NaN: the device has no value.
    NotANumber,
    /// +INFINITY: above what the format can say.
    PositiveInfinity,
    /// -INFINITY: below what the format can say.
    NegativeInfinity,
    /// `NRes`: not at this resolution.
    NotAtThisResolution,
    /// A code that the standard reserves.
    Reserved,
}

impl Number {
    /// SFLOAT: a 4-bit exponent and a 12-bit mantissa, both two's complement. Special values hold only with exponent 0.
    #[must_use]
    pub fn from_sfloat(raw: u16) -> Self {
        match raw {
            0x07FF => Self::NotANumber,
            0x07FE => Self::PositiveInfinity,
            0x0802 => Self::NegativeInfinity,
            0x0800 => Self::NotAtThisResolution,
            0x0801 => Self::Reserved,
            _ => {
                // Shifting the mantissa to the top and back extends its sign.
                let mantissa = (raw << 4).cast_signed() >> 4;
                Self::Finite(Decimal::new(i64::from(mantissa), i32::from(raw.cast_signed() >> 12)))
            }
        }
    }

    /// FLOAT: an 8-bit exponent and a 24-bit mantissa, both two's complement. Special values hold only with exponent 0.
    #[must_use]
    pub fn from_float(raw: u32) -> Self {
        match raw {
            0x007F_FFFF => Self::NotANumber,
            0x007F_FFFE => Self::PositiveInfinity,
            0x0080_0002 => Self::NegativeInfinity,
            0x0080_0000 => Self::NotAtThisResolution,
            0x0080_0001 => Self::Reserved,
            _ => {
                let mantissa = (raw << 8).cast_signed() >> 8;
                Self::Finite(Decimal::new(i64::from(mantissa), raw.cast_signed() >> 24))
            }
        }
    }

    /// FHIR's data-absent-reason for a special value (HL7 PHD IG, FLOATS), or none for a decimal.
    #[must_use]
    pub const fn absent_reason(&self) -> Option<&'static str> {
        match self {
            Self::Finite(_) => None,
            Self::NotANumber => Some("not-a-number"),
            Self::PositiveInfinity => Some("positive-infinity"),
            Self::NegativeInfinity => Some("negative-infinity"),
            Self::NotAtThisResolution | Self::Reserved => Some("error"),
        }
    }

    /// A quantity in the UCUM `unit`, or absent with the reason.
    #[must_use]
    pub fn in_unit(self, unit: &str) -> Value {
        match self {
            Self::Finite(decimal) => Value::decimal(decimal, unit),
            special => Value::absent(special.absent_reason().unwrap_or("error")),
        }
    }
}

impl Value {
    /// A number in the UCUM `unit` in which the device said it.
    #[must_use]
    pub fn decimal(value: Decimal, unit: &str) -> Self {
        Self::Quantity(Quantity::new(value, unit))
    }

    /// No value, with a code of FHIR's data-absent-reason.
    #[must_use]
    pub fn absent(reason: &str) -> Self {
        Self::Absent(reason.to_owned())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn text(number: Number) -> String {
        match number {
            Number::Finite(decimal) => decimal.to_string(),
            special => special.absent_reason().unwrap().to_owned(),
        }
    }

    #[test]
    fn an_sfloat_keeps_its_precision() {
        for (raw, expected) in [
            (0x0072, "114"),
            (0xF014, "2.0"),
            (0xE0C8, "2.00"),
            (0x8078, "0.00000120"),
            (0x7001, "10000000"),
            (0x0FFF, "-1"),
            (0xFFFF, "-0.1"),
            (0x0000, "0"),
            (0x3000, "0"),
            (0x17FF, "20470"),
            (0x07FD, "2045"),
            (0x0803, "-2045"),
            (0x07FF, "not-a-number"),
            (0x07FE, "positive-infinity"),
            (0x0802, "negative-infinity"),
            (0x0800, "error"),
            (0x0801, "error"),
        ] {
            assert_eq!(text(Number::from_sfloat(raw)), expected, "{raw:#06x}");
        }
    }

    #[test]
    fn a_float_keeps_its_precision() {
        for (raw, expected) in [
            (0xFF00_016A, "36.2"),
            (0xFE00_0F40, "39.04"),
            (0xFF00_0168, "36.0"),
            (0xFF00_03DA, "98.6"),
            (0x00FF_FFFF, "-1"),
            (0x0100_0002, "20"),
            (0x017F_FFFF, "83886070"),
            (0x007F_FFFF, "not-a-number"),
            (0x007F_FFFE, "positive-infinity"),
            (0x0080_0002, "negative-infinity"),
            (0x0080_0000, "error"),
            (0x0080_0001, "error"),
        ] {
            assert_eq!(text(Number::from_float(raw)), expected, "{raw:#010x}");
        }
    }

    #[test]
    fn every_finite_sfloat_is_its_mantissa_and_exponent() {
        for raw in 0..=u16::MAX {
            if let Number::Finite(decimal) = Number::from_sfloat(raw) {
                let packed = (decimal.mantissa & 0x0FFF) | (i64::from(decimal.exponent & 0xF) << 12);
                assert_eq!(packed, i64::from(raw));
            }
        }
    }

    #[test]
    fn text_becomes_the_same_decimal() {
        for written in ["0", "97.50", "-0.5", "36.60", "120", "0.000"] {
            assert_eq!(Decimal::parse(written).unwrap().to_string(), written);
        }
        assert_eq!(Decimal::parse("1.2e-6").unwrap(), Decimal::new(12, -7));
        assert_eq!(Decimal::parse("5E2").unwrap().to_string(), "500");
        for wrong in ["", "-", ".5", "5.", "1,5", "+1", "NaN", "1e999", "1234567890123456789012", "--1", "1.-2"] {
            assert!(Decimal::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn digits_below_the_resolution_are_rounded_half_to_even() {
        for (written, places, expected) in [
            ("72.0999984741211", 3, "72.1"),
            ("36.43000031", 2, "36.43"),
            ("97.50", 2, "97.50"),
            ("97.50", 1, "97.5"),
            ("97.5", 0, "98"),
            ("96.5", 0, "96"),
            ("96.50000000000000000000000000001", 0, "97"),
            ("-0.25", 1, "-0.2"),
            ("-0.35", 1, "-0.4"),
            ("0.04", 1, "0"),
            ("0.05", 1, "0"),
            ("0.06", 1, "0.1"),
            ("0.006", 1, "0"),
            ("9.96", 1, "10"),
            ("99.999", 0, "100"),
            ("1.5e-6", 6, "0.000002"),
            ("6.5e-300", 3, "0"),
            ("120", 0, "120"),
            ("12e1", 2, "120"),
            ("36.430000305175781250", 2, "36.43"),
        ] {
            assert_eq!(Decimal::parse_rounded(written, places).unwrap().to_string(), expected, "{written}");
        }
        for wrong in ["", "x", "1,5", "1.2.3", "1e999", "1234567890123456789012.5"] {
            assert!(Decimal::parse_rounded(wrong, 1).is_err(), "{wrong}");
        }
    }

    #[test]
    fn decimals_are_compared_and_moved_exactly() {
        assert_eq!(Decimal::new(69_800, 0).shifted(-3).to_string(), "69.800");
        assert_eq!(Decimal::new(50, -1).compare(5), Ordering::Equal);
        assert_eq!(Decimal::new(389, -1).compare(39), Ordering::Less);
        assert_eq!(Decimal::new(-1, -64).compare(0), Ordering::Less);
        assert_eq!(Decimal::new(i64::MAX, -64).compare(1), Ordering::Less);
        assert_eq!(Decimal::new(i64::MIN, 64).compare(i64::MIN), Ordering::Less);
        assert_eq!(Decimal::new(1, 64).compare(i64::MAX), Ordering::Greater);
        assert_eq!(Decimal::new(930, -1).to_integer(), Some(93));
        assert_eq!(Decimal::new(12, 2).to_integer(), Some(1200));
        assert_eq!(Decimal::new(0, 64).to_integer(), Some(0));
        for none in [Decimal::new(935, -1), Decimal::new(1, 19), Decimal::new(1, -64)] {
            assert_eq!(none.to_integer(), None, "{none}");
        }
    }
}
