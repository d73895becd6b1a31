//! Vendors' accounts: they touch nothing but their own decoders.

use afferent::identity::Role;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{act, activate, upload};
use crate::support::{Actor, TestApp, eventually, versioned, versioned_frame};

/// A vendor and its account.
async fn vendor(app: &TestApp, name: &str, more: Value) -> (Value, Actor) {
    let admin = app.platform_admin().await;
    let mut wish = json!({ "name": name });
    wish.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let made = admin.post("/api/v1/vendors", wish).await.expect(201);
    let path = format!("/api/v1/vendors/{}/tokens", made["id"].as_str().unwrap());
    let token = admin.post(&path, json!({ "name": "build server" })).await.expect(201);
    (made, admin.with_token(token["token"].as_str().unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_sees_and_uploads_its_own_and_decides_nothing() {
    let app = TestApp::start().await;
    let admin = app.platform_admin().await;
    let (_, ours) = vendor(&app, "Scales Ltd", json!({})).await;
    let (_, theirs) = vendor(&app, "Other Scales", json!({})).await;
    let stored = upload(&ours, versioned("1.0.0", 'R')).await.expect(201);
    assert_eq!(stored["author"], "build server");
    let own = ours.get("/api/v1/plugins").await.expect(200);
    assert_eq!(own["items"][0]["versions"], json!([{ "version": "1.0.0", "state": "draft" }]));
    assert_eq!(
        own["items"].as_array().unwrap().iter().map(|plugin| &plugin["name"]).collect::<Vec<_>>(),
        ["versioned-scale"]
    );
    assert_eq!(theirs.get("/api/v1/plugins").await.expect(200)["items"], json!([]));

    // Another vendor: no such thing, and no way to slip a version under the name.
    for path in ["", "/versions", "/versions/1.0.0", "/versions/1.0.0/component", "/events"] {
        theirs.get(&format!("/api/v1/plugins/versioned-scale{path}")).await.expect(404);
        ours.get("/api/v1/plugins/bluetooth-sig").await.expect(404);
    }
    assert_eq!(upload(&theirs, versioned("9.0.0", 'W')).await.expect(409)["code"], "plugin.name");
    act(&theirs, "1.0.0", "activate", json!({})).await.expect(404);
    act(&theirs, "1.0.0", "retire", json!({})).await.expect(404);

    // What serves is decided by the platform.
    act(&ours, "1.0.0", "activate", json!({})).await.expect(403);
    act(&ours, "1.0.0", "shadow", json!({ "share": 1 })).await.expect(403);
    for call in ["rollback", "unpin"] {
        ours.post(&format!("/api/v1/plugins/versioned-scale/{call}"), json!({ "reason": "x" })).await.expect(403);
    }
    activate(&admin, "1.0.0").await;
    act(&ours, "1.0.0", "retire", json!({ "withoutReplacement": true })).await.expect(403);
    upload(&ours, versioned("1.1.0", 'R')).await.expect(201);
    act(&ours, "1.1.0", "retire", json!({})).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_reaches_nothing_of_any_tenant() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let (_, vendor) = vendor(&app, "Scales Ltd", json!({})).await;
    let document = app.anonymous().get("/api/v1/openapi.json").await.expect(200);
    let mut asked = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let filled = path
            .replace("{device}", &clinic.device)
            .replace("{patient}", &clinic.patient)
            .replace("{id}", if path.contains("/tenants/") { &clinic.tenant } else { &clinic.device });
        if item.get("get").is_none() || filled.contains('{') || path.contains("/ingest/") {
            continue;
        }
        let answer = vendor.get(&filled).await;
        asked += 1;
        let ids = [&clinic.tenant, &clinic.device, &clinic.patient];
        assert!(
            !ids.iter().any(|id| answer.text.contains(id.as_str())),
            "GET {path} shows the tenant: {}",
            answer.text
        );
        if path.contains('{') {
            assert!(answer.status.is_client_error(), "GET {path} answered {}", answer.status);
        }
    }
    assert!(asked > 25, "the document lost its operations: {asked}");
    vendor.get(&format!("{}/Observation", clinic.fhir)).await.expect(404);
    for (path, body) in [
        ("/api/v1/tenants", json!({ "name": "x", "kind": "customer", "timeZone": "UTC" })),
        ("/api/v1/devices", json!({ "tenant": clinic.tenant, "model": "gatt-2A35", "serial": "x", "active": true })),
        ("/api/v1/hubs", json!({ "tenant": clinic.tenant, "model": "m", "serial": "x", "name": "n", "active": true })),
        ("/api/v1/vendors", json!({ "name": "another" })),
        ("/api/v1/decode", json!({ "model": "gatt-2A35", "frames": [{ "hex": "00" }] })),
        (
            "/api/v1/endpoints",
            json!({ "tenant": clinic.tenant, "name": "e", "kind": "fhir", "url": "http://127.0.0.1:9", "auth": { "kind": "none" } }),
        ),
    ] {
        let answer = vendor.post(path, body).await;
        assert!(matches!(answer.status.as_u16(), 403 | 404), "POST {path} answered {}: {}", answer.status, answer.text);
    }
    // Nor has anybody of a tenant an account of a vendor's, or a way into the registry.
    for actor in [clinic.admin.clone(), app.member(Role::Practitioner, &clinic.tenant).await] {
        assert_eq!(actor.get("/api/v1/plugins").await.expect(200)["items"], json!([]));
        assert_eq!(actor.get("/api/v1/vendors").await.expect(200)["items"], json!([]));
        actor.get("/api/v1/plugins/bluetooth-sig").await.expect(404);
        upload(&actor, versioned("1.0.0", 'R')).await.expect(403);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_tries_its_own_versions_and_sees_what_they_would_change() {
    let app = TestApp::start().await;
    let admin = app.platform_admin().await;
    let (_, ours) = vendor(&app, "Scales Ltd", json!({})).await;
    let (_, theirs) = vendor(&app, "Other Scales", json!({})).await;
    upload(&ours, versioned("1.0.0", 'R')).await.expect(201);
    upload(&ours, versioned("2.0.0", 'R')).await.expect(201);
    activate(&admin, "1.0.0").await;
    let clinic = app.clinic("north").await;
    let (device, scale) = clinic.device("versioned-scale", "S1").await;
    clinic.assign(&device, &clinic.patient, "2020-01-01T00:00:00Z", None).await;
    for sequence in 0..3 {
        scale.uplink("", &versioned_frame(7025, sequence, 0)).await.expect(201);
    }

    // A draft, before it serves anybody; and nothing of others, whatever their state.
    let wish = |name: &str, version: &str, model: &str| {
        let frames = json!([{ "hex": hex::encode(versioned_frame(7025, 9, 0)) }]);
        json!({ "plugin": { "name": name, "version": version }, "model": model, "frames": frames })
    };
    let own = wish("versioned-scale", "2.0.0", "versioned-scale");
    let tried = ours.post("/api/v1/decode", own.clone()).await.expect(200);
    assert_eq!((&tried["decoderVersion"], &tried["outcome"]), (&json!("2.0.0"), &json!("readings")), "{tried}");
    assert_eq!(admin.post("/api/v1/decode", own.clone()).await.expect(200)["readings"], tried["readings"]);
    theirs.post("/api/v1/decode", own.clone()).await.expect(404);
    clinic.admin.post("/api/v1/decode", own).await.expect(404);
    ours.post("/api/v1/decode", wish("bluetooth-sig", "1.0.0", "gatt-2A9D")).await.expect(404);
    ours.post("/api/v1/decode", wish("versioned-scale", "7.0.0", "versioned-scale")).await.expect(404);
    let unknown = ours.post("/api/v1/decode", wish("versioned-scale", "2.0.0", "gatt-2A9D")).await.expect(422);
    assert_eq!(unknown["errors"][0]["pointer"], "/model");
    let served = json!({ "model": "versioned-scale", "frames": [{ "hex": "00" }] });
    assert_eq!(ours.post("/api/v1/decode", served).await.expect(403)["code"], "role");

    // The platform's shadow replay: its vendor sees the counts, and nothing that is a tenant's.
    let run = json!({ "decoder": { "name": "versioned-scale", "version": "2.0.0" }, "scope": { "tenants": [clinic.tenant] } });
    ours.post("/api/v1/shadow-replays", run.clone()).await.expect(403);
    let run = admin.post("/api/v1/shadow-replays", run).await.expect(202);
    let path = format!("/api/v1/shadow-replays/{}", run["id"].as_str().unwrap());
    let report = eventually("the shadow replay to be done", || async {
        let report = ours.get(&format!("{path}/report")).await.expect(200);
        (report["shadow"]["state"] == "done").then_some(report)
    })
    .await;
    assert_eq!(report["same"], 3, "{report}");
    for shown in [report, ours.get(&path).await.expect(200), ours.get("/api/v1/shadow-replays").await.expect(200)] {
        assert!(!shown.to_string().contains(&clinic.tenant), "{shown}");
    }
    for call in ["cancel", "resume", "record-keys"] {
        let decision = json!({ "recordKeys": "accept", "reason": "x" });
        ours.post(&format!("{path}/{call}"), decision).await.expect(404);
    }
    theirs.get(&format!("{path}/report")).await.expect(404);
    theirs.get(&path).await.expect(404);
    assert_eq!(theirs.get("/api/v1/shadow-replays").await.expect(200)["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_with_a_key_signs_and_one_that_is_locked_out_is_out() {
    let app = TestApp::start().await;
    let admin = app.platform_admin().await;
    let pair = Ed25519KeyPair::generate().unwrap();
    let key = STANDARD.encode(pair.public_key().as_ref());
    let (made, vendor) = vendor(&app, "Scales Ltd", json!({ "publicKey": key })).await;
    let component = versioned("1.0.0", 'R');
    assert_eq!(upload(&vendor, component.clone()).await.expect(422)["code"], "plugin.signature");
    let send = |component: Vec<u8>, signature: String| {
        let request = vendor.request(reqwest::Method::POST, "/api/v1/plugins").header("Afferent-Signature", signature);
        vendor.send(request.header("Content-Type", "application/wasm").body(component))
    };
    let signature = STANDARD.encode(pair.sign(&component).as_ref());
    for (component, signature) in [
        (versioned("1.0.0", 'W'), signature.clone()),
        (component.clone(), STANDARD.encode(Ed25519KeyPair::generate().unwrap().sign(&component).as_ref())),
        (component.clone(), "no base64".to_owned()),
    ] {
        assert_eq!(send(component, signature).await.expect(422)["code"], "plugin.signature");
    }
    let stored = send(component, signature.clone()).await.expect(201);
    assert_eq!((&stored["signature"], &stored["signedWith"]), (&json!(signature), &json!(key)));

    let path = format!("/api/v1/vendors/{}", made["id"].as_str().unwrap());
    assert_eq!(admin.patch(&path, json!({ "active": false })).await.expect(200)["active"], false);
    vendor.get("/api/v1/plugins").await.expect(401);
    admin.patch(&path, json!({ "active": true, "publicKey": null })).await.expect(200);
    upload(&vendor, versioned("1.1.0", 'R')).await.expect(201);
    let tokens = admin.get(&format!("{path}/tokens")).await.expect(200);
    let token = tokens["items"][0]["id"].as_str().unwrap();
    admin.delete(&format!("{path}/tokens/{token}")).await.expect(204);
    vendor.get("/api/v1/plugins").await.expect(401);
}

/// What a decoder can reach: its input. It has no imports, so that there is nothing to call; this shows that nothing of one
/// tenant's uplink is left for the next.
#[tokio::test(flavor = "multi_thread")]
async fn an_uploaded_decoder_keeps_nothing_from_one_tenant_for_the_next() {
    let app = TestApp::start().await;
    let admin = app.platform_admin().await;
    let stored = upload(&admin, std::fs::read(env!("HOSTILE_DECODER")).unwrap()).await;
    let path = format!("{}/activate", stored.header("Location").unwrap());
    stored.expect(201);
    admin.post(&path, json!({ "reason": "a test" })).await.expect(200);
    for name in ["north", "south"] {
        let clinic = app.clinic(name).await;
        let (device, source) = clinic.device("hostile-remember", name).await;
        clinic.assign(&device, &clinic.patient, "2020-01-01T00:00:00Z", None).await;
        for call in 0..3_u16 {
            // It weighs the calls that its instance has had, in kilograms: always the first.
            let receipt = source.uplink("", &versioned_frame(7000, call, 0)).await.expect(201);
            let observation = clinic.observation(receipt["observations"][0].as_str().unwrap()).await;
            assert_eq!(observation["valueQuantity"]["value"], 1, "the instance remembers");
        }
    }
}
