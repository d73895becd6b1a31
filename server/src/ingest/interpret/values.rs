//! What was measured: units that the profile allows, numbers that stay exact, and judgement by the limits of the kind.

use std::cmp::Ordering;
use std::sync::Arc;

use fhir_model::decimal::Decimal;
use fhir_model::observation::{Component, Measure, Quantity, Value};
use fhir_model::units::Conversion;
use fhir_model::vitals::{Coding, Concept, Shape, Vital};
use plugin_host::{NameValue, Reading};

use super::Tables;
use super::samples::samples;

/// A value with what judging and indexing need of it.
pub(super) struct Measured {
    pub(super) value: Value,
    pub(super) measure: Option<Measure>,
    /// The number in the kind's canonical unit, to six places.
    pub(super) canonical: Option<Decimal>,
    /// The numbers between which a waveform lies, in the same unit.
    pub(super) extremes: Option<[Decimal; 2]>,
    pub(super) condition: Option<&'static str>,
}

impl Measured {
    pub(super) fn plain(value: Value) -> Self {
        Self { value, measure: None, canonical: None, extremes: None, condition: None }
    }

    pub(super) fn unusable(condition: &'static str) -> Self {
        Self { condition: Some(condition), ..Self::plain(Value::Absent("error".to_owned())) }
    }

    /// The UCUM code that the value is written in.
    pub(super) fn unit(&self) -> Option<&str> {
        match &self.value {
            Value::Quantity(quantity) => Some(&quantity.unit),
            Value::Samples(samples) => Some(&samples.origin.unit),
            _ => None,
        }
    }
}

/// Everything measured in one reading.
pub(super) struct Contents {
    pub(super) main: Measured,
    pub(super) components: Vec<Component>,
    pub(super) measures: Vec<Measure>,
    /// Circumstances that cannot be components.
    pub(super) circumstances: Vec<Arc<Concept>>,
    /// Rows of the table of dispositions that concern the values.
    pub(super) conditions: Vec<String>,
}

/// Reads all values of a reading; `judged` says whether limits apply at all.
pub(super) fn read(reading: &Reading, vital: Option<&Vital>, judged: bool, tables: &Tables) -> Contents {
    let mut main = value(&reading.value, vital, tables);
    let parts = parts(reading, vital, tables);
    // A simple kind without a value needs a reason (vs-2); a compound one has its components.
    if main.value == Value::None && parts.is_empty() {
        main.value = Value::Absent("unknown".to_owned());
    }
    let mut conditions = Vec::new();
    for (vital, measured) in parts.iter().map(|part| (part.vital, &part.measured)).chain([(vital, &main)]) {
        conditions.extend(measured.condition);
        conditions.extend(vital.filter(|_| judged).and_then(|vital| outside(vital, measured)));
    }
    if judged && let Some(vital) = vital {
        conditions.extend(disorder(vital, &parts));
    }
    let absent = |value: &Value| matches!(value, Value::Absent(_) | Value::None);
    if absent(&main.value) && parts.iter().all(|part| absent(&part.measured.value)) {
        conditions.push("all-absent");
    }
    let mut conditions: Vec<String> = conditions.into_iter().map(str::to_owned).collect();
    conditions.sort_unstable();
    conditions.dedup();
    let measures = parts.iter().filter_map(|part| part.measured.measure.clone()).collect();
    let results = parts.into_iter().map(Part::into_component);
    let circumstances = reading.context.iter().map(|context| circumstance(context, tables));
    let (circumstances, concepts): (Vec<_>, Vec<_>) = if vital.is_some_and(Vital::is_vital_sign) {
        (Vec::new(), circumstances.filter_map(|circumstance| as_concept(&circumstance)).collect())
    } else {
        (circumstances.collect(), Vec::new())
    };
    Contents { main, circumstances: concepts, measures, conditions, components: results.chain(circumstances).collect() }
}

/// A part with its row of the table, if it has one.
struct Part<'a> {
    kind: &'a str,
    vital: Option<&'a Vital>,
    code: Arc<Concept>,
    measured: Measured,
}

impl Part<'_> {
    fn into_component(self) -> Component {
        Component { code: self.code, value: self.measured.value, circumstance: false }
    }
}

