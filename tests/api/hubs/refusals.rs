//! Who may not send, and what is not taken.

use serde_json::json;

use super::frame;
use crate::support::{TestApp, blood_pressure};

const CUFF: &str = "AA:BB:CC:00:00:01";

#[tokio::test(flavor = "multi_thread")]
async fn a_deactivated_hub_is_turned_away_and_nothing_is_kept() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let hub = clinic.hub("any-gateway", "H1").await;
    hub.pair(&clinic.device, CUFF).await;
    hub.send(json!([frame(CUFF, "2A35", &blood_pressure(1))])).await.expect(201);
    hub.admin.post(&format!("{}/deactivate", hub.path), json!({})).await.expect(200);
    let refused =
        hub.send(json!([frame(CUFF, "2A35", &blood_pressure(2)), frame("x", "2A35", &blood_pressure(3))])).await;
    assert_eq!(refused.expect(403)["code"], "hub.deactivated");
    assert!(hub.unclaimed().await.is_empty());
    assert_eq!(clinic.count("").await, 2);
    hub.admin.post(&format!("{}/activate", hub.path), json!({})).await.expect(200);
    hub.send(json!([frame(CUFF, "2A35", &blood_pressure(2))])).await.expect(201);
    let periods = hub.admin.get(&format!("{}/activations", hub.path)).await.expect(200);
    assert_eq!(periods["items"].as_array().unwrap().len(), 2);
}

/// What a server remembers of a hub is asked again by the commit: a change counts at once, in every process.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_made_through_another_process_counts_at_once() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let hub = clinic.hub("any-gateway", "H1").await;
    hub.pair(&clinic.device, CUFF).await;
    hub.send(json!([frame(CUFF, "2A35", &blood_pressure(1))])).await.expect(201);
    let other = TestApp::on(app.database.clone(), &[]).await;
    let elsewhere = crate::support::Actor::new(other.url(""), clinic.admin.token.clone());

    // Parted: what comes is nobody's.
    elsewhere.delete(&format!("{}/devices/{}", hub.path, clinic.device)).await.expect(204);
    let answer = hub.send(json!([frame(CUFF, "2A35", &blood_pressure(2))])).await.expect(202);
    assert_eq!(answer["items"][0]["outcome"], "unclaimed", "{answer}");
    // Paired again, with another device: the address means that one now.
    let (second, _) = clinic.device("gatt-2A35", "SECOND").await;
    clinic.assign(&second, &clinic.patient, "2020-01-01T00:00:00Z", None).await;
    elsewhere.put(&format!("{}/devices/{second}", hub.path), json!({ "address": CUFF })).await.expect(200);
    let answer = hub.send(json!([frame(CUFF, "2A35", &blood_pressure(3))])).await.expect(201);
    let observation = clinic.observation(answer["items"][0]["observations"][0].as_str().unwrap()).await;
    assert_eq!(observation["device"]["reference"], format!("Device/{second}"));
    // The two change places, and both stay paired: an address means whom it means now, or a reading is another person's.
    let other_address = "AA:BB:CC:00:00:0F";
    elsewhere
        .put(&format!("{}/devices/{second}", hub.path), json!({ "address": "AA:BB:CC:00:00:0E" }))
        .await
        .expect(200);
    elsewhere.put(&format!("{}/devices/{}", hub.path, clinic.device), json!({ "address": CUFF })).await.expect(200);
    elsewhere.put(&format!("{}/devices/{second}", hub.path), json!({ "address": other_address })).await.expect(200);
    let answer = hub.send(json!([frame(CUFF, "2A35", &blood_pressure(30))])).await.expect(201);
    let observation = clinic.observation(answer["items"][0]["observations"][0].as_str().unwrap()).await;
    assert_eq!(observation["device"]["reference"], format!("Device/{}", clinic.device));
    elsewhere.delete(&format!("{}/devices/{}", hub.path, clinic.device)).await.expect(204);
    elsewhere.put(&format!("{}/devices/{second}", hub.path), json!({ "address": CUFF })).await.expect(200);
    // The hub's own settings.
    elsewhere.patch(&hub.path, json!({ "name": "Ward 4", "variables": { "handle_map": "{}" } })).await.expect(200);
    hub.send(json!([frame(CUFF, "2A35", &blood_pressure(31))])).await.expect(201);
    // Another zone for the device.
    elsewhere.patch(&format!("/api/v1/devices/{second}"), json!({ "timeZone": "Asia/Tokyo" })).await.expect(200);
    let answer = hub.send(json!([frame(CUFF, "2A35", &blood_pressure(4))])).await.expect(201);
    let observation = clinic.observation(answer["items"][0]["observations"][0].as_str().unwrap()).await;
    assert!(observation["effectiveDateTime"].as_str().unwrap().ends_with("+09:00"), "{observation}");
    // The hub itself.
    elsewhere.post(&format!("{}/deactivate", hub.path), json!({})).await.expect(200);
    hub.send(json!([frame(CUFF, "2A35", &blood_pressure(5))])).await.expect(403);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_token_has_its_own_way_in() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let hub = clinic.hub("any-gateway", "H1").await;
    assert_eq!(hub.actor.uplink("2A35", &blood_pressure(1)).await.expect(403)["code"], "source.hub");
    let wrong = crate::support::Hub { actor: clinic.cuff.clone(), ..clinic.hub("any-gateway", "H2").await };
    assert_eq!(wrong.send(json!([frame(CUFF, "2A35", &blood_pressure(1))])).await.expect(403)["code"], "source.device");
    let unknown = crate::support::Hub { actor: app.anonymous().with_token("afh_unknown"), ..wrong };
    unknown.send(json!([frame(CUFF, "2A35", &blood_pressure(1))])).await.expect(401);
    // What only the server writes, no source may send: it would go past every decoder.
    let forged = hub.post("application/vnd.afferent.readings+json", "{}".to_owned()).await;
    assert_eq!(forged.status, 415);
    let request = clinic.cuff.request(reqwest::Method::POST, "/ingest/v1/uplinks");
    let forged =
        clinic.cuff.send(request.header("Content-Type", "application/vnd.afferent.readings+json").body("{}")).await;
    assert_eq!(forged.status, 415);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_no_decoder_reads_is_kept_and_replayed() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let hub = clinic.hub("any-gateway", "H1").await;
    let answer = hub.post("application/json", "{}".to_owned()).await.expect(202);
    assert!(answer["reason"].as_str().unwrap().starts_with("model-without-decoder"), "{answer}");
    let ava4 = clinic.hub("ava4-hub", "H2").await;
    let answer = ava4.post("application/json", "{\"type\":".to_owned()).await.expect(202);
    assert!(answer["reason"].as_str().unwrap().starts_with("malformed"), "{answer}");
    let quarantine = clinic.admin.get("/api/v1/quarantine").await.expect(200);
    assert_eq!(quarantine["items"].as_array().unwrap().len(), 2);
    let path = format!("/api/v1/quarantine/{}/replay", answer["uplink"].as_str().unwrap());
    assert_eq!(clinic.admin.post(&path, json!({})).await.expect(200)["outcome"], "undecodable");
}
