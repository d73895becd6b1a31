//! Codes: made by staff, used once, while they live; and never by guessing.

use afferent::identity::Role;
use diesel::QueryableByName;
use diesel::sql_types::{Nullable, Text};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use serde_json::json;

use super::{Phone, redeem};
use crate::support::{TestApp, connect};

#[tokio::test(flavor = "multi_thread")]
async fn a_code_makes_one_installation_that_its_own_token_describes() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let wish = json!({ "tenant": clinic.tenant, "name": "Tessa's phone", "patient": format!("Patient/{}", clinic.patient), "timeZone": "Europe/Lisbon" });
    let answer = clinic.admin.post("/api/v1/app-pairings", wish).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let pairing = answer.expect(201);
    let code = pairing["code"].as_str().unwrap();
    assert_eq!((code.len(), &code[4..5], &pairing["state"]), (9, "-", &json!("open")));
    assert_eq!(pairing["link"], json!(app.url(&format!("/app/#code={code}"))));
    assert!(pairing["qrSvg"].as_str().unwrap().starts_with("<svg "), "{pairing}");
    let path = format!("/api/v1/app-pairings/{}", pairing["id"].as_str().unwrap());

    // As somebody types it.
    let paired = redeem(&clinic, &format!(" {} ", code.to_lowercase().replace('-', " "))).await.expect(201);
    assert_eq!((&paired["tenant"]["name"], &paired["name"]), (&json!("north"), &json!("Tessa's phone")));
    let shown = clinic.admin.get(&path).await.expect(200);
    assert_eq!((&shown["state"], &shown["app"]), (&json!("redeemed"), &paired["id"]));
    assert!(shown.get("code").is_none() && shown.get("link").is_none() && shown.get("qrSvg").is_none(), "{shown}");
    assert_eq!(clinic.admin.delete(&path).await.expect(409)["code"], "pairing.redeemed");
    assert_eq!(redeem(&clinic, code).await.expect(404)["code"], "pairing.unknown", "a code is used once");

    let phone = Phone::of(&clinic, &paired);
    let me = phone.me().await.expect(200);
    assert_eq!(
        (&me["id"], &me["name"], &me["timeZone"]),
        (&paired["id"], &json!("Tessa's phone"), &json!("Europe/Lisbon"))
    );
    assert_eq!(me["devices"], json!([]));
    assert!(!me.to_string().contains(&clinic.patient), "nothing about patients: {me}");
    let seen = phone.seen_by_staff().await;
    assert_eq!((&seen["active"], &seen["patient"]), (&json!(true), &json!(clinic.patient)));
    assert_eq!(
        (&seen["appName"], &seen["appVersion"], &seen["platform"]),
        (&json!("Test app"), &json!("1.2"), &json!("Tests 7"))
    );
    assert!(seen["lastSeenAt"].is_string());
    let periods = clinic.admin.get(&format!("{}/activations", phone.hub.path)).await.expect(200);
    assert_eq!(periods["items"].as_array().unwrap().len(), 1, "billing begins with the pairing");
    // It is no hub, and no hub's token is an app's.
    clinic.admin.get(&format!("/api/v1/hubs/{}", phone.id)).await.expect(404);
    assert_eq!(clinic.admin.get("/api/v1/hubs").await.expect(200)["items"], json!([]));
    let hub = clinic.hub("any-gateway", "H1").await;
    hub.actor.get("/ingest/v1/apps/me").await.expect(403);
    assert_eq!(phone.hub.actor.uplink("2A35", &[1]).await.expect(403)["code"], "source.hub");
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_code_nor_token_is_in_the_database() {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Nullable<Text>)]
        hash: Option<String>,
        #[diesel(sql_type = Text)]
        all: String,
    }
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let pairing = clinic.admin.post("/api/v1/app-pairings", json!({})).await.expect(201);
    let code = pairing["code"].as_str().unwrap();
    let question = "SELECT encode(code_hash, 'hex') AS hash, row_to_json(p)::text AS all FROM app_pairing p";
    let mut conn = connect(&app.database.superuser_url).await;
    let open: Row = diesel::sql_query(question).get_result(&mut conn).await.unwrap();
    let hash = open.hash.unwrap();
    assert_eq!(hash.len(), 64);
    assert!(!open.all.contains(code) && !open.all.contains(&code.replace('-', "")));
    // Whoever has the database cannot try all codes: it is no plain hash.
    use sha2::Digest;
    assert_ne!(hash, format!("{:x}", sha2::Sha256::digest(code.replace('-', "").as_bytes())));
    redeem(&clinic, code).await.expect(201);
    let used: Row = diesel::sql_query(question).get_result(&mut conn).await.unwrap();
    assert_eq!(used.hash, None, "gone with its use");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_phones_with_one_code_at_the_same_time_are_one_installation() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let pairing = clinic.admin.post("/api/v1/app-pairings", json!({})).await.expect(201);
    let code = pairing["code"].as_str().unwrap();
    let tries = futures_util::future::join_all((0..8).map(|_| redeem(&clinic, code))).await;
    let mut statuses: Vec<u16> = tries.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 404, 404, 404, 404, 404, 404, 404]);
    assert_eq!(clinic.admin.get("/api/v1/apps").await.expect(200)["items"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_expired_withdrawn_and_used_codes_are_answered_alike() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let create = async || clinic.admin.post("/api/v1/app-pairings", json!({})).await.expect(201);
    let (expired, withdrawn, used) = (create().await, create().await, create().await);
    let id = |pairing: &serde_json::Value| pairing["id"].as_str().unwrap().to_owned();
    connect(&app.database.superuser_url)
        .await
        .batch_execute(&format!(
            "UPDATE app_pairing SET expires_at = now() - interval '1 second' WHERE id = '{}'",
            id(&expired)
        ))
        .await
        .unwrap();
    clinic.admin.delete(&format!("/api/v1/app-pairings/{}", id(&withdrawn))).await.expect(204);
    clinic.admin.delete(&format!("/api/v1/app-pairings/{}", id(&withdrawn))).await.expect(204);
    redeem(&clinic, used["code"].as_str().unwrap()).await.expect(201);
    let wrong = redeem(&clinic, "ZZZZ-ZZZZ").await;
    let texts = [redeem(&clinic, "no code").await, redeem(&clinic, expired["code"].as_str().unwrap()).await]
        .into_iter()
        .chain([redeem(&clinic, withdrawn["code"].as_str().unwrap()).await])
        .chain([redeem(&clinic, used["code"].as_str().unwrap()).await]);
    assert_eq!(wrong.status, 404);
    for answer in texts {
        assert_eq!((answer.status.as_u16(), &answer.text), (404, &wrong.text));
    }
    let states = clinic.admin.get("/api/v1/app-pairings").await.expect(200);
    let states: Vec<_> =
        states["items"].as_array().unwrap().iter().map(|item| item["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["expired", "cancelled", "redeemed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_guesses_is_slowed_down_and_learns_nothing_even_of_a_right_code() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let pairing = clinic.admin.post("/api/v1/app-pairings", json!({})).await.expect(201);
    let mut wrong = 0;
    let throttled = loop {
        let answer = redeem(&clinic, "ZZZZ-ZZZZ").await;
        if answer.status == 429 {
            break answer;
        }
        assert_eq!(answer.status, 404);
        wrong += 1;
        assert!(wrong < 40, "nobody slows this down");
    };
    assert!(wrong >= 10, "a person may mistype it a few times");
    let pause: u64 = throttled.header("retry-after").unwrap().parse().unwrap();
    let code = pairing["code"].as_str().unwrap();
    assert_eq!(redeem(&clinic, code).await.status, 429, "over the limit, a right code is no better than a wrong one");
    tokio::time::sleep(std::time::Duration::from_secs(pause)).await;
    redeem(&clinic, code).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_make_codes_and_for_whom() {
    let app = TestApp::start().await;
    let (north, south) = (app.clinic("north").await, app.clinic("south").await);
    let practitioner = app.member(Role::Practitioner, &north.tenant).await;
    practitioner.post("/api/v1/app-pairings", json!({})).await.expect(403);
    let user = app.member(Role::CustomerUser, &north.tenant).await;
    user.post("/api/v1/app-pairings", json!({})).await.expect(201);
    south.admin.post("/api/v1/app-pairings", json!({ "tenant": north.tenant })).await.expect(404);
    let theirs = json!({ "patient": south.patient });
    assert_eq!(north.admin.post("/api/v1/app-pairings", theirs).await.expect(422)["errors"][0]["pointer"], "/patient");
    for (field, value) in
        [("expiresIn", json!(59)), ("expiresIn", json!(86_401)), ("name", json!("")), ("timeZone", json!("Mars"))]
    {
        let answer = north.admin.post("/api/v1/app-pairings", json!({ field: value })).await.expect(422);
        assert_eq!(answer["errors"][0]["pointer"], format!("/{field}"));
    }
    // Nobody sees another clinic's codes and phones, or pairs its own device with them.
    let phone = Phone::pair(&north).await;
    south.admin.get(&phone.hub.path).await.expect(404);
    south.admin.put(&format!("{}/devices/{}", phone.hub.path, south.device), json!({})).await.expect(404);
    north.admin.put(&format!("{}/devices/{}", phone.hub.path, south.device), json!({})).await.expect(404);
    south.admin.post(&format!("{}/revoke", phone.hub.path), json!({})).await.expect(404);
    assert_eq!(south.admin.get("/api/v1/apps").await.expect(200)["items"], json!([]));
    assert_eq!(south.admin.get("/api/v1/app-pairings").await.expect(200)["items"], json!([]));
}