/// The parts in the table's order, missing required ones as absent, then those that the table does not name.
fn parts<'a>(reading: &'a Reading, vital: Option<&'a Vital>, tables: &'a Tables) -> Vec<Part<'a>> {
    let listed = vital.map(|vital| vital.parts.as_slice()).unwrap_or_default();
    let mut parts = Vec::with_capacity(reading.components.len());
    for row in listed {
        let given = reading.components.iter().filter(|component| component.kind == row.kind);
        let before = parts.len();
        parts.extend(given.map(|component| part(component, tables)));
        if row.required && parts.len() == before {
            parts.extend(tables.vitals.kind(&row.kind).map(|vital| Part {
                kind: &vital.name,
                vital: Some(vital),
                code: Arc::clone(&vital.code),
                measured: Measured::plain(Value::Absent("unknown".to_owned())),
            }));
        }
    }
    let unlisted = reading.components.iter().filter(|given| listed.iter().all(|row| row.kind != given.kind));
    parts.extend(unlisted.map(|component| part(component, tables)));
    parts
}

fn part<'a>(component: &'a plugin_host::Component, tables: &'a Tables) -> Part<'a> {
    let vital = tables.vitals.kind(&component.kind).map(Arc::as_ref);
    let measured = value(&component.value, vital, tables);
    let code = code(&component.kind, &component.codings, vital, measured.unit());
    Part { kind: &component.kind, vital, code, measured }
}

/// The code of a kind in its unit, with the codings that the decoder adds.
pub(super) fn code(
    kind: &str,
    codings: &[plugin_host::Coding],
    vital: Option<&Vital>,
    unit: Option<&str>,
) -> Arc<Concept> {
    let known = vital.map(|vital| vital.code_for(unit));
    if codings.is_empty()
        && let Some(known) = known
    {
        return Arc::clone(known);
    }
    let mut concept = known.map(|known| Concept::clone(known)).unwrap_or_default();
    for coding in codings {
        let same = |have: &Coding| have.system == coding.system && have.code == coding.code;
        if !concept.codings.iter().any(same) {
            concept.codings.push(self::coding(coding));
        }
    }
    if concept.text.is_none() {
        let display = codings.iter().find_map(|coding| coding.display.clone());
        concept.text = display.or_else(|| (!kind.is_empty()).then(|| kind.to_owned()));
    }
    Arc::new(concept)
}

fn coding(coding: &plugin_host::Coding) -> Coding {
    Coding { system: coding.system.clone(), code: coding.code.clone(), display: coding.display.clone() }
}

fn value(value: &plugin_host::Value, vital: Option<&Vital>, tables: &Tables) -> Measured {
    let mut measured = match value {
        plugin_host::Value::None => Measured::plain(Value::None),
        plugin_host::Value::Quantity(given) => quantity(given, vital, tables),
        plugin_host::Value::Coded(given) => {
            let concept = Concept { codings: vec![coding(given)], text: given.display.clone() };
            Measured::plain(Value::Concept(Arc::new(concept)))
        }
        plugin_host::Value::Text(text) => Measured::plain(written_text(text)),
        plugin_host::Value::Boolean(truth) => Measured::plain(Value::Boolean(*truth)),
        plugin_host::Value::Integer(count) => integer(*count),
        plugin_host::Value::Sampled(given) => samples(given, vital, tables),
        plugin_host::Value::Absent(reason) => Measured::plain(Value::Absent(reason.clone())),
    };
    let fits = vital.is_none_or(|vital| match &measured.value {
        Value::None | Value::Absent(_) => true,
        Value::Quantity(_) => vital.shape == Shape::Quantity,
        Value::Samples(_) => vital.shape == Shape::Sampled,
        _ => false,
    });
    if !fits {
        measured.condition = Some("unexpected-value");
    }
    measured
}

/// FHIR's string has no control characters and is never empty.
fn written_text(text: &str) -> Value {
    let text: String = text.chars().filter(|letter| !letter.is_control()).collect();
    match text.trim() {
        "" => Value::Absent("unknown".to_owned()),
        trimmed => Value::Text(trimmed.to_owned()),
    }
}

pub(super) fn decimal(given: plugin_host::Decimal) -> Option<Decimal> {
    Decimal::new(given.mantissa, given.exponent).ok()
}

fn quantity(given: &plugin_host::Quantity, vital: Option<&Vital>, tables: &Tables) -> Measured {
    let (Some(unit), Some(number)) = (tables.units.unit(&given.unit), decimal(given.value)) else {
        return Measured::unusable("unit-not-listed");
    };
    let device = Quantity {
        value: number,
        comparator: given.comparator.clone(),
        unit: unit.code.clone(),
        display: unit.display.clone(),
        original: None,
    };
    let Some(vital) = vital.filter(|vital| !vital.units.is_empty()) else {
        return Measured::plain(Value::Quantity(device));
    };
    let Some(written) = allowed(device, vital, tables) else {
        return Measured::unusable("unit-not-convertible");
    };
    let canonical = canonical(&written, vital, tables);
    let measure = canonical.zip(vital.canonical_unit.as_ref()).map(|(canonical, unit)| Measure {
        kind: vital.name.clone(),
        value: written.value.to_f64(),
        unit: written.unit.clone(),
        canonical_value: canonical.to_f64(),
        canonical_unit: unit.clone(),
    });
    // A number that is too large or too fine to be converted could not be judged: that is beyond every limit.
    let unjudged = canonical.is_none() && vital.canonical_unit.is_some();
    let condition = unjudged.then_some("outside-hard-range");
    Measured { value: Value::Quantity(written), measure, canonical, extremes: None, condition }
}

