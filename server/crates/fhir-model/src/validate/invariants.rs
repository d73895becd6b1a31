//! The invariants of R4 that matter for what Afferent takes in, by type. Keys and wording follow the specification;
//! ele-1, ext-1's shape, dom-2, dom-3, ref-1, sqty-1 and txt-1 are checked where the walk meets them.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::walk::Walk;
use crate::datetime::DateRange;
use crate::outcome::IssueCode;

type Object = Map<String, Value>;

/// Checks the invariants of one type on one object.
pub(super) fn check(walk: &mut Walk<'_>, type_name: &str, object: &Object) {
    let fault = match type_name {
        "Observation" => return observation(walk, object),
        "Bundle" => return bundle(walk, object),
        "Extension" => extension(object),
        "Observation.referenceRange" => {
            require(has_any(object, &["low", "high", "text"]), "needs low, high or text (obs-3)")
        }
        "Period" => period(object),
        "Quantity" | "Age" | "Count" | "Distance" | "Duration" => {
            require(!has(object, "code") || has(object, "system"), "has a code, so it needs a system (qty-3)")
        }
        "Ratio" => require(
            has(object, "numerator") == has(object, "denominator") && has_any(object, &["numerator", "extension"]),
            "needs numerator and denominator, or neither and an extension (rat-1)",
        ),
        "Range" => range(object),
        "Attachment" => {
            require(!has(object, "data") || has(object, "contentType"), "has data, so it needs a contentType (att-1)")
        }
        "ContactPoint" => {
            require(!has(object, "value") || has(object, "system"), "has a value, so it needs a system (cpt-2)")
        }
        "Patient.contact" => require(
            has_any(object, &["name", "telecom", "address", "organization"]),
            "needs a name, telecom, address or organization (pat-1)",
        ),
        "Organization" => organization(object),
        "AuditEvent.entity" => {
            require(!(has(object, "name") && has(object, "query")), "must not have both name and query (sev-1)")
        }
        "Appointment" => appointment(object),
        "Appointment.participant" => require(has_any(object, &["type", "actor"]), "needs a type or an actor (app-1)"),
        "Parameters.parameter" => parameter(object),
        "Timing.repeat" => timing(object),
        "Bundle.entry" => bundle_entry(object),
        _ => None,
    };
    if let Some(text) = fault {
        walk.error(IssueCode::Invariant, text);
    }
    contained(walk, object);
}

fn require(holds: bool, text: &'static str) -> Option<&'static str> {
    (!holds).then_some(text)
}

fn has(object: &Object, name: &str) -> bool {
    object.contains_key(name) || object.contains_key(&format!("_{name}"))
}

fn has_any(object: &Object, names: &[&str]) -> bool {
    names.iter().any(|name| has(object, name))
}

fn text<'a>(object: &'a Object, name: &str) -> Option<&'a str> {
    object.get(name)?.as_str()
}

/// The choice `value[x]`, in either form.
fn has_value(object: &Object) -> bool {
    object.keys().any(|key| {
        let stem = key.trim_start_matches('_');
        stem.strip_prefix("value").is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_uppercase()))
    })
}

fn observation(walk: &mut Walk<'_>, object: &Object) {
    if has(object, "dataAbsentReason") && has_value(object) {
        walk.error(IssueCode::Invariant, "has a value, so it must not have a dataAbsentReason (obs-6)");
    }
    let own = codings(object);
    let components = object.get("component").and_then(Value::as_array);
    let repeated = components
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .any(|component| !codings(component).is_disjoint(&own));
    if repeated && has_value(object) {
        walk.error(
            IssueCode::Invariant,
            "has a value, so no component may have the code of the observation itself (obs-7)",
        );
    }
    contained(walk, object);
}

/// The (system, code) pairs of `code`.
fn codings(object: &Object) -> HashSet<(&str, &str)> {
    let codings = object.get("code").and_then(|code| code.get("coding")).and_then(Value::as_array);
    codings
        .into_iter()
        .flatten()
        .filter_map(|coding| Some((coding.get("system")?.as_str()?, coding.get("code")?.as_str()?)))
        .collect()
}

fn extension(object: &Object) -> Option<&'static str> {
    require(has(object, "extension") != has_value(object), "needs either a value or extensions, and not both (ext-1)")
}

fn period(object: &Object) -> Option<&'static str> {
    let read = |name| text(object, name).and_then(|text| DateRange::parse(text).ok());
    let (Some(start), Some(end)) = (read("start"), read("end")) else { return None };
    // Of different precision, they are in order as far as one can tell: 2024-05-03 is not after 2024.
    require(start.low < end.high, "must not end before it starts (per-1)")
}

fn range(object: &Object) -> Option<&'static str> {
    let side = |name: &str| object.get(name).and_then(Value::as_object);
    let (low, high) = (side("low")?, side("high")?);
    if low.get("code") != high.get("code") || low.get("system") != high.get("system") {
        return None; // Different units: not comparable without converting.
    }
    let number = |side: &Object| side.get("value").and_then(Value::as_f64);
    let (low, high) = (number(low)?, number(high)?);
    require(low <= high, "must not have a low above its high (rng-2)")
}

