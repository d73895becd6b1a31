//! Deliveries to an EHR: each reading is there exactly once, whatever the EHR does.

mod corrections;
mod endpoints;
mod failures;

use serde_json::{Value, json};

use crate::support::{Clinic, FakeEhr, TestApp, blood_pressure_at, eventually};

/// An endpoint of a clinic; its id.
async fn endpoint(clinic: &Clinic, ehr: &FakeEhr, more: Value) -> String {
    let mut wish =
        json!({ "tenant": clinic.tenant, "name": "EHR", "kind": "fhir", "url": ehr.url(), "auth": { "kind": "none" } });
    wish.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    clinic.admin.post("/api/v1/endpoints", wish).await.expect(201)["id"].as_str().unwrap().to_owned()
}

/// Sends readings with these systolic values, a minute apart; the ids of their Observations.
async fn readings(clinic: &Clinic, systolic: &[u16]) -> Vec<String> {
    let mut ids = Vec::new();
    for (minute, value) in systolic.iter().enumerate() {
        let minute = u16::try_from(minute).unwrap();
        let mut frame = blood_pressure_at(*value, 80, 62, [2025, 6, 1, 9 + minute / 60, minute % 60, value % 60]);
        // Without the pulse, which would be an Observation of its own: bit 2 of the flags, and the last field.
        frame[0] &= !0b0100;
        frame.truncate(frame.len() - 2);
        let answer = clinic.cuff.uplink("2A35", &frame).await.expect(201);
        let [id] = answer["observations"].as_array().unwrap().as_slice() else { panic!("one Observation in {answer}") };
        ids.push(id.as_str().unwrap().to_owned());
    }
    ids
}

/// The deliveries of an endpoint in a state.
async fn deliveries(clinic: &Clinic, endpoint: &str, state: &str) -> Vec<Value> {
    let answer =
        clinic.admin.get(&format!("/api/v1/deliveries?endpoint={endpoint}&state={state}&limit=500")).await.expect(200);
    answer["items"].as_array().unwrap().clone()
}

/// Waits until nothing is pending and `delivered` are delivered.
async fn settled(clinic: &Clinic, endpoint: &str, delivered: usize) -> Vec<Value> {
    eventually("all deliveries are settled", || async {
        let done = deliveries(clinic, endpoint, "delivered").await;
        (done.len() == delivered && deliveries(clinic, endpoint, "pending").await.is_empty()).then_some(done)
    })
    .await
}

async fn pause(clinic: &Clinic, endpoint: &str, paused: bool) {
    clinic.admin.patch(&format!("/api/v1/endpoints/{endpoint}"), json!({ "active": !paused })).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_arrives_as_the_receiver_needs_it() {
    let (app, ehr) = (TestApp::start().await, FakeEhr::start().await);
    let clinic = app.clinic("clinic").await;
    let endpoint = endpoint(&clinic, &ehr, json!({ "patientIdentifierSystem": clinic.record_number.0 })).await;
    let ids = readings(&clinic, &[123]).await;
    let done = settled(&clinic, &endpoint, 1).await;
    assert_eq!(done[0]["resourceId"], json!(ids[0]));
    assert_eq!((&done[0]["attempts"], &done[0]["location"]), (&json!(1), &json!("Observation/ehr-1/_history/1")));

    let ours = clinic.observation(&ids[0]).await;
    let mut theirs = ehr.state().observations[0].clone();
    let (system, value) = &clinic.record_number;
    assert_eq!(theirs["subject"], json!({ "reference": format!("Patient?identifier={system}|{value}") }));
    assert_eq!(theirs["device"]["reference"], Value::Null);
    assert_eq!((&theirs["meta"]["versionId"], &theirs["meta"]["lastUpdated"]), (&Value::Null, &Value::Null));
    // Everything else is as it is here.
    for name in ["id", "meta", "subject", "device"] {
        theirs[name] = ours[name].clone();
    }
    assert_eq!(theirs, ours);
}

#[tokio::test(flavor = "multi_thread")]
async fn patients_are_created_where_the_endpoint_asks_for_it() {
    let (app, ehr) = (TestApp::start().await, FakeEhr::start().await);
    let clinic = app.clinic("clinic").await;
    let endpoint = endpoint(&clinic, &ehr, json!({ "createPatients": true, "active": false })).await;
    readings(&clinic, &[121, 122, 123]).await;
    pause(&clinic, &endpoint, false).await;
    settled(&clinic, &endpoint, 3).await;
    let state = ehr.state();
    let (system, value) = &clinic.record_number;
    assert_eq!(state.patients.len(), 1);
    assert_eq!(state.patients[0]["identifier"], json!([{ "system": system, "value": value }]));
    let subject = state.observations[0]["subject"]["reference"].as_str().unwrap();
    assert!(subject.starts_with("urn:uuid:"), "the server replaces the entry's fullUrl: {subject}");
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_choose_codes_and_patients() {
    let (app, ehr, other) = (TestApp::start().await, FakeEhr::start().await, FakeEhr::start().await);
    let clinic = app.clinic("clinic").await;
    let wanting = endpoint(
        &clinic,
        &ehr,
        json!({ "filter": { "codes": ["http://loinc.org|85354-9"], "patients": [clinic.patient] } }),
    )
    .await;
    let weights = endpoint(&clinic, &other, json!({ "filter": { "codes": ["http://loinc.org|29463-7"] } })).await;
    let strangers = endpoint(&clinic, &other, json!({ "filter": { "patients": ["somebody-else"] } })).await;
    readings(&clinic, &[121]).await;
    settled(&clinic, &wanting, 1).await;
    settled(&clinic, &weights, 0).await;
    settled(&clinic, &strangers, 0).await;
    assert_eq!((ehr.counts().0, other.counts().0), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_on_one_database_deliver_once() {
    let (app, ehr) = (TestApp::start().await, FakeEhr::start().await);
    let second = TestApp::on(app.database.clone(), &[]).await;
    // Nothing over there would notice a second create.
    ehr.state().ignores_conditions = true;
    let clinic = app.clinic("clinic").await;
    let endpoint = endpoint(&clinic, &ehr, json!({})).await;
    let values: Vec<u16> = (100..160).collect();
    readings(&clinic, &values).await;
    settled(&clinic, &endpoint, values.len()).await;
    assert_eq!(ehr.counts(), (values.len(), values.len()));
    drop(second);
}
