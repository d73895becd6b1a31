//! Good and bad samples, each bad one with the place and the kind of its fault.
#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value, json};

use super::*;
use crate::definitions::tests::r4;
use crate::outcome::IssueCode;

fn issues(value: Value) -> Vec<Issue> {
    validate(r4(), &Resource::from_value(value).unwrap(), Options::default())
}

/// (code, expression) of every issue.
fn faults(value: Value) -> Vec<(IssueCode, String)> {
    issues(value).into_iter().map(|issue| (issue.code, issue.expression.join(","))).collect()
}

fn observation(change: impl FnOnce(&mut Value)) -> Value {
    let mut value = json!({
        "resourceType": "Observation",
        "id": "bp-1",
        "meta": {"profile": ["http://hl7.org/fhir/StructureDefinition/bp"]},
        "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">120/80</div>"},
        "identifier": [{"system": "urn:uuid:0195c3f0-0000-7000-8000-00000000000a", "value": "x"}],
        "status": "final",
        "_status": {"extension": [{"url": "http://example.org/why", "valueString": "x"}]},
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}], "text": "Blood pressure"},
        "subject": {"reference": "Patient/1"},
        "effectiveDateTime": "2026-11-22T20:52:10+01:00",
        "device": {"reference": "#d"},
        "contained": [{"resourceType": "Device", "id": "d", "status": "active"}],
        "referenceRange": [{"low": {"value": 1.0, "unit": "mm"}, "text": "x"}],
        "component": [
            {"code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]},
             "valueQuantity": {"value": 120, "unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]"}},
            {"code": {"coding": [{"system": "http://loinc.org", "code": "8462-4"}]},
             "dataAbsentReason": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "error"}]}}
        ]
    });
    change(&mut value);
    value
}

fn one(code: IssueCode, expression: &str) -> Vec<(IssueCode, String)> {
    vec![(code, expression.to_owned())]
}

#[test]
fn a_full_observation_is_valid() {
    assert_eq!(issues(observation(|_| {})), []);
}

#[test]
fn unknown_elements_are_named_with_what_was_meant() {
    let found = issues(observation(|o| o["component"][1]["valueQuantiti"] = json!({"value": 1})));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].expression, ["Observation.component[1].valueQuantiti"]);
    assert!(found[0].diagnostics.as_ref().unwrap().contains("did you mean valueQuantity?"), "{found:?}");
    let found = issues(observation(|o| o["value"] = json!({"value": 1})));
    assert!(found[0].diagnostics.as_ref().unwrap().contains("valueQuantity, valueCodeableConcept"), "{found:?}");
    assert_eq!(
        faults(observation(|o| o["_code"] = json!({"id": "x"}))),
        one(IssueCode::Structure, "Observation._code")
    );
    assert_eq!(
        faults(observation(|o| o["code"]["resourceType"] = json!("x"))),
        one(IssueCode::Structure, "Observation.code.resourceType")
    );
    assert_eq!(
        faults(json!({"resourceType": "Observations", "id": "1"})),
        one(IssueCode::Structure, "Observations.resourceType")
    );
}

#[test]
fn all_issues_are_collected() {
    let found = faults(
        json!({"resourceType": "Observation", "status": "done", "effectiveDateTime": "2023-02-29", "category": {}, "note": []}),
    );
    let expected = [
        (IssueCode::CodeInvalid, "Observation.status"),
        (IssueCode::Value, "Observation.effectiveDateTime"),
        (IssueCode::Structure, "Observation.category"),
        (IssueCode::Structure, "Observation.note"),
        (IssueCode::Required, "Observation"),
    ];
    assert_eq!(found, expected.map(|(code, at)| (code, at.to_owned())));
}

#[test]
fn shapes_and_emptiness() {
    assert_eq!(faults(observation(|o| o["code"] = json!([]))), one(IssueCode::Structure, "Observation.code"));
    assert_eq!(faults(observation(|o| o["code"] = json!({}))), one(IssueCode::Invariant, "Observation.code"));
    assert_eq!(
        faults(observation(|o| o["code"] = json!({"id": "only"}))),
        one(IssueCode::Invariant, "Observation.code")
    );
    assert_eq!(faults(observation(|o| o["code"] = json!("x"))), one(IssueCode::Structure, "Observation.code"));
    assert_eq!(faults(observation(|o| o["issued"] = Value::Null)), one(IssueCode::Structure, "Observation.issued"));
    assert_eq!(faults(observation(|o| o["code"]["text"] = json!(""))), one(IssueCode::Value, "Observation.code.text"));
    assert_eq!(
        faults(observation(|o| o["component"][0]["valueQuantity"]["value"] = json!("120"))),
        one(IssueCode::Value, "Observation.component[0].valueQuantity.value")
    );
    assert_eq!(
        faults(observation(|o| o["effectivePeriod"] = json!({"start": "2024"}))),
        one(IssueCode::Structure, "Observation")
    );
}

