//! From a typed node to index values, by the type of the parameter
//! (<https://hl7.org/fhir/R4/search.html#table>).

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::evaluate::{Evaluation, Node};
use super::{IndexValue, normalise};
use crate::datetime::DateRange;
use crate::reference::Reference;
use crate::search::ParameterType;

type Object = Map<String, Value>;

/// The low end of a Period without start: the year 1.
#[must_use]
pub fn earliest() -> DateTime<Utc> {
    DateRange::parse("0001").map_or(DateTime::UNIX_EPOCH, |range| range.low)
}

/// The high end of a Period without end: the end of the year 9999.
#[must_use]
pub fn latest() -> DateTime<Utc> {
    DateRange::parse("9999").map_or(DateTime::UNIX_EPOCH, |range| range.high)
}

/// The index values of one node.
pub(super) fn index_values(
    evaluation: &Evaluation<'_>,
    kind: ParameterType,
    node: &Node<'_>,
    bases: &[&str],
) -> Vec<IndexValue> {
    match kind {
        ParameterType::Token => tokens(evaluation, *node),
        ParameterType::String => strings(evaluation, *node),
        ParameterType::Date => date(evaluation, *node).into_iter().collect(),
        ParameterType::Reference => references(*node, bases),
        ParameterType::Uri => primitive_text(*node).map(|text| IndexValue::Uri(text.to_owned())).into_iter().collect(),
        ParameterType::Quantity => quantity(*node).into_iter().collect(),
        ParameterType::Number => number(*node).map(IndexValue::Number).into_iter().collect(),
    }
}

fn text<'a>(object: &'a Object, name: &str) -> Option<&'a str> {
    object.get(name)?.as_str()
}

fn owned(object: &Object, name: &str) -> Option<String> {
    text(object, name).map(str::to_owned)
}

fn primitive_text(node: Node<'_>) -> Option<&str> {
    match node {
        Node::Primitive(Value::String(text), ..) => Some(text),
        _ => None,
    }
}

fn tokens(evaluation: &Evaluation<'_>, node: Node<'_>) -> Vec<IndexValue> {
    match node {
        Node::Truth(truth) => vec![plain_token(truth.to_string())],
        Node::Primitive(Value::Bool(truth), ..) => vec![plain_token(truth.to_string())],
        Node::Primitive(Value::String(code), _, value_set) => {
            let system =
                value_set.and_then(|index| evaluation.definitions.value_set(index)?.system_of(code)).map(str::to_owned);
            vec![IndexValue::Token { system, code: Some(code.clone()) }]
        }
        Node::Primitive(..) => Vec::new(),
        Node::Object(object, _) => match evaluation.type_name(node) {
            "Coding" => token(object, "code").into_iter().collect(),
            "Identifier" => token(object, "value").into_iter().collect(),
            "ContactPoint" => owned(object, "value").map(plain_token).into_iter().collect(),
            "CodeableConcept" => {
                let codings = object.get("coding").and_then(Value::as_array);
                codings.into_iter().flatten().filter_map(|coding| token(coding.as_object()?, "code")).collect()
            }
            _ => Vec::new(),
        },
    }
}

fn plain_token(code: String) -> IndexValue {
    IndexValue::Token { system: None, code: Some(code) }
}

fn token(object: &Object, code: &str) -> Option<IndexValue> {
    let (system, code) = (owned(object, "system"), owned(object, code));
    (system.is_some() || code.is_some()).then_some(IndexValue::Token { system, code })
}

fn strings(evaluation: &Evaluation<'_>, node: Node<'_>) -> Vec<IndexValue> {
    if let Some(text) = primitive_text(node) {
        return vec![string(text)];
    }
    let Some(object) = node.object() else { return Vec::new() };
    let parts: &[&str] = match evaluation.type_name(node) {
        "HumanName" => &["family", "given", "text", "prefix", "suffix"],
        "Address" => &["text", "line", "city", "district", "state", "postalCode", "country"],
        "CodeableConcept" | "Annotation" => &["text"],
        _ => &[],
    };
    let values = parts.iter().filter_map(|part| object.get(*part));
    let texts = values.flat_map(|value| match value {
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    });
    texts.filter_map(Value::as_str).map(string).collect()
}