fn organization(object: &Object) -> Option<&'static str> {
    if !has_any(object, &["identifier", "name"]) {
        return Some("needs an identifier or a name (org-1)");
    }
    let home = |name: &str| {
        let items = object.get(name).and_then(Value::as_array);
        items.into_iter().flatten().any(|item| item.get("use").and_then(Value::as_str) == Some("home"))
    };
    require(!home("telecom") && !home("address"), "must not have a telecom or address of use home (org-2, org-3)")
}

fn appointment(object: &Object) -> Option<&'static str> {
    let status = text(object, "status").unwrap_or_default();
    if has(object, "start") != has(object, "end") {
        return Some("needs start and end, or neither (app-2)");
    }
    if !has(object, "start") && !matches!(status, "proposed" | "cancelled" | "waitlist") {
        return Some("needs start and end unless it is proposed, cancelled or on the waitlist (app-3)");
    }
    let given_up = matches!(status, "cancelled" | "noshow");
    require(
        !has(object, "cancelationReason") || given_up,
        "has a cancelationReason, so its status must be cancelled or noshow (app-4)",
    )
}

fn parameter(object: &Object) -> Option<&'static str> {
    let given = [has(object, "part"), has_value(object), has(object, "resource")];
    require(given.iter().filter(|given| **given).count() == 1, "needs exactly one of value, resource and part (inv-1)")
}

fn timing(object: &Object) -> Option<&'static str> {
    let needs: [(&str, &str, &'static str); 5] = [
        ("duration", "durationUnit", "has a duration, so it needs a durationUnit (tim-1)"),
        ("period", "periodUnit", "has a period, so it needs a periodUnit (tim-2)"),
        ("periodMax", "period", "has a periodMax, so it needs a period (tim-6)"),
        ("durationMax", "duration", "has a durationMax, so it needs a duration (tim-7)"),
        ("countMax", "count", "has a countMax, so it needs a count (tim-8)"),
    ];
    let missing =
        needs.into_iter().find(|(one, other, _)| has(object, one) && !has(object, other)).map(|(_, _, text)| text);
    let negative = |name: &str| object.get(name).and_then(Value::as_f64).is_some_and(|number| number < 0.0);
    missing
        .or_else(|| {
            require(
                !negative("duration") && !negative("period"),
                "must not have a negative duration or period (tim-4, tim-5)",
            )
        })
        .or_else(|| {
            require(
                !(has(object, "timeOfDay") && has(object, "when")),
                "must not have both timeOfDay and when (tim-10)",
            )
        })
}

fn bundle(walk: &mut Walk<'_>, object: &Object) {
    let kind = text(object, "type").unwrap_or_default();
    if has(object, "total") && !matches!(kind, "searchset" | "history") {
        walk.error(IssueCode::Invariant, "has a total, which only a searchset or history may have (bdl-1)");
    }
    let with_request = matches!(kind, "batch" | "transaction" | "history");
    let with_response = matches!(kind, "batch-response" | "transaction-response" | "history");
    let mut seen = HashSet::new();
    for entry in object.get("entry").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object) {
        if has(entry, "search") && kind != "searchset" {
            walk.error(IssueCode::Invariant, "has an entry with search, which only a searchset may have (bdl-2)");
        }
        if has(entry, "request") != with_request {
            walk.error(
                IssueCode::Invariant,
                "must have a request in every entry if, and only if, it is a batch, transaction or history (bdl-3)",
            );
        }
        if has(entry, "response") != with_response {
            walk.error(IssueCode::Invariant, "must have a response in every entry if, and only if, it is a batch-response, transaction-response or history (bdl-4)");
        }
        let version = entry.get("resource").and_then(|resource| resource.get("meta")?.get("versionId")?.as_str());
        if let Some(url) = text(entry, "fullUrl")
            && !seen.insert((url, version))
            && kind != "history"
        {
            walk.error(IssueCode::Invariant, "has two entries with the same fullUrl and version (bdl-7)");
        }
    }
}

fn bundle_entry(object: &Object) -> Option<&'static str> {
    if !has_any(object, &["resource", "request", "response"]) {
        return Some("needs a resource, a request or a response (bdl-5)");
    }
    require(
        !text(object, "fullUrl").is_some_and(|url| url.contains("/_history/")),
        "must not have a version in its fullUrl (bdl-8)",
    )
}

/// dom-4 and dom-5: a contained resource has no version, no time and no security label of its own.
fn contained(walk: &mut Walk<'_>, object: &Object) {
    let resources = object.get("contained").and_then(Value::as_array);
    for meta in resources.into_iter().flatten().filter_map(|resource| resource.get("meta")?.as_object()) {
        if has_any(meta, &["versionId", "lastUpdated"]) {
            walk.error_at(
                "contained",
                IssueCode::Invariant,
                "must not have meta.versionId or meta.lastUpdated (dom-4)",
            );
        }
        if has(meta, "security") {
            walk.error_at(
                "contained",
                IssueCode::Invariant,
                "must not have security labels; label the resource that contains it (dom-5)",
            );
        }
    }
}
