//! Models, decoders, and trying one without storing anything.

use serde_json::json;

use super::{items, text};
use crate::support::{TestApp, blood_pressure, versioned_hub};

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

/// The map is found from outside: it must say what the layout of 0x2A35 says.
#[tokio::test(flavor = "multi_thread")]
async fn a_trial_maps_bytes_to_fields() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let wish = |map: bool| {
        json!({
            "model": "gatt-2A35", "channel": "2A35", "byteMap": map,
            "frames": [{ "hex": "1e 8a00 5800 7800 e907 04 11 14 29 3b 3c00 01 2700" }],
        })
    };
    let without = clinic.admin.post("/api/v1/decode", wish(false)).await.expect(200);
    assert!(without.get("byteMap").is_none(), "it costs a call a byte, and is made only when asked for");
    let tried = clinic.admin.post("/api/v1/decode", wish(true)).await.expect(200);
    let map = &tried["byteMap"];
    assert_eq!(map["complete"], json!(true));
    let of = |byte: u64| {
        let stretches = map["bytes"].as_array().unwrap().iter();
        let found = stretches
            .filter(|stretch| stretch["from"].as_u64().unwrap() <= byte && byte < stretch["to"].as_u64().unwrap());
        found.map(|stretch| stretch["fields"].to_string()).collect::<String>()
    };
    for (bytes, field) in [
        (1..3, "blood-pressure/blood-pressure-systolic"),
        (3..5, "blood-pressure/blood-pressure-diastolic"),
        (5..7, "blood-pressure/blood-pressure-mean"),
        (7..14, "readings[0] time"),
        (14..16, "readings[1] pulse-rate"),
        (16..17, "readings[0] user-slot"),
    ] {
        for byte in bytes {
            assert!(of(byte).contains(field), "byte {byte}: {} and not {field}", of(byte));
            assert!(byte > 6 || !of(byte).contains("pulse-rate"), "byte {byte} is no part of the pulse");
        }
    }
    assert_eq!(map["bytes"][0]["checked"], json!(true), "unknown flags are refused");

    let json = json!({
        "model": "telli-v1", "byteMap": true,
        "frames": [{ "json": { "data": { "unit": "lb", "weight": 135.2 }, "deviceId": "864200059066903", "readingType": "Weight", "time": "1721400730106" } }],
    });
    let tried = clinic.admin.post("/api/v1/decode", json).await.expect(200);
    let stretches = tried["byteMap"]["bytes"].as_array().unwrap();
    let weight = stretches.iter().find(|stretch| stretch["path"] == "$.data.weight").expect("the weight has a place");
    assert_eq!(weight["fields"], json!(["readings[0] body-weight"]));
}

/// What a hub carries is shown item by item; a frame is read on, but not for a vendor, whom other decoders do not concern.
#[tokio::test(flavor = "multi_thread")]
async fn a_hubs_payload_comes_to_items() {
    let app = TestApp::start().await;
    let platform = app.platform_admin().await;
    let account = platform.post("/api/v1/vendors", json!({ "name": "Hubs Ltd" })).await.expect(201);
    let path = format!("/api/v1/vendors/{}/tokens", account["id"].as_str().unwrap());
    let token = platform.post(&path, json!({ "name": "build" })).await.expect(201);
    let vendor = platform.with_token(token["token"].as_str().unwrap());
    let request = vendor.request(reqwest::Method::POST, "/api/v1/plugins");
    let request = request.header("Content-Type", "application/wasm").body(versioned_hub("1.0.0", 'F'));
    vendor.send(request).await.expect(201);
    // A frame of 70 kg, a weight that the hub decoded, and one with flags, which it refuses.
    let payload = "d616f9641601 00 b036 07 00  d616f9641602 01 581b 08 00  d616f9641602 01 581b 09 01";
    let wish = |plugin: &str, model: &str, map: bool| {
        let plugin = json!({ "name": plugin, "version": "1.0.0" });
        json!({ "plugin": plugin, "model": model, "byteMap": map, "frames": [{ "hex": payload }] })
    };
    let tried = platform.post("/api/v1/decode", wish("versioned-hub", "versioned-hub", true)).await.expect(200);
    assert_eq!((&tried["outcome"], &tried["readings"]), (&json!("items"), &json!([])), "{tried}");
    let items = tried["items"].as_array().unwrap();
    let outcomes: Vec<&str> = items.iter().map(|item| text(item, "outcome")).collect();
    assert_eq!(outcomes, ["readings", "readings", "error"], "{tried}");
    assert_eq!(items[0]["frame"], json!({ "channel": "2A9D", "hex": "00b036" }));
    assert_eq!((&items[0]["model"], &items[0]["device"]), (&json!("gatt-2A9D"), &json!("D6:16:F9:64:16:01")));
    assert_eq!(items[0]["readings"][0]["value"]["value"], "70.000");
    assert_eq!(items[1]["readings"][0]["value"]["value"], "70.00");
    assert_eq!(items[1]["observations"][0]["valueQuantity"]["unit"], "kg");
    assert_eq!((&items[2]["reason"], items[1].get("frame")), (&json!("unsupported"), None));
    let of = |byte: u64| {
        let stretches = tried["byteMap"]["bytes"].as_array().unwrap().iter();
        let found = stretches.filter(|one| one["from"].as_u64() <= Some(byte) && Some(byte) < one["to"].as_u64());
        found.map(|stretch| stretch["fields"].to_string()).collect::<String>()
    };
    for (byte, field) in [
        (0, "items[0] device"),
        (7, "items[0] bytes"),
        (16, "items[1] device"),
        (18, "items[1] readings[0] body-weight"),
        (20, "items[1] readings[0] record-key"),
        (32, "items[2] error"),
    ] {
        assert!(of(byte).contains(field), "byte {byte}: {} and not {field}", of(byte));
    }

    let tried = vendor.post("/api/v1/decode", wish("versioned-hub", "versioned-hub", false)).await.expect(200);
    assert_eq!((&tried["items"][0]["outcome"], tried["items"][0].get("model")), (&json!("frame"), None), "{tried}");
    assert_eq!(tried["items"][1]["outcome"], "readings");
    // What serves, for anybody of a tenant.
    let clinic = app.clinic("north").await;
    let heartbeat = json!({ "model": "ava4-hub", "frames": [{ "json": { "type": "HB_Msg" } }] });
    assert_eq!(clinic.admin.post("/api/v1/decode", heartbeat).await.expect(200)["reason"], "heartbeat");
}