fn string(text: &str) -> IndexValue {
    IndexValue::String { exact: text.to_owned(), normalised: normalise(text) }
}

fn date(evaluation: &Evaluation<'_>, node: Node<'_>) -> Option<IndexValue> {
    if let Some(text) = primitive_text(node) {
        let range = DateRange::parse(text).ok()?;
        return Some(IndexValue::Date { low: range.low, high: range.high });
    }
    let object = node.object()?;
    match evaluation.type_name(node) {
        "Period" => period(object),
        "Timing" => timing(object),
        _ => None,
    }
}

fn period(object: &Object) -> Option<IndexValue> {
    let side = |name: &str| text(object, name).and_then(|text| DateRange::parse(text).ok());
    let (start, end) = (side("start"), side("end"));
    if start.is_none() && end.is_none() {
        return None;
    }
    let low = start.map_or_else(earliest, |start| start.low);
    let high = end.map_or_else(latest, |end| end.high);
    (low < high).then_some(IndexValue::Date { low, high })
}

/// The outer limits of a Timing: from its first event to its last, or the period that bounds it.
fn timing(object: &Object) -> Option<IndexValue> {
    let events = object.get("event").and_then(Value::as_array).into_iter().flatten();
    let ranges: Vec<DateRange> = events.filter_map(|event| DateRange::parse(event.as_str()?).ok()).collect();
    let (low, high) = (ranges.iter().map(|range| range.low).min(), ranges.iter().map(|range| range.high).max());
    match (low, high) {
        (Some(low), Some(high)) => Some(IndexValue::Date { low, high }),
        _ => period(object.get("repeat")?.get("boundsPeriod")?.as_object()?),
    }
}

fn references(node: Node<'_>, bases: &[&str]) -> Vec<IndexValue> {
    if let Some(canonical) = primitive_text(node) {
        return vec![IndexValue::ReferenceUrl(canonical.to_owned())];
    }
    let Some(object) = node.object() else { return Vec::new() };
    let literal = text(object, "reference").and_then(|reference| reference_value(reference, bases));
    let identifier = object.get("identifier").and_then(Value::as_object).map(|identifier| {
        IndexValue::ReferenceIdentifier { system: owned(identifier, "system"), value: owned(identifier, "value") }
    });
    literal.into_iter().chain(identifier).collect()
}

/// Contained resources are not searched for on their own, so `#id` gives nothing.
fn reference_value(literal: &str, bases: &[&str]) -> Option<IndexValue> {
    let reference = Reference::parse(literal)?;
    if let Some(local) = reference.on_server(bases) {
        return Some(IndexValue::Reference { resource_type: local.resource_type.to_owned(), id: local.id.to_owned() });
    }
    match reference {
        Reference::Absolute { .. } | Reference::Url(_) | Reference::Urn(_) => {
            Some(IndexValue::ReferenceUrl(literal.to_owned()))
        }
        Reference::Relative(_) | Reference::Conditional { .. } | Reference::Fragment(_) => None,
    }
}

/// Quantity and its kinds, and Money. Range, Ratio and `SampledData` have no one number and are not indexed.
fn quantity(node: Node<'_>) -> Option<IndexValue> {
    let object = node.object()?;
    let value = object.get("value")?.as_f64().filter(|value| value.is_finite())?;
    let code = owned(object, "code").or_else(|| owned(object, "currency"));
    Some(IndexValue::Quantity { value, system: owned(object, "system"), code, unit: owned(object, "unit") })
}

fn number(node: Node<'_>) -> Option<f64> {
    match node {
        Node::Primitive(value, ..) => value.as_f64().filter(|value| value.is_finite()),
        Node::Object(..) | Node::Truth(_) => None,
    }
}
