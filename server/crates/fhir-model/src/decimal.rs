//! Exact decimals: FHIR's `decimal`, IEEE 11073's SFLOAT and FLOAT. Trailing zeros are precision and survive.
//!
//! No binary float takes part in a clinical number; [`Decimal::to_f64`] exists for index columns alone.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// The largest power of ten, in either direction, that a decimal may carry (the decoder contract's bound).
pub const MAX_EXPONENT: i32 = 64;

/// An exact decimal, `mantissa × 10^exponent`.
///
/// Equality is that of the text: 2.0 and 2.00 differ. [`Decimal::compare`] compares the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Decimal {
    mantissa: i64,
    exponent: i32,
}

/// Why a text or a pair of numbers is no decimal of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// The text is not of FHIR's form `-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?`.
    #[error("not a FHIR decimal")]
    Syntax,
    /// More digits than 64 bits hold, or an exponent outside -64..=64.
    #[error("a decimal of more than 18 digits, or with an exponent outside -64..=64")]
    Range,
}

impl Decimal {
    /// `mantissa × 10^exponent`; [`DecimalError::Range`] when the exponent is outside -64..=64.
    pub fn new(mantissa: i64, exponent: i32) -> Result<Self, DecimalError> {
        if exponent.abs() > MAX_EXPONENT {
            return Err(DecimalError::Range);
        }
        Ok(Self { mantissa, exponent })
    }

    /// The digits with their sign, trailing zeros included.
    pub fn mantissa(self) -> i64 {
        self.mantissa
    }

    /// The power of ten.
    pub fn exponent(self) -> i32 {
        self.exponent
    }

    /// The same number without trailing zeros after the point or before it: 36.60 becomes 366e-1. For hashing, not for people.
    pub fn normalised(self) -> Self {
        if self.mantissa == 0 {
            return Self { mantissa: 0, exponent: 0 };
        }
        let mut reduced = self;
        while reduced.mantissa % 10 == 0 && reduced.exponent < MAX_EXPONENT {
            reduced.mantissa /= 10;
            reduced.exponent += 1;
        }
        reduced
    }

    /// Compares the numbers: 2.0 equals 2.00.
    pub fn compare(self, other: Self) -> Ordering {
        let (left, right) = (self.normalised(), other.normalised());
        match left.mantissa.signum().cmp(&right.mantissa.signum()) {
            Ordering::Equal => {}
            unequal => return unequal,
        }
        let magnitude = left.magnitude().cmp(&right.magnitude());
        if magnitude != Ordering::Equal {
            return if left.mantissa < 0 { magnitude.reverse() } else { magnitude };
        }
        // The first digits have the same weight, so the exponents differ by less than 19 and both sides fit 128 bits.
        let lowest = left.exponent.min(right.exponent);
        left.aligned(lowest).cmp(&right.aligned(lowest))
    }

    /// The same number multiplied by a power of ten, with every digit kept: 1.750 shifted by 2 is 175.0.
    pub fn shifted(self, powers: i32) -> Result<Self, DecimalError> {
        Self::new(self.mantissa, self.exponent.checked_add(powers).ok_or(DecimalError::Range)?)
    }

    /// `(self × multiply + add) ÷ divide`, computed exactly and rounded once, half to even, to `decimals` places.
    ///
    /// [`DecimalError::Range`] when `divide` is not positive or a number on the way does not fit 128 bits.
    pub fn affine(self, multiply: i64, add: i64, divide: i64, decimals: u32) -> Result<Self, DecimalError> {
        self.affine_wide(multiply, add, divide, decimals).ok_or(DecimalError::Range)
    }

    fn affine_wide(self, multiply: i64, add: i64, divide: i64, decimals: u32) -> Option<Self> {
        if divide <= 0 {
            return None;
        }
        let reduced = self.normalised();
        let scale = 10i128.checked_pow(reduced.exponent.unsigned_abs())?;
        let product = i128::from(reduced.mantissa).checked_mul(i128::from(multiply))?;
        let (numerator, denominator) = if reduced.exponent >= 0 {
            (product.checked_mul(scale)?.checked_add(i128::from(add))?, i128::from(divide))
        } else {
            let offset = i128::from(add).checked_mul(scale)?;
            (product.checked_add(offset)?, i128::from(divide).checked_mul(scale)?)
        };
        let numerator = numerator.checked_mul(10i128.checked_pow(decimals)?)?;
        let (quotient, rest) = (numerator.div_euclid(denominator), numerator.rem_euclid(denominator));
        let rounded = match rest.checked_mul(2)?.cmp(&denominator) {
            Ordering::Less => quotient,
            Ordering::Greater => quotient + 1,
            Ordering::Equal => quotient + quotient.rem_euclid(2),
        };
        Self::new(i64::try_from(rounded).ok()?, -i32::try_from(decimals).ok()?).ok()
    }

