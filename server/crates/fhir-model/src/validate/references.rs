//! What a Reference may point at: its form, the type of its target, and contained resources (ref-1).

use serde_json::{Map, Value};

use super::walk::Walk;
use crate::definitions::Element;
use crate::outcome::IssueCode;
use crate::reference::Reference;

/// Checks `Reference.reference` and `Reference.type` against the element that holds them.
pub(super) fn check(walk: &mut Walk<'_>, element: &Element, object: &Map<String, Value>) {
    let stated = object.get("type").and_then(Value::as_str).map(short_type);
    let told = object.get("reference").and_then(Value::as_str).and_then(|text| literal(walk, text));
    for name in [told.as_deref(), stated].into_iter().flatten() {
        target(walk, element, name);
    }
    if let (Some(told), Some(stated)) = (told, stated)
        && told != stated
    {
        walk.error_at("type", IssueCode::Invariant, format!("says {stated}, but the reference points at a {told}"));
    }
}

/// `Reference.type` is a uri: the bare name for R4 resource types, but the full URL means the same.
fn short_type(stated: &str) -> &str {
    stated.strip_prefix("http://hl7.org/fhir/StructureDefinition/").unwrap_or(stated)
}

/// The type the reference says it points at, after its form was checked.
fn literal(walk: &mut Walk<'_>, text: &str) -> Option<String> {
    let Some(reference) = Reference::parse(text) else {
        let right = "must be Type/id, an absolute URL, urn:uuid:…, or #id of a contained resource";
        walk.error_at("reference", IssueCode::Value, right);
        return None;
    };
    match reference {
        Reference::Fragment(id) => return walk.contained_type(id),
        Reference::Conditional { .. } if !walk.options.conditional_references => {
            walk.error_at(
                "reference",
                IssueCode::Value,
                "is conditional, which is allowed only inside a transaction; use Type/id",
            );
        }
        Reference::Relative(_) | Reference::Conditional { .. } => {
            let name = reference.resource_type().unwrap_or_default();
            if walk.definitions.resource_type(name).is_none() {
                walk.error_at("reference", IssueCode::Value, format!("names {name}, which is no R4 resource type"));
                return None;
            }
        }
        // Another server may hold anything; its type is believed only when R4 has it.
        Reference::Absolute { local, .. } if walk.definitions.resource_type(local.resource_type).is_none() => {
            return None;
        }
        Reference::Absolute { .. } | Reference::Urn(_) | Reference::Url(_) => {}
    }
    reference.resource_type().map(str::to_owned)
}

fn target(walk: &mut Walk<'_>, element: &Element, name: &str) {
    if !element.targets.is_empty() && !element.targets.iter().any(|target| target == name) {
        let right = format!("points at a {name}; here it must be {}", element.targets.join(", "));
        walk.error_at("reference", IssueCode::Value, right);
    }
}
