//! What cannot be decoded is kept with its reason, shown, and can be replayed.

use serde_json::json;

use crate::support::{TestApp, blood_pressure};

#[tokio::test(flavor = "multi_thread")]
async fn an_undecodable_payload_is_kept_with_its_reason() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let mut cut = blood_pressure(1);
    cut.truncate(5);
    let receipt = clinic.cuff.uplink("2A35", &cut).await.expect(202);
    assert_eq!(receipt["outcome"], "undecodable");
    let list = clinic.admin.get("/api/v1/quarantine").await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(list["items"][0]["uplink"], receipt["uplink"]);
    assert_eq!(list["items"][0]["reason"], "malformed");
    assert!(list["items"][0]["detail"].as_str().unwrap().contains("byte"), "{list}");
    // Somebody else's quarantine is empty, and its items are not there.
    let other = app.clinic("south").await;
    assert_eq!(other.admin.get("/api/v1/quarantine").await.expect(200)["items"], json!([]));
    other
        .admin
        .post(&format!("/api/v1/quarantine/{}/replay", receipt["uplink"].as_str().unwrap()), json!({}))
        .await
        .expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_decodes_the_kept_bytes_again() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    // The generic model knows four channels and needs one: without it nothing decodes.
    let receipt = clinic.cuff.uplink("FFFF", &blood_pressure(1)).await.expect(202);
    let uplink = receipt["uplink"].as_str().unwrap();
    // Still the wrong channel: the item stays open, and says how often it was tried.
    let again = clinic.admin.post(&format!("/api/v1/quarantine/{uplink}/replay"), json!({})).await.expect(200);
    assert_eq!(again["outcome"], "undecodable");
    let list = clinic.admin.get("/api/v1/quarantine").await.expect(200);
    assert_eq!(list["items"][0]["attempts"], 2);

    // The fault is mended (here: the stored channel), as a corrected decoder would: now it decodes, and is settled.
    let mut conn = crate::support::connect(&app.database.superuser_url).await;
    diesel_async::SimpleAsyncConnection::batch_execute(&mut conn, "UPDATE uplink SET channel = '2A35'").await.unwrap();
    let mended = clinic.admin.post(&format!("/api/v1/quarantine/{uplink}/replay"), json!({})).await.expect(200);
    assert_eq!(mended["outcome"], "stored", "{mended}");
    assert_eq!(mended["uplink"], uplink);
    assert_eq!(clinic.admin.get("/api/v1/quarantine").await.expect(200)["items"], json!([]));
    assert_eq!(clinic.count("").await, 2);
    clinic.admin.post(&format!("/api/v1/quarantine/{uplink}/replay"), json!({})).await.expect(404);
}
