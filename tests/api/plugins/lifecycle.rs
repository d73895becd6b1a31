//! Draft, shadow, active, retired: what serves when, in one process and in two, and back again.

use serde_json::{Value, json};

use super::{act, activate, states, text, upload};
use crate::support::{Actor, Clinic, TestApp, eventually, versioned, versioned_frame};

/// A scale of the tests, worn by the clinic's patient.
async fn scale(clinic: &Clinic, serial: &str) -> Actor {
    let (device, actor) = clinic.device("versioned-scale", serial).await;
    clinic.assign(&device, &clinic.patient, "2020-01-01T00:00:00Z", None).await;
    actor
}

/// The weight that a frame comes to.
async fn weigh(clinic: &Clinic, scale: &Actor, sequence: u16) -> Value {
    let receipt = scale.uplink("", &versioned_frame(7025, sequence, 0)).await.expect(201);
    let observation = clinic.observation(receipt["observations"][0].as_str().unwrap()).await;
    observation["valueQuantity"]["value"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_active_version_serves_and_one_call_takes_it_back() {
    let app = TestApp::start().await;
    let admin = app.platform_admin().await;
    for (version, behaviour) in [("1.0.0", 'R'), ("1.1.0", 'W')] {
        upload(&admin, versioned(version, behaviour)).await.expect(201);
    }
    let active = activate(&admin, "1.0.0").await;
    assert_eq!(active["state"], "active");
    let clinic = app.clinic("north").await;
    let scale = scale(&clinic, "S1").await;
    assert_eq!(weigh(&clinic, &scale, 1).await.to_string(), "70.25");

    activate(&admin, "1.1.0").await;
    // Implausible: tenths of a kilogram. Held, as any decoder's would be.
    let held = scale.uplink("", &versioned_frame(7025, 2, 0)).await.expect(202);
    assert_eq!(held["outcome"], "held");
    assert_eq!(
        states(&admin).await,
        [("1.1.0", "active"), ("1.0.0", "retired")].map(|(a, b)| (a.to_owned(), b.to_owned()))
    );

    let back =
        admin.post("/api/v1/plugins/versioned-scale/rollback", json!({ "reason": "weights ten times too high" }));
    assert_eq!(back.await.expect(200)["version"], "1.0.0");
    assert_eq!(weigh(&clinic, &scale, 3).await.to_string(), "70.25");
    let events = admin.get("/api/v1/plugins/versioned-scale/events").await.expect(200);
    let told: Vec<_> = events["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| (text(&event["action"]), text(&event["version"])))
        .collect();
    let expected = [
        ("uploaded", "1.0.0"),
        ("uploaded", "1.1.0"),
        ("activated", "1.0.0"),
        ("activated", "1.1.0"),
        ("rolled-back", "1.0.0"),
    ];
    assert_eq!(told, expected.map(|(action, version)| (action.to_owned(), version.to_owned())));
    assert_eq!(events["items"][4]["beforeVersion"], "1.1.0");
    assert_eq!(events["items"][4]["reason"], "weights ten times too high");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_and_a_restart_follow_and_no_uplink_is_dropped() {
    let app = TestApp::start().await;
    let other = TestApp::on(app.database.clone(), &[]).await;
    let admin = app.platform_admin().await;
    upload(&admin, versioned("1.0.0", 'R')).await.expect(201);
    upload(&admin, versioned("2.0.0", 'R')).await.expect(201);
    activate(&admin, "1.0.0").await;
    let serving = |app: &TestApp| {
        let now = app.app.decoders.now();
        now.model("versioned-scale").map(|served| served.decoder.manifest().version.clone())
    };
    eventually("the other process", || async { (serving(&other).as_deref() == Some("1.0.0")).then_some(()) }).await;

    // Sent to both while it is switched to and fro: each is stored, by one version or the other.
    let clinic = app.clinic("north").await;
    let scale = scale(&clinic, "S1").await;
    let at_other = Actor::new(other.url(""), scale.token.clone());
    let sending = tokio::spawn(async move {
        for sequence in 0..200_u16 {
            let source = if sequence % 2 == 0 { &scale } else { &at_other };
            source.uplink("", &versioned_frame(7000, sequence, 0)).await.expect(201);
        }
    });
    for version in ["2.0.0", "1.0.0", "2.0.0", "1.0.0", "2.0.0"] {
        activate(&admin, version).await;
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
    sending.await.unwrap();
    assert_eq!(clinic.count("code=29463-7").await, 200);
    eventually("the other process", || async { (serving(&other).as_deref() == Some("2.0.0")).then_some(()) }).await;

    let (database, tenant) = (app.database.clone(), clinic.fhir.clone());
    drop((app, other));
    let restarted = TestApp::on(database, &[]).await;
    assert_eq!(serving(&restarted).as_deref(), Some("2.0.0"));
    drop(tenant);
}

#[tokio::test(flavor = "multi_thread")]
async fn models_do_not_go_unserved_by_accident() {
    let app = TestApp::start().await;
    let admin = app.platform_admin().await;
    upload(&admin, versioned("1.0.0", 'R')).await.expect(201);
    upload(&admin, versioned("2.0.0", 'M')).await.expect(201);
    activate(&admin, "1.0.0").await;
    let clinic = app.clinic("north").await;
    clinic.device("versioned-scale-plus", "P1").await;
    let problem = act(&admin, "2.0.0", "activate", json!({})).await.expect(409);
    assert_eq!(problem["code"], "plugin.models-missing");
    assert!(problem["detail"].as_str().unwrap().contains("versioned-scale-plus (1 devices)"), "{problem}");
    // Nor is what serves them replaced blindly.
    let missing_are_meant = json!({ "allowMissingModels": true });
    let problem = act(&admin, "2.0.0", "activate", missing_are_meant).await.expect(409);
    assert_eq!(problem["code"], "plugin.not-compared");
    assert!(problem["detail"].as_str().unwrap().starts_with("1 devices use versioned-scale 1.0.0"), "{problem}");
    let both = json!({ "allowMissingModels": true, "withoutComparison": true });
    act(&admin, "2.0.0", "activate", both).await.expect(200);
    let events = admin.get("/api/v1/plugins/versioned-scale/events").await.expect(200);
    let last = events["items"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["reason"], "a test (without comparison)");
    let problem = act(&admin, "2.0.0", "retire", json!({})).await.expect(409);
    assert_eq!(problem["code"], "plugin.active");
    let (_, scale) = clinic.device("versioned-scale", "S1").await;
    act(&admin, "2.0.0", "retire", json!({ "withoutReplacement": true })).await.expect(200);
    // Kept, and decoded when something serves the model again.
    let receipt = scale.uplink("", &versioned_frame(7025, 1, 0)).await.expect(202);
    assert!(text(&receipt["reason"]).starts_with("model-without-decoder"), "{receipt}");
    let no_reason =
        admin.post("/api/v1/plugins/versioned-scale/versions/1.0.0/activate", json!({ "reason": " " })).await;
    assert_eq!(no_reason.expect(422)["code"], "reason");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_with_the_server_serves_until_somebody_chooses() {
    let app = TestApp::start().await;
    let admin = app.platform_admin().await;
    let plugin = admin.get("/api/v1/plugins/bluetooth-sig").await.expect(200);
    assert_eq!(plugin["pinned"], false);
    let version = text(&plugin["activeVersion"]);
    let listed = admin.get("/api/v1/plugins/bluetooth-sig/versions").await.expect(200);
    assert_eq!((&listed["items"][0]["origin"], &listed["items"][0]["state"]), (&json!("bundled"), &json!("active")));
    admin.get(&format!("/api/v1/plugins/bluetooth-sig/versions/{version}/component")).await.expect(404);
    let path = format!("/api/v1/plugins/bluetooth-sig/versions/{version}");
    let retired =
        admin.post(&format!("{path}/retire"), json!({ "reason": "a test", "withoutReplacement": true })).await;
    assert_eq!(retired.expect(409)["code"], "plugin.built-in");
    admin.post(&format!("{path}/activate"), json!({ "reason": "stay" })).await.expect(200);
    assert_eq!(admin.get("/api/v1/plugins/bluetooth-sig").await.expect(200)["pinned"], true);
    let unpinned = admin.post("/api/v1/plugins/bluetooth-sig/unpin", json!({ "reason": "follow" })).await.expect(200);
    assert_eq!((&unpinned["pinned"], &unpinned["activeVersion"]), (&json!(false), &json!(version)));
    // A model belongs to one decoder.
    let events = admin.get("/api/v1/plugins/bluetooth-sig/events").await.expect(200);
    assert_eq!(events["items"][0]["actor"], "server");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_version_is_in_the_shadow() {
    let app = TestApp::start().await;
    let admin = app.platform_admin().await;
    for version in ["1.0.0", "1.1.0", "1.2.0"] {
        upload(&admin, versioned(version, 'R')).await.expect(201);
    }
    activate(&admin, "1.0.0").await;
    let shadow = act(&admin, "1.1.0", "shadow", json!({ "share": 10 })).await.expect(200);
    assert_eq!((&shadow["state"], &shadow["shadowShare"]), (&json!("shadow"), &json!(10)));
    act(&admin, "1.2.0", "shadow", json!({ "share": 100 })).await.expect(200);
    let expected = [("1.2.0", "shadow"), ("1.1.0", "draft"), ("1.0.0", "active")];
    assert_eq!(states(&admin).await, expected.map(|(version, state)| (version.to_owned(), state.to_owned())));
    act(&admin, "1.0.0", "shadow", json!({ "share": 10 })).await.expect(409);
    act(&admin, "1.1.0", "shadow", json!({ "share": 101 })).await.expect(422);
}
