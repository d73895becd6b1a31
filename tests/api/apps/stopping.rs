//! A phone that is deactivated, revoked, changed: from then on, in every process, also for what nobody has paired.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{Phone, item, outcomes, redeem};
use crate::support::{Actor, Hub, ServerProcess, TestApp, blood_pressure};

#[tokio::test(flavor = "multi_thread")]
async fn deactivated_it_is_told_so_and_keeps_what_it_has() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let phone = Phone::pair(&clinic).await;
    phone.hub.pair(&clinic.device, "cuff").await;
    let queue = |number: u32| {
        json!([item(&format!("i-{number}"), "cuff", "2A35", &blood_pressure(number), "2026-03-02T06:00:02Z")])
    };
    phone.hub.send(queue(1)).await.expect(201);
    let switch = async |what: &str| clinic.admin.post(&format!("{}/{what}", phone.hub.path), json!({})).await;
    assert_eq!(switch("deactivate").await.expect(200)["active"], false);
    let refused = phone.hub.send(queue(2)).await.expect(403);
    assert_eq!(refused["code"], "app.deactivated");
    assert!(refused["detail"].as_str().unwrap().contains("Keep what is not sent"), "{refused}");
    phone.me().await.expect(403);
    assert_eq!(switch("activate").await.expect(200)["active"], true);
    phone.hub.send(queue(2)).await.expect(201);
    assert_eq!(clinic.count("").await, 4);
    let periods = clinic.admin.get(&format!("{}/activations", phone.hub.path)).await.expect(200);
    let periods = periods["items"].as_array().unwrap();
    assert!(periods.len() == 2 && periods[0]["until"].is_string() && periods[1].get("until").is_none(), "{periods:?}");

    // A new name and zone do not stop it; a note about the patient moves no reading.
    let other = clinic.patient("Other").await;
    let change = json!({ "name": "Spare phone", "timeZone": "Asia/Tokyo", "patient": other });
    let changed = clinic.admin.patch(&phone.hub.path, change).await.expect(200);
    assert_eq!((&changed["name"], &changed["patient"]), (&json!("Spare phone"), &json!(other)));
    let stored = phone.hub.send(queue(3)).await.expect(201);
    let observation = clinic.observation(stored["items"][0]["observations"][0].as_str().unwrap()).await;
    assert_eq!(observation["subject"]["reference"], format!("Patient/{}", clinic.patient));
    assert_eq!(phone.me().await.expect(200)["timeZone"], "Asia/Tokyo");
    let cleared = clinic.admin.patch(&phone.hub.path, json!({ "patient": null, "timeZone": null })).await.expect(200);
    assert!(cleared.get("patient").is_none() && cleared.get("timeZone").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_of_it_that_is_deactivated_costs_the_others_nothing() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let phone = Phone::pair(&clinic).await;
    phone.hub.pair(&clinic.device, "cuff").await;
    let (second, _) = clinic.device("gatt-2A35", "SECOND").await;
    phone.hub.pair(&second, "second").await;
    clinic.admin.post(&format!("/api/v1/devices/{second}/deactivate"), json!({})).await.expect(200);
    let queue = json!([
        item("a", "second", "2A35", &blood_pressure(1), "2026-03-02T06:00:02Z"),
        item("b", "cuff", "2A35", &blood_pressure(2), "2026-03-02T06:01:02Z"),
    ]);
    let answer = phone.hub.send(queue).await.expect(202);
    assert_eq!(outcomes(&answer), ["deactivated", "stored"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_it_stops_within_a_second_in_every_process_also_for_what_is_nobodys() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let phone = Phone::pair(&clinic).await;
    phone.hub.pair(&clinic.device, "cuff").await;
    let server = ServerProcess::start(&app.database, None, &[]).await;
    let elsewhere = Hub {
        path: phone.hub.path.clone(),
        admin: clinic.admin.clone(),
        actor: Actor::new(format!("http://{}", server.address), phone.hub.actor.token.clone()),
    };
    let mut next = 0;
    let mut queue = |device: &str| {
        next += 1;
        json!([item(&format!("i-{next}"), device, "2A35", &blood_pressure(next), "2026-03-02T06:00:02Z")])
    };
    for hub in [&phone.hub, &elsewhere] {
        hub.send(queue("cuff")).await.expect(201);
        hub.send(queue("stranger")).await.expect(202);
    }
    let (stored, kept) = (clinic.count("").await, 2);
    let revoked = clinic.admin.post(&format!("{}/revoke", phone.hub.path), json!({})).await.expect(200);
    assert_eq!(revoked["active"], false);
    assert!(revoked["revokedAt"].is_string());
    let since = Instant::now();
    while since.elapsed() < Duration::from_millis(1_500) {
        for hub in [&phone.hub, &elsewhere] {
            // The stranger's come first: nothing but our own question stands between them and the table.
            hub.send(queue("stranger")).await.expect(401);
            hub.send(queue("cuff")).await.expect(401);
        }
    }
    assert_eq!(clinic.count("").await, stored);
    assert_eq!(phone.hub.unclaimed().await[0]["items"], kept);
    phone.me().await.expect(401);
    // For good; the phone is paired anew, as another installation.
    assert_eq!(
        clinic.admin.post(&format!("{}/activate", phone.hub.path), json!({})).await.expect(409)["code"],
        "app.revoked"
    );
    clinic.admin.post(&format!("{}/revoke", phone.hub.path), json!({})).await.expect(200);
    let pairing = clinic.admin.post("/api/v1/app-pairings", json!({})).await.expect(201);
    let again = redeem(&clinic, pairing["code"].as_str().unwrap()).await.expect(201);
    assert_ne!(again["id"], json!(phone.id));
    let periods = clinic.admin.get(&format!("{}/activations", phone.hub.path)).await.expect(200);
    assert!(periods["items"][0]["until"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn deactivated_it_keeps_nothing_for_strangers_either() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    // The same hole that a hub would have: both are remembered for minutes.
    for kind in ["app", "hub"] {
        let hub = if kind == "app" { Phone::pair(&clinic).await.hub } else { clinic.hub("any-gateway", "H1").await };
        let queue = |id: &str| json!([item(id, "stranger", "2A35", &blood_pressure(1), "2026-03-02T06:00:02Z")]);
        hub.send(queue("a")).await.expect(202);
        clinic.admin.post(&format!("{}/deactivate", hub.path), json!({})).await.expect(200);
        assert_eq!(hub.send(queue("b")).await.expect(403)["code"], format!("{kind}.deactivated"));
        assert_eq!(hub.unclaimed().await[0]["items"], 1);
    }
}
