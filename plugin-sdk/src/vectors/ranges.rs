//! The hard ranges of registered kinds (`fhir-profiles/vitals.json`), as the host judges by them: a number outside is held
//! for a person, so that a decoder need not know them; a number that the host could not judge is a decoder's mistake.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::{Decimal, Quantity, SampledData, Value};

/// Powers of ten beyond which a number is as far outside every range, or as near to 0, as there.
const POWERS: i32 = 18;

/// What the host makes of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Within the hard range of its kind, or of a kind that has none.
    Inside,
    /// Outside: the host holds it.
    Outside,
}

/// The tables of the platform.
#[derive(Debug)]
pub(super) struct Ranges {
    kinds: BTreeMap<String, Json>,
    conversions: Vec<Json>,
}

impl Ranges {
    /// Reads the tables that the SDK was built beside.
    pub(super) fn load() -> Self {
        let table = |text: &str, name: &str| -> Vec<Json> {
            let table: Json = serde_json::from_str(text).unwrap_or_default();
            table.get(name).and_then(Json::as_array).cloned().unwrap_or_default()
        };
        let kinds = table(include_str!("../../../fhir-profiles/vitals.json"), "kinds");
        Self {
            kinds: kinds.into_iter().map(|kind| (text(&kind, "name").to_owned(), kind)).collect(),
            conversions: table(include_str!("../../../fhir-profiles/units.json"), "conversions"),
        }
    }

    /// Where a value of a kind lies; nothing for one without a number. A value without a kind (only codings) has no range.
    ///
    /// # Errors
    ///
    /// The host could not judge it: an unknown kind, another type of value, a unit that it cannot convert.
    pub(super) fn place(&self, kind: &str, value: &Value) -> Result<Option<Place>, String> {
        let quantity = match value {
            Value::None | Value::Absent(_) => return Ok(None),
            _ if kind.is_empty() => return Ok(Some(Place::Inside)),
            Value::Quantity(quantity) => Some(quantity),
            _ => None,
        };
        let row = self.kinds.get(kind).ok_or_else(|| format!("`{kind}` is no kind of the table"))?;
        if let Value::Sampled(sampled) = value {
            return self.place_of_wave(row, sampled).map(Some);
        }
        let Some(quantity) = quantity else {
            return match text(row, "value") {
                "quantity" | "components" => Err(format!("{kind} is a quantity, and not {value:?}")),
                _ => Ok(Some(Place::Inside)),
            };
        };
        if row.get("hard").is_none() {
            let listed = row.get("units").and_then(Json::as_array).into_iter().flatten();
            return match listed.filter_map(Json::as_str).any(|unit| unit == quantity.unit) {
                true => Ok(Some(Place::Inside)),
                false => Err(format!("{kind} in {} cannot be judged", quantity.unit)),
            };
        }
        let inside = self.is_inside(row, quantity);
        let inside = inside.ok_or_else(|| format!("{kind} in {} cannot be judged", quantity.unit))?;
        Ok(Some(if inside { Place::Inside } else { Place::Outside }))
    }

    /// A waveform lies where its least and its greatest sample do.
    fn place_of_wave(&self, row: &Json, sampled: &SampledData) -> Result<Place, String> {
        let mut listed = row.get("units").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str);
        if text(row, "value") != "sampled" || !listed.any(|unit| unit == sampled.unit) {
            return Err(format!("{} in {} cannot be judged as a waveform", text(row, "name"), sampled.unit));
        }
        // Nothing but letters: beyond the device's limits, which says no number.
        let numbers = sampled.extremes().into_iter().flatten().map(|number| Quantity::new(number, &sampled.unit));
        let inside = row.get("hard").is_none()
            || numbers.map(|number| self.is_inside(row, &number)).all(|inside| inside == Some(true));
        Ok(if inside { Place::Inside } else { Place::Outside })
    }

    /// Is it inside? Nothing where the unit cannot be converted.
    fn is_inside(&self, row: &Json, quantity: &Quantity) -> Option<bool> {
        let canonical = row.get("canonicalUnit").and_then(Json::as_str)?;
        let (multiply, add, divide) = if quantity.unit == canonical {
            (1, 0, 1)
        } else {
            let own = row.get("conversions").and_then(Json::as_array).into_iter().flatten();
            let is_meant = |row: &&Json| text(row, "from") == quantity.unit && text(row, "to") == canonical;
            let found = own.chain(&self.conversions).find(is_meant)?;
            let part =
                |name: &str, otherwise: i64| i128::from(found.get(name).and_then(Json::as_i64).unwrap_or(otherwise));
            (part("multiply", 1), part("add", 0), part("divide", 1))
        };
        let limit = |name: &str| fraction(Decimal::parse(row.get("hard")?.get(name)?.as_str()?).ok()?);
        let (low, high) = (limit("low")?, limit("high")?);
        // What overflows is far outside.
        let Some((number, scale)) = fraction(quantity.value) else { return Some(false) };
        let converted = number.checked_mul(multiply).and_then(|number| number.checked_add(add.checked_mul(scale)?));
        let scale = scale.checked_mul(divide);
        let not_below = |limit: (i128, i128)| Some(converted?.checked_mul(limit.1)? >= limit.0.checked_mul(scale?)?);
        let not_above = |limit: (i128, i128)| Some(converted?.checked_mul(limit.1)? <= limit.0.checked_mul(scale?)?);
        Some(not_below(low).unwrap_or(false) && not_above(high).unwrap_or(false))
    }
}

