//! Models, decoders, and trying one without storing anything.

use serde_json::json;

use super::{items, text};
use crate::support::{TestApp, blood_pressure};

#[tokio::test(flavor = "multi_thread")]
async fn models_name_their_decoder_and_a_broken_file_stops_nothing() {
    let directory = crate::support::TempDir::new();
    std::fs::write(directory.path().join("broken.wasm"), b"no component").unwrap();
    let folder = directory.path().display().to_string();
    let app = TestApp::start_with(&[("AFFERENT_DECODER_DIR", &folder)]).await;
    let clinic = app.clinic("north").await;
    let models = clinic.admin.get("/api/v1/models").await.expect(200);
    let cuff = items(&models).iter().find(|model| model["name"] == "gatt-2A35").expect("the cuff's model");
    assert_eq!((&cuff["decoder"], &cuff["channels"]), (&json!("bluetooth-sig"), &json!(["2A35"])));

    let decoders = clinic.admin.get("/api/v1/decoders").await.expect(200);
    assert!(
        items(&decoders).iter().any(|decoder| decoder["name"] == "bluetooth-sig" && decoder["serves"] == json!(true))
    );
    assert_eq!(decoders["refused"][0]["file"], "broken.wasm");
    assert!(!text(&decoders["refused"][0], "reason").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_shows_readings_and_observations_and_stores_nothing() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let wish = json!({
        "model": "gatt-2A35", "channel": "2A35", "timeZone": "Europe/Berlin", "receivedAt": "2026-03-01T12:00:00Z",
        "frames": [{ "hex": hex::encode(blood_pressure(1)) }],
    });
    let tried = clinic.admin.post("/api/v1/decode", wish).await.expect(200);
    assert_eq!((&tried["outcome"], &tried["decoder"]), (&json!("readings"), &json!("bluetooth-sig")));
    assert_eq!(tried["readings"][0]["kind"], "blood-pressure");
    assert_eq!(tried["observations"][0]["code"]["coding"][0]["code"], "85354-9");
    assert_eq!(tried["observations"].as_array().unwrap().len(), tried["outlook"].as_array().unwrap().len());
    assert!(tried["fuel"].as_u64().unwrap() > 0);
    assert_eq!(clinic.count("").await, 0);

    let cut = json!({ "model": "gatt-2A35", "frames": [{ "hex": "1e" }] });
    let refused = clinic.admin.post("/api/v1/decode", cut).await.expect(200);
    assert_eq!((&refused["outcome"], &refused["reason"]), (&json!("error"), &json!("malformed")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_that_makes_no_sense_says_why() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    for (wish, pointer) in [
        (json!({ "model": "no-such", "frames": [{ "hex": "00" }] }), "/model"),
        (json!({ "model": "gatt-2A35", "channel": "2A9D", "frames": [{ "hex": "00" }] }), "/channel"),
        (json!({ "model": "gatt-2A35", "frames": [] }), "/frames"),
        (json!({ "model": "gatt-2A35", "frames": [{ "hex": "0" }] }), "/frames/0"),
        (json!({ "model": "gatt-2A35", "frames": [{ "hex": "00", "base64": "AA==" }] }), "/frames/0"),
    ] {
        let problem = clinic.admin.post("/api/v1/decode", wish).await.expect(422);
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
}
