//! The FHIR interface as EHRs and portals use it.

mod concurrency;
mod create;
mod errors;
mod history;
mod read;
mod search;
mod transaction;
mod update;

use serde_json::{Value, json};

/// A heart rate.
pub fn heart_rate(patient: &str, identifier: &str, effective: &str) -> Value {
    json!({
        "resourceType": "Observation",
        "identifier": [{ "system": "urn:example:readings", "value": identifier }],
        "status": "final",
        "category": [{ "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs" }] }],
        "code": { "coding": [{ "system": "http://loinc.org", "code": "8867-4" }], "text": "Heart rate" },
        "subject": { "reference": format!("Patient/{patient}") },
        "effectiveDateTime": effective,
        "valueQuantity": { "value": 72, "unit": "beats/minute", "system": "http://unitsofmeasure.org", "code": "/min" }
    })
}

/// A person.
pub fn person(identifier: &str, family: &str) -> Value {
    json!({
        "resourceType": "Patient",
        "identifier": [{ "system": "urn:example:people", "value": identifier }],
        "name": [{ "family": family, "given": ["Änne"] }],
        "gender": "female",
        "birthDate": "1960-05-17"
    })
}

/// The ids of a searchset's matches, in order.
pub fn ids(bundle: &Value) -> Vec<String> {
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    entries
        .iter()
        .filter(|entry| entry["search"]["mode"] == "match")
        .map(|entry| entry["resource"]["id"].as_str().unwrap().to_owned())
        .collect()
}

/// The address of a link of a Bundle, without its host.
pub fn link(bundle: &Value, relation: &str) -> Option<String> {
    let links = bundle["link"].as_array()?;
    let url = links.iter().find(|link| link["relation"] == relation)?["url"].as_str()?;
    let (_, path) = url.split_once("://")?.1.split_once('/')?;
    Some(format!("/{path}"))
}
