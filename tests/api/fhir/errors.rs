//! Whatever goes wrong is an OperationOutcome that says what would be right.

use reqwest::Method;
use serde_json::{Value, json};

use super::{heart_rate, person};
use crate::support::TestApp;

fn code(outcome: &Value) -> &str {
    assert_eq!(outcome["resourceType"], "OperationOutcome", "{outcome}");
    outcome["issue"][0]["code"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_nothing_is_answered_but_metadata() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let anonymous = app.anonymous();
    for base in [clinic.fhir.as_str(), "/fhir/r4"] {
        for path in [
            "/Patient",
            "/Observation/1",
            "/Observation/1/_history/1",
            "/Nonsense",
            "/a/b/c/d",
            "/Patient/1/$everything",
        ] {
            let answer = anonymous.get(&format!("{base}{path}")).await;
            assert!(answer.header("www-authenticate").is_some(), "{base}{path}");
            assert_eq!(code(&answer.expect(401)), "login", "{base}{path}");
        }
        for path in ["", "/Patient", "/Patient/_search"] {
            assert_eq!(
                code(&anonymous.post(&format!("{base}{path}"), person("1", "A")).await.expect(401)),
                "login",
                "{base}{path}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_paths_methods_and_types_are_said_to_be_so() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let (admin, fhir) = (&clinic.admin, &clinic.fhir);
    let unsupported = admin.get(&format!("{fhir}/Encounter/1")).await.expect(404);
    assert_eq!(code(&unsupported), "not-supported");
    assert!(
        unsupported["issue"][0]["diagnostics"].as_str().unwrap().contains("Device, Observation, Patient"),
        "{unsupported}"
    );
    assert_eq!(code(&admin.get(&format!("{fhir}/Encounter?x=1")).await.expect(404)), "not-supported");
    assert_eq!(code(&admin.get(&format!("{fhir}/Patient/1/$everything/x")).await.expect(404)), "not-supported");
    assert_eq!(code(&admin.get(&format!("{fhir}/Patient/nobody")).await.expect(404)), "not-found");
    assert_eq!(code(&admin.get(&format!("{fhir}/Patient/not%20an%20id")).await.expect(404)), "not-found");
    assert_eq!(code(&admin.get("/t/nonsense/fhir/r4/Patient").await.expect(404)), "not-found");
    let not_allowed = admin.delete(&format!("{fhir}/Patient/{}", clinic.patient)).await;
    assert_eq!(not_allowed.header("allow"), Some("GET, HEAD, PUT"));
    assert_eq!(code(&not_allowed.expect(405)), "not-supported");
    assert_eq!(code(&admin.delete(&format!("{fhir}/Patient?identifier=1")).await.expect(405)), "not-supported");
    assert_eq!(
        code(&admin.patch(&format!("{fhir}/Patient/{}", clinic.patient), json!([])).await.expect(405)),
        "not-supported"
    );
    assert_eq!(code(&admin.get(fhir).await.expect(405)), "not-supported");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_no_valid_resource_are_refused_with_every_issue() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let path = format!("{}/Observation", clinic.fhir);
    let send = |media_type: &'static str, body: String| {
        clinic.admin.send(clinic.admin.request(Method::POST, &path).header("Content-Type", media_type).body(body))
    };
    let good = heart_rate(&clinic.patient, "1", "2026-11-22T10:00:00Z");
    assert_eq!(code(&send("application/fhir+json", "{".into()).await.expect(400)), "structure");
    assert_eq!(code(&send("application/fhir+json", String::new()).await.expect(400)), "structure");
    assert_eq!(
        code(
            &send("application/fhir+json", r#"{"resourceType":"Observation","resourceType":"Patient"}"#.into())
                .await
                .expect(400)
        ),
        "structure"
    );
    assert_eq!(code(&send("application/fhir+json", person("1", "A").to_string()).await.expect(400)), "invalid");
    assert_eq!(code(&send("application/fhir+xml", "<Observation/>".into()).await.expect(415)), "not-supported");
    assert_eq!(code(&send("text/plain", good.to_string()).await.expect(415)), "not-supported");
    let mut bad = good.clone();
    bad["status"] = json!("done");
    bad["valueQuantity"]["value"] = json!("72");
    bad["effectiveDateTime"] = json!("yesterday");
    bad["colour"] = json!("red");
    let outcome = send("application/fhir+json", bad.to_string()).await.expect(422);
    let places: Vec<&str> =
        outcome["issue"].as_array().unwrap().iter().filter_map(|issue| issue["expression"][0].as_str()).collect();
    for place in
        ["Observation.status", "Observation.valueQuantity.value", "Observation.effectiveDateTime", "Observation.colour"]
    {
        assert!(places.contains(&place), "{place} is not among {places:?}");
    }
    let mut nul = good.clone();
    nul["note"] = json!([{ "text": "a\u{0}b" }]);
    assert_eq!(send("application/fhir+json", nul.to_string()).await.expect(422)["resourceType"], "OperationOutcome");
    let mut long = good.clone();
    long["identifier"][0]["value"] = json!("x".repeat(3000));
    assert_eq!(code(&send("application/fhir+json", long.to_string()).await.expect(422)), "too-long");
    assert_eq!(clinic.count("").await, 0);
    assert_eq!(send("application/json; charset=utf-8", good.to_string()).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_written_is_not_acceptable() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let ask = |path: &str, accept: &'static str| {
        clinic.admin.send(clinic.admin.request(Method::GET, &format!("{}{path}", clinic.fhir)).header("Accept", accept))
    };
    assert_eq!(code(&ask("/Patient", "application/fhir+xml").await.expect(406)), "not-supported");
    assert_eq!(code(&ask("/Patient?_format=xml", "*/*").await.expect(406)), "not-supported");
    assert_eq!(ask("/Patient?_format=json", "application/fhir+xml").await.status, 200);
    assert_eq!(ask("/metadata", "text/html, */*;q=0.1").await.status, 200);
}