/// The quantity in a unit that the profile allows; the device's own when it is one of them.
fn allowed(device: Quantity, vital: &Vital, tables: &Tables) -> Option<Quantity> {
    if vital.units.contains(&device.unit) {
        return Some(device);
    }
    let conversion = |unit: &String| vital.conversion(&tables.units, &device.unit, unit);
    let conversion: &Conversion = vital.units.iter().find_map(conversion)?;
    let value = conversion.apply(device.value).ok()?;
    let unit = tables.units.unit(&conversion.to)?;
    Some(Quantity {
        value,
        comparator: device.comparator.clone(),
        unit: unit.code.clone(),
        display: unit.display.clone(),
        original: Some(Box::new(device)),
    })
}

/// The number in the canonical unit, from the device's own number where it can be: that one is not rounded.
fn canonical(written: &Quantity, vital: &Vital, tables: &Tables) -> Option<Decimal> {
    let unit = vital.canonical_unit.as_deref()?;
    let sources = [written.original.as_deref(), Some(written)];
    sources.into_iter().flatten().find_map(|source| {
        if source.unit == unit {
            return Some(source.value);
        }
        vital.conversion(&tables.units, &source.unit, unit)?.apply_finely(source.value).ok()
    })
}

fn integer(count: i64) -> Measured {
    // FHIR's integer has 32 bits; what is larger stays exact as text.
    let value = i32::try_from(count).map_or_else(|_| Value::Text(count.to_string()), Value::Integer);
    Measured::plain(value)
}

/// Which limit the value breaks, if any.
fn outside(vital: &Vital, measured: &Measured) -> Option<&'static str> {
    let numbers = || measured.canonical.into_iter().chain(measured.extremes.into_iter().flatten());
    let breaks = |limits: &Option<fhir_model::vitals::Limits>| {
        limits.as_ref().is_some_and(|limits| !numbers().all(|number| limits.contain(number)))
    };
    if breaks(&vital.hard) { Some("outside-hard-range") } else { breaks(&vital.soft).then_some("outside-soft-range") }
}

/// Which relations between the parts do not hold.
fn disorder<'a>(vital: &'a Vital, parts: &[Part<'_>]) -> Vec<&'a str> {
    let number = |kind: &str| parts.iter().find(|part| part.kind == kind)?.measured.canonical;
    let broken = vital.order.iter().filter(|order| {
        let pair = number(&order.higher).zip(number(&order.lower));
        pair.is_some_and(|(higher, lower)| higher.compare(lower) == Ordering::Less)
    });
    broken.map(|order| order.condition.as_str()).collect()
}

/// A context (meal, posture, amounts) as a component.
fn circumstance(given: &NameValue, tables: &Tables) -> Component {
    let text = || written_text(&given.value);
    let Some(context) = tables.vitals.context(&given.name) else {
        let code = Concept { codings: Vec::new(), text: Some(given.name.clone()) };
        return Component { code: Arc::new(code), value: text(), circumstance: true };
    };
    let amount = context.unit.as_ref().and_then(|unit| {
        let (value, unit) = (given.value.parse().ok()?, tables.units.unit(unit)?);
        let (unit, display) = (unit.code.clone(), unit.display.clone());
        Some(Value::Quantity(Quantity { value, comparator: None, unit, display, original: None }))
    });
    let coded = || context.value(&given.value).map(|concept| Value::Concept(Arc::clone(concept)));
    let value = amount.or_else(coded).unwrap_or_else(text);
    Component { code: Arc::clone(&context.code), value, circumstance: true }
}

/// The same as one concept, such as "Posture: Sitting" with the code of the value: within a vital sign it is an extension,
/// because the R4 profile binds every coded or textual component value to units and refuses a posture.
fn as_concept(circumstance: &Component) -> Option<Arc<Concept>> {
    let name = circumstance.code.text.as_deref().unwrap_or_default();
    let (codings, words) = match &circumstance.value {
        Value::Concept(concept) => (concept.codings.clone(), concept.text.clone().unwrap_or_default()),
        Value::Quantity(quantity) => (Vec::new(), format!("{} {}", quantity.value, quantity.display)),
        Value::Text(text) => (Vec::new(), text.clone()),
        _ => return None,
    };
    Some(Arc::new(Concept { codings, text: Some(format!("{name}: {words}")) }))
}
