//! Index values of whole resources, by the official expressions.
#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value, json};

use super::*;
use crate::definitions::tests::r4;

const BASE: &str = "https://us.example/fhir";

fn all(value: Value) -> Vec<(String, IndexValue)> {
    let extractor = Extractor::load(Selection::All).unwrap();
    let resource = Resource::from_value(value).unwrap();
    extractor.extract(r4(), &resource, &[BASE]).into_iter().map(|entry| (entry.code.to_owned(), entry.value)).collect()
}

fn of(entries: &[(String, IndexValue)], code: &str) -> Vec<IndexValue> {
    entries.iter().filter(|(found, _)| found == code).map(|(_, value)| value.clone()).collect()
}

fn token(system: Option<&str>, code: &str) -> IndexValue {
    IndexValue::Token { system: system.map(str::to_owned), code: Some(code.to_owned()) }
}

fn reference(resource_type: &str, id: &str) -> IndexValue {
    IndexValue::Reference { resource_type: resource_type.to_owned(), id: id.to_owned() }
}

fn date(low: &str, high: &str) -> IndexValue {
    IndexValue::Date { low: low.parse().unwrap(), high: high.parse().unwrap() }
}

#[test]
fn every_official_expression_compiles() {
    let extractor = Extractor::load(Selection::All).unwrap();
    let count: usize = extractor.by_type.values().map(Vec::len).sum();
    assert!(count > 1000, "{count}");
    let table = Extractor::load(Selection::Table).unwrap();
    assert_eq!(table.by_type.len(), search::TABLE.len());
}

#[test]
fn observation() {
    let entries = all(json!({
        "resourceType": "Observation", "id": "o1", "meta": {"lastUpdated": "2026-11-22T20:52:10.5Z"},
        "identifier": [{"system": "urn:x", "value": "1"}], "status": "final",
        "category": [{"coding": [{"system": "c", "code": "vital-signs"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}, {"code": "local"}], "text": "BP"},
        "subject": {"reference": "https://us.example/fhir/Patient/p", "identifier": {"system": "s", "value": "v"}},
        "effectivePeriod": {"start": "2026-11", "end": "2026-11-22T10:00:00+01:00"},
        "device": {"reference": "#d"}, "contained": [{"resourceType": "Device", "id": "d"}],
        "valueQuantity": {"value": 97.50, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"},
        "component": [{"code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]}, "valueCodeableConcept": {"coding": [{"code": "x"}]}}]
    }));
    assert_eq!(of(&entries, "_id"), [token(None, "o1")]);
    assert_eq!(of(&entries, "_lastUpdated"), [date("2026-11-22T20:52:10.5Z", "2026-11-22T20:52:10.6Z")]);
    assert_eq!(of(&entries, "identifier"), [token(Some("urn:x"), "1")]);
    assert_eq!(of(&entries, "status"), [token(Some("http://hl7.org/fhir/observation-status"), "final")]);
    assert_eq!(of(&entries, "code"), [token(Some("http://loinc.org"), "85354-9"), token(None, "local")]);
    let subject = IndexValue::ReferenceIdentifier { system: Some("s".into()), value: Some("v".into()) };
    assert_eq!(of(&entries, "subject"), [reference("Patient", "p"), subject.clone()]);
    assert_eq!(of(&entries, "patient"), [reference("Patient", "p"), subject]);
    assert_eq!(of(&entries, "device"), []);
    assert_eq!(of(&entries, "date"), [date("2026-11-01T00:00:00Z", "2026-11-22T09:00:01Z")]);
    let quantity = IndexValue::Quantity {
        value: 97.5,
        system: Some("http://unitsofmeasure.org".into()),
        code: Some("%".into()),
        unit: Some("%".into()),
    };
    assert_eq!(of(&entries, "value-quantity"), [quantity]);
    assert_eq!(of(&entries, "combo-code").len(), 3);
    assert_eq!(of(&entries, "component-value-concept"), [token(None, "x")]);
}

#[test]
fn patient() {
    let entries = all(json!({
        "resourceType": "Patient", "active": true, "gender": "female", "birthDate": "1980-02", "deceasedBoolean": false,
        "name": [{"family": "Müller", "given": ["Änne", "M."], "text": "Änne Müller", "prefix": ["Dr."]}],
        "telecom": [{"system": "email", "value": "a@b"}, {"system": "phone", "value": "1"}]
    }));
    let strings = |code: &str| -> Vec<String> {
        of(&entries, code)
            .into_iter()
            .filter_map(|value| if let IndexValue::String { normalised, .. } = value { Some(normalised) } else { None })
            .collect()
    };
    assert_eq!(strings("name"), ["muller", "anne", "m.", "anne muller", "dr."]);
    assert_eq!(strings("family"), ["muller"]);
    assert_eq!(of(&entries, "birthdate"), [date("1980-02-01T00:00:00Z", "1980-03-01T00:00:00Z")]);
    assert_eq!(of(&entries, "gender"), [token(Some("http://hl7.org/fhir/administrative-gender"), "female")]);
    assert_eq!(of(&entries, "active"), [token(None, "true")]);
    assert_eq!(of(&entries, "deceased"), [token(None, "false")]);
    assert_eq!(of(&entries, "email"), [token(None, "a@b")]);
    let died = all(json!({"resourceType": "Patient", "deceasedDateTime": "2024-01-01"}));
    assert_eq!((of(&died, "deceased"), of(&died, "death-date").len()), (vec![token(None, "true")], 1));
}

#[test]
fn open_periods_and_odd_values() {
    let entries = all(
        json!({"resourceType": "Encounter", "period": {"start": "2024"}, "subject": {"type": "Patient", "identifier": {"value": "x"}}}),
    );
    assert_eq!(
        of(&entries, "date"),
        [IndexValue::Date { low: "2024-01-01T00:00:00Z".parse().unwrap(), high: latest() }]
    );
    assert_eq!(of(&entries, "patient"), [IndexValue::ReferenceIdentifier { system: None, value: Some("x".into()) }]);
    let odd = all(
        json!({"resourceType": "Observation", "effectiveDateTime": "never", "code": 7, "subject": {"reference": "?"}, "valueQuantity": {"value": "x"}}),
    );
    assert_eq!(odd, []);
    assert_eq!(all(json!({"resourceType": "Nothing"})), []);
    assert!(earliest() < latest());
}
