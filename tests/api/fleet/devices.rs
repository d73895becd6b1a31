//! Devices: enrolment and its end, periods of activity, variables, the FHIR Device.

use afferent::identity::Role;
use serde_json::json;

use super::{items, text};
use crate::support::{TestApp, blood_pressure};

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_created_shown_listed_and_changed() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let wish = json!({
        "tenant": clinic.tenant, "model": "gatt-2A9D", "serial": "SCALE-7", "active": false, "timeZone": "Europe/Lisbon",
        "identifiers": [{ "system": "http://hl7.org/fhir/sid/eui-48/bluetooth", "value": "AA-BB-CC-DD-EE-FF" }],
        "variables": { "bindkey": "0123456789abcdef" },
    });
    let answer = clinic.admin.post("/api/v1/devices", wish).await;
    let location = answer.header("location").unwrap().to_owned();
    assert!(!answer.text.contains("0123456789abcdef"), "a variable's value is shown: {}", answer.text);
    let device = answer.expect(201);
    let id = text(&device, "id");
    assert_eq!(location, format!("/api/v1/devices/{id}"));
    assert_eq!((&device["variables"], &device["active"]), (&json!(["bindkey"]), &json!(false)));
    assert_eq!(clinic.admin.get(&location).await.expect(200), device);

    let listed = clinic.admin.get("/api/v1/devices?model=gatt-2A9D&active=false").await.expect(200);
    assert_eq!(items(&listed), std::slice::from_ref(&device));
    assert!(items(&clinic.admin.get("/api/v1/devices?serial=OTHER").await.expect(200)).is_empty());

    let change = json!({ "timeZone": null, "variables": { "bindkey": null, "mac": "AA:BB" }, "identifiers": [] });
    let changed = clinic.admin.patch(&location, change).await.expect(200);
    assert_eq!((&changed["variables"], &changed["identifiers"]), (&json!(["mac"]), &json!([])));
    assert!(changed.get("timeZone").is_none(), "null falls back to the tenant's zone: {changed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_go_page_by_page_without_gaps_or_repeats() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    for serial in ["A", "B", "C", "D"] {
        clinic.device("gatt-2A9D", serial).await;
    }
    let mut seen = Vec::new();
    let mut path = "/api/v1/devices?limit=2".to_owned();
    loop {
        let page = clinic.admin.get(&path).await.expect(200);
        seen.extend(items(&page).iter().map(|device| text(device, "id").to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/devices?limit=2&after={next}");
    }
    assert_eq!(seen.len(), 5, "the clinic's cuff and four scales");
    assert!(seen.is_sorted() && seen.iter().collect::<std::collections::HashSet<_>>().len() == 5);
    clinic.admin.get("/api/v1/devices?limit=501").await.expect(422);
    clinic.admin.get("/api/v1/devices?colour=red").await.expect(400);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_accepted_is_told_field_by_field() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let wish = json!({ "model": "gatt-2A9D", "serial": " ", "active": true, "timeZone": "Mars/Base", "identifiers": [{ "system": "imei", "value": "1" }] });
    let problem = clinic.admin.post("/api/v1/devices", wish).await.expect(422);
    let pointers: Vec<_> =
        problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/serial", "/timeZone", "/identifiers/0/system"]);
    let wish = json!({ "model": "no-such-model", "serial": "1", "active": true });
    assert_eq!(clinic.admin.post("/api/v1/devices", wish).await.expect(422)["errors"][0]["pointer"], "/model");
    let wish = json!({ "model": "gatt-2A9D", "serial": "1", "active": true, "colour": "red" });
    clinic.admin.post("/api/v1/devices", wish).await.expect(400);
    app.clinic("south").await;
    let wish = json!({ "model": "gatt-2A9D", "serial": "1", "active": true });
    let problem = app.platform_admin().await.post("/api/v1/devices", wish).await.expect(422);
    assert_eq!(problem["errors"][0]["pointer"], "/tenant", "who has several tenants names one");
}

#[tokio::test(flavor = "multi_thread")]
async fn activity_is_recorded_from_the_first_day_and_repeats_change_nothing() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let device = format!("/api/v1/devices/{}", clinic.device);
    let activations = format!("{device}/activations");
    assert_eq!(items(&clinic.admin.get(&activations).await.expect(200)).len(), 1);

    for _ in 0..2 {
        assert_eq!(clinic.admin.post(&format!("{device}/deactivate"), json!({})).await.expect(200)["active"], false);
    }
    let periods = clinic.admin.get(&activations).await.expect(200);
    assert!(items(&periods).len() == 1 && items(&periods)[0]["until"].is_string(), "{periods}");
    clinic.cuff.uplink("2A35", &blood_pressure(1)).await.expect(403);

    for _ in 0..2 {
        assert_eq!(clinic.admin.post(&format!("{device}/activate"), json!({})).await.expect(200)["active"], true);
    }
    let periods = clinic.admin.get(&activations).await.expect(200);
    assert!(items(&periods).len() == 2 && items(&periods)[1].get("until").is_none(), "{periods}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fhir_device_follows_in_the_same_transaction() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let resource = format!("{}/Device/{}", clinic.fhir, clinic.device);
    let first = clinic.admin.get(&resource).await.expect(200);
    assert_eq!((&first["status"], &first["meta"]["versionId"]), (&json!("active"), &json!("1")));
    assert_eq!(first["serialNumber"], json!(format!("CUFF-1-{}", clinic.tenant)));

    clinic.admin.post(&format!("/api/v1/devices/{}/deactivate", clinic.device), json!({})).await.expect(200);
    let second = clinic.admin.get(&resource).await.expect(200);
    assert_eq!((&second["status"], &second["meta"]["versionId"]), (&json!("inactive"), &json!("2")));
    let found = clinic.admin.get(&format!("{}/Device?status=inactive", clinic.fhir)).await.expect(200);
    assert_eq!(found["entry"].as_array().unwrap().len(), 1, "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_moves_to_another_tenant_and_its_past_stays() {
    let app = TestApp::start().await;
    let (north, south) = (app.clinic("north").await, app.clinic("south").await);
    let wish = |tenant: &str| json!({ "tenant": tenant, "model": "gatt-2A9D", "serial": "MOVES", "active": true });
    let device = north.admin.post("/api/v1/devices", wish(&north.tenant)).await.expect(201);
    let path = format!("/api/v1/devices/{}", text(&device, "id"));
    let token = north.admin.post(&format!("{path}/tokens"), json!({})).await.expect(201);
    let scale = north.admin.with_token(text(&token, "token"));
    let assignment = json!({ "patient": north.patient, "from": "2020-01-01T00:00:00Z" });
    north.admin.post(&format!("{path}/assignments"), assignment).await.expect(201);

    let taken = south.admin.post("/api/v1/devices", wish(&south.tenant)).await.expect(409);
    assert_eq!(taken["code"], "device.enrolled");

    let ended = north.admin.post(&format!("{path}/end-enrolment"), json!({})).await.expect(200);
    assert!(ended["enrolledUntil"].is_string() && ended["active"] == json!(false), "{ended}");
    assert_eq!(
        north.admin.post(&format!("{path}/end-enrolment"), json!({})).await.expect(200),
        ended,
        "a repeat changes nothing"
    );
    scale.uplink("2A9D", &[0, 0xB0, 0x36]).await.expect(401);
    let assignments = north.admin.get(&format!("{path}/assignments")).await.expect(200);
    assert_eq!(items(&assignments)[0]["until"], ended["enrolledUntil"]);
    for (call, body) in [("activate", json!({})), ("tokens", json!({}))] {
        north.admin.post(&format!("{path}/{call}"), body).await.expect(409);
    }
    north.admin.patch(&path, json!({ "timeZone": null })).await.expect(409);

    let moved = south.admin.post("/api/v1/devices", wish(&south.tenant)).await.expect(201);
    assert_ne!(moved["id"], device["id"]);
    north.admin.get(&path).await.expect(200);
    north.admin.get(&format!("/api/v1/devices/{}", text(&moved, "id"))).await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_sees_its_own_and_changes_what_it_may() {
    let app = TestApp::start().await;
    let (north, south) = (app.clinic("north").await, app.clinic("south").await);
    let path = format!("/api/v1/devices/{}", north.device);
    let nurse = app.member(Role::Practitioner, &north.tenant).await;
    nurse.get(&path).await.expect(200);
    for call in ["activate", "deactivate", "end-enrolment", "tokens"] {
        nurse.post(&format!("{path}/{call}"), json!({})).await.expect(403);
        south.admin.post(&format!("{path}/{call}"), json!({})).await.expect(404);
    }
    for read in ["", "/activations", "/tokens", "/assignments"] {
        south.admin.get(&format!("{path}{read}")).await.expect(404);
    }
    south.admin.get(&format!("/api/v1/devices?tenant={}", north.tenant)).await.expect(404);
    let elsewhere = json!({ "tenant": north.tenant, "model": "gatt-2A9D", "serial": "X", "active": true });
    south.admin.post("/api/v1/devices", elsewhere).await.expect(404);
    let all = app.platform_admin().await.get("/api/v1/devices").await.expect(200);
    assert_eq!(items(&all).len(), 2, "the platform sees the devices of both clinics");
}
