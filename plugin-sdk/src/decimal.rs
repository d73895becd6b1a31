//! Exact decimals, and the number formats of IEEE 11073-20601 with their special values.

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
        let wrong = || DecodeError::malformed("not a decimal number");
        let (number, power) = match text.split_once(['e', 'E']) {
            Some((number, power)) => (number, power.parse::<i32>().map_err(|_no_integer| wrong())?),
            None => (text, 0),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let (negative, whole) = whole.strip_prefix('-').map_or((false, whole), |digits| (true, digits));
        if whole.is_empty() || number.ends_with('.') {
            return Err(wrong());
        }
        let mut mantissa = 0_i64;
        for digit in whole.bytes().chain(fraction.bytes()) {
            if !digit.is_ascii_digit() || mantissa >= 100_000_000_000_000_000 {
                return Err(wrong());
            }
            mantissa = mantissa * 10 + i64::from(digit - b'0');
        }
        let places = i32::try_from(fraction.len()).map_err(|_too_long| wrong())?;
        let exponent = power.checked_sub(places).filter(|exponent| (-64..=64).contains(exponent)).ok_or_else(wrong)?;
        Ok(Self::new(if negative { -mantissa } else { mantissa }, exponent))
    }
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
        Self::Quantity(Quantity { value, unit: unit.to_owned(), comparator: None })
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
}
