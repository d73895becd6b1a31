//! The hard ranges of registered kinds (`fhir-profiles/vitals.json`), as the host judges by them: a number outside is held
//! for a person, so that a decoder need not know them; a number that the host could not judge is a decoder's mistake.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::words;
use crate::{Decimal, Quantity, SampledData, Value};

/// Powers of ten beyond which a number is as far outside every range, or as near to 0, as there.
const POWERS: i32 = 18;

/// What the host makes of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Within the usual range of its kind, or of a kind that has none.
    Inside,
    /// Within the hard range, and outside what is usual: the host warns of it (`implausible`).
    Unusual,
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
                "quantity" | "components" => {
                    Err(format!("{kind} is a number with a unit, and not {}", words::of_value(value)))
                }
                _ => Ok(Some(Place::Inside)),
            };
        };
        let unjudged = || {
            let units = units(row).collect::<Vec<_>>().join(" or ");
            format!(
                "{kind} in `{}` cannot be judged: its unit is {units}, or one that the host converts",
                quantity.unit
            )
        };
        if row.get("hard").is_none() {
            return if units(row).any(|unit| unit == quantity.unit) {
                Ok(Some(Place::Inside))
            } else {
                Err(unjudged())
            };
        }
        let inside = |range: &str| self.is_inside(row, quantity, range).ok_or_else(unjudged);
        Ok(Some(match inside("hard")? {
            false => Place::Outside,
            true if row.get("soft").is_some() && !inside("soft")? => Place::Unusual,
            true => Place::Inside,
        }))
    }

    /// What a person should look at in a value that the host would call implausible: the usual range of its kind.
    pub(super) fn notice(&self, kind: &str, value: &Value) -> Option<String> {
        let place = self.place(kind, value).ok()??;
        let row = self.kinds.get(kind)?;
        let range = |name: &str| {
            let range = row.get(name)?;
            Some(format!("{} to {} {}", text(range, "low"), text(range, "high"), text(row, "canonicalUnit")))
        };
        let usual = range("soft").or_else(|| range("hard"))?;
        let (value, so) = match place {
            Place::Inside => return None,
            Place::Unusual => (words::of_value(value), String::new()),
            Place::Outside => {
                (words::of_value(value), format!("; outside of {} the host holds it for a person", range("hard")?))
            }
        };
        Some(format!("{kind} {value} is implausible: usual is {usual}{so}; is the unit right?"))
    }

    /// A waveform lies where its least and its greatest sample do.
    fn place_of_wave(&self, row: &Json, sampled: &SampledData) -> Result<Place, String> {
        if text(row, "value") != "sampled" || !units(row).any(|unit| unit == sampled.unit) {
            return Err(format!("{} in `{}` cannot be judged as a waveform", text(row, "name"), sampled.unit));
        }
        // Nothing but letters: beyond the device's limits, which says no number.
        let numbers = || sampled.extremes().into_iter().flatten().map(|number| Quantity::new(number, &sampled.unit));
        let inside = |range: &str| {
            row.get(range).is_none()
                || numbers().map(|number| self.is_inside(row, &number, range)).all(|inside| inside == Some(true))
        };
        Ok(match inside("hard") {
            false => Place::Outside,
            true if !inside("soft") => Place::Unusual,
            true => Place::Inside,
        })
    }

    /// Is it inside the range `hard` or `soft`? Nothing where the unit cannot be converted.
    fn is_inside(&self, row: &Json, quantity: &Quantity, range: &str) -> Option<bool> {
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
        let limit = |name: &str| fraction(Decimal::parse(row.get(range)?.get(name)?.as_str()?).ok()?);
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

/// The units that the host keeps as they are.
fn units(row: &Json) -> impl Iterator<Item = &str> {
    row.get("units").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str)
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
        assert_eq!(place(kinds::BODY_WEIGHT, 70, 0, "kg"), Ok(Some(Place::Inside)));
        assert_eq!(place(kinds::BODY_WEIGHT, 700, 0, "kg"), Ok(Some(Place::Unusual)));
        assert_eq!(place(kinds::BODY_WEIGHT, 7001, -1, "kg"), Ok(Some(Place::Outside)));
        assert_eq!(place(kinds::BODY_WEIGHT, 1_543, 0, "[lb_av]"), Ok(Some(Place::Unusual)));
        assert_eq!(place(kinds::BODY_WEIGHT, 771, 0, "[lb_av]"), Ok(Some(Place::Inside)));
        assert_eq!(place(kinds::BODY_WEIGHT, 1_544, 0, "[lb_av]"), Ok(Some(Place::Outside)));
        assert_eq!(place(kinds::BODY_WEIGHT, 1, 64, "kg"), Ok(Some(Place::Outside)));
        assert_eq!(place(kinds::BODY_WEIGHT, i64::MAX, 18, "[lb_av]"), Ok(Some(Place::Outside)));
        assert_eq!(place(kinds::PULSE_RATE, -1, -64, "/min"), Ok(Some(Place::Outside)));
        assert_eq!(place(kinds::BODY_TEMPERATURE, 986, -1, "[degF]"), Ok(Some(Place::Inside)));
        assert_eq!(place(kinds::BODY_TEMPERATURE, 986, -1, "Cel"), Ok(Some(Place::Outside)));
        assert_eq!(place(kinds::GLUCOSE_CAPILLARY, 55, -1, "mmol/L"), Ok(Some(Place::Inside)));
        assert_eq!(place(kinds::PULSE_RATE_OXIMETER, 0, 0, "/min"), Ok(Some(Place::Unusual)));
        assert!(place(kinds::BODY_WEIGHT, 1, 0, "%").is_err(), "a unit of another kind");
        assert!(place("no-kind", 1, 0, "kg").is_err());
        assert!(ranges.place(kinds::PULSE_RATE, &Value::Integer(72)).is_err(), "another type");
        assert_eq!(ranges.place(kinds::PULSE_RATE, &Value::Absent("error".into())), Ok(None));
    }

    /// The newcomer's mistake: litres that are called millilitres, which the host converts and then doubts.
    #[test]
    fn what_the_host_doubts_is_told_with_the_usual_range() {
        let ranges = Ranges::load();
        let notice = |mantissa, exponent, unit: &str| {
            ranges.notice(kinds::FORCED_EXPIRATORY_VOLUME_1S, &Value::decimal(Decimal::new(mantissa, exponent), unit))
        };
        assert_eq!(notice(287, -2, "L"), None);
        assert_eq!(
            notice(287, -2, "mL").as_deref(),
            Some("forced-expiratory-volume-1s 2.87 mL is implausible: usual is 0.2 to 8 L; is the unit right?")
        );
        assert_eq!(
            notice(287, -1, "L").as_deref(),
            Some(
                "forced-expiratory-volume-1s 28.7 L is implausible: usual is 0.2 to 8 L; outside of 0 to 12 L the host holds \
                 it for a person; is the unit right?"
            )
        );
        assert_eq!(
            ranges.place(kinds::PEAK_EXPIRATORY_FLOW, &Value::decimal(Decimal::new(412, 0), "L")),
            Err("peak-expiratory-flow in `L` cannot be judged: its unit is L/min, or one that the host converts".into())
        );
    }
}
