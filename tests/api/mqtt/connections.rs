//! Connections over REST: who may, and what is refused.

use afferent::identity::Role;
use serde_json::json;

use crate::support::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn platform_admins_make_them_and_tenant_admins_see_their_own() {
    let app = TestApp::start().await;
    let (north, south) = (app.clinic("north").await, app.clinic("south").await);
    let platform = app.platform_admin().await;
    let wish = json!({ "tenant": north.tenant, "name": "b", "url": "mqtt://127.0.0.1:9", "password": "secret-of-the-broker", "active": false });
    north.admin.post("/api/v1/mqtt-connections", wish.clone()).await.expect(403);
    let created = platform.post("/api/v1/mqtt-connections", wish).await.expect(201);
    assert_eq!(created["topics"][0]["topic"], "afferent/devices/{device}/{channel}");
    assert_eq!(
        (&created["protocol"], &created["sessions"], &created["inFlight"]),
        (&json!("5"), &json!(1), &json!(100))
    );
    let path = format!("/api/v1/mqtt-connections/{}", created["id"].as_str().unwrap());
    let shown = north.admin.get(&path).await.expect(200);
    assert!(!shown.to_string().contains("secret-of-the-broker"));
    assert_eq!(north.admin.get(&format!("{path}/status")).await.expect(200)["sessions"].as_array().unwrap().len(), 1);
    north.admin.patch(&path, json!({ "active": true })).await.expect(403);
    south.admin.get(&path).await.expect(404);
    south.admin.get(&format!("{path}/status")).await.expect(404);
    south.admin.patch(&path, json!({ "active": true })).await.expect(404);
    assert_eq!(south.admin.get("/api/v1/mqtt-connections").await.expect(200)["items"], json!([]));
    assert_eq!(north.admin.get("/api/v1/mqtt-connections").await.expect(200)["items"].as_array().unwrap().len(), 1);
    let nurse = app.member(Role::CustomerUser, &north.tenant).await;
    nurse.get("/api/v1/mqtt-connections").await.expect(403);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_work_is_refused_with_the_field() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let platform = app.platform_admin().await;
    for (field, value, pointer) in [
        ("url", json!("mqtt://10.0.0.1"), "/url"),
        ("url", json!("mqtt://169.254.169.254"), "/url"),
        ("url", json!("mqtt://0x0a.1"), "/url"),
        ("url", json!("http://127.0.0.1"), "/url"),
        ("url", json!("mqtt://user:pass@127.0.0.1"), "/url"),
        ("topics", json!([{ "topic": "a/#" }]), "/topics/0"),
        ("topics", json!([{ "topic": "a/{device}" }, { "topic": "b" }]), "/topics/1"),
        ("prefix", json!("a/+"), "/topics/0"),
        ("clientId", json!("a/b"), "/clientId"),
        ("shareGroup", json!("a+b"), "/shareGroup"),
        ("sessions", json!(0), "/sessions"),
        ("inFlight", json!(100_000), "/inFlight"),
        ("name", json!(""), "/name"),
        ("caCertificates", json!("x"), "/caCertificates"),
    ] {
        let mut wish = json!({ "tenant": clinic.tenant, "name": "b", "url": "mqtt://127.0.0.1:9" });
        wish[field] = value.clone();
        let problem = platform.post("/api/v1/mqtt-connections", wish).await.expect(422);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{field} {value}: {problem}");
    }
    let wish =
        json!({ "tenant": clinic.tenant, "name": "b", "url": "mqtt://127.0.0.1:9", "sessions": 2, "active": false });
    let created = platform.post("/api/v1/mqtt-connections", wish).await.expect(201);
    let path = format!("/api/v1/mqtt-connections/{}", created["id"].as_str().unwrap());
    let problem = platform.patch(&path, json!({ "sessions": 1 })).await.expect(422);
    assert_eq!(problem["errors"][0]["pointer"], "/sessions", "what a session holds would be nobody's");
    let problem = platform.patch(&path, json!({ "caCertificates": "x" })).await.expect(422);
    assert_eq!(problem["errors"][0]["pointer"], "/caCertificates");
}
