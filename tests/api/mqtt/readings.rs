//! What is published becomes Observations: both versions, raw frames and envelopes; and what is refused.

use serde_json::json;

use super::publisher::{Properties, Publisher};
use super::{acknowledged, connect, device_topic, sessions, total};
use crate::support::{Mosquitto, TestApp, blood_pressure, eventually, weight};

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_becomes_observations_in_both_versions() {
    let (app, broker) = (TestApp::start().await, Mosquitto::start().await);
    for (name, protocol) in [("north", "3.1.1"), ("south", "5")] {
        let clinic = app.clinic(name).await;
        let id = connect(&app, &clinic, &broker, json!({ "protocol": protocol })).await;
        let topic = device_topic(&clinic.device, "2A35");
        let frame = blood_pressure(1);
        for mut device in [Publisher::v3(broker.address, None), Publisher::v5(broker.address, None)] {
            device.publish(&topic, &frame).await;
        }
        // Each of a blood pressure and a pulse; the second message has the same reading.
        acknowledged(&app, &id, 2).await;
        assert_eq!(clinic.count("").await, 2, "{protocol}: the same reading twice is stored once");
        let uplinks = clinic.admin.get("/api/v1/uplinks").await.expect(200);
        let outcomes = uplinks["items"].as_array().unwrap().iter().map(|one| one["outcome"].as_str().unwrap());
        let mut outcomes: Vec<_> = outcomes.collect();
        // They may share a commit, or have one each, in any order.
        outcomes.sort_unstable();
        assert_eq!(outcomes, ["duplicate", "stored"], "{uplinks}");
        assert_eq!(uplinks["items"][0]["channel"], "2A35");
        assert_eq!(total(&app, &id, "refused").await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_frames_come_as_an_envelope() {
    let (app, broker) = (TestApp::start().await, Mosquitto::start().await);
    let clinic = app.clinic("north").await;
    let id = connect(&app, &clinic, &broker, json!({})).await;
    let envelope = |from: u32| {
        let frame = |number| json!({ "channel": "2A35", "hex": hex::encode(blood_pressure(number)) });
        json!({ "frames": [frame(from), frame(from + 1)] }).to_string()
    };
    // By the topic, which 3.1.1 can say too; by the content type, whatever the channel.
    let mut old = Publisher::v3(broker.address, None);
    old.publish(&device_topic(&clinic.device, "json"), envelope(1).as_bytes()).await;
    let mut new = Publisher::v5(broker.address, None);
    let content_type = Some("application/vnd.afferent.uplink+json".to_owned());
    let properties = Properties { content_type, ..Properties::default() };
    new.publish_with(&device_topic(&clinic.device, "2A35"), envelope(3).as_bytes(), &properties).await;
    acknowledged(&app, &id, 2).await;
    assert_eq!(clinic.count("").await, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn user_properties_say_when_it_was_captured_and_that_it_is_the_same_again() {
    let (app, broker) = (TestApp::start().await, Mosquitto::start().await);
    let clinic = app.clinic("north").await;
    let (scale, _) = clinic.device("gatt-2A9D", "SCALE").await;
    clinic.assign(&scale, &clinic.patient, "2020-01-01T00:00:00Z", None).await;
    let id = connect(&app, &clinic, &broker, json!({})).await;
    let mut device = Publisher::v5(broker.address, None);
    let properties = |key: &str, captured: &str| Properties {
        user: vec![("idempotency-key".into(), key.into()), ("captured-at".into(), captured.into())],
        ..Properties::default()
    };
    let topic = device_topic(&scale, "2A9D");
    // An hour between the captures: only the key says that the second is the first.
    device.publish_with(&topic, &weight(14_000), &properties("w1", "2026-03-01T08:00:00+01:00")).await;
    // A broker gives each message to one of the sessions: what is to be the first is awaited.
    acknowledged(&app, &id, 1).await;
    device.publish_with(&topic, &weight(14_000), &properties("w1", "2026-03-01T09:00:00+01:00")).await;
    device.publish_with(&topic, &weight(14_000), &properties("w2", "2026-03-01T10:00:00+01:00")).await;
    acknowledged(&app, &id, 3).await;
    let bundle = clinic.admin.get(&format!("{}/Observation?_sort=date", clinic.fhir)).await.expect(200);
    let times: Vec<_> =
        bundle["entry"].as_array().unwrap().iter().map(|entry| &entry["resource"]["effectiveDateTime"]).collect();
    assert_eq!(times, ["2026-03-01T08:00:00+01:00", "2026-03-01T10:00:00+01:00"], "{bundle}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_decoded_or_has_no_form_is_in_quarantine_and_blocks_nobody() {
    let (app, broker) = (TestApp::start().await, Mosquitto::start().await);
    let clinic = app.clinic("north").await;
    let id = connect(&app, &clinic, &broker, json!({})).await;
    let mut device = Publisher::v5(broker.address, None);
    device.publish(&device_topic(&clinic.device, "2A35"), &[1]).await;
    device.publish(&device_topic(&clinic.device, "json"), b"{\"frames\":[{\"hex\":\"0x\"}]}").await;
    let captured = Properties { user: vec![("captured-at".into(), "yesterday".into())], ..Properties::default() };
    device.publish_with(&device_topic(&clinic.device, "2A35"), &blood_pressure(1), &captured).await;
    device.publish(&device_topic(&clinic.device, "2A35"), &blood_pressure(2)).await;
    acknowledged(&app, &id, 4).await;
    assert_eq!(clinic.count("").await, 2);
    let list = clinic.admin.get("/api/v1/quarantine").await.expect(200);
    let items = list["items"].as_array().unwrap();
    let mut reasons: Vec<_> = items.iter().map(|item| item["reason"].as_str().unwrap()).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, ["envelope", "envelope", "malformed"], "{list}");
    assert!(items.iter().any(|item| item["detail"].as_str().unwrap().contains("/frames/0/hex")), "{list}");
    // Nothing of the wrong form becomes right by trying again.
    let envelope = items.iter().find(|item| item["reason"] == "envelope").unwrap();
    let path = format!("/api/v1/quarantine/{}/replay", envelope["uplink"].as_str().unwrap());
    clinic.admin.post(&path, json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_brings_in_nothing_of_another_tenant_and_nothing_of_who_may_not_send() {
    let (app, broker) = (TestApp::start().await, Mosquitto::start().await);
    let (ours, theirs) = (app.clinic("north").await, app.clinic("south").await);
    let id = connect(&app, &ours, &broker, json!({})).await;
    let (idle, _) = ours.device("gatt-2A35", "IDLE").await;
    ours.admin.post(&format!("/api/v1/devices/{idle}/deactivate"), json!({})).await.expect(200);
    let mut device = Publisher::v5(broker.address, None);
    let frame = blood_pressure(1);
    for named in [theirs.device.as_str(), &idle, &uuid::Uuid::now_v7().to_string(), "nonsense"] {
        device.publish(&device_topic(named, "2A35"), &frame).await;
    }
    device.publish(&device_topic(&ours.device, "2A35"), &[]).await;
    device.publish("afferent/hubs/nonsense/2A35", &frame).await;
    acknowledged(&app, &id, 6).await;
    assert_eq!(total(&app, &id, "refused").await, 6);
    for clinic in [&ours, &theirs] {
        assert_eq!(clinic.count("").await, 0);
        assert_eq!(clinic.admin.get("/api/v1/uplinks").await.expect(200)["items"], json!([]));
        assert_eq!(clinic.admin.get("/api/v1/quarantine").await.expect(200)["items"], json!([]));
    }
    assert!(sessions(&app, &id).await.iter().any(|session| session["lastRefusal"].is_string()));
    // A device that is deactivated while it is known, and activated again.
    let topic = device_topic(&ours.device, "2A35");
    device.publish(&topic, &frame).await;
    acknowledged(&app, &id, 7).await;
    assert_eq!(ours.count("").await, 2);
    ours.admin.post(&format!("/api/v1/devices/{}/deactivate", ours.device), json!({})).await.expect(200);
    device.publish(&topic, &blood_pressure(2)).await;
    acknowledged(&app, &id, 8).await;
    assert_eq!((ours.count("").await, total(&app, &id, "refused").await), (2, 7));
    ours.admin.post(&format!("/api/v1/devices/{}/activate", ours.device), json!({})).await.expect(200);
    device.publish(&topic, &blood_pressure(3)).await;
    acknowledged(&app, &id, 9).await;
    assert_eq!(ours.count("").await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_over_the_limit_is_refused_and_the_next_is_taken() {
    let app = TestApp::start_with(&[("AFFERENT_MAX_BODY_BYTES", "64 KiB")]).await;
    let broker = Mosquitto::start().await;
    let clinic = app.clinic("north").await;
    let id = connect(&app, &clinic, &broker, json!({ "sessions": 1 })).await;
    let mut device = Publisher::v3(broker.address, None);
    let topic = device_topic(&clinic.device, "2A35");
    // Beyond what a packet may have, and beyond what a payload may have within that.
    device.publish(&topic, &vec![7; 1 << 20]).await;
    device.publish(&topic, &blood_pressure(1)).await;
    acknowledged(&app, &id, 2).await;
    assert_eq!((clinic.count("").await, total(&app, &id, "refused").await), (2, 1));
    let session = &sessions(&app, &id).await[0];
    assert!(session["lastRefusal"].as_str().unwrap().contains("65536 may be sent"), "{session}");
    assert_eq!(session.get("lastError"), None, "the connection was not lost over it: {session}");
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_of_ones_own_name_devices_by_serial() {
    let (app, broker) = (TestApp::start().await, Mosquitto::start().await);
    let clinic = app.clinic("north").await;
    let topics = json!([{ "topic": "site/7/{device-serial}/up", "channel": "2A35" }]);
    let id = connect(&app, &clinic, &broker, json!({ "topics": topics })).await;
    let serial = format!("CUFF-1-{}", clinic.tenant);
    let mut device = Publisher::v3(broker.address, None);
    device.publish(&format!("site/7/{serial}/up"), &blood_pressure(1)).await;
    device.publish(&format!("site/7/{serial}-x/up"), &blood_pressure(2)).await;
    acknowledged(&app, &id, 2).await;
    assert_eq!((clinic.count("").await, total(&app, &id, "refused").await), (2, 1));
    // Another model's device with the same serial: nobody can tell which is meant.
    clinic.device("gatt-2A9D", "CUFF-1").await;
    let change = json!({ "inFlight": 50 });
    app.platform_admin().await.patch(&format!("/api/v1/mqtt-connections/{id}"), change).await.expect(200);
    let frame = blood_pressure(3);
    eventually("the ambiguous serial to be refused", || {
        let (broker, serial, app, id, frame) = (broker.address, serial.clone(), &app, id.clone(), frame.clone());
        async move {
            let mut device = Publisher::v3(broker, None);
            device.publish(&format!("site/7/{serial}/up"), &frame).await;
            (total(app, &id, "refused").await >= 2).then_some(())
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_distributors_connection_carries_its_customers_only_when_it_says_so() {
    let (app, broker) = (TestApp::start().await, Mosquitto::start().await);
    let platform = app.platform_admin().await;
    let wish = json!({ "name": "d", "kind": "distributor", "timeZone": "UTC" });
    let distributor = platform.post("/api/v1/tenants", wish).await.expect(201)["id"].as_str().unwrap().to_owned();
    let wish = json!({ "name": "c", "kind": "customer", "parent": distributor, "timeZone": "UTC" });
    let customer = platform.post("/api/v1/tenants", wish).await.expect(201)["id"].as_str().unwrap().to_owned();
    let admin = app.member(afferent::identity::Role::CustomerAdmin, &customer).await;
    let wish = json!({ "tenant": customer, "model": "gatt-2A35", "serial": "C-1", "active": true });
    let device = admin.post("/api/v1/devices", wish).await.expect(201)["id"].as_str().unwrap().to_owned();
    let wish = |prefix: &str, include: bool| json!({ "tenant": distributor, "name": "b", "url": broker.url(), "prefix": prefix, "includeCustomers": include });
    let mut publisher = Publisher::v5(broker.address, None);
    for (prefix, include, refused) in [("without", false, 1), ("with", true, 0)] {
        let created = platform.post("/api/v1/mqtt-connections", wish(prefix, include)).await.expect(201);
        let id = created["id"].as_str().unwrap();
        super::connected(&app, id).await;
        publisher.publish(&format!("{prefix}/devices/{device}/2A35"), &blood_pressure(1)).await;
        acknowledged(&app, id, 1).await;
        assert_eq!(total(&app, id, "refused").await, refused, "{prefix}");
    }
    let wish = json!({ "tenant": customer, "name": "b", "url": broker.url(), "includeCustomers": true });
    let problem = platform.post("/api/v1/mqtt-connections", wish).await.expect(422);
    assert_eq!(problem["errors"][0]["pointer"], "/includeCustomers");
}
