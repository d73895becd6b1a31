//! Who may post to a feed, and what a vendor hears before it does.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Feed, outcomes, vector, worn};
use crate::support::TestApp;

fn payload() -> Value {
    vector(include_str!("../../../plugins/tenovi/vectors/tenovi.jsonl"), "tenovi-01").0
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_is_401_unknown_404_deactivated_403_and_nothing_is_kept_of_any() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let feed = Feed::with_header(&clinic, "tenovi").await;
    let post = async |id: &str, secret: &str| {
        let request = feed.vendor.request(Method::POST, &format!("/ingest/v1/feeds/{id}")).header("X-Api-Key", secret);
        feed.vendor.send(request.header("Content-Type", "application/json").body(payload().to_string())).await
    };
    for wrong in ["", "wrong-secret", &feed.secret[1..]] {
        assert_eq!(post(&feed.id, wrong).await.expect(401)["code"], "feed.unauthenticated");
    }
    let nobody = uuid::Uuid::now_v7().to_string();
    post(&nobody, &feed.secret).await.expect(404);
    feed.admin.post(&format!("{}/deactivate", feed.path), json!({})).await.expect(200);
    assert_eq!(post(&feed.id, &feed.secret).await.expect(403)["code"], "feed.deactivated");
    post(&feed.id, "wrong-secret").await.expect(401);
    assert_eq!(clinic.admin.get("/api/v1/uplinks").await.expect(200)["items"], json!([]));
    feed.admin.post(&format!("{}/activate", feed.path), json!({})).await.expect(200);
    assert_eq!(outcomes(&post(&feed.id, &feed.secret).await.expect(200)), ["unclaimed"]);
    // Deleting deactivates; the periods stay.
    feed.admin.delete(&feed.path).await.expect(204);
    post(&feed.id, &feed.secret).await.expect(403);
    let periods = feed.admin.get(&format!("{}/activations", feed.path)).await.expect(200);
    assert_eq!(periods["items"].as_array().unwrap().len(), 2);
    assert!(periods["items"][1]["until"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_shown_once_and_changed_without_a_gap() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let feed = Feed::with_header(&clinic, "tenovi").await;
    worn(&clinic, "tenovi", "3f0a1c2e-0000-4000-8000-000000000001", json!([])).await;
    let shown = feed.admin.get(&feed.path).await.expect(200);
    assert!(!shown.to_string().contains(&feed.secret) && shown.get("secret").is_none());
    let try_with = async |secret: &str| {
        let request = feed.request("").header("X-Api-Key", secret).header("Content-Type", "application/json");
        feed.vendor.send(request.body(payload().to_string())).await.status.as_u16()
    };
    let rotate = async |wish: Value| feed.admin.post(&format!("{}/secret", feed.path), wish).await.expect(200);
    let second = rotate(json!({ "overlapSeconds": 3600 })).await["secret"].as_str().unwrap().to_owned();
    assert_eq!((try_with(&feed.secret).await, try_with(&second).await), (200, 200));
    let third = "chosen-by-the-vendor";
    assert_eq!(rotate(json!({ "secret": third })).await, json!({}), "what was given is not shown");
    assert_eq!((try_with(&feed.secret).await, try_with(&second).await, try_with(third).await), (401, 401, 200));
    let bad = feed.admin.post(&format!("{}/secret", feed.path), json!({ "secret": "short" })).await.expect(422);
    assert!(!bad.to_string().contains("\"short\""), "a secret is not repeated");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_is_over_the_raw_body() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let authentication = json!({ "kind": "hmac", "header": "X-Fitbit-Signature", "algorithm": "sha1", "encoding": "base64", "keySuffix": "&" });
    let challenge = json!({ "kind": "verify", "parameter": "verify", "code": "c0de" });
    let feed = Feed::create(&clinic, "fitbit", authentication, challenge).await;
    worn(&clinic, "fitbit", "228S74", json!([])).await;
    let (payload, _) = vector(include_str!("../../../plugins/fitbit/vectors/fitbit-weight.jsonl"), "fitbit-weight-02");
    let body = payload.to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, format!("{}&", feed.secret).as_bytes());
    let signature = STANDARD.encode(hmac::sign(&key, body.as_bytes()));
    let post = async |body: String, signature: &str| {
        let request = feed.request("?account=228S74").header("X-Fitbit-Signature", signature);
        feed.vendor.send(request.header("Content-Type", "application/json").body(body)).await
    };
    post(body.replace("58.1", "85.1"), &signature).await.expect(401);
    post(body.clone(), "").await.expect(401);
    assert_eq!(outcomes(&post(body, &signature).await.expect(200)), ["stored"]);

    // What Fitbit asks first.
    let ask =
        async |query: &str| feed.vendor.get(&format!("/ingest/v1/feeds/{}{query}", feed.id)).await.status.as_u16();
    assert_eq!((ask("?verify=c0de").await, ask("?verify=wrong").await, ask("").await), (204, 404, 404));
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_and_echoes_are_answered_as_the_feed_says() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let query = json!({ "kind": "query", "parameter": "key" });
    let ask = async |feed: &Feed, method: Method, query: &str| {
        feed.vendor.send(feed.vendor.request(method, &format!("/ingest/v1/feeds/{}{query}", feed.id))).await
    };
    let silent = Feed::create(&clinic, "withings", query.clone(), json!({ "kind": "none" })).await;
    ask(&silent, Method::GET, "").await.expect(405);
    let probed = Feed::create(&clinic, "withings", query.clone(), json!({ "kind": "probe" })).await;
    assert_eq!(ask(&probed, Method::HEAD, "").await.status, 200);
    let echo =
        Feed::create(&clinic, "tenovi", query.clone(), json!({ "kind": "echo", "parameter": "challenge" })).await;
    let answer = ask(&echo, Method::GET, "?challenge=%3Cb%3Ex").await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "<b>x"));
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    ask(&echo, Method::GET, "?challenge=a%0Ab").await.expect(400);
    ask(&echo, Method::GET, "").await.expect(400);

    // The address is the secret, for vendors that can do nothing else.
    let post = async |feed: &Feed, query: String| {
        let request = feed.request(&query).header("Content-Type", "application/json");
        feed.vendor.send(request.body(payload().to_string())).await.status.as_u16()
    };
    assert_eq!(post(&echo, format!("?key={}", echo.secret)).await, 200);
    assert_eq!(post(&echo, format!("?key={}", silent.secret)).await, 401, "another feed's");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_says_what_is_wrong_with_its_form() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let wish = json!({ "tenant": clinic.tenant, "name": "f", "format": "fitbits", "authentication": { "kind": "header", "name": "a b" }, "active": true });
    let answer = clinic.admin.post("/api/v1/feeds", wish).await.expect(422);
    let text = answer.to_string();
    assert!(
        text.contains("/format") && text.contains("fitbit, dexcom") && text.contains("/authentication/name"),
        "{text}"
    );
    let wish = json!({ "tenant": clinic.tenant, "name": "f", "format": "fitbit", "authentication": { "kind": "header", "name": "a", "more": 1 }, "active": true });
    clinic.admin.post("/api/v1/feeds", wish).await.expect(400);
    // A feed is no hub, and has no tokens.
    let feed = Feed::with_header(&clinic, "fitbit").await;
    clinic.admin.get(&format!("/api/v1/hubs/{}", feed.id)).await.expect(404);
    clinic.admin.post(&format!("/api/v1/hubs/{}/tokens", feed.id), json!({})).await.expect(404);
    assert_eq!(clinic.admin.get("/api/v1/hubs").await.expect(200)["items"], json!([]));
    let changed = clinic
        .admin
        .patch(&feed.path, json!({ "name": "other", "authentication": { "kind": "basic", "user": "u" } }))
        .await
        .expect(200);
    assert_eq!((&changed["name"], &changed["authentication"]["user"]), (&json!("other"), &json!("u")));
    assert_eq!(feed.post("", &payload()).await.status, 401, "the way of before does not hold any more");
}
