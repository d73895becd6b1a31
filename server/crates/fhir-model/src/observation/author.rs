//! Draft + disposition + binding → the JSON text that is stored and served, written once and directly.
//!
//! fhirbolt's typed Observation says what is right: `typed.rs` authors the same resource with it, and the tests hold the
//! two against each other byte for byte. Building that value and serializing it took a tenth of the server's time on the
//! way in (docs/decisions/0012); this writes the text in one go.

use super::json::Json;
use super::{
    ACT_REASON, AuthorError, Binding, Component, DATA_ABSENT_REASON, Draft, EXTENSION_BASE, Effective, ExtensionValue,
    Quantity, Samples, Value,
};
use crate::dispositions::Disposition;
use crate::units::UCUM;
use crate::vitals::{Coding, Concept};

/// Room for an Observation with two components and its provenance; a longer one grows.
const USUAL_BYTES: usize = 2048;

/// Writes the Observation as compact JSON, elements in FHIR's order, decimals with their trailing zeros
/// (<https://hl7.org/fhir/R4/observation.html>).
///
/// The disposition decides status, interpretation, notes, security labels, and whether values are withdrawn.
/// A profile is claimed only with a subject: every R4 vital-signs profile requires one.
///
/// # Errors
/// [`AuthorError`] when the draft cannot be an Observation; that is a defect of the caller's draft.
pub fn author(draft: &Draft, disposition: &Disposition, binding: &Binding<'_>) -> Result<String, AuthorError> {
    let withdrawn = disposition.absent.as_deref();
    let mut json = Json::with_capacity(USUAL_BYTES);
    json.open("{");
    json.text("resourceType", "Observation");
    json.text("id", binding.id);
    meta(&mut json, draft, disposition, binding);
    json.list("extension", &draft.extensions, |json, (name, value)| extension(json, name, value));
    json.list("identifier", &[()], |json, ()| {
        json.text("system", binding.identifier_system);
        json.text("value", binding.identifier_value);
    });
    json.text("status", disposition.status.code());
    json.list("category", &draft.categories, single);
    json.object("code", |json| concept(json, &draft.code));
    if let Some(subject) = binding.subject {
        json.object("subject", |json| json.text("reference", subject));
    }
    effective(&mut json, &draft.effective);
    json.text("issued", binding.last_updated);
    value_or_reason(&mut json, &draft.value, withdrawn, false)?;
    json.list("interpretation", &disposition.interpretations, single);
    json.list("note", &disposition.notes, |json, note| json.text("text", note));
    if let Some(site) = &draft.body_site {
        json.object("bodySite", |json| concept(json, site));
    }
    if let Some(method) = &draft.method {
        json.object("method", |json| concept(json, method));
    }
    if let Some(device) = binding.device {
        json.object("device", |json| {
            json.text("reference", device);
            json.maybe_text("display", binding.device_display);
        });
    }
    json.list("hasMember", binding.has_member, |json, target| json.text("reference", target));
    json.list("derivedFrom", binding.derived_from, |json, target| json.text("reference", target));
    let mut result = Ok(());
    json.list("component", &draft.components, |json, part| {
        if result.is_ok() {
            result = component(json, part, withdrawn);
        }
    });
    result?;
    json.close("}");
    Ok(json.finish())
}

fn meta(json: &mut Json, draft: &Draft, disposition: &Disposition, binding: &Binding<'_>) {
    json.object("meta", |json| {
        json.text("versionId", &binding.version.to_string());
        json.text("lastUpdated", binding.last_updated);
        json.maybe_text("source", binding.source);
        if let Some(profile) = draft.profile.as_deref().filter(|_| binding.subject.is_some()) {
            json.texts("profile", &[profile]);
        }
        json.list("security", &disposition.security, |json, code| {
            json.text("system", ACT_REASON);
            json.text("code", code);
        });
    });
}

