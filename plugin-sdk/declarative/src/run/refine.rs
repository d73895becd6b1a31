//! What becomes of a raw value before it is one: values that nothing else may be, that stand for none, the scale.

use std::borrow::Cow;

use afferent_plugin_sdk::{Decimal, DecodeError};

use super::datum::Datum;
use crate::table::{Literal, Refine};

impl Refine {
    /// Does this raw value stand for none?
    pub(super) fn is_missing(&self, raw: &Datum<'_>) -> bool {
        self.missing.iter().any(|literal| raw.is(literal))
    }
}

/// Applies the rules of a field to its raw value.
pub(super) fn refine<'d>(rules: &Refine, raw: Datum<'d>) -> Result<Datum<'d>, DecodeError> {
    if matches!(raw, Datum::Missing) {
        return Ok(raw);
    }
    if !rules.one_of.is_empty() && !rules.one_of.iter().any(|literal| raw.is(literal)) {
        let known: Vec<Cow<'_, str>> = rules.one_of.iter().map(Literal::shown).collect();
        return Err(super::error(rules.refusal, &format!("only {} can stand here", known.join(", "))));
    }
    if rules.is_missing(&raw) {
        return Ok(Datum::Missing);
    }
    if let Some((_, reason)) = rules.absent.iter().find(|(literal, _)| raw.is(literal)) {
        return Ok(Datum::Absent(Cow::Owned(reason.clone())));
    }
    let Datum::Number(number) = raw else { return Ok(raw) };
    if rules.only_above.is_some_and(|least| number.compare(least).is_le()) {
        return Ok(Datum::Missing);
    }
    let scaled = rules.scale.map_or(Some(number), |scale| multiply(number, scale.into()));
    let moved = rules.offset.map_or(scaled, |offset| add(scaled?, offset.into()));
    moved.map(Datum::Number).ok_or_else(|| DecodeError::malformed("a number that is too large"))
}

/// The exact product; zeros that the scale brings are precision: 14000 × 0.005 is 70.000.
fn multiply(one: Decimal, other: Decimal) -> Option<Decimal> {
    let mantissa = one.mantissa.checked_mul(other.mantissa)?;
    let exponent = one.exponent.checked_add(other.exponent)?;
    (-64..=64).contains(&exponent).then_some(Decimal::new(mantissa, exponent))
}

/// The exact sum, with the places of the finer of both.
fn add(one: Decimal, other: Decimal) -> Option<Decimal> {
    let exponent = one.exponent.min(other.exponent);
    let aligned = |number: Decimal| {
        let places = u32::try_from(number.exponent.checked_sub(exponent)?).ok()?;
        number.mantissa.checked_mul(10_i64.checked_pow(places)?)
    };
    Some(Decimal::new(aligned(one)?.checked_add(aligned(other)?)?, exponent))
}

#[cfg(test)]
mod tests {
    use super::{add, multiply};
    use afferent_plugin_sdk::Decimal;

    #[test]
    fn scales_and_offsets_are_exact() {
        let number = Decimal::new;
        assert_eq!(multiply(number(14_000, 0), number(5, -3)), Some(number(70_000, -3)));
        assert_eq!(multiply(number(i64::MAX, 0), number(2, 0)), None);
        assert_eq!(add(number(7_666, -2), number(-4_000, -2)), Some(number(3_666, -2)));
        assert_eq!(add(number(365, -1), number(-40, 0)), Some(number(-35, -1)));
        assert_eq!(add(number(1, 60), number(1, -60)), None);
    }
}