#[test]
fn primitive_extensions_line_up() {
    let name = |given: Value, extended: Value| json!({"resourceType": "Patient", "name": [{"given": given, "_given": extended}]});
    let absent = json!({"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "masked"}]});
    assert_eq!(faults(name(json!([null, "B"]), json!([absent, null]))), []);
    assert_eq!(
        faults(name(json!([null, "B"]), json!([null, absent]))),
        one(IssueCode::Structure, "Patient.name[0].given[0]")
    );
    assert_eq!(faults(name(json!(["A", "B"]), json!([absent]))), one(IssueCode::Structure, "Patient.name[0]._given"));
    assert_eq!(faults(name(json!(["A"]), json!([{}]))), one(IssueCode::Invariant, "Patient.name[0]._given[0]"));
    // A required primitive may be absent with a reason.
    assert_eq!(faults(json!({"resourceType": "Observation", "_status": absent, "code": {"text": "x"}})), []);
}

#[test]
fn extensions_have_url_and_value_or_children() {
    let with = |extension: Value| faults(observation(|o| o["extension"] = json!([extension])));
    assert_eq!(with(json!({"url": "http://a", "valueDecimal": 1.50})), []);
    assert_eq!(with(json!({"url": "http://a", "extension": [{"url": "b", "valueBoolean": true}]})), []);
    assert_eq!(with(json!({"url": "http://a"})), one(IssueCode::Invariant, "Observation.extension[0]"));
    assert_eq!(
        with(json!({"url": "http://a", "valueCode": "x", "extension": [{"url": "b", "valueBoolean": true}]})),
        one(IssueCode::Invariant, "Observation.extension[0]")
    );
    assert_eq!(with(json!({"valueCode": "x"})), one(IssueCode::Required, "Observation.extension[0]"));
}

#[test]
fn references_point_at_what_they_may() {
    let subject = |reference: &str| faults(observation(|o| o["subject"] = json!({"reference": reference})));
    for good in [
        "Patient/1",
        "https://a.example/Patient/1",
        "urn:uuid:0195c3f0-0000-7000-8000-00000000000a",
        "Group/g/_history/1",
        "https://a.example/about",
    ] {
        assert_eq!(subject(good), [], "{good}");
    }
    for bad in [
        "Practitioner/1",
        "Nothing/1",
        "1",
        "Patient/a b",
        "https://a.example/Practitioner/1",
        "Patient?identifier=a|b",
    ] {
        assert_eq!(subject(bad), one(IssueCode::Value, "Observation.subject.reference"), "{bad}");
    }
    assert_eq!(subject("#nobody"), one(IssueCode::Invariant, "Observation.subject.reference"));
    let conditional =
        Resource::from_value(observation(|o| o["subject"] = json!({"reference": "Patient?identifier=a|b"}))).unwrap();
    assert_eq!(validate(r4(), &conditional, Options { conditional_references: true }), []);
    let typed =
        |name: &str| faults(observation(|o| o["subject"] = json!({"type": name, "identifier": {"value": "x"}})));
    assert_eq!(typed("Patient"), []);
    assert_eq!(typed("Practitioner"), one(IssueCode::Value, "Observation.subject.reference"));
}

#[test]
fn contained_resources_are_used_and_flat() {
    assert_eq!(
        faults(observation(|o| o["device"] = json!({"reference": "Device/1"}))),
        one(IssueCode::Invariant, "Observation.contained[0]")
    );
    assert_eq!(
        faults(observation(|o| o["contained"][0]["meta"] = json!({"versionId": "1"}))),
        one(IssueCode::Invariant, "Observation.contained")
    );
    assert_eq!(
        faults(observation(|o| o["contained"][0]["contained"] = json!([{"resourceType": "Device", "id": "x"}]))),
        one(IssueCode::Invariant, "Observation.contained[0].contained[0]")
    );
    assert_eq!(
        faults(observation(|o| o["contained"][0]["status"] = json!("broken"))),
        one(IssueCode::CodeInvalid, "Observation.contained[0].status")
    );
}

#[test]
fn invariants_hold() {
    assert_eq!(
        faults(observation(|o| {
            o["valueBoolean"] = json!(true);
            o["dataAbsentReason"] = json!({"text": "x"});
        })),
        one(IssueCode::Invariant, "Observation")
    );
    assert_eq!(
        faults(observation(|o| {
            o["valueBoolean"] = json!(true);
            o["component"][0]["code"] = o["code"].clone();
        })),
        one(IssueCode::Invariant, "Observation")
    );
    // The same code in a component is fine while the observation has no value of its own.
    assert_eq!(faults(observation(|o| o["component"][0]["code"] = o["code"].clone())), []);
    assert_eq!(
        faults(observation(|o| o["referenceRange"] = json!([{"appliesTo": [{"text": "x"}]}]))),
        one(IssueCode::Invariant, "Observation.referenceRange[0]")
    );
    assert_eq!(
        faults(observation(|o| o["referenceRange"][0]["low"]["comparator"] = json!("<"))),
        one(IssueCode::Invariant, "Observation.referenceRange[0].low.comparator")
    );
    assert_eq!(
        faults(observation(|o| {
            o["component"][0]["valueQuantity"].as_object_mut().unwrap().remove("system");
        })),
        one(IssueCode::Invariant, "Observation.component[0].valueQuantity")
    );
    let period = |start: &str, end: &str| {
        faults(
            json!({"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "effectivePeriod": {"start": start, "end": end}}),
        )
    };
    assert_eq!(period("2024-05-03", "2024"), []);
    assert_eq!(period("2024-05-03T10:00:00+02:00", "2024-05-03T09:00:00Z"), []);
    assert_eq!(period("2024-05-03", "2024-05-02"), one(IssueCode::Invariant, "Observation.effectivePeriod"));
    assert_eq!(
        faults(json!({"resourceType": "Organization", "active": true})),
        one(IssueCode::Invariant, "Organization")
    );
    assert_eq!(
        faults(json!({"resourceType": "Patient", "telecom": [{"value": "1"}]})),
        one(IssueCode::Invariant, "Patient.telecom[0]")
    );
}

#[test]
fn required_concepts_need_a_coding_of_their_set() {
    let condition = |status: Value| {
        faults(json!({"resourceType": "Condition", "subject": {"reference": "Patient/1"}, "clinicalStatus": status}))
    };
    let coding =
        |code: &str| json!({"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": code});
    assert_eq!(condition(json!({"coding": [{"system": "local", "code": "x"}, coding("active")]})), []);
    assert_eq!(condition(json!({"extension": [{"url": "http://a", "valueCode": "unknown"}]})), []);
    for bad in [json!({"coding": [coding("odd")]}), json!({"coding": [{"code": "active"}]}), json!({"text": "active"})]
    {
        assert_eq!(condition(bad), one(IssueCode::CodeInvalid, "Condition.clinicalStatus"));
    }
}

#[test]
fn bundles_are_walked_with_their_entries() {
    let entry = |resource: Value| json!({"fullUrl": "urn:uuid:0195c3f0-0000-7000-8000-00000000000a", "resource": resource, "request": {"method": "POST", "url": "Observation"}});
    let bundle = |entries: Value| json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
    assert_eq!(faults(bundle(json!([entry(observation(|_| {}))]))), []);
    assert_eq!(
        faults(bundle(json!([entry(observation(|o| o["status"] = json!("x")))]))),
        one(IssueCode::CodeInvalid, "Bundle.entry[0].resource.status")
    );
    assert_eq!(
        faults(bundle(json!([entry(json!({"id": "1"}))]))),
        one(IssueCode::Structure, "Bundle.entry[0].resource")
    );
    assert_eq!(faults(bundle(json!([{"resource": observation(|_| {})}]))), one(IssueCode::Invariant, "Bundle"));
}

#[test]
fn a_hostile_body_gets_a_bounded_answer() {
    let many: serde_json::Map<String, Value> = (0..5000).map(|at| (format!("x{at}"), json!(1))).collect();
    let mut value = json!({"resourceType": "Patient"});
    value.as_object_mut().unwrap().extend(many);
    assert_eq!(issues(value).len(), MOST_ISSUES + 1);
}