/// The value to write, or the reason why there is none. A reason of the disposition beats a value and every other reason.
fn value_or_reason(
    json: &mut Json,
    value: &Value,
    withdrawn: Option<&str>,
    reason_needed: bool,
) -> Result<(), AuthorError> {
    match (value, withdrawn) {
        // A component without a value needs a reason (vs-3).
        (Value::None, _) if reason_needed => absent(json, "unknown"),
        (Value::None, _) => {}
        (_, Some(reason)) => absent(json, reason),
        (Value::Absent(reason), None) => absent(json, reason),
        (Value::Quantity(value), None) => json.object("valueQuantity", |json| quantity(json, value)),
        (Value::Concept(value), None) => json.object("valueCodeableConcept", |json| concept(json, value)),
        (Value::Text(value), None) => json.text("valueString", value),
        (Value::Boolean(value), None) => json.raw("valueBoolean", if *value { "true" } else { "false" }),
        (Value::Integer(value), None) => json.raw("valueInteger", &value.to_string()),
        (Value::Samples(value), None) => {
            if value.dimensions == 0 {
                return Err(AuthorError::new("sampled data of no dimension"));
            }
            json.object("valueSampledData", |json| samples(json, value));
        }
    }
    Ok(())
}

fn absent(json: &mut Json, reason: &str) {
    json.object("dataAbsentReason", |json| {
        json.list("coding", &[()], |json, ()| {
            json.text("system", DATA_ABSENT_REASON);
            json.text("code", reason);
        });
    });
}

fn component(json: &mut Json, part: &Component, withdrawn: Option<&str>) -> Result<(), AuthorError> {
    json.object("code", |json| concept(json, &part.code));
    value_or_reason(json, &part.value, withdrawn.filter(|_| !part.circumstance), true)
}

fn quantity(json: &mut Json, value: &Quantity) {
    json.list("extension", value.original.as_slice(), |json, original| {
        json.joined("url", &[EXTENSION_BASE, "original-quantity"]);
        json.object("valueQuantity", |json| quantity(json, original));
    });
    json.raw("value", &value.value.to_string());
    json.maybe_text("comparator", value.comparator.as_deref());
    json.text("unit", &value.display);
    json.text("system", UCUM);
    json.text("code", &value.unit);
}

fn samples(json: &mut Json, samples: &Samples) {
    json.object("origin", |json| quantity(json, &samples.origin));
    json.raw("period", &samples.period_ms.to_string());
    json.raw("factor", &samples.factor.to_string());
    for (name, limit) in [("lowerLimit", samples.lower_limit), ("upperLimit", samples.upper_limit)] {
        if let Some(limit) = limit {
            json.raw(name, &limit.to_string());
        }
    }
    json.raw("dimensions", &samples.dimensions.to_string());
    json.text("data", &samples.data);
}

fn effective(json: &mut Json, effective: &Effective) {
    match effective {
        Effective::Instant(instant) => json.text("effectiveDateTime", instant),
        Effective::Period { start, end } => json.object("effectivePeriod", |json| {
            json.text("start", start);
            json.text("end", end);
        }),
    }
}

fn extension(json: &mut Json, name: &str, value: &ExtensionValue) {
    json.joined("url", &[EXTENSION_BASE, name]);
    match value {
        ExtensionValue::Text(text) => json.text("valueString", text),
        ExtensionValue::Code(code) => json.text("valueCode", code),
        ExtensionValue::Reference(target) => {
            json.object("valueReference", |json| json.text("reference", target));
        }
        ExtensionValue::Concept(value) => json.object("valueCodeableConcept", |json| concept(json, value)),
        ExtensionValue::Seconds(seconds) => json.object("valueDuration", |json| {
            json.raw("value", &seconds.to_string());
            json.text("unit", "s");
            json.text("system", UCUM);
            json.text("code", "s");
        }),
    }
}

fn concept(json: &mut Json, value: &Concept) {
    json.list("coding", &value.codings, coding);
    json.maybe_text("text", value.text.as_deref());
}

/// A concept of one coding alone.
fn single(json: &mut Json, one: &Coding) {
    json.list("coding", std::slice::from_ref(one), coding);
}

fn coding(json: &mut Json, coding: &Coding) {
    json.text("system", &coding.system);
    json.text("code", &coding.code);
    json.maybe_text("display", coding.display.as_deref());
}
