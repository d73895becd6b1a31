//! Corrections travel: a second Afferent stands for the EHR, and what arrives there is what is true here.

use afferent::identity::Role;
use serde_json::{Value, json};

use super::{deliveries, pause, settled};
use crate::support::{Actor, Clinic, Stage, TestApp, eventually};

/// An EHR of our own kind: another tenant that the clinic's endpoint writes to.
struct Receiver {
    reader: Actor,
    fhir: String,
    endpoint: String,
}

impl Receiver {
    async fn of(app: &TestApp, clinic: &Clinic, more: Value) -> Self {
        let other = app.clinic("hospital").await;
        let writer = app.member(Role::CustomerAdmin, &other.tenant).await;
        let mut wish = json!({
            "tenant": clinic.tenant, "name": "Hospital", "kind": "fhir", "url": app.url(&other.fhir), "createPatients": true,
            "auth": { "kind": "bearer", "token": writer.token },
        });
        wish.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let made = clinic.admin.post("/api/v1/endpoints", wish).await.expect(201);
        let endpoint = made["id"].as_str().unwrap().to_owned();
        Self { reader: other.admin.clone(), fhir: other.fhir.clone(), endpoint }
    }

    /// All Observations over there.
    async fn observations(&self) -> Vec<Value> {
        let bundle = self.reader.get(&format!("{}/Observation", self.fhir)).await.expect(200);
        let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
        entries.into_iter().map(|entry| entry["resource"].clone()).collect()
    }

    /// The one Observation over there, once it has this status.
    async fn has(&self, status: &str) -> Value {
        eventually(&format!("the one Observation over there to be {status}"), || async {
            let all = self.observations().await;
            assert!(all.len() <= 1, "a version must not be another resource: {all:?}");
            all.into_iter().find(|one| one["status"] == status)
        })
        .await
    }
}

fn total(steps: u32) -> String {
    format!(
        "kind=steps-day\nvalue={steps} {{steps}}/(24.h)\ntime=2025-06-01T00:00:00\nend=2025-06-02T00:00:00\nkey=day\nchange=replace"
    )
}

async fn withdraw(clinic: &Clinic, id: &str) {
    let mut wrong = clinic.observation(id).await;
    wrong["status"] = json!("entered-in-error");
    clinic.admin.put(&format!("{}/Observation/{id}", clinic.fhir), wrong).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_and_a_withdrawal_arrive_as_versions_of_the_same_resource() {
    let stage = Stage::start().await;
    let hospital = Receiver::of(&stage.app, &stage.clinic, json!({})).await;
    let (_, tracker) = stage.device("T1").await;
    let id = tracker.script(&total(500)).await.expect(201)["observations"][0].as_str().unwrap().to_owned();
    let first = hospital.has("final").await;
    assert_eq!(first["valueQuantity"]["value"], json!(500));

    tracker.script(&total(1250)).await.expect(201);
    let second = hospital.has("amended").await;
    assert_eq!((&second["id"], &second["meta"]["versionId"]), (&first["id"], &json!("2")));
    assert_eq!(second["valueQuantity"]["value"], json!(1250));

    withdraw(&stage.clinic, &id).await;
    let third = hospital.has("entered-in-error").await;
    assert_eq!((&third["id"], &third["meta"]["versionId"]), (&first["id"], &json!("3")));
    assert_eq!(third["valueQuantity"]["value"], json!(1250), "what was said stays readable");
    assert_eq!(settled(&stage.clinic, &hospital.endpoint, 3).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_reaches_an_endpoint_that_would_not_want_the_reading_any_more() {
    let stage = Stage::start().await;
    let hospital = Receiver::of(&stage.app, &stage.clinic, json!({})).await;
    let (_, tracker) = stage.device("T1").await;
    let id = tracker.script(&total(500)).await.expect(201)["observations"][0].as_str().unwrap().to_owned();
    hospital.has("final").await;
    settled(&stage.clinic, &hospital.endpoint, 1).await;
    let narrow = json!({ "filter": { "codes": ["http://loinc.org|85354-9"] } });
    stage.clinic.admin.patch(&format!("/api/v1/endpoints/{}", hospital.endpoint), narrow).await.expect(200);
    withdraw(&stage.clinic, &id).await;
    hospital.has("entered-in-error").await;
    // Nothing else goes there.
    tracker.script(&total(10).replace("key=day", "key=other").replace("-06-0", "-07-0")).await.expect(201);
    assert!(deliveries(&stage.clinic, &hospital.endpoint, "pending").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_that_is_withdrawn_before_it_left_arrives_withdrawn() {
    let stage = Stage::start().await;
    let hospital = Receiver::of(&stage.app, &stage.clinic, json!({ "active": false })).await;
    let (_, tracker) = stage.device("T1").await;
    let id = tracker.script(&total(500)).await.expect(201)["observations"][0].as_str().unwrap().to_owned();
    withdraw(&stage.clinic, &id).await;
    assert_eq!(deliveries(&stage.clinic, &hospital.endpoint, "pending").await.len(), 1, "stale versions merge");
    pause(&stage.clinic, &hospital.endpoint, false).await;
    hospital.has("entered-in-error").await;
    settled(&stage.clinic, &hospital.endpoint, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correction_of_what_was_never_forwarded_stays_here() {
    let stage = Stage::start().await;
    let hospital = Receiver::of(&stage.app, &stage.clinic, json!({})).await;
    let (_, tracker) = stage.device("T1").await;
    let demo = format!("{}\nflags=demo", total(500));
    let id = tracker.script(&demo).await.expect(201)["observations"][0].as_str().unwrap().to_owned();
    withdraw(&stage.clinic, &id).await;
    assert!(deliveries(&stage.clinic, &hospital.endpoint, "pending").await.is_empty());
    assert!(deliveries(&stage.clinic, &hospital.endpoint, "delivered").await.is_empty());
}
