//! What the host will check of an outcome, so that a decoder's own tests can check it first.

use crate::registry::{body_sites, clock_states, contexts, device_identity, fact_kinds, methods, nothing_reasons};
use crate::{Decoded, DeviceFact, HubContent, HubOutcome, Manifest, Nothing, Outcome, Reading, Value, Warning};

/// FHIR R4's value set `data-absent-reason`.
const ABSENT_REASONS: &[&str] = &[
    "unknown",
    "asked-unknown",
    "temp-unknown",
    "not-asked",
    "asked-declined",
    "masked",
    "not-applicable",
    "unsupported",
    "as-text",
    "error",
    "not-a-number",
    "negative-infinity",
    "positive-infinity",
    "not-performed",
    "not-permitted",
];

/// Everything in an outcome that its manifest did not declare, or that no registry knows; empty when all is well.
#[must_use]
pub fn violations(manifest: &Manifest, outcome: &Outcome) -> Vec<String> {
    let mut found = Vec::new();
    match outcome {
        Outcome::Readings(decoded) => check_decoded(manifest, decoded, &mut found),
        Outcome::Nothing(nothing) => check_nothing(manifest, nothing, &mut found),
        Outcome::Incomplete(_) | Outcome::Error(_) => {}
    }
    found
}

/// The same for what a hub's decoder answers.
#[must_use]
pub fn hub_violations(manifest: &Manifest, outcome: &HubOutcome) -> Vec<String> {
    let mut found = Vec::new();
    match outcome {
        HubOutcome::Items(items) => {
            if items.is_empty() {
                found.push("items without an item: answer `nothing` with a reason".to_owned());
            }
            for item in items {
                if item.device.is_empty() || item.item_id.as_ref().is_some_and(String::is_empty) {
                    found.push("an item whose device or id is empty".to_owned());
                }
                match &item.content {
                    HubContent::Readings(decoded) => check_decoded(manifest, decoded, &mut found),
                    HubContent::Nothing(nothing) => check_nothing(manifest, nothing, &mut found),
                    HubContent::Frame(_) | HubContent::Error(_) => {}
                }
            }
        }
        HubOutcome::Nothing(nothing) => check_nothing(manifest, nothing, &mut found),
        HubOutcome::Incomplete(_) | HubOutcome::Error(_) => {}
    }
    found
}

fn check_decoded(manifest: &Manifest, decoded: &Decoded, found: &mut Vec<String>) {
    let Decoded { readings, facts, warnings, .. } = decoded;
    if readings.is_empty() && facts.is_empty() {
        found.push("readings without a reading or a fact: answer `nothing` with a reason".to_owned());
    }
    readings.iter().for_each(|reading| check_reading(manifest, reading, found));
    check_around(manifest, facts, warnings, found);
}

fn check_nothing(manifest: &Manifest, nothing: &Nothing, found: &mut Vec<String>) {
    known("reason", &nothing.reason, nothing_reasons::ALL, found);
    check_around(manifest, &nothing.facts, &nothing.warnings, found);
}

fn check_around(manifest: &Manifest, facts: &[DeviceFact], warnings: &[Warning], found: &mut Vec<String>) {
    for fact in facts {
        known("fact", &fact.kind, fact_kinds::ALL, found);
        check_value(&fact.value, found);
    }
    for warning in warnings {
        declared("warning", &warning.code, &manifest.warnings, found);
    }
}

fn check_reading(manifest: &Manifest, reading: &Reading, found: &mut Vec<String>) {
    for (kind, codings) in core::iter::once((&reading.kind, &reading.codings))
        .chain(reading.components.iter().map(|component| (&component.kind, &component.codings)))
    {
        if !kind.is_empty() {
            declared("kind", kind, &manifest.kinds, found);
        } else if codings.is_empty() {
            found.push("a value with neither kind nor coding".to_owned());
        }
    }
    reading.flags.iter().for_each(|flag| declared("flag", flag, &manifest.flags, found));
    known("clock state", &reading.clock_state, clock_states::ALL, found);
    reading.body_site.iter().for_each(|site| known("body site", site, body_sites::ALL, found));
    reading.method.iter().for_each(|method| known("method", method, methods::ALL, found));
    reading.context.iter().for_each(|context| known("context", &context.name, contexts::ALL, found));
    reading.device_identity.iter().for_each(|claim| known("identity", &claim.name, device_identity::ALL, found));
    if matches!(reading.value, Value::None) && reading.components.is_empty() {
        found.push(format!("{} has neither a value nor components", reading.kind));
    }
    check_value(&reading.value, found);
    reading.components.iter().for_each(|component| check_value(&component.value, found));
}

fn check_value(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Quantity(quantity) => {
            if !(-64..=64).contains(&quantity.value.exponent) {
                found.push(format!("exponent {} is outside -64 to 64", quantity.value.exponent));
            }
            if quantity.unit.is_empty() {
                found.push("a quantity without a unit".to_owned());
            }
            quantity.comparator.iter().for_each(|sign| known("comparator", sign, &["<", "<=", ">=", ">"], found));
        }
        Value::Absent(reason) => known("data-absent-reason", reason, ABSENT_REASONS, found),
        Value::Sampled(sampled) => found.extend(sampled.problem().map(str::to_owned)),
        Value::None | Value::Coded(_) | Value::Text(_) | Value::Boolean(_) | Value::Integer(_) => {}
    }
}

fn declared(what: &str, word: &str, words: &[String], found: &mut Vec<String>) {
    if !words.iter().any(|known| known == word) {
        found.push(format!("{what} `{word}` is not declared in the manifest"));
    }
}

fn known(what: &str, word: &str, words: &[&str], found: &mut Vec<String>) {
    if !words.contains(&word) {
        found.push(format!("{what} `{word}` is not registered"));
    }
}
