//! Required bindings: a code, Coding or `CodeableConcept` must come from its value set.

use serde_json::{Map, Value};

use super::walk::Walk;
use crate::definitions::{Definitions, Element, ValueSet};
use crate::outcome::IssueCode;

/// A plain code.
pub(super) fn code(walk: &mut Walk<'_>, element: &Element, code: &str) {
    let Some(set) = value_set(walk.definitions, element) else { return };
    if !set.has_code(code) {
        walk.error(IssueCode::CodeInvalid, format!("must be a code of {}: {}", set.url, set.listed()));
    }
}

/// A Coding: its system and code must be in the set.
pub(super) fn coding(walk: &mut Walk<'_>, element: &Element, object: &Map<String, Value>) {
    let Some(set) = value_set(walk.definitions, element) else { return };
    if !is_in(set, object) && !is_absent(object) {
        walk.error(IssueCode::CodeInvalid, format!("must be a coding of {}: {}", set.url, set.listed()));
    }
}

/// A `CodeableConcept`: one of its codings must be in the set; text alone is not enough.
pub(super) fn codeable_concept(walk: &mut Walk<'_>, element: &Element, object: &Map<String, Value>) {
    let Some(set) = value_set(walk.definitions, element) else { return };
    let codings = object.get("coding").and_then(Value::as_array);
    let found = codings.into_iter().flatten().filter_map(Value::as_object).any(|coding| is_in(set, coding));
    if !found && !is_absent(object) {
        walk.error(IssueCode::CodeInvalid, format!("must have a coding of {}: {}", set.url, set.listed()));
    }
}

fn value_set<'a>(definitions: &'a Definitions, element: &Element) -> Option<&'a ValueSet> {
    element.value_set.and_then(|index| definitions.value_set(index))
}

fn is_in(set: &ValueSet, coding: &Map<String, Value>) -> bool {
    let part = |name| coding.get(name).and_then(Value::as_str).unwrap_or_default();
    set.has_coding(part("system"), part("code"))
}

/// Nothing but extensions, such as a data-absent-reason: there is no code that could be wrong.
fn is_absent(object: &Map<String, Value>) -> bool {
    object.contains_key("extension") && object.keys().all(|key| matches!(key.as_str(), "id" | "extension"))
}
