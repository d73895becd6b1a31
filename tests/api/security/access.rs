//! Every operation's door: without a token 401, with another tenant's token nothing of ours.

use reqwest::Method;
use serde_json::{Value, json};

use crate::apps::Phone;
use crate::support::{TestApp, blood_pressure};

/// Operations of the OpenAPI document: method, path, and whether it takes a body.
fn operations(document: &Value) -> Vec<(Method, String)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in ["get", "post", "put", "patch", "delete"] {
            if item.get(method).is_some() {
                found.push((method.to_uppercase().parse().unwrap(), path.clone()));
            }
        }
    }
    found
}

/// A path with its parameters filled in.
fn fill(path: &str, with: &dyn Fn(&str) -> String) -> String {
    let mut filled = String::new();
    for (number, part) in path.split('/').enumerate() {
        if number > 0 {
            filled.push('/');
        }
        match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(name) => filled.push_str(&with(name)),
            None => filled.push_str(part),
        }
    }
    filled
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_every_operation_says_401() {
    let app = TestApp::start().await;
    let anonymous = app.anonymous();
    let document = anonymous.get("/api/v1/openapi.json").await.expect(200);
    let operations = operations(&document);
    assert!(operations.len() > 25, "the document lost its operations: {}", operations.len());
    for (method, path) in operations {
        let filled = fill(&path, &|_| uuid::Uuid::now_v7().to_string());
        for actor in [anonymous.clone(), anonymous.with_token("afa_0123456789012345678901234567890123456789012")] {
            let request = actor.request(method.clone(), &filled).header("Content-Type", "application/json").body("{}");
            let answer = actor.send(request).await;
            // 429: so many wrong tokens in a row are a guess, which is slowed down. A feed's id comes before its
            // authentication: one that is not there is 404.
            let is_feeds = path == "/ingest/v1/feeds/{feed}" && answer.status == 404;
            // A phone that is not paired yet has no token; its code is judged, and here there is none.
            let is_pairing = path == "/ingest/v1/apps/pair" && answer.status == 400;
            assert!(
                is_feeds || is_pairing || matches!(answer.status.as_u16(), 401 | 429),
                "{method} {path} answered {}: {}",
                answer.status,
                answer.text
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_token_gets_nothing_of_ours_from_any_operation() {
    let app = TestApp::start().await;
    let (ours, theirs) = (app.clinic("north").await, app.clinic("south").await);
    let receipt = ours.cuff.uplink("2A35", &blood_pressure(1)).await.expect(201);
    ours.cuff.uplink("2A35", &[1]).await.expect(202);
    let wish = json!({ "tenant": ours.tenant, "name": "ehr", "kind": "fhir", "url": "http://127.0.0.1:9/fhir", "auth": { "kind": "none" } });
    let endpoint = ours.admin.post("/api/v1/endpoints", wish).await.expect(201)["id"].as_str().unwrap().to_owned();
    let hub = ours
        .admin
        .post(
            "/api/v1/hubs",
            json!({ "tenant": ours.tenant, "model": "m", "serial": "s", "name": "n", "active": true }),
        )
        .await
        .expect(201);
    let hub = hub["id"].as_str().unwrap().to_owned();
    let wish = json!({ "tenant": ours.tenant, "name": "f", "format": "fitbit", "authentication": { "kind": "query", "parameter": "key" }, "active": true });
    let feed = ours.admin.post("/api/v1/feeds", wish).await.expect(201)["id"].as_str().unwrap().to_owned();

    let phone = Phone::pair(&ours).await.id;
    let pairing =
        ours.admin.post("/api/v1/app-pairings", json!({})).await.expect(201)["id"].as_str().unwrap().to_owned();

    let document = app.anonymous().get("/api/v1/openapi.json").await.expect(200);
    for (method, path) in operations(&document) {
        let ids = |name: &str| match (name, path.as_str()) {
            (_, path) if path.contains("/tenants/") => ours.tenant.clone(),
            ("device", _) => ours.device.clone(),
            ("patient", _) => ours.patient.clone(),
            (_, path) if path.contains("/hubs/") => hub.clone(),
            (_, path) if path.contains("/feeds/") => feed.clone(),
            (_, path) if path.contains("/apps/") => phone.clone(),
            (_, path) if path.contains("/app-pairings/") => pairing.clone(),
            (_, path) if path.contains("/endpoints/") => endpoint.clone(),
            (_, path) if path.contains("/devices/") => ours.device.clone(),
            _ => receipt["uplink"].as_str().unwrap().to_owned(),
        };
        let filled = fill(&path, &ids);
        let request = theirs.admin.request(method.clone(), &filled).header("Content-Type", "application/json");
        let request =
            if method == Method::GET { request } else { request.body(json!({ "tenant": ours.tenant }).to_string()) };
        let answer = theirs.admin.send(request).await;
        for ours in [&ours.tenant, &ours.device, &ours.patient, &endpoint, &hub, &feed, &phone, &pairing] {
            assert!(!answer.text.contains(ours.as_str()), "{method} {path} shows {ours}: {}", answer.text);
        }
        if path.contains('{') {
            // 404 for what is not theirs; 4xx of form where the body comes first. Never a success.
            assert!(answer.status.is_client_error(), "{method} {path} answered {}: {}", answer.status, answer.text);
            assert_ne!(answer.status.as_u16(), 403, "{method} {path} tells that it exists: {}", answer.text);
        }
    }
    // The same through FHIR.
    for path in ["Observation", "Patient", "Device"] {
        theirs.admin.get(&format!("{}/{path}", ours.fhir)).await.expect(404);
    }
    let id = receipt["observations"][0].as_str().unwrap();
    theirs.admin.get(&format!("{}/Observation/{id}", theirs.fhir)).await.expect(404);
    app.platform_admin().await.get(&format!("{}/Patient", ours.fhir)).await.expect(403);
}
