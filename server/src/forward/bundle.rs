//! The transaction Bundle that goes out (<https://hl7.org/fhir/R4/http.html#transaction>), and what of a search result is
//! believed. Pure.

use fhir_model::bundle::OutgoingEntry;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::receiver_view::Identified;

/// An Observation in its receiver's view, with how it is written over there.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// What it is found by: once in a Bundle.
    pub(super) identifier: Identified,
    /// The first version is created if nobody has it; a later one updates whatever has the identifier.
    pub(super) first_version: bool,
    /// The resource.
    pub(super) resource: Map<String, Value>,
    /// The Patient that is created with it where the endpoint asked for that.
    pub(super) patient: Option<PatientEntry>,
}

/// A Patient that travels with its Observations.
#[derive(Debug, Clone)]
pub(super) struct PatientEntry {
    /// What it is found by.
    pub(super) identifier: Identified,
    /// `urn:uuid:…`, which the subjects in the same Bundle refer to.
    pub(super) full_url: String,
    /// The resource.
    pub(super) resource: Map<String, Value>,
}

/// A Bundle's text, and how many entries stand in front of the Observations.
#[derive(Debug)]
pub(super) struct Transaction {
    /// JSON.
    pub(super) text: String,
    /// Patients: the first entries.
    pub(super) patients: usize,
}

/// Writes the transaction for these entries, in order.
pub(super) fn transaction(entries: &[&Entry]) -> Transaction {
    let mut written: Vec<Written> = Vec::with_capacity(entries.len() + 1);
    let mut patients: Vec<&Identified> = Vec::new();
    for patient in entries.iter().filter_map(|entry| entry.patient.as_ref()) {
        if !patients.contains(&&patient.identifier) {
            patients.push(&patient.identifier);
            written.push(Written::create(patient.full_url.clone(), "Patient", &patient.resource, &patient.identifier));
        }
    }
    let patients = patients.len();
    for entry in entries {
        let full_url = format!("urn:uuid:{}", Uuid::now_v7());
        let mut this = Written::create(full_url, "Observation", &entry.resource, &entry.identifier);
        if !entry.first_version {
            this.url = format!("Observation?{}", entry.identifier.query());
            this.method = "PUT";
            this.if_none_exist = None;
        }
        written.push(this);
    }
    let outgoing: Vec<OutgoingEntry<'_>> = written.iter().map(Written::as_outgoing).collect();
    Transaction { text: fhir_model::bundle::transaction(&outgoing), patients }
}

/// The texts of an entry.
struct Written {
    full_url: String,
    resource: String,
    method: &'static str,
    url: String,
    if_none_exist: Option<String>,
}

impl Written {
    fn create(full_url: String, resource_type: &str, resource: &Map<String, Value>, identifier: &Identified) -> Self {
        // Writing a map with string keys to memory cannot fail.
        let resource = serde_json::to_string(resource).unwrap_or_default();
        Self {
            full_url,
            resource,
            method: "POST",
            url: resource_type.to_owned(),
            if_none_exist: Some(identifier.query()),
        }
    }

    fn as_outgoing(&self) -> OutgoingEntry<'_> {
        OutgoingEntry {
            full_url: &self.full_url,
            resource: &self.resource,
            method: self.method,
            url: &self.url,
            if_none_exist: self.if_none_exist.as_deref(),
        }
    }
}

/// What a search by identifier says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// A resource with exactly this identifier is there; where, when it says.
    Yes(Option<String>),
    /// A search result without one.
    No,
    /// Not a search result.
    NotAnAnswer,
}

