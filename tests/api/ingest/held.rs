//! Readings that wait for a person: listed, claimed, released, discarded; and what happens when they come again.

use afferent::identity::Role;
use futures_util::future::join;
use serde_json::{Value, json};

use crate::support::{Actor, Clinic, TestApp, blood_pressure, blood_pressure_at, connect};

/// A cuff that nobody wears.
async fn spare_cuff(clinic: &Clinic) -> (String, Actor) {
    clinic.device("gatt-2A35", "SPARE").await
}

/// The held readings in a state.
async fn held(actor: &Actor, state: &str) -> Vec<Value> {
    actor.get(&format!("/api/v1/held-readings?state={state}")).await.expect(200)["items"].as_array().unwrap().clone()
}

fn because(reason: &str) -> Value {
    json!({ "reason": reason })
}

fn claim(patient: &str) -> Value {
    json!({ "patient": patient, "reason": "the ward's log says so" })
}

fn path(id: &Value, verb: &str) -> String {
    format!("/api/v1/held-readings/{}/{verb}", id.as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unassigned_reading_is_claimed_once_and_known_from_then_on() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let (device, cuff) = spare_cuff(&clinic).await;
    let receipt = cuff.uplink("2A35", &blood_pressure(1)).await.expect(202);
    assert_eq!((receipt["outcome"].as_str(), receipt["held"].as_array().unwrap().len()), (Some("unassigned"), 2));
    // The same again while it waits: one row each, the same ids.
    let again = cuff.uplink("2A35", &blood_pressure(1)).await.expect(202);
    assert_eq!(again["held"], receipt["held"]);
    let open = held(&clinic.admin, "open").await;
    assert_eq!(open.len(), 2);
    assert_eq!((&open[0]["device"], &open[0]["reason"]), (&json!(device), &json!("unassigned")));
    assert_eq!(open[0]["id"], receipt["held"][0]["id"]);
    assert_eq!(open[0]["preview"]["component"][0]["valueQuantity"]["value"], 121, "{}", open[0]);
    assert!(open[0].pointer("/preview/subject").is_none() && open[0].get("suggestedPatient").is_none());

    let settled = clinic.admin.post(&path(&open[0]["id"], "claim"), claim(&clinic.patient)).await.expect(200);
    assert_eq!((settled["state"].as_str(), &settled["patient"]), (Some("claimed"), &json!(clinic.patient)));
    let id = settled["observation"].as_str().unwrap();
    let observation = clinic.observation(id).await;
    assert_eq!(observation["subject"]["reference"], format!("Patient/{}", clinic.patient));
    assert_eq!(observation["status"], "final");
    assert_eq!(clinic.count("").await, 1);

    // It comes again: the claimed one is known, the other one still waits under its id.
    let again = cuff.uplink("2A35", &blood_pressure(1)).await.expect(202);
    assert_eq!((&again["observations"], &again["held"][0]["id"]), (&json!([id]), &open[1]["id"]));
    clinic.admin.post(&path(&open[1]["id"], "claim"), claim(&clinic.patient)).await.expect(200);
    let again = cuff.uplink("2A35", &blood_pressure(1)).await.expect(200);
    assert_eq!((again["outcome"].as_str(), again["observations"].as_array().unwrap().len()), (Some("duplicate"), 2));
    assert_eq!(clinic.count("").await, 2);
    let second = clinic.admin.post(&path(&open[0]["id"], "claim"), claim(&clinic.patient)).await.expect(409);
    assert_eq!(second["code"], "held-reading.settled");

    let record = clinic.admin.get(&format!("/api/v1/reading-corrections?observation={id}")).await.expect(200);
    let record = record["items"].as_array().unwrap();
    assert_eq!(record.len(), 1);
    assert_eq!((&record[0]["action"], &record[0]["heldReading"]), (&json!("claim"), &open[0]["id"]));
    assert_eq!(record[0]["reason"], "the ward's log says so");
    assert!(record[0]["token"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_implausible_but_right_is_released_and_travels() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let ehr = json!({ "tenant": clinic.tenant, "name": "ehr", "kind": "fhir", "url": "http://127.0.0.1:9/fhir", "auth": { "kind": "none" } });
    clinic.admin.post("/api/v1/endpoints", ehr).await.expect(201);
    let frame = blood_pressure_at(500, 80, 62, [2025, 3, 1, 8, 0, 0]);
    let receipt = clinic.cuff.uplink("2A35", &frame).await.expect(201);
    assert_eq!(receipt["held"][0]["reason"], "outside-hard-range", "{receipt}");
    let open = held(&clinic.admin, "open").await;
    assert_eq!(open.len(), 1);
    assert_eq!(open[0]["preview"]["status"], "preliminary");
    let deliveries =
        async || clinic.admin.get("/api/v1/deliveries").await.expect(200)["items"].as_array().unwrap().len();
    assert_eq!(deliveries().await, 1, "the pulse");

    let released = clinic.admin.post(&path(&open[0]["id"], "release"), because("measured twice")).await.expect(200);
    let observation = clinic.observation(released["observation"].as_str().unwrap()).await;
    assert_eq!(observation["status"], "final");
    assert!(!observation["interpretation"].to_string().contains("questionable"), "{observation}");
    assert!(observation["note"].to_string().contains("A person checked the reading"), "{observation}");
    assert!(!observation.to_string().contains("measured twice"), "a person's words stay here");
    assert_eq!(deliveries().await, 2);
    let again = clinic.cuff.uplink("2A35", &frame).await.expect(200);
    assert_eq!(again["observations"][0], released["observation"]);
    assert_eq!(clinic.count("").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_discarded_never_becomes_a_result() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let (device, cuff) = spare_cuff(&clinic).await;
    cuff.uplink("2A35", &blood_pressure(1)).await.expect(202);
    for item in held(&clinic.admin, "open").await {
        clinic.admin.post(&path(&item["id"], "discard"), because("")).await.expect(422);
        let gone = clinic.admin.post(&path(&item["id"], "discard"), because("a visitor tried it")).await.expect(200);
        assert_eq!((gone["state"].as_str(), gone.get("observation")), (Some("discarded"), None));
        clinic.admin.post(&path(&item["id"], "claim"), claim(&clinic.patient)).await.expect(409);
    }
    // Its wearer becomes known, and it comes again: it is known, and still no result.
    clinic.assign(&device, &clinic.patient, "2020-01-01T00:00:00Z", None).await;
    let again = cuff.uplink("2A35", &blood_pressure(1)).await.expect(200);
    assert_eq!((&again["outcome"], &again["reason"]), (&json!("duplicate"), &json!("discarded")));
    assert_eq!(clinic.count("").await, 0);
    assert_eq!(held(&clinic.admin, "discarded").await.len(), 2);
    // Another measurement of that cuff is none of this.
    cuff.uplink("2A35", &blood_pressure(2)).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_and_the_same_payload_at_once_make_one_observation() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let other = clinic.patient("Other").await;
    let (_, cuff) = spare_cuff(&clinic).await;
    for number in 1..=6 {
        let receipt = cuff.uplink("2A35", &blood_pressure(number)).await.expect(202);
        let to_claim = path(&receipt["held"][0]["id"], "claim");
        let frame = blood_pressure(number);
        let first = clinic.admin.post(&to_claim, claim(&clinic.patient));
        let second = clinic.admin.post(&to_claim, claim(&other));
        let ((first, second), again) = join(join(first, second), cuff.uplink("2A35", &frame)).await;
        let mut answers = [first.status.as_u16(), second.status.as_u16()];
        answers.sort_unstable();
        assert_eq!(answers, [200, 409], "{} {}", first.text, second.text);
        let winner = if first.status == 200 { first } else { second }.json();
        // The device hears of the Observation, or that it still waits; never of another one.
        let again = again.json();
        let heard = again["observations"].as_array().unwrap();
        assert!(heard.is_empty() || heard == &[winner["observation"].clone()], "{again}");
        assert_eq!(clinic.count("").await, u64::from(number));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_that_comes_again_when_its_wearer_is_known_is_taken() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let (device, cuff) = spare_cuff(&clinic).await;
    cuff.uplink("2A35", &blood_pressure(1)).await.expect(202);
    cuff.uplink("2A35", &blood_pressure(2)).await.expect(202);
    clinic.assign(&device, &clinic.patient, "2020-01-01T00:00:00Z", None).await;
    // Offered, and not taken without being asked.
    let open = held(&clinic.admin, "open").await;
    assert_eq!(open.len(), 4);
    assert!(open.iter().all(|item| item["suggestedPatient"] == clinic.patient.as_str()), "{open:?}");
    let stored = cuff.uplink("2A35", &blood_pressure(1)).await.expect(201);
    let taken = held(&clinic.admin, "taken").await;
    assert_eq!(taken.len(), 2);
    assert_eq!(json!([taken[0]["observation"], taken[1]["observation"]]), stored["observations"]);
    // The other one is claimed for its wearer: it gets the identifier that it has when it comes again.
    for item in held(&clinic.admin, "open").await {
        clinic.admin.post(&path(&item["id"], "claim"), claim(&clinic.patient)).await.expect(200);
    }
    cuff.uplink("2A35", &blood_pressure(2)).await.expect(200);
    assert_eq!(clinic.count("").await, 4);
    assert_eq!(held(&clinic.admin, "open").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_reading_is_not_claimed_away() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let other = clinic.patient("Other").await;
    let (device, cuff) = spare_cuff(&clinic).await;
    let receipt = cuff.uplink("2A35", &blood_pressure(1)).await.expect(202);
    clinic.assign(&device, &clinic.patient, "2020-01-01T00:00:00Z", None).await;
    let refused = clinic.admin.post(&path(&receipt["held"][0]["id"], "claim"), claim(&other)).await.expect(409);
    assert_eq!(refused["code"], "held-reading.worn-by-another");
    assert_eq!(clinic.count("").await, 0);
    let stranger = clinic.admin.post(&path(&receipt["held"][0]["id"], "claim"), claim("nobody")).await.expect(422);
    assert_eq!(stranger["errors"][0]["pointer"], "/patient");
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_it_is_and_whether_it_is_right_are_two_questions() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let (_, cuff) = spare_cuff(&clinic).await;
    let frame = blood_pressure_at(500, 80, 62, [2025, 3, 1, 8, 0, 0]);
    let receipt = cuff.uplink("2A35", &frame).await.expect(202);
    let id = receipt["held"][0]["id"].clone();
    let release = clinic.admin.post(&path(&id, "release"), because("right")).await.expect(409);
    assert_eq!(release["code"], "held-reading.still-held");
    let claimed = clinic.admin.post(&path(&id, "claim"), claim(&clinic.patient)).await.expect(409);
    assert_eq!(claimed["code"], "held-reading.still-held");
    let open = held(&clinic.admin, "open").await;
    let item = open.iter().find(|item| item["id"] == id).unwrap();
    assert_eq!((&item["reason"], &item["patient"]), (&json!("outside-hard-range"), &json!(clinic.patient)));
    // The device sends it once more: still the same row, still the same person.
    let again = cuff.uplink("2A35", &frame).await.expect(202);
    assert_eq!((&again["held"][0]["id"], &again["held"][0]["reason"]), (&id, &json!("outside-hard-range")));
    let released = clinic.admin.post(&path(&id, "release"), because("right")).await.expect(200);
    let observation = clinic.observation(released["observation"].as_str().unwrap()).await;
    assert_eq!(observation["subject"]["reference"], format!("Patient/{}", clinic.patient));
    let record = clinic.admin.get(&format!("/api/v1/reading-corrections?heldReading={}", id.as_str().unwrap())).await;
    let actions: Vec<Value> =
        record.expect(200)["items"].as_array().unwrap().iter().map(|item| item["action"].clone()).collect();
    assert_eq!(actions, ["release", "claim", "release"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_are_claimed_at_once() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let (device, cuff) = spare_cuff(&clinic).await;
    let mut frames = (1..=40).map(blood_pressure).collect::<Vec<_>>();
    frames.push(blood_pressure_at(500, 80, 62, [2025, 3, 1, 8, 0, 0]));
    for frame in &frames {
        cuff.uplink("2A35", frame).await.expect(202);
    }
    let claim_all =
        json!({ "patient": clinic.patient, "reason": "the only one on the ward", "filter": { "device": device } });
    let outcome = clinic.admin.post("/api/v1/held-readings/claim", claim_all.clone()).await.expect(200);
    assert_eq!(outcome["claimed"].as_array().unwrap().len(), 81);
    assert_eq!(outcome["failed"][0]["code"], "held-reading.still-held");
    assert_eq!((clinic.count("").await, outcome["more"].as_bool()), (81, Some(false)));
    for frame in &frames[..40] {
        cuff.uplink("2A35", frame).await.expect(200);
    }
    assert_eq!(clinic.count("").await, 81);
    let none = clinic.admin.post("/api/v1/held-readings/claim", json!({ "patient": clinic.patient, "reason": "x" }));
    assert_eq!(none.await.expect(422)["errors"][0]["pointer"], "/ids");
    let ids = json!({ "patient": clinic.patient, "reason": "x", "ids": [uuid::Uuid::now_v7()] });
    let missing = clinic.admin.post("/api/v1/held-readings/claim", ids).await.expect(200);
    assert_eq!(missing["failed"][0]["code"], "not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_see_and_who_may_decide() {
    let app = TestApp::start().await;
    let (north, south) = (app.clinic("north").await, app.clinic("south").await);
    let (_, cuff) = spare_cuff(&north).await;
    let receipt = cuff.uplink("2A35", &blood_pressure(1)).await.expect(202);
    let id = &receipt["held"][0]["id"];
    let find = format!("/api/v1/held-readings/{}", id.as_str().unwrap());
    let decisions = [("claim", claim(&north.patient)), ("release", because("x")), ("discard", because("x"))];
    // Another tenant: nothing is there.
    assert!(held(&south.admin, "open").await.is_empty());
    south.admin.get(&find).await.expect(404);
    for (verb, body) in &decisions {
        south.admin.post(&path(id, verb), body.clone()).await.expect(404);
    }
    let stolen = json!({ "patient": south.patient, "reason": "x", "ids": [id] });
    let outcome = south.admin.post("/api/v1/held-readings/claim", stolen).await.expect(200);
    assert_eq!(outcome["failed"][0]["code"], "not-found");
    // The platform sees that it waits, not what it says.
    let platform = app.platform_admin().await;
    let seen = platform.get(&find).await.expect(200);
    assert!(seen.get("preview").is_none() && !seen.to_string().contains("valueQuantity"), "{seen}");
    assert_eq!(held(&platform, "open").await.len(), 2);
    for (verb, body) in &decisions {
        platform.post(&path(id, verb), body.clone()).await.expect(403);
    }
    let several = json!({ "patient": north.patient, "reason": "x", "ids": [id] });
    platform.post("/api/v1/held-readings/claim", several).await.expect(403);
    // A patient of another tenant is no patient here.
    north.admin.post(&path(id, "claim"), claim(&south.patient)).await.expect(422);
    // Those who care for the patient may.
    let nurse = app.member(Role::Practitioner, &north.tenant).await;
    assert!(nurse.get(&find).await.expect(200)["preview"].is_object());
    nurse.post(&path(id, "claim"), claim(&north.patient)).await.expect(200);
    let record = platform.get("/api/v1/reading-corrections").await.expect(200);
    assert!(record["items"][0].get("reason").is_none(), "{record}");
    assert!(south.admin.get("/api/v1/reading-corrections").await.expect(200)["items"].as_array().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_bytes_say_something_else_by_now_nothing_changes() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let (_, cuff) = spare_cuff(&clinic).await;
    let receipt = cuff.uplink("2A35", &blood_pressure(1)).await.expect(202);
    // As if a later decoder read the bytes in another way.
    let mut conn = connect(&app.database.superuser_url).await;
    let other = "UPDATE held_reading SET content_hash = sha256('other'::bytea), decoder_version = '0.0.1'";
    diesel_async::SimpleAsyncConnection::batch_execute(&mut conn, other).await.unwrap();
    let refused =
        clinic.admin.post(&path(&receipt["held"][0]["id"], "claim"), claim(&clinic.patient)).await.expect(409);
    assert_eq!(refused["code"], "held-reading.decoded-otherwise");
    assert!(refused["detail"].as_str().unwrap().contains("0.0.1"), "{refused}");
    diesel_async::SimpleAsyncConnection::batch_execute(
        &mut conn,
        "DELETE FROM uplink_body; DELETE FROM uplink_body_kept",
    )
    .await
    .unwrap();
    let gone = clinic.admin.post(&path(&receipt["held"][0]["id"], "claim"), claim(&clinic.patient)).await.expect(410);
    assert_eq!(gone["code"], "held-reading.bytes");
    assert_eq!((clinic.count("").await, held(&clinic.admin, "open").await.len()), (0, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_record_is_released_as_a_corrected_version() {
    let stage = crate::support::Stage::start().await;
    let (_, sensor) = stage.device("S1").await;
    let record =
        |value: &str| format!("kind=body-weight\nvalue={value} kg\ntime=2025-06-01T08:00:00\nkey=7\nchange=conflict");
    let first = sensor.script(&record("70.50")).await.expect(201);
    let id = first["observations"][0].as_str().unwrap();
    let changed = sensor.script(&record("75.50")).await.expect(202);
    assert_eq!(changed["held"][0]["reason"], "record-changed");
    assert_eq!(sensor.script(&record("75.50")).await.expect(202)["held"], changed["held"], "held once");
    let admin = &stage.clinic.admin;
    let released = admin.post(&path(&changed["held"][0]["id"], "release"), because("typed wrongly at first")).await;
    let released = released.expect(200);
    assert_eq!(released["observation"], id);
    let now = stage.clinic.observation(id).await;
    assert_eq!((&now["status"], &now["meta"]["versionId"]), (&json!("corrected"), &json!("2")));
    assert_eq!(now["valueQuantity"]["value"].to_string(), "75.50");
    assert_eq!(
        now["identifier"],
        stage.clinic.admin.get(&format!("{}/Observation/{id}/_history/1", stage.clinic.fhir)).await.expect(200)["identifier"]
    );
    assert_eq!(sensor.script(&record("75.50")).await.expect(200)["observations"], json!([id]));
    // A third content is discarded, and known from then on.
    let third = sensor.script(&record("99.00")).await.expect(202);
    admin.post(&path(&third["held"][0]["id"], "discard"), because("nonsense")).await.expect(200);
    assert_eq!(sensor.script(&record("99.00")).await.expect(200)["reason"], "discarded");
    assert_eq!(stage.clinic.observation(id).await["meta"]["versionId"], "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_total_that_grows_while_it_waits_is_one_row_with_the_newest_content() {
    let stage = crate::support::Stage::start().await;
    let (_, tracker) = stage.clinic.device("scripted", "T1").await;
    let total = |steps: u32| {
        format!(
            "kind=steps-day\nvalue={steps} {{steps}}/(24.h)\ntime=2025-06-01T00:00:00\nend=2025-06-02T00:00:00\nkey=day\nchange=replace"
        )
    };
    let first = tracker.script(&total(500)).await.expect(202);
    let grown = tracker.script(&total(1250)).await.expect(202);
    assert_eq!(grown["held"], first["held"]);
    assert_eq!(held(&stage.clinic.admin, "open").await.len(), 1);
    let claimed = stage.clinic.admin.post(&path(&first["held"][0]["id"], "claim"), claim(&stage.clinic.patient)).await;
    let id = claimed.expect(200)["observation"].as_str().unwrap().to_owned();
    assert_eq!(stage.clinic.observation(&id).await["valueQuantity"]["value"], 1250);
    // It grows on: under the person who was named, as a new version.
    let more = tracker.script(&total(2000)).await.expect(201);
    assert_eq!((&more["observations"], &more["revised"]), (&json!([id]), &json!([id])));
    assert_eq!(stage.clinic.observation(&id).await["valueQuantity"]["value"], 2000);
}
