//! Tokens of sources: shown once, listed without their text, replaced without a gap, revoked for good.

use serde_json::json;

use super::{items, text};
use crate::support::{TestApp, blood_pressure, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_token_lives_from_its_creation_to_its_revocation() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let tokens = format!("/api/v1/devices/{}/tokens", clinic.device);
    let made = clinic.admin.post(&tokens, json!({})).await.expect(201);
    assert!(text(&made, "token").starts_with("afd_"));
    let second = clinic.admin.with_token(text(&made, "token"));
    clinic.cuff.uplink("2A35", &blood_pressure(1)).await.expect(201);
    second.uplink("2A35", &blood_pressure(2)).await.expect(201);

    let listed = clinic.admin.get(&tokens).await;
    assert!(!listed.text.contains(text(&made, "token")), "a token is shown again");
    let listed = listed.expect(200);
    assert!(
        items(&listed).len() == 2 && items(&listed).iter().all(|token| token.get("revokedAt").is_none()),
        "{listed}"
    );

    let path = format!("{tokens}/{}", text(&made, "id"));
    for _ in 0..2 {
        clinic.admin.delete(&path).await.expect(204);
    }
    let asked = eventually("the revoked token to be refused", async || {
        let answer = second.uplink("2A35", &blood_pressure(3)).await;
        (answer.status == 401).then_some(answer)
    })
    .await;
    assert_eq!(asked.json()["code"], "token.unknown");
    clinic.cuff.uplink("2A35", &blood_pressure(4)).await.expect(201);
    let listed = clinic.admin.get(&tokens).await.expect(200);
    assert!(items(&listed)[1]["revokedAt"].is_string(), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_another_device_is_not_there() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let (other, _) = clinic.device("gatt-2A9D", "SCALE").await;
    let listed = clinic.admin.get(&format!("/api/v1/devices/{}/tokens", clinic.device)).await.expect(200);
    let token = text(&items(&listed)[0], "id");
    clinic.admin.delete(&format!("/api/v1/devices/{other}/tokens/{token}")).await.expect(404);
    clinic.cuff.uplink("2A35", &blood_pressure(1)).await.expect(201);
}
