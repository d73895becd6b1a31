//! Creating, with and without conditions.

use reqwest::Method;
use serde_json::{Value, json};

use super::{heart_rate, ids, person};
use crate::support::{Answer, Clinic, TestApp};

async fn create_if_none(clinic: &Clinic, resource_type: &str, resource: &Value, condition: &str) -> Answer {
    let request = clinic.admin.request(Method::POST, &format!("{}/{resource_type}", clinic.fhir));
    clinic
        .admin
        .send(
            request
                .header("Content-Type", "application/fhir+json")
                .header("If-None-Exist", condition)
                .body(resource.to_string()),
        )
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_condition_that_matches_creates_nothing() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let reading = heart_rate(&clinic.patient, "a", "2026-11-22T10:00:00Z");
    let first = create_if_none(&clinic, "Observation", &reading, "identifier=urn:example:readings|a").await;
    assert_eq!(first.status, 201, "{}", first.text);
    let again = create_if_none(&clinic, "Observation", &reading, "identifier=urn%3Aexample%3Areadings%7Ca").await;
    assert_eq!(
        (again.status.as_u16(), again.header("location"), again.text.as_str()),
        (200, first.header("location"), first.text.as_str())
    );
    // Not by an identifier: by anything that can be searched for.
    let other = heart_rate(&clinic.patient, "b", "2026-11-23T10:00:00Z");
    let condition = format!("patient={}&code=8867-4&date=2026-11-23", clinic.patient);
    assert_eq!(create_if_none(&clinic, "Observation", &other, &condition).await.status, 201);
    assert_eq!(create_if_none(&clinic, "Observation", &other, &condition).await.status, 200);
    let several = create_if_none(&clinic, "Observation", &other, &format!("patient={}", clinic.patient)).await;
    assert_eq!(several.expect(412)["issue"][0]["code"], "multiple-matches");
    for bad in ["identifier=", "colour=red", "_count=1", "", "identifier=%zz"] {
        assert_eq!(
            create_if_none(&clinic, "Observation", &other, bad).await.expect(400)["resourceType"],
            "OperationOutcome",
            "{bad}"
        );
    }
    assert_eq!(clinic.count("").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_create_may_repeat_an_identifier_and_both_are_found() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let reading = heart_rate(&clinic.patient, "a", "2026-11-22T10:00:00Z");
    let path = format!("{}/Observation", clinic.fhir);
    for _ in 0..3 {
        clinic.admin.post(&path, reading.clone()).await.expect(201);
    }
    let mut two = heart_rate(&clinic.patient, "b", "2026-11-22T10:00:00Z");
    two["identifier"].as_array_mut().unwrap().push(json!({ "value": "unscoped" }));
    clinic.admin.post(&path, two).await.expect(201);
    let found = |query: &'static str| {
        let (admin, path) = (clinic.admin.clone(), path.clone());
        async move { ids(&admin.get(&format!("{path}?identifier={query}")).await.expect(200)).len() }
    };
    assert_eq!(found("urn:example:readings|a").await, 3);
    assert_eq!(found("a").await, 3);
    assert_eq!(found("urn:example:readings|").await, 4);
    assert_eq!(
        (found("|unscoped").await, found("unscoped").await, found("urn:example:readings|unscoped").await),
        (1, 1, 0)
    );
    assert_eq!(create_if_none(&clinic, "Observation", &reading, "identifier=urn:example:readings|a").await.status, 412);
    assert_eq!(create_if_none(&clinic, "Observation", &reading, "identifier=|unscoped").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_prefers_is_what_it_gets() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let create = |number: u32, prefer: &'static str| {
        let request = clinic.admin.request(Method::POST, &format!("{}/Patient", clinic.fhir)).header("Prefer", prefer);
        clinic
            .admin
            .send(request.header("Content-Type", "application/json").body(person(&number.to_string(), "A").to_string()))
    };
    let minimal = create(1, "return=minimal").await;
    assert_eq!((minimal.status.as_u16(), minimal.text.as_str()), (201, ""));
    assert!(minimal.header("location").is_some() && minimal.header("etag").is_some());
    assert_eq!(create(2, "return=OperationOutcome").await.expect(201)["resourceType"], "OperationOutcome");
    assert_eq!(create(3, "return=representation").await.expect(201)["resourceType"], "Patient");
}