/// Numerator and denominator; nothing where the number is beyond reason.
fn fraction(decimal: Decimal) -> Option<(i128, i128)> {
    let mantissa = i128::from(decimal.mantissa);
    match decimal.exponent {
        _ if mantissa == 0 => Some((0, 1)),
        exponent if exponent > POWERS => None,
        exponent if exponent >= 0 => Some((mantissa.checked_mul(10_i128.checked_pow(exponent.unsigned_abs())?)?, 1)),
        exponent if exponent >= -POWERS => Some((mantissa, 10_i128.checked_pow(exponent.unsigned_abs())?)),
        // Digits behind the eighteenth decide nothing but the sign.
        _ => Some((mantissa.signum(), 10_i128.checked_pow(POWERS.unsigned_abs())?)),
    }
}

fn text<'a>(row: &'a Json, name: &str) -> &'a str {
    row.get(name).and_then(Json::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Place, Ranges};
    use crate::registry::kinds;
    use crate::{Decimal, Value};

    #[test]
    fn numbers_are_inside_outside_or_beyond_judgement() {
        let ranges = Ranges::load();
        let place = |kind: &str, mantissa, exponent, unit| {
            ranges.place(kind, &Value::decimal(Decimal::new(mantissa, exponent), unit))
        };
        assert_eq!(place(kinds::BODY_WEIGHT, 700, 0, "kg"), Ok(Some(Place::Inside)));
        assert_eq!(place(kinds::BODY_WEIGHT, 7001, -1, "kg"), Ok(Some(Place::Outside)));
        assert_eq!(place(kinds::BODY_WEIGHT, 1_543, 0, "[lb_av]"), Ok(Some(Place::Inside)));
        assert_eq!(place(kinds::BODY_WEIGHT, 1_544, 0, "[lb_av]"), Ok(Some(Place::Outside)));
        assert_eq!(place(kinds::BODY_WEIGHT, 1, 64, "kg"), Ok(Some(Place::Outside)));
        assert_eq!(place(kinds::BODY_WEIGHT, i64::MAX, 18, "[lb_av]"), Ok(Some(Place::Outside)));
        assert_eq!(place(kinds::PULSE_RATE, -1, -64, "/min"), Ok(Some(Place::Outside)));
        assert_eq!(place(kinds::BODY_TEMPERATURE, 986, -1, "[degF]"), Ok(Some(Place::Inside)));
        assert_eq!(place(kinds::BODY_TEMPERATURE, 986, -1, "Cel"), Ok(Some(Place::Outside)));
        assert_eq!(place(kinds::GLUCOSE_CAPILLARY, 55, -1, "mmol/L"), Ok(Some(Place::Inside)));
        assert_eq!(place(kinds::PULSE_RATE_OXIMETER, 0, 0, "/min"), Ok(Some(Place::Inside)));
        assert!(place(kinds::BODY_WEIGHT, 1, 0, "%").is_err(), "a unit of another kind");
        assert!(place("no-kind", 1, 0, "kg").is_err());
        assert!(ranges.place(kinds::PULSE_RATE, &Value::Integer(72)).is_err(), "another type");
        assert_eq!(ranges.place(kinds::PULSE_RATE, &Value::Absent("error".into())), Ok(None));
    }
}
