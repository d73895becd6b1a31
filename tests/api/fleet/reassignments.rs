//! A swap that staff record late: readings leave the wrong person and reach the right one, here and at the EHR.

use afferent::identity::Role;
use serde_json::{Value, json};

use super::items;
use crate::support::{Actor, FakeEhr, Stage, TestApp, eventually};

fn weight(day: u32, minute: u32) -> String {
    let time = format!("2025-06-{day:02}T08:{:02}:{:02}", minute / 60, minute % 60);
    format!("kind=body-weight\nvalue=72.50 kg\ntime={time}\nkey={time}")
}

fn swap(patient: &str, from: &str, until: Option<&str>) -> Value {
    json!({ "patient": patient, "from": from, "until": until, "reason": "the bracelets were swapped" })
}

async fn reassign(stage: &Stage, device: &str, wish: Value) -> Value {
    stage.clinic.admin.post(&format!("/api/v1/devices/{device}/reassignments"), wish).await.expect(201)
}

async fn send(sensor: &Actor, day: u32, minute: u32) -> String {
    sensor.script(&weight(day, minute)).await.expect(201)["observations"][0].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn readings_move_to_the_right_person_and_stay_there() {
    let stage = Stage::start().await;
    let ehr = FakeEhr::start().await;
    let clinic = &stage.clinic;
    let endpoint = json!({ "tenant": clinic.tenant, "name": "EHR", "kind": "fhir", "url": ehr.url(), "auth": { "kind": "none" }, "createPatients": true });
    clinic.admin.post("/api/v1/endpoints", endpoint).await.expect(201);
    let (device, sensor) = stage.device("S1").await;
    let other = clinic.patient("Other").await;
    let mut ids = Vec::new();
    for day in 1..=6 {
        ids.push(send(&sensor, day, 0).await);
    }
    eventually("the EHR has them", || async { (ehr.state().observations.len() == 6).then_some(()) }).await;

    // From the third to before the fifth of June it was somebody else.
    let wish = swap(&other, "2025-06-03T00:00:00Z", Some("2025-06-05T00:00:00Z"));
    let mut dry = wish.clone();
    dry["dryRun"] = json!(true);
    let path = format!("/api/v1/devices/{device}/reassignments");
    let foreseen = clinic.admin.post(&path, dry).await.expect(200);
    assert_eq!((&foreseen["found"], &foreseen["assignments"]), (&json!(2), &json!(1)));
    assert_eq!(foreseen["observations"], json!([ids[2], ids[3]]));
    assert_eq!(clinic.count(&format!("patient={other}")).await, 0, "a dry run changes nothing");
    assert_eq!(items(&clinic.admin.get(&path).await.expect(200)).len(), 0);

    let done = reassign(&stage, &device, wish.clone()).await;
    assert_eq!((&done["state"], &done["found"], &done["moved"]), (&json!("done"), &json!(2), &json!(2)));
    let old = clinic.observation(&ids[2]).await;
    assert_eq!((&old["status"], &old["meta"]["versionId"]), (&json!("entered-in-error"), &json!("2")));
    assert_eq!(old["subject"]["reference"], format!("Patient/{}", clinic.patient));
    let record = clinic.admin.get(&format!("/api/v1/reading-corrections?observation={}", ids[2])).await.expect(200);
    assert_eq!((&record["items"][0]["action"], &record["items"][0]["reassignment"]), (&json!("reassign"), &done["id"]));
    let new = clinic.observation(record["items"][0]["newObservation"].as_str().unwrap()).await;
    assert_eq!(new["subject"]["reference"], format!("Patient/{other}"));
    assert_eq!((&new["status"], &new["valueQuantity"]["value"].to_string()), (&json!("final"), &"72.50".to_owned()));
    assert_ne!(new["identifier"], old["identifier"]);
    for field in ["effectiveDateTime", "code", "device", "extension"] {
        assert_eq!(new[field], old[field]);
    }
    assert!(!new.to_string().contains(&ids[2]) && !old.to_string().contains(new["id"].as_str().unwrap()));
    assert_eq!(clinic.count(&format!("patient={other}&status=final")).await, 2);
    assert_eq!(clinic.count(&format!("patient={}&status=final", clinic.patient)).await, 4);

    // What comes again, or late, is the right person's.
    let again = sensor.script(&weight(3, 0)).await.expect(200);
    assert_eq!(again["observations"][0], new["id"]);
    let between = clinic.observation(&send(&sensor, 4, 30).await).await;
    assert_eq!(between["subject"]["reference"], format!("Patient/{other}"));
    for (day, id) in [(2, &ids[1]), (5, &ids[4])] {
        // The parts before and after the swap kept their identity.
        assert_eq!(sensor.script(&weight(day, 0)).await.expect(200)["observations"][0], id.as_str());
    }
    // Both travel.
    eventually("the EHR knows who is who", || async {
        let state = ehr.state();
        let withdrawn = state.observations.iter().filter(|one| one["status"] == "entered-in-error").count();
        (withdrawn == 2 && state.observations.len() == 9).then_some(())
    })
    .await;

    // Once more does nothing; back again makes new resources, and withdraws what was made.
    let nothing = reassign(&stage, &device, wish).await;
    assert_eq!(nothing["found"], 0);
    let back = swap(&clinic.patient, "2025-06-01T00:00:00Z", None);
    let back = reassign(&stage, &device, back).await;
    assert_eq!((&back["found"], &back["moved"]), (&json!(3), &json!(3)));
    assert_eq!(clinic.count(&format!("patient={other}&status=final")).await, 0);
    assert_eq!(clinic.count(&format!("patient={}&status=final", clinic.patient)).await, 7);
    assert_eq!(sensor.script(&weight(3, 0)).await.expect(200)["outcome"], "duplicate");
    assert_eq!(items(&clinic.admin.get(&path).await.expect(200)).len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn readings_stored_under_an_assignment_that_was_ended_too_late_move_as_well() {
    let stage = Stage::start().await;
    let clinic = &stage.clinic;
    let (device, sensor) = clinic.device("scripted", "S1").await;
    let other = clinic.patient("Other").await;
    let first = clinic.assign(&device, &clinic.patient, "2025-01-01T00:00:00Z", None).await;
    for day in 1..=4 {
        send(&sensor, day, 0).await;
    }
    // Staff end the first and record the second, a day late; nobody wore it on the third.
    let path = format!("/api/v1/devices/{device}/assignments");
    clinic.admin.patch(&format!("{path}/{first}"), json!({ "until": "2025-06-03T00:00:00Z" })).await.expect(200);
    clinic.assign(&device, &other, "2025-06-04T00:00:00Z", None).await;
    sensor.script(&weight(3, 30)).await.expect(202);
    let mut wish = swap(&other, "2025-06-03T00:00:00Z", None);
    wish["takeUnassigned"] = json!(true);
    let done = reassign(&stage, &device, wish).await;
    assert_eq!((&done["moved"], &done["taken"]), (&json!(2), &json!(1)));
    assert_eq!(clinic.count(&format!("patient={other}&status=final")).await, 3);
    assert_eq!(clinic.count(&format!("patient={}&status=final", clinic.patient)).await, 2);
    for day in 1..=4 {
        assert_eq!(sensor.script(&weight(day, 0)).await.expect(200)["outcome"], "duplicate", "day {day}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readings_that_arrive_during_the_correction_are_the_right_persons() {
    let stage = Stage::start().await;
    let second = stage.second().await;
    let clinic = &stage.clinic;
    let (device, sensor) = stage.device("S1").await;
    let other = clinic.patient("Other").await;
    let elsewhere = Actor::new(second.url(""), sensor.token.clone());
    let sending = tokio::spawn(async move {
        for minute in 0..120 {
            let actor = if minute % 2 == 0 { &sensor } else { &elsewhere };
            actor.script(&weight(1, minute)).await.expect(201);
        }
        sensor
    });
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    reassign(&stage, &device, swap(&other, "2025-06-01T00:00:00Z", None)).await;
    let sensor = sending.await.unwrap();
    assert_eq!(clinic.count(&format!("patient={other}&status=final")).await, 120);
    assert_eq!(clinic.count(&format!("patient={}&status=final", clinic.patient)).await, 0);
    for minute in 0..120 {
        sensor.script(&weight(1, minute)).await.expect(200);
    }
    assert_eq!(clinic.count("status=final").await, 120);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_was_left_is_carried_on() {
    let stage = Stage::start().await;
    let clinic = &stage.clinic;
    let (device, sensor) = stage.device("S1").await;
    let other = clinic.patient("Other").await;
    let frames: Vec<String> = (0..250).map(|minute| weight(1, minute)).collect();
    sensor.script(&frames.join("\n\n")).await.expect(201);
    // As a server leaves it that dies right after the assignments were rewritten.
    let done = reassign(&stage, &device, swap(&other, "2025-06-02T00:00:00Z", None)).await;
    let mut conn = crate::support::connect(&stage.app.database.superuser_url).await;
    let left = format!(
        "UPDATE assignment SET worn_until = '2025-06-01' WHERE device_id = '{device}' AND patient_id <> '{other}'; \
         UPDATE assignment SET worn_from = '2025-06-01' WHERE device_id = '{device}' AND patient_id = '{other}'; \
         UPDATE reassignment SET state = 'running', found = NULL, period_from = '2025-06-01' WHERE id = '{}'",
        done["id"].as_str().unwrap()
    );
    diesel_async::SimpleAsyncConnection::batch_execute(&mut conn, &left).await.unwrap();
    let job = format!("/api/v1/reassignments/{}", done["id"].as_str().unwrap());
    let now = eventually("the job to be carried on", || async {
        let now = clinic.admin.get(&job).await.expect(200);
        (now["state"] == "done").then_some(now)
    })
    .await;
    assert_eq!((&now["found"], &now["moved"]), (&json!(250), &json!(250)));
    assert_eq!(clinic.count(&format!("patient={other}&status=final")).await, 250);
    assert_eq!(clinic.count(&format!("patient={}&status=final", clinic.patient)).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_reassign_and_what() {
    let app = TestApp::start().await;
    let (north, south) = (app.clinic("north").await, app.clinic("south").await);
    let path = format!("/api/v1/devices/{}/reassignments", north.device);
    let wish = swap(&north.patient, "2025-06-01T00:00:00Z", None);
    south.admin.post(&path, wish.clone()).await.expect(404);
    south.admin.get(&path).await.expect(404);
    app.platform_admin().await.post(&path, wish.clone()).await.expect(403);
    for (pointer, wrong) in [
        ("/patient", swap(&south.patient, "2025-06-01T00:00:00Z", None)),
        ("/until", swap(&north.patient, "2025-06-01T00:00:00Z", Some("2025-05-01T00:00:00Z"))),
        ("/reason", json!({ "patient": north.patient, "from": "2025-06-01T00:00:00Z", "reason": " " })),
    ] {
        let problem = north.admin.post(&path, wrong).await.expect(422);
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
    let nurse = app.member(Role::Practitioner, &north.tenant).await;
    let done = nurse.post(&path, wish).await.expect(201);
    let job = format!("/api/v1/reassignments/{}", done["id"].as_str().unwrap());
    assert_eq!(app.platform_admin().await.get(&job).await.expect(200)["state"], "done");
    south.admin.get(&job).await.expect(404);
}
