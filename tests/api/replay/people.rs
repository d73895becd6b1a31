//! What people did stands: a replay leaves it, and says so.

use serde_json::{Value, json};

use super::{Ward, all, observation};

const TIME: &str = "2025-06-01T07:00:00";

async fn held(ward: &Ward, state: &str) -> Vec<Value> {
    let list = ward.clinic.admin.get(&format!("/api/v1/held-readings?state={state}")).await.expect(200);
    list["items"].as_array().unwrap().clone()
}

async fn decide(ward: &Ward, item: &Value, verb: &str) -> Value {
    let path = format!("/api/v1/held-readings/{}/{verb}", item["id"].as_str().unwrap());
    ward.clinic.admin.post(&path, json!({ "reason": "we looked" })).await.expect(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_changed_or_decided_is_left_and_told() {
    let ward = Ward::start().await;
    let edited = observation(&ward.send(&format!("k 1 7025 {TIME}")).await);
    let mut note = ward.clinic.observation(&edited).await;
    note["note"] = json!([{ "text": "weighed with shoes" }]);
    ward.clinic.admin.put(&format!("{}/Observation/{edited}", ward.clinic.fhir), note).await.expect(200);
    let withdrawn = observation(&ward.send(&format!("k 2 7125 {TIME}")).await);
    let mut wrong = ward.clinic.observation(&withdrawn).await;
    wrong["status"] = json!("entered-in-error");
    ward.clinic.admin.put(&format!("{}/Observation/{withdrawn}", ward.clinic.fhir), wrong).await.expect(200);
    // 697 kg are read as 702, which nobody weighs: held. One is discarded, one is released, one waits.
    for number in 3..=5 {
        let receipt = ward.send(&format!("k {number} 69700 2025-06-0{number}T07:00:00")).await;
        assert_eq!(receipt["outcome"], "held", "{receipt}");
    }
    let open = held(&ward, "open").await;
    decide(&ward, &open[0], "discard").await;
    let released = decide(&ward, &open[1], "release").await["observation"].as_str().unwrap().to_owned();

    let ward = ward.with(&["1.0.0", "2.0.0"]).await;
    let done = ward.replay(all(), false).await;
    let counts = &done["counts"];
    assert_eq!(
        (&counts["skipped"], &counts["created"], &counts["corrected"]),
        (&json!(4), &json!(1), &json!(0)),
        "{done}"
    );
    assert_eq!(counts["reasons"], json!({ "changed-by-person": 2, "decided-by-person": 2 }));
    let text = ward.clinic.observation(&edited).await;
    assert_eq!((&text["note"][0]["text"], &text["meta"]["versionId"]), (&json!("weighed with shoes"), &json!("2")));
    assert_eq!(ward.value(&withdrawn).await.1, "entered-in-error");
    assert!(ward.value(&released).await.0.starts_with("702"), "a person said that it is right");
    assert_eq!(held(&ward, "discarded").await.len(), 1);
    // What waited with the wrong number waits no longer: the right one is an Observation.
    assert_eq!((held(&ward, "open").await.len(), held(&ward, "corrected").await.len()), (0, 1));
    assert_eq!(ward.clinic.count("code=29463-7&status=final").await, 3, "the edited, the released, the new one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claimed_reading_is_corrected_for_the_person_who_was_named() {
    let ward = Ward::start().await;
    let (spare, scale) = ward.clinic.device("versioned", "SPARE").await;
    let receipt = scale.uplink("", format!("k 1 7025 {TIME}").as_bytes()).await.expect(202);
    assert_eq!(receipt["outcome"], "unassigned");
    let open = held(&ward, "open").await;
    let path = format!("/api/v1/held-readings/{}/claim", open[0]["id"].as_str().unwrap());
    let claim = json!({ "patient": ward.clinic.patient, "reason": "the ward's log says so" });
    let claimed = ward.clinic.admin.post(&path, claim).await.expect(200);
    let id = claimed["observation"].as_str().unwrap();
    assert_eq!(ward.value(id).await.0, "75.25");
    let ward = ward.with(&["1.0.0", "2.0.0"]).await;
    let scope = json!({ "devices": [spare], "decoder": { "name": "versioned-decoder", "version": "2.0.0" } });
    let done = ward.replay(scope, false).await;
    assert_eq!(done["counts"]["corrected"], 1, "{done}");
    assert_eq!(ward.value(id).await, ("70.25".into(), "corrected".into(), "2".into()));
    let subject = ward.clinic.observation(id).await["subject"]["reference"].clone();
    assert_eq!(subject, json!(format!("Patient/{}", ward.clinic.patient)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_is_never_moved_to_another_person() {
    let ward = Ward::start().await;
    let id = observation(&ward.send(&format!("k 1 7025 {TIME}")).await);
    let before = ward.clinic.observation(&id).await;
    // Somebody else wore it, as is found out later: the reading is moved, and corrected where it is now.
    let other = ward.clinic.patient("other").await;
    let wish = json!({ "patient": other, "from": "2025-01-01T00:00:00Z", "reason": "swapped" });
    ward.clinic.admin.post(&format!("/api/v1/devices/{}/reassignments", ward.device), wish).await.expect(201);
    let ward = ward.with(&["1.0.0", "2.0.0"]).await;
    let done = ward.replay(all(), false).await;
    assert_eq!((&done["counts"]["corrected"], &done["counts"]["created"]), (&json!(1), &json!(0)), "{done}");
    let left = ward.clinic.observation(&id).await;
    assert_eq!(
        (&left["status"], &left["valueQuantity"], &left["subject"]),
        (&json!("entered-in-error"), &before["valueQuantity"], &before["subject"])
    );
    let found = ward
        .clinic
        .admin
        .get(&format!("{}/Observation?subject=Patient/{other}&status=corrected", ward.clinic.fhir))
        .await
        .expect(200);
    assert_eq!(found["entry"][0]["resource"]["valueQuantity"]["value"].to_string(), "70.25");
    assert_eq!(ward.clinic.count("code=29463-7&status=final,corrected").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_zone_now_is_not_the_decoders_doing() {
    let ward = Ward::start().await;
    let id = observation(&ward.send(&format!("k 1 7025 {TIME}")).await);
    ward.clinic
        .admin
        .patch(&format!("/api/v1/devices/{}", ward.device), json!({ "timeZone": "Asia/Tokyo" }))
        .await
        .expect(200);
    let ward = ward.with(&["1.0.0", "2.0.0"]).await;
    let done = ward.replay(all(), false).await;
    assert_eq!(done["counts"]["reasons"], json!({ "settings-changed": 1 }), "{done}");
    assert_eq!(ward.value(&id).await.2, "1");
}
