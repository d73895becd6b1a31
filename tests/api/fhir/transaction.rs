//! Bundles: all or nothing in a transaction, each for itself in a batch.

use serde_json::{Value, json};

use super::{heart_rate, ids, person};
use crate::support::{Clinic, TestApp};

fn entry(method: &str, url: &str, resource: Value) -> Value {
    json!({ "resource": resource, "request": { "method": method, "url": url } })
}

fn bundle(kind: &str, entries: &[Value]) -> Value {
    json!({ "resourceType": "Bundle", "type": kind, "entry": entries })
}

fn about(subject: &str, identifier: &str) -> Value {
    let mut reading = heart_rate("x", identifier, "2026-11-22T10:00:00Z");
    reading["subject"]["reference"] = json!(subject);
    reading
}

async fn patients(clinic: &Clinic, query: &str) -> Vec<String> {
    ids(&clinic.admin.get(&format!("{}/Patient?{query}", clinic.fhir)).await.expect(200))
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_refer_to_each_other_and_to_what_is_there() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let urn = "urn:uuid:0195c3f0-0000-7000-8000-00000000000a";
    let mut new = entry("POST", "Patient", person("new", "Neu"));
    new["fullUrl"] = json!(urn);
    let mut conditional = entry("POST", "Observation", about(urn, "1"));
    conditional["request"]["ifNoneExist"] = json!("identifier=urn:example:readings|1");
    let known = format!("Patient?identifier={}|{}", clinic.record_number.0, clinic.record_number.1);
    let entries = [
        conditional,
        entry("POST", "Observation", about(&known, "2")),
        entry(
            "PUT",
            "Observation?identifier=urn:example:readings|3",
            about("Patient?identifier=urn:example:people|new", "3"),
        ),
        new,
    ];
    let request = bundle("transaction", &entries);
    let response = clinic.admin.post(&clinic.fhir, request.clone()).await.expect(200);
    assert_eq!(response["type"], "transaction-response");
    for entry in response["entry"].as_array().unwrap() {
        assert_eq!(
            (entry["response"]["status"].as_str(), entry["response"]["etag"].as_str()),
            (Some("201 Created"), Some("W/\"1\""))
        );
        assert!(entry["response"]["lastModified"].is_string(), "{entry}");
        let location = entry["response"]["location"].as_str().unwrap();
        clinic.admin.get(&format!("{}/{location}", clinic.fhir)).await.expect(200);
    }
    let made = patients(&clinic, "identifier=urn:example:people|new").await;
    assert_eq!(
        (
            clinic.count(&format!("patient={}", made[0])).await,
            clinic.count(&format!("patient={}", clinic.patient)).await
        ),
        (2, 1)
    );

    // Again: what is conditional is there, the rest is new or refused for being ambiguous.
    let again = clinic.admin.post(&clinic.fhir, bundle("transaction", &entries[..2])).await.expect(422);
    assert_eq!(again["issue"][0]["expression"], json!(["Bundle.entry[0].resource.subject.reference"]), "{again}");
    let repeat = clinic.admin.post(&clinic.fhir, bundle("transaction", &[entries[2].clone()])).await.expect(200);
    assert_eq!(repeat["entry"][0]["response"]["status"], "200 OK");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_wrong_entry_and_nothing_is_stored() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    clinic.admin.post(&format!("{}/Patient", clinic.fhir), person("twin", "A")).await.expect(201);
    clinic.admin.post(&format!("{}/Patient", clinic.fhir), person("twin", "B")).await.expect(201);
    let before = patients(&clinic, "").await.len();
    let good = || entry("POST", "Patient", person("good", "Good"));
    let mut invalid = about(&format!("Patient/{}", clinic.patient), "1");
    invalid["status"] = json!("done");
    invalid["colour"] = json!("red");
    let mut stale = entry("PUT", &format!("Patient/{}", clinic.patient), {
        let mut patient = person("x", "X");
        patient["id"] = json!(clinic.patient);
        patient
    });
    stale["request"]["ifMatch"] = json!("W/\"7\"");
    let ours = format!("Patient/{}", clinic.patient);
    let cases = [
        (entry("POST", "Observation", invalid), 422, "Bundle.entry[1].resource.status"),
        (entry("POST", "Observation", about("Patient/nobody", "1")), 422, "Bundle.entry[1].resource.subject.reference"),
        (
            entry("POST", "Observation", about("Patient?identifier=urn:example:people|none", "1")),
            412,
            "Bundle.entry[1].resource.subject.reference",
        ),
        (
            entry("POST", "Observation", about("Patient?identifier=urn:example:people|twin", "1")),
            412,
            "Bundle.entry[1].resource.subject.reference",
        ),
        (
            entry("POST", "Observation", about("Patient?colour=red", "1")),
            400,
            "Bundle.entry[1].resource.subject.reference",
        ),
        (
            entry("PUT", "Patient?identifier=urn:example:people|twin", person("twin", "C")),
            412,
            "Bundle.entry[1].request",
        ),
        (stale, 412, "Bundle.entry[1].request.ifMatch"),
        (
            entry("PUT", "Observation/unknown", {
                let mut reading = about(&ours, "1");
                reading["id"] = json!("unknown");
                reading
            }),
            405,
            "Bundle.entry[1].request.url",
        ),
        (json!({ "request": { "method": "DELETE", "url": ours } }), 400, "Bundle.entry[1].request.method"),
        (json!({ "request": { "method": "GET", "url": ours } }), 400, "Bundle.entry[1].request.method"),
        (entry("POST", "Device", json!({ "resourceType": "Device" })), 400, "Bundle.entry[1].request.url"),
        (
            entry(
                "POST",
                "Flag",
                json!({ "resourceType": "Flag", "status": "active", "code": { "text": "x" }, "subject": { "reference": ours } }),
            ),
            400,
            "Bundle.entry[1].request.url",
        ),
    ];
    for (wrong, status, place) in cases {
        let outcome =
            clinic.admin.post(&clinic.fhir, bundle("transaction", &[good(), wrong.clone()])).await.expect(status);
        assert_eq!(outcome["resourceType"], "OperationOutcome");
        let places: Vec<&Value> =
            outcome["issue"].as_array().unwrap().iter().map(|issue| &issue["expression"][0]).collect();
        assert!(places.contains(&&json!(place)), "{place}: {outcome}");
        assert_eq!((patients(&clinic, "").await.len(), clinic.count("").await), (before, 0), "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_may_be_about_each_resource_once() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let url = "Observation?identifier=urn:example:readings|1";
    let subject = format!("Patient/{}", clinic.patient);
    let twice =
        bundle("transaction", &[entry("PUT", url, about(&subject, "1")), entry("PUT", url, about(&subject, "1"))]);
    let outcome = clinic.admin.post(&clinic.fhir, twice).await.expect(400);
    assert_eq!(outcome["issue"][0]["code"], "duplicate");
    assert_eq!(clinic.count("").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_does_what_it_can() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let subject = format!("Patient/{}", clinic.patient);
    let mut invalid = about(&subject, "2");
    invalid["status"] = json!("done");
    let request = bundle(
        "batch",
        &[
            json!({ "request": { "method": "GET", "url": format!("Observation?patient={}", clinic.patient) } }),
            entry("POST", "Observation", about(&subject, "1")),
            entry("POST", "Observation", invalid),
            json!({ "request": { "method": "GET", "url": subject } }),
            json!({ "request": { "method": "GET", "url": "Patient/nobody" } }),
        ],
    );
    let response = clinic.admin.post(&clinic.fhir, request).await.expect(200);
    let statuses: Vec<&str> = response["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["response"]["status"].as_str().unwrap())
        .collect();
    assert_eq!(
        statuses,
        ["200 OK", "201 Created", "422 Unprocessable Entity", "200 OK", "404 Not Found"],
        "{response}"
    );
    // R4: what reads see is what the changes before them left.
    assert_eq!(ids(&response["entry"][0]["resource"]).len(), 1);
    assert_eq!(
        response["entry"][2]["response"]["outcome"]["issue"][0]["expression"],
        json!(["Bundle.entry[2].resource.status"])
    );
    assert_eq!(response["entry"][3]["resource"]["id"], clinic.patient);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_bundle_is_stored_and_one_more_is_too_many() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let subject = format!("Patient/{}", clinic.patient);
    let entries: Vec<Value> = (0..501)
        .map(|number| {
            let mut entry = entry("POST", "Observation", about(&subject, &format!("{number}")));
            entry["request"]["ifNoneExist"] = json!(format!("identifier=urn:example:readings|{number}"));
            entry
        })
        .collect();
    assert_eq!(
        clinic.admin.post(&clinic.fhir, bundle("transaction", &entries)).await.expect(400)["issue"][0]["code"],
        "too-costly"
    );
    for expected in ["201 Created", "200 OK"] {
        let response = clinic.admin.post(&clinic.fhir, bundle("transaction", &entries[..500])).await.expect(200);
        assert!(response["entry"].as_array().unwrap().iter().all(|entry| entry["response"]["status"] == expected));
    }
    assert_eq!(clinic.count("").await, 500);
}
