//! What docs/mqtt.md tells operators to configure, with a real broker; and hubs over MQTT.

use std::path::Path;

use serde_json::json;

use super::publisher::{Properties, Publisher};
use super::{acknowledged, connect, device_topic};
use crate::support::{BrokerWish, Mosquitto, TestApp, blood_pressure};

/// The access list in docs/mqtt.md: the block that begins with its user.
fn documented_access() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/mqtt.md");
    let text = std::fs::read_to_string(path).unwrap();
    let block =
        text.split("```").find(|block| block.trim_start().starts_with("user afferent")).expect("the list is there");
    block.trim_start().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_documented_access_list_a_device_speaks_for_itself_alone() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let (other, _) = clinic.device("gatt-2A35", "OTHER").await;
    let broker = Mosquitto::with(BrokerWish {
        login: Some(("afferent".to_owned(), "correct horse".to_owned())),
        devices: vec![(clinic.device.clone(), "its own".to_owned())],
        access: Some(documented_access()),
        ..BrokerWish::default()
    })
    .await;
    let id = connect(&app, &clinic, &broker, json!({ "userName": "afferent", "password": "correct horse" })).await;
    let mut device = Publisher::v5(broker.address, Some((&clinic.device, "its own")));
    // Not its topic: the broker takes it and gives it to nobody.
    let foreign = device_topic(&other, "2A35");
    device.try_publish(&foreign, &blood_pressure(1), &Properties::default(), false).await;
    let mut device = Publisher::v5(broker.address, Some((&clinic.device, "its own")));
    device.publish(&device_topic(&clinic.device, "2A35"), &blood_pressure(2)).await;
    acknowledged(&app, &id, 1).await;
    let uplinks = clinic.admin.get("/api/v1/uplinks").await.expect(200);
    assert_eq!(uplinks["items"].as_array().unwrap().len(), 1, "{uplinks}");
    assert_eq!(uplinks["items"][0]["device"], clinic.device);
    let mut stranger = Publisher::v5(broker.address, Some((&clinic.device, "a guess")));
    let (topic, frame) = (device_topic(&clinic.device, "2A35"), blood_pressure(3));
    let let_in = stranger.try_publish(&topic, &frame, &Properties::default(), false).await;
    assert!(let_in.is_none(), "a wrong password is let in");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_publishes_for_its_devices() {
    let (app, broker) = (TestApp::start().await, Mosquitto::start().await);
    let clinic = app.clinic("north").await;
    let hub = clinic.hub("any-gateway", "H1").await;
    hub.pair(&clinic.device, "AA:BB:CC:00:00:01").await;
    let id = connect(&app, &clinic, &broker, json!({})).await;
    let topic = format!("afferent/hubs/{}/json", hub.path.rsplit('/').next().unwrap());
    let batch = json!({ "frames": [
        { "device": "AA:BB:CC:00:00:01", "channel": "2A35", "hex": hex::encode(blood_pressure(1)), "id": "1" },
        { "device": "AA:BB:CC:00:00:09", "channel": "2A35", "hex": hex::encode(blood_pressure(2)), "id": "2" },
    ] });
    let mut publisher = Publisher::v3(broker.address, None);
    publisher.publish(&topic, batch.to_string().as_bytes()).await;
    // Delivered again by the hub: the same items.
    publisher.publish(&topic, batch.to_string().as_bytes()).await;
    acknowledged(&app, &id, 2).await;
    assert_eq!(clinic.count("").await, 2, "a pressure and a pulse of the paired device");
    assert_eq!(hub.unclaimed().await.len(), 1, "the other one waits to be claimed");
}
