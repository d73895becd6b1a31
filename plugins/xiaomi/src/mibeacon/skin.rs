//! The baby thermometer MMC-T201-1 sends two skin temperatures, and its app shows a body temperature made of them.
//!
//! The formula is an approximation of what the app showed between 36.5 and 37.8 °C, published with the parser
//! `xiaomi-ble`: `3.71934e-11 × e^(0.69314 × t1) - 1.02801e-8 × e^(0.53871 × t2) + 36.413`, in °C. Outside that range
//! it is no approximation of anything: a sensor on a table at 22 °C would give 36.413, and at 40 °C the two powers
//! differ by more than a body can. There the temperature is absent.

/// The range for which the formula was made, in thousandths of a degree.
const RANGE: core::ops::RangeInclusive<i128> = 36_500..=37_800;

/// The exponents' factors in units of 10^-7 per hundredth of a degree.
const FIRST_FACTOR: i64 = 69_314;
const SECOND_FACTOR: i64 = 53_871;

/// Below the first exponent is negative, above the powers are far beyond the range.
const HUNDREDTHS: core::ops::RangeInclusive<i16> = 0..=4500;

/// One in the fixed-point numbers of this file.
const ONE: i128 = 1_000_000_000_000;

/// The body temperature in thousandths of a degree; none outside the range for which it is known.
pub fn body_temperature(first: i16, second: i16) -> Option<i64> {
    if !HUNDREDTHS.contains(&first) || !HUNDREDTHS.contains(&second) {
        return None;
    }
    let first = exponential(FIRST_FACTOR * i64::from(first)) * 371_934 / 10_000_000_000_000_000;
    let second = exponential(SECOND_FACTOR * i64::from(second)) * 102_801 / 10_000_000_000_000;
    let temperature = first - second + 36_413 * (ONE / 1000);
    let thousandths = (temperature + ONE / 2000).div_euclid(ONE / 1000);
    RANGE.contains(&thousandths).then(|| i64::try_from(thousandths).ok()).flatten()
}

/// `e^x` in units of 10^-12, for `x` in units of 10^-7 from 0 to about 32. Exact arithmetic, so that every machine and
/// every replay gives the same digit: `(e^(x/256))^256`, the inner power by its series.
fn exponential(x: i64) -> i128 {
    let small = i128::from(x) * (ONE / 10_000_000) / 256;
    let (mut sum, mut term) = (ONE, ONE);
    for divisor in 1..=16 {
        term = term * small / (ONE * divisor);
        sum += term;
    }
    for _ in 0..8 {
        sum = square(sum);
    }
    sum
}

/// `x²`, in parts, because the product of two large numbers of this kind does not fit.
fn square(x: i128) -> i128 {
    let (whole, part) = (x / ONE, x % ONE);
    whole * whole * ONE + 2 * whole * part + part * part / ONE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_e_are_right_to_nine_digits() {
        for (x, expected, unit) in [
            (0, 1_000_000_000_000, 1),
            (10_000_000, 2_718_281_828_459, 1),
            (100_000_000, 22_026_465_794_807, 1000),
            (244_401_000, 41_133_964_333_806_750_003, 1000),
        ] {
            let got = exponential(x) / unit;
            assert!((got - expected).abs() <= expected / 1_000_000_000, "{x}: {got}");
        }
    }

    #[test]
    fn the_published_capture_gives_the_published_temperature() {
        assert_eq!(body_temperature(3526, 3427), Some(36_872));
    }

    #[test]
    fn outside_the_range_of_the_formula_there_is_no_temperature() {
        assert_eq!(body_temperature(2200, 2200), None, "on a table: the formula would say 36.413");
        assert_eq!(body_temperature(4000, 4000), None);
        assert_eq!(body_temperature(i16::MAX, 0), None);
        assert_eq!(body_temperature(-1, -1), None);
        for first in (0..=4500).step_by(7) {
            for second in (0..=4500).step_by(13) {
                assert!(body_temperature(first, second).is_none_or(|found| (36_500..=37_800).contains(&found)));
            }
        }
    }
}
