//! Hubs: registration, activity, tokens, and the devices that they carry.

use serde_json::json;

use super::{items, text};
use crate::support::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_is_registered_once_and_has_tokens_and_periods() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let wish = json!({ "model": "gateway-x", "serial": "H1", "name": "Ward 3", "active": true });
    let hub = clinic.admin.post("/api/v1/hubs", wish.clone()).await.expect(201);
    assert_eq!(clinic.admin.post("/api/v1/hubs", wish).await.expect(409)["code"], "hub.exists");
    let path = format!("/api/v1/hubs/{}", text(&hub, "id"));
    assert_eq!(clinic.admin.get(&path).await.expect(200), hub);
    assert_eq!(items(&clinic.admin.get("/api/v1/hubs").await.expect(200)), std::slice::from_ref(&hub));

    let token = clinic.admin.post(&format!("{path}/tokens"), json!({})).await.expect(201);
    assert!(text(&token, "token").starts_with("afh_"));
    clinic.admin.delete(&format!("{path}/tokens/{}", text(&token, "id"))).await.expect(204);

    assert_eq!(clinic.admin.post(&format!("{path}/deactivate"), json!({})).await.expect(200)["active"], false);
    clinic.admin.post(&format!("{path}/activate"), json!({})).await.expect(200);
    assert_eq!(items(&clinic.admin.get(&format!("{path}/activations")).await.expect(200)).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_carries_devices_of_its_own_tenant() {
    let app = TestApp::start().await;
    let (north, south) = (app.clinic("north").await, app.clinic("south").await);
    let wish = json!({ "model": "gateway-x", "serial": "H1", "name": "Ward 3", "active": true });
    let hub = north.admin.post("/api/v1/hubs", wish).await.expect(201);
    let devices = format!("/api/v1/hubs/{}/devices", text(&hub, "id"));
    let cuff = format!("{devices}/{}", north.device);

    let paired = north.admin.put(&cuff, json!({ "address": "aa-bb-cc-dd-ee-0f" })).await.expect(200);
    assert_eq!(paired["address"], "AA:BB:CC:DD:EE:0F");
    assert_eq!(
        north.admin.put(&cuff, json!({ "address": "AABBCCDDEE0F" })).await.expect(200),
        paired,
        "a repeat changes nothing"
    );
    let (scale, _) = north.device("gatt-2A9D", "SCALE").await;
    let taken =
        north.admin.put(&format!("{devices}/{scale}"), json!({ "address": "AA:BB:CC:DD:EE:0F" })).await.expect(409);
    assert_eq!(taken["code"], "hub.address-taken");
    assert_eq!(items(&north.admin.get(&devices).await.expect(200)).len(), 1);

    north.admin.put(&format!("{devices}/{}", south.device), json!({})).await.expect(404);
    south.admin.put(&cuff, json!({})).await.expect(404);
    south.admin.get(&devices).await.expect(404);
    north.admin.delete(&cuff).await.expect(204);
    north.admin.delete(&cuff).await.expect(404);
}