    /// `self × factor + offset`, exactly: what a raw sample of a waveform is. `None` when it does not fit.
    pub fn times_plus(self, factor: i32, offset: Self) -> Option<Self> {
        let exponent = match (self.mantissa, offset.mantissa) {
            (0, _) => offset.exponent,
            (_, 0) => self.exponent,
            _ => self.exponent.min(offset.exponent),
        };
        let scaled = |number: Self| {
            let shift = u32::try_from(number.exponent.checked_sub(exponent)?).ok();
            match (number.mantissa, shift) {
                (0, _) => Some(0),
                (mantissa, shift) => i128::from(mantissa).checked_mul(10i128.checked_pow(shift?)?),
            }
        };
        let sum = scaled(self)?.checked_mul(i128::from(factor))?.checked_add(scaled(offset)?)?;
        Self::new(i64::try_from(sum).ok()?, exponent).ok()
    }

    /// The nearest binary float, for index columns and thresholds, never for what is shown or sent.
    pub fn to_f64(self) -> f64 {
        // The standard library's parser rounds correctly; a product of two floats would round twice.
        format!("{}e{}", self.mantissa, self.exponent).parse().unwrap_or(f64::NAN)
    }

    /// The power of ten of the first digit; the sign takes no part. Zero is below everything.
    fn magnitude(self) -> i64 {
        match self.mantissa.unsigned_abs().checked_ilog10() {
            Some(digits) => i64::from(digits) + i64::from(self.exponent),
            None => i64::MIN,
        }
    }

    fn aligned(self, exponent: i32) -> i128 {
        let powers = u32::try_from(self.exponent - exponent).unwrap_or(0);
        i128::from(self.mantissa).saturating_mul(10i128.saturating_pow(powers))
    }
}

/// FHIR's text: plain digits, never an exponent; 20e-1 is `2.0`, 5e2 is `500`.
impl fmt::Display for Decimal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.mantissa < 0 {
            out.write_str("-")?;
        }
        let digits = self.mantissa.unsigned_abs().to_string();
        if self.exponent >= 0 {
            out.write_str(&digits)?;
            let zeros = if self.mantissa == 0 { 0 } else { usize::try_from(self.exponent).unwrap_or(0) };
            return write!(out, "{:0<zeros$}", "");
        }
        let places = usize::try_from(self.exponent.unsigned_abs()).unwrap_or(0);
        let padded = format!("{digits:0>width$}", width = places + 1);
        let (whole, fraction) = padded.split_at(padded.len() - places);
        write!(out, "{whole}.{fraction}")
    }
}

impl FromStr for Decimal {
    type Err = DecimalError;

    /// Reads FHIR's decimal; digits and trailing zeros are kept as they stand.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, parse_exponent(exponent)?),
            None => (text, 0),
        };
        let (sign, unsigned) = match number.strip_prefix('-') {
            Some(rest) => ("-", rest),
            None => ("", number),
        };
        let (whole, fraction) = match unsigned.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return Err(DecimalError::Syntax),
            None => (unsigned, ""),
        };
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let leading_zero = whole.len() > 1 && whole.starts_with('0');
        if whole.is_empty() || leading_zero || !digits(whole) || !digits(fraction) {
            return Err(DecimalError::Syntax);
        }
        let mantissa = format!("{sign}{whole}{fraction}").parse().map_err(|_out_of_range| DecimalError::Range)?;
        let places = i32::try_from(fraction.len()).map_err(|_out_of_range| DecimalError::Range)?;
        Self::new(mantissa, exponent.checked_sub(places).ok_or(DecimalError::Range)?)
    }
}

fn parse_exponent(text: &str) -> Result<i32, DecimalError> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DecimalError::Syntax);
    }
    text.parse().map_err(|_out_of_range| DecimalError::Range)
}

