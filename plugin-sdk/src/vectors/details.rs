//! What a vector says of a reading beside its value (flags, clock, key, slot, place, method), and of the whole payload beside
//! its readings (facts of the device, warnings, the reason of nothing or of an error). What it does not say is not compared.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::words;
use crate::registry::nothing_reasons;
use crate::{DecodeError, DeviceFact, ErrorKind, NameValue, Nothing, Reading, Warning};

/// What a refusal may be called.
pub(super) const ERROR_KINDS: &[&str] = &["malformed", "unsupported", "not-for-me"];

fn member<'a>(value: &'a Json, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Json::as_str)
}

/// A set of words, as a vector lists it.
fn set<'a>(value: &'a Json, name: &str) -> Option<BTreeSet<&'a str>> {
    Some(value.get(name)?.as_array()?.iter().filter_map(Json::as_str).collect())
}

/// What an observation of a vector says of a reading beside its value.
pub(super) fn compare_reading(expected: &Json, reading: &Reading, found: &mut Vec<String>) {
    let mut differ = |what: &str, wanted: &str, got: &str| {
        found.push(format!("{}: expected the {what} {wanted}, and got {got}", reading.kind));
    };
    if let Some(wanted) = set(expected, "flags") {
        let flags: BTreeSet<&str> = reading.flags.iter().map(String::as_str).collect();
        if wanted != flags {
            differ("flags", &words::listed(wanted), &words::listed(flags));
        }
    }
    let told = [
        ("clock", "clock state", Some(reading.clock_state.as_str())),
        ("recordKey", "record key", reading.record_key.as_deref()),
        ("slot", "user slot", reading.user_slot.as_deref()),
        ("bodySite", "body site", reading.body_site.as_deref()),
        ("method", "method", reading.method.as_deref()),
    ];
    for (name, what, got) in told {
        // `null` says that there is none.
        if let Some(wanted) = expected.get(name)
            && wanted.as_str() != got
        {
            differ(what, wanted.as_str().unwrap_or("none"), got.unwrap_or("none"));
        }
    }
    for (name, given) in [("context", &reading.context), ("deviceIdentity", &reading.device_identity)] {
        for (pair, wanted) in expected.get(name).and_then(Json::as_object).into_iter().flatten() {
            let got = given.iter().find(|NameValue { name, .. }| name == pair).map(|pair| pair.value.as_str());
            if wanted.as_str() != got {
                differ(pair, wanted.as_str().unwrap_or("none"), got.unwrap_or("none"));
            }
        }
    }
}

/// The facts that a vector names: `{"battery": "85 %"}`. Others may come beside them; `null` says that there is none.
pub(super) fn compare_facts(expected: &Json, facts: &[DeviceFact], found: &mut Vec<String>) {
    for (kind, wanted) in expected.get("facts").and_then(Json::as_object).into_iter().flatten() {
        let told = facts.iter().filter(|fact| fact.kind == *kind).map(|fact| words::of_fact(&fact.value));
        let told: Vec<String> = told.collect();
        let wanted = wanted.as_str().map(words::without_word);
        let agrees = match wanted {
            Some(wanted) => told.iter().any(|told| told == wanted),
            None => told.is_empty(),
        };
        if !agrees {
            let got = words::listed(told.iter().map(String::as_str));
            found.push(format!("expected the {kind} {}, and got {got}", wanted.unwrap_or("none")));
        }
    }
}

/// The warnings beside nothing, where the vector names any.
pub(super) fn compare_warnings(expected: &Json, warnings: &[Warning], found: &mut Vec<String>) {
    let got: BTreeSet<&str> = warnings.iter().map(|warning| warning.code.as_str()).collect();
    if let Some(wanted) = set(expected, "warnings").filter(|wanted| *wanted != got) {
        found.push(format!("expected the warnings {}, and got {}", words::listed(wanted), words::listed(got)));
    }
}

/// Whether a `reason` is one that is compared: a registered reason of nothing, or the kind of an error. Vectors that were
/// collected say it in their sources' words.
pub(super) fn is_compared(reason: &str) -> bool {
    nothing_reasons::ALL.contains(&reason) || ERROR_KINDS.contains(&reason)
}

/// Why there is nothing.
pub(super) fn compare_nothing(expected: &Json, nothing: &Nothing, found: &mut Vec<String>) {
    compare_reason(expected, &nothing.reason, &nothing.message, found);
    compare_facts(expected, &nothing.facts, found);
}

/// Why a payload was refused.
pub(super) fn compare_error(expected: &Json, error: &DecodeError, found: &mut Vec<String>) {
    let kind = match error.kind {
        ErrorKind::Malformed => "malformed",
        ErrorKind::Unsupported => "unsupported",
        ErrorKind::NotForMe => "not-for-me",
    };
    compare_reason(expected, kind, &error.message, found);
}

fn compare_reason(expected: &Json, reason: &str, message: &str, found: &mut Vec<String>) {
    if let Some(wanted) = member(expected, "reason").filter(|wanted| is_compared(wanted) && *wanted != reason) {
        found.push(format!("expected the reason {wanted}, and got {reason}: {message}"));
    }
    if let Some(wanted) = member(expected, "message").filter(|wanted| !message.contains(wanted)) {
        found.push(format!("expected `{wanted}` in the message, and got `{message}`"));
    }
}