/// Reads a searchset. Only an Observation that shows the identifier counts: a server that ignores parameters it does not
/// know answers with everything it has.
pub(super) fn found(body: &[u8], identifier: &Identified) -> Found {
    let Ok(bundle) = serde_json::from_slice::<Value>(body) else { return Found::NotAnAnswer };
    if bundle.get("resourceType").and_then(Value::as_str) != Some("Bundle") {
        return Found::NotAnAnswer;
    }
    let entries = bundle.get("entry").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for resource in entries.iter().filter_map(|entry| entry.get("resource")) {
        let is_observation = resource.get("resourceType").and_then(Value::as_str) == Some("Observation");
        let identifiers = resource.get("identifier").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if is_observation && identifiers.iter().any(|one| identifier.is(one)) {
            let id = resource.get("id").and_then(Value::as_str);
            return Found::Yes(id.map(|id| format!("Observation/{id}")));
        }
    }
    Found::No
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use serde_json::json;

    use super::*;

    fn entry(value: &str, first_version: bool) -> Entry {
        let resource =
            serde_json::from_str(r#"{"resourceType":"Observation","valueQuantity":{"value":97.50}}"#).unwrap();
        let identifier = Identified { system: "urn:uuid:7".into(), value: value.into() };
        Entry { identifier, first_version, resource, patient: None }
    }

    #[test]
    fn creates_and_updates_are_conditional() {
        let (first, later) = (entry("a", true), entry("b", false));
        let transaction = transaction(&[&first, &later]);
        let bundle: Value = serde_json::from_str(&transaction.text).unwrap();
        assert_eq!((&bundle["resourceType"], &bundle["type"]), (&json!("Bundle"), &json!("transaction")));
        assert_eq!(
            bundle["entry"][0]["request"],
            json!({"method": "POST", "url": "Observation", "ifNoneExist": "identifier=urn:uuid:7|a"})
        );
        assert_eq!(
            bundle["entry"][1]["request"],
            json!({"method": "PUT", "url": "Observation?identifier=urn:uuid:7|b"})
        );
        assert_eq!(transaction.text.matches(r#"{"value":97.50}"#).count(), 2);
        assert_ne!(bundle["entry"][0]["fullUrl"], bundle["entry"][1]["fullUrl"]);
        assert_eq!(transaction.patients, 0);
    }

    #[test]
    fn a_patient_travels_once() {
        let patient = PatientEntry {
            identifier: Identified { system: "mrn".into(), value: "42".into() },
            full_url: "urn:uuid:0".into(),
            resource: serde_json::from_str(r#"{"resourceType":"Patient"}"#).unwrap(),
        };
        let mut entries = [entry("a", true), entry("b", true)];
        for entry in &mut entries {
            entry.patient = Some(patient.clone());
        }
        let transaction = transaction(&entries.iter().collect::<Vec<_>>());
        let bundle: Value = serde_json::from_str(&transaction.text).unwrap();
        assert_eq!(transaction.patients, 1);
        assert_eq!(bundle["entry"].as_array().unwrap().len(), 3);
        assert_eq!(
            bundle["entry"][0]["request"],
            json!({"method": "POST", "url": "Patient", "ifNoneExist": "identifier=mrn|42"})
        );
    }

    #[test]
    fn only_the_identifier_itself_counts_as_found() {
        let wanted = Identified { system: "urn:uuid:7".into(), value: "a".into() };
        let with = |resource: Value| {
            json!({"resourceType": "Bundle", "type": "searchset", "total": 1, "entry": [{"resource": resource}]})
                .to_string()
        };
        let there =
            json!({"resourceType": "Observation", "id": "9", "identifier": [{"system": "urn:uuid:7", "value": "a"}]});
        assert_eq!(found(with(there).as_bytes(), &wanted), Found::Yes(Some("Observation/9".into())));
        let other =
            json!({"resourceType": "Observation", "id": "9", "identifier": [{"system": "urn:uuid:7", "value": "b"}]});
        assert_eq!(found(with(other).as_bytes(), &wanted), Found::No);
        assert_eq!(found(br#"{"resourceType":"Bundle","type":"searchset","total":0}"#, &wanted), Found::No);
        assert_eq!(found(br#"{"resourceType":"OperationOutcome"}"#, &wanted), Found::NotAnAnswer);
        assert_eq!(found(b"<html>", &wanted), Found::NotAnAnswer);
    }
}