impl<'de> serde::Deserialize<'de> for Decimal {
    /// From a JSON string: numbers in the tables are written as text, so that no reader makes a float of them.
    fn deserialize<D: serde::Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let text = String::deserialize(source)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    /// Small deterministic numbers for the property tests (xorshift).
    fn numbers() -> impl Iterator<Item = i64> {
        let mut state = 0x9E37_79B9_7F4A_7C15u64;
        std::iter::repeat_with(move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            i64::try_from(state >> 24).unwrap() - (1 << 39)
        })
    }

    #[test]
    fn a_sample_is_scaled_exactly() {
        let line = |factor: &str, raw, offset: &str| {
            let number: Decimal = factor.parse().unwrap();
            number.times_plus(raw, offset.parse().unwrap()).map(|value| value.to_string())
        };
        assert_eq!(line("0.00488", 1000, "0").as_deref(), Some("4.88000"));
        assert_eq!(line("1.612", -3, "2048").as_deref(), Some("2043.164"));
        assert_eq!(line("0.1", 7, "-0.75").as_deref(), Some("-0.05"));
        assert_eq!(line("0", i32::MIN, "1e3").as_deref(), Some("1000"));
        assert_eq!(line("1e30", 1, "1"), None);
    }

    #[test]
    fn text_keeps_trailing_zeros_and_writes_exponents_out() {
        for (mantissa, exponent, text) in [
            (20, -1, "2.0"),
            (200, -2, "2.00"),
            (3660, -2, "36.60"),
            (5, 2, "500"),
            (0, 5, "0"),
            (0, -1, "0.0"),
            (-5, -3, "-0.005"),
            (-1234, -2, "-12.34"),
            (7, 0, "7"),
            (i64::MIN, 0, "-9223372036854775808"),
        ] {
            assert_eq!(Decimal::new(mantissa, exponent).unwrap().to_string(), text);
        }
    }

    #[test]
    fn text_and_number_round_trip() {
        for (mantissa, exponent) in numbers().zip((-12..=0).cycle()).take(5_000) {
            let value = Decimal::new(mantissa, exponent).unwrap();
            assert_eq!(decimal(&value.to_string()), value);
        }
    }

    #[test]
    fn only_fhir_decimals_are_read() {
        for text in ["", "-", "+1", "01", "1.", ".5", "1e", "1e+", "0x1", "1 ", "NaN", "1.2.3", "--1", "1e1.0"] {
            assert_eq!(text.parse::<Decimal>(), Err(DecimalError::Syntax), "{text}");
        }
        assert_eq!("1e99".parse::<Decimal>(), Err(DecimalError::Range));
        assert_eq!("12345678901234567890".parse::<Decimal>(), Err(DecimalError::Range));
        assert_eq!(decimal("1.50e2"), Decimal::new(150, 0).unwrap());
    }

    #[test]
    fn order_is_that_of_the_numbers() {
        assert_eq!(decimal("2.0").compare(decimal("2.00")), Ordering::Equal);
        assert_eq!(decimal("-2.0").compare(decimal("-2.1")), Ordering::Greater);
        assert_eq!(decimal("0").compare(decimal("-0.001")), Ordering::Greater);
        assert_eq!(decimal("1e64").compare(decimal("9223372036854775807")), Ordering::Greater);
        assert_eq!(decimal("1e-64").compare(decimal("0")), Ordering::Greater);
        let pairs = numbers().zip(numbers().skip(7)).zip((-6..6).cycle());
        for ((left, right), exponent) in pairs.take(5_000) {
            let (a, b) = (Decimal::new(left, exponent).unwrap(), Decimal::new(right, exponent).unwrap());
            assert_eq!(a.compare(b), left.cmp(&right));
            let finer = Decimal::new(left * 1000, exponent - 3).unwrap();
            assert_eq!(finer.compare(a), Ordering::Equal);
            assert_eq!(a.compare(b), b.compare(a).reverse());
        }
    }

    #[test]
    fn rounding_is_half_to_even_and_happens_once() {
        for (text, decimals, expected) in [
            ("0.5", 0, "0"),
            ("1.5", 0, "2"),
            ("2.5", 0, "2"),
            ("-0.5", 0, "0"),
            ("-1.5", 0, "-2"),
            ("-2.5", 0, "-2"),
            ("2.51", 0, "3"),
            ("0.25", 1, "0.2"),
            ("0.35", 1, "0.4"),
            ("0.2500001", 1, "0.3"),
            ("7", 2, "7.00"),
        ] {
            assert_eq!(decimal(text).affine(1, 0, 1, decimals).unwrap().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn rounding_never_errs_by_more_than_half_a_step() {
        for (mantissa, exponent) in numbers().zip((-5..=1).cycle()).take(5_000) {
            let value = Decimal::new(mantissa, exponent).unwrap();
            let rounded = value.affine(7, 3, 11, 4).unwrap();
            // |rounded × 11 − (value × 7 + 3)| ≤ 11 × 0.00005, compared in units of 10^-5.
            let back = i128::from(rounded.mantissa()) * 11 * 10;
            let exact = i128::from(mantissa) * 7 * 10i128.pow((exponent + 5).unsigned_abs()) + 3 * 100_000;
            assert!((back - exact).abs() * 10 <= 11 * 50, "{value}");
        }
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        assert_eq!(Decimal::new(1, 65), Err(DecimalError::Range));
        assert_eq!(decimal("1e60").affine(1, 0, 1, 1), Err(DecimalError::Range));
        assert_eq!(decimal("1").affine(1, 0, 0, 1), Err(DecimalError::Range));
        assert_eq!(decimal("1.750").shifted(2).unwrap().to_string(), "175.0");
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "the nearest float is exactly defined")]
    fn index_floats_are_the_nearest() {
        assert_eq!(decimal("36.60").to_f64(), 36.6);
        assert_eq!(decimal("0.1").to_f64(), 0.1);
        assert_eq!(decimal("1e64").to_f64(), 1e64);
    }
}
