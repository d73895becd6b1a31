//! What sessions promise: acknowledged after the commit, kept while nobody is there, shared by processes, bounded.

use std::time::Duration;

use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use serde_json::json;

use super::publisher::Publisher;
use super::{acknowledged, connect, connected, create, device_topic, sessions, total};
use crate::support::{Mosquitto, ServerProcess, TcpProxy, TestApp, blood_pressure, eventually, weight};

/// Stops every group commit at its first row, until it is released.
async fn plug(app: &TestApp) -> AsyncPgConnection {
    let mut conn = crate::support::connect(&app.database.superuser_url).await;
    conn.batch_execute("BEGIN; LOCK TABLE uplink IN SHARE ROW EXCLUSIVE MODE").await.unwrap();
    conn
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_acknowledged_before_its_commit_and_no_more_is_read_than_may_wait() {
    let (app, broker) = (TestApp::start().await, Mosquitto::start().await);
    let clinic = app.clinic("north").await;
    let id = connect(&app, &clinic, &broker, json!({ "sessions": 1, "inFlight": 7 })).await;
    let mut plug = plug(&app).await;
    let mut device = Publisher::v5(broker.address, None);
    for number in 0..40 {
        device.publish(&device_topic(&clinic.device, "2A35"), &blood_pressure(number)).await;
    }
    eventually("the messages that may wait to be read", || async {
        (total(&app, &id, "received").await == 7).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!((total(&app, &id, "received").await, total(&app, &id, "acknowledged").await), (7, 0));
    assert_eq!(app.app.intake.waiting(), 7, "the queue has what was read");
    plug.batch_execute("COMMIT").await.unwrap();
    acknowledged(&app, &id, 40).await;
    assert_eq!(clinic.count("").await, 80);
    assert_eq!(total(&app, &id, "received").await, 40, "nothing was delivered twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_while_the_server_is_down_arrives_after() {
    let broker = Mosquitto::start().await;
    for (name, protocol) in [("north", "3.1.1"), ("south", "5")] {
        let app = TestApp::start().await;
        let clinic = app.clinic(name).await;
        let id = create(&app, &clinic, &broker, json!({ "protocol": protocol, "sessions": 3, "prefix": name })).await;
        let topic = format!("{name}/devices/{}/2A35", clinic.device);
        connected(&app, &id).await;
        let mut device = Publisher::v5(broker.address, None);
        device.publish(&topic, &blood_pressure(0)).await;
        acknowledged(&app, &id, 1).await;
        let database = app.database.clone();
        drop(app);
        // It says goodbye; from then on the broker keeps what comes.
        tokio::time::sleep(Duration::from_secs(1)).await;
        for number in 1..30 {
            device.publish(&topic, &blood_pressure(number)).await;
        }
        let app = TestApp::on(database, &[]).await;
        let clinic_admin = app.member(afferent::identity::Role::CustomerAdmin, &clinic.tenant).await;
        acknowledged(&app, &id, 30).await;
        let path = format!("{}/Observation?_summary=count", clinic.fhir);
        assert_eq!(clinic_admin.get(&path).await.expect(200)["total"], 60, "{protocol}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_share_the_load_and_one_takes_over_from_the_other() {
    let (app, broker) = (TestApp::start().await, Mosquitto::start().await);
    let clinic = app.clinic("north").await;
    let id = connect(&app, &clinic, &broker, json!({ "sessions": 4 })).await;
    let mut other = ServerProcess::start(&app.database, None, &[]).await;
    let processes = |sessions: &[serde_json::Value]| {
        let mut held: Vec<String> = sessions.iter().map(|session| session["process"].to_string()).collect();
        held.sort_unstable();
        held
    };
    eventually("each process to hold two sessions", || async {
        let sessions = sessions(&app, &id).await;
        let held = processes(&sessions);
        let fair = held[0] == held[1] && held[1] != held[2] && held[2] == held[3];
        (fair && sessions.iter().all(|session| session["state"] == "connected")).then_some(())
    })
    .await;
    let before: Vec<u64> = sessions(&app, &id).await.iter().map(|one| one["received"].as_u64().unwrap()).collect();
    let mut device = Publisher::v3(broker.address, None);
    let topic = device_topic(&clinic.device, "2A35");
    for number in 0..100 {
        device.publish(&topic, &blood_pressure(number)).await;
    }
    acknowledged(&app, &id, 100).await;
    assert_eq!(clinic.count("").await, 200);
    let after: Vec<u64> = sessions(&app, &id).await.iter().map(|one| one["received"].as_u64().unwrap()).collect();
    for (before, after) in before.iter().zip(&after) {
        assert!(after - before >= 10, "a session got nearly nothing: {after} of 100");
    }
    // Killed, it can say nothing: what its sessions hold is delivered to the other.
    other.kill();
    for number in 100..150 {
        device.publish(&topic, &blood_pressure(number)).await;
    }
    eventually("everything to be stored", || async { (clinic.count("").await == 300).then_some(()) }).await;
    let held = processes(&sessions(&app, &id).await);
    assert!(held.iter().all(|process| *process == held[0]), "one holds them all: {held:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_and_started_again_loses_nothing() {
    let (app, mut broker) = (TestApp::start().await, Mosquitto::start().await);
    let clinic = app.clinic("north").await;
    let id = connect(&app, &clinic, &broker, json!({})).await;
    let topic = device_topic(&clinic.device, "2A35");
    // Delivered and not acknowledged: what waits for its commit when the broker ends.
    let mut plug = plug(&app).await;
    let mut device = Publisher::v5(broker.address, None);
    for number in 0..20 {
        device.publish(&topic, &blood_pressure(number)).await;
    }
    eventually("some to be under way", || async { (total(&app, &id, "received").await >= 20).then_some(()) }).await;
    broker.terminate();
    plug.batch_execute("COMMIT").await.unwrap();
    broker.run().await;
    let mut device = Publisher::v5(broker.address, None);
    device.publish(&topic, &blood_pressure(20)).await;
    eventually("everything to be acknowledged", || async {
        let uplinks = clinic.count("").await;
        (uplinks == 42 && total(&app, &id, "acknowledged").await >= 21).then_some(())
    })
    .await;
    assert!(sessions(&app, &id).await.iter().all(|session| session["state"] == "connected"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_comes_again_is_known_even_without_time_and_number() {
    let (app, broker) = (TestApp::start().await, Mosquitto::start().await);
    let clinic = app.clinic("north").await;
    let (scale, _) = clinic.device("gatt-2A9D", "SCALE").await;
    clinic.assign(&scale, &clinic.patient, "2020-01-01T00:00:00Z", None).await;
    let network = TcpProxy::start(broker.address).await;
    let more = json!({ "url": format!("mqtt://{}", network.address), "sessions": 1 });
    let id = connect(&app, &clinic, &broker, more).await;
    let topic = device_topic(&scale, "2A9D");
    let mut device = Publisher::v3(broker.address, None);
    // The commit happens, its acknowledgement cannot: the network is gone.
    let mut held = plug(&app).await;
    device.publish(&topic, &weight(14_000)).await;
    eventually("it to be under way", || async { (app.app.intake.waiting() == 1).then_some(()) }).await;
    network.down(true);
    held.batch_execute("COMMIT").await.unwrap();
    eventually("it to be stored", || async { (clinic.count("").await == 1).then_some(()) }).await;
    // So much later that the window for equal bytes is over.
    let mut conn = crate::support::connect(&app.database.superuser_url).await;
    let earlier = "UPDATE ingest_key SET received_at = received_at - interval '20 minutes', expires_at = expires_at - interval '20 minutes'";
    conn.batch_execute(earlier).await.unwrap();
    network.down(false);
    eventually("it to be acknowledged", || async { (total(&app, &id, "acknowledged").await == 1).then_some(()) }).await;
    assert_eq!(total(&app, &id, "received").await, 2, "the broker delivered it twice");
    assert_eq!(clinic.count("").await, 1, "it was stored once");
    // The same weight, as a message of its own: another measurement.
    conn.batch_execute(earlier).await.unwrap();
    device.publish(&topic, &weight(14_000)).await;
    acknowledged(&app, &id, 2).await;
    assert_eq!(clinic.count("").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_broker_kept_for_new_subscribers_is_no_measurement() {
    let (app, broker) = (TestApp::start().await, Mosquitto::start().await);
    let clinic = app.clinic("north").await;
    let mut device = Publisher::v3(broker.address, None);
    device.publish_retained(&device_topic(&clinic.device, "2A35"), &blood_pressure(1)).await;
    for protocol in ["3.1.1", "5"] {
        let id = connect(&app, &clinic, &broker, json!({ "protocol": protocol, "sessions": 1 })).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(clinic.count("").await, 0, "{protocol}");
        assert_eq!(total(&app, &id, "received").await, total(&app, &id, "acknowledged").await);
    }
    // Published while somebody is there, it is a message like any other.
    device.publish_retained(&device_topic(&clinic.device, "2A35"), &blood_pressure(2)).await;
    eventually("it to be stored", || async { (clinic.count("").await == 2).then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_topics_replace_those_before_and_a_pause_keeps_what_comes() {
    let (app, broker) = (TestApp::start().await, Mosquitto::start().await);
    let clinic = app.clinic("north").await;
    let platform = app.platform_admin().await;
    let id = connect(&app, &clinic, &broker, json!({})).await;
    let path = format!("/api/v1/mqtt-connections/{id}");
    let topics = json!([{ "topic": "other/{device}/{channel}" }]);
    platform.patch(&path, json!({ "topics": topics })).await.expect(200);
    let mut device = Publisher::v5(broker.address, None);
    let other = format!("other/{}/2A35", clinic.device);
    while clinic.count("").await != 2 {
        device.publish(&other, &blood_pressure(1)).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let refused = total(&app, &id, "refused").await;
    device.publish(&device_topic(&clinic.device, "2A35"), &blood_pressure(2)).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(
        (clinic.count("").await, total(&app, &id, "refused").await),
        (2, refused),
        "nobody subscribes the old one"
    );

    platform.patch(&path, json!({ "active": false })).await.expect(200);
    eventually("the sessions to be idle", || async {
        sessions(&app, &id).await.iter().all(|session| session["state"] == "idle").then_some(())
    })
    .await;
    device.publish(&other, &blood_pressure(3)).await;
    assert_eq!(clinic.count("").await, 2);
    platform.patch(&path, json!({ "active": true, "sessions": 3 })).await.expect(200);
    eventually("what came meanwhile", || async { (clinic.count("").await == 4).then_some(()) }).await;
    connected(&app, &id).await;
    assert_eq!(sessions(&app, &id).await.len(), 3);
}
