//! Waveforms: raw samples as FHIR's text, and the numbers between which they lie.

use fhir_model::decimal::Decimal;
use fhir_model::observation::{Quantity, Samples, Value};
use fhir_model::vitals::Vital;
use plugin_host::SampledData;

use super::Tables;
use super::values::{Measured, decimal};

/// Bytes that a sample and its space usually take.
const USUAL_SAMPLE_BYTES: usize = 5;

/// A waveform as FHIR's SampledData (<https://hl7.org/fhir/R4/datatypes.html#SampledData>), in the device's own unit: what a
/// recorder counted is kept as it is, and only its limits are judged in the unit of the table.
pub(super) fn samples(given: &SampledData, vital: Option<&Vital>, tables: &Tables) -> Measured {
    let unit = tables.units.unit(&given.unit);
    let numbers = (decimal(given.origin), decimal(given.period_ms), decimal(given.factor));
    let (Some(unit), (Some(origin), Some(period_ms), Some(factor))) = (unit, numbers) else {
        return Measured::unusable("unit-not-listed");
    };
    if vital.is_some_and(|vital| !vital.units.contains(&unit.code)) {
        return Measured::unusable("unit-not-convertible");
    }
    let (unit, display) = (unit.code.clone(), unit.display.clone());
    let extremes = extremes(given, factor, origin);
    let value = Value::Samples(Box::new(Samples {
        origin: Quantity { value: origin, comparator: None, unit, display, original: None },
        period_ms,
        factor,
        lower_limit: given.lower_limit.and_then(decimal),
        upper_limit: given.upper_limit.and_then(decimal),
        dimensions: given.dimensions.max(1),
        data: data(&given.samples),
    }));
    match extremes {
        Extremes::None => Measured::plain(value),
        Extremes::Found(numbers) => match numbers.map(|number| canonical(number, &given.unit, vital, tables)) {
            [Some(low), Some(high)] => Measured { extremes: Some([low, high]), ..Measured::plain(value) },
            _ => beyond(value, vital),
        },
        Extremes::Unbounded => beyond(value, vital),
    }
}

/// A number that is too large or too fine to be judged is beyond every limit, where there is one.
fn beyond(value: Value, vital: Option<&Vital>) -> Measured {
    let judged = vital.is_some_and(|vital| vital.hard.is_some());
    Measured { condition: judged.then_some("outside-hard-range"), ..Measured::plain(value) }
}

enum Extremes {
    /// No sample is a number.
    None,
    /// The values of the least and the greatest raw sample, in the device's unit.
    Found([Decimal; 2]),
    /// They do not fit.
    Unbounded,
}

fn extremes(given: &SampledData, factor: Decimal, origin: Decimal) -> Extremes {
    let numbers = || given.samples.iter().copied().filter(|sample| SampledData::letter(*sample).is_none());
    let (Some(least), Some(greatest)) = (numbers().min(), numbers().max()) else { return Extremes::None };
    match [least, greatest].map(|raw| factor.times_plus(raw, origin)) {
        [Some(one), Some(other)] => Extremes::Found([one, other]),
        _ => Extremes::Unbounded,
    }
}

/// A number in the unit of the kind's limits; itself where there are none.
fn canonical(number: Decimal, unit: &str, vital: Option<&Vital>, tables: &Tables) -> Option<Decimal> {
    match vital.and_then(|vital| Some((vital, vital.canonical_unit.as_deref()?))) {
        Some((vital, canonical)) if canonical != unit => {
            vital.conversion(&tables.units, unit, canonical)?.apply_finely(number).ok()
        }
        _ => Some(number),
    }
}

/// The samples, separated by single spaces; `E`, `L` and `U` in place of what is no number.
fn data(samples: &[i32]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(samples.len().saturating_mul(USUAL_SAMPLE_BYTES));
    for (place, sample) in samples.iter().enumerate() {
        if place > 0 {
            text.push(' ');
        }
        match SampledData::letter(*sample) {
            Some(letter) => text.push_str(letter),
            // Writing to a String cannot fail.
            None => drop(write!(text, "{sample}")),
        }
    }
    text
}
