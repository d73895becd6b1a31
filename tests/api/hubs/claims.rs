//! A device that nobody has paired: what it sends is kept, shown, and brought in once it is claimed, or discarded.

use serde_json::{Value, json};

use super::{frame, outcomes};
use crate::support::{Hub, TestApp, blood_pressure_at, connect, eventually};

const STRANGER: &str = "AA:BB:CC:00:00:04";

fn pressure(systolic: u16, hour: u16) -> Vec<u8> {
    blood_pressure_at(systolic, 80, 60, [2025, 3, 1, hour, 0, 0])
}

async fn nothing_is_left(hub: &Hub) {
    eventually("the claimed items to be decoded", || async { hub.unclaimed().await.is_empty().then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn claiming_brings_in_what_was_kept_in_order_and_under_who_wore_it_then() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let hub = clinic.hub("any-gateway", "H1").await;
    // Old and new, in any order, with one that is garbage.
    let batch = json!([
        frame(STRANGER, "2A35", &pressure(120, 12)),
        frame(STRANGER, "2A35", &pressure(110, 8)),
        frame(STRANGER, "2A35", &[0xFF]),
        frame("aabbcc000004", "2A35", &pressure(130, 16)),
    ]);
    let answer = hub.send(batch.clone()).await.expect(202);
    assert!(outcomes(&answer).iter().all(|item| *item == ("unclaimed".to_owned(), 202)), "{answer}");
    assert_eq!(clinic.count("").await, 0);
    let unclaimed = hub.unclaimed().await;
    assert_eq!(unclaimed.len(), 1);
    assert_eq!((&unclaimed[0]["address"], &unclaimed[0]["items"]), (&json!(STRANGER), &json!(4)));
    assert_eq!(unclaimed[0]["channels"], json!(["2A35"]));
    assert!(unclaimed[0]["models"].as_array().unwrap().contains(&json!("gatt-2A35")), "a guess by the channel");

    // Two people wore it, one after the other.
    let (cuff, phone) = clinic.device("gatt-2A35", "NEW").await;
    let other = clinic.patient("Other").await;
    clinic.assign(&cuff, &clinic.patient, "2025-01-01T00:00:00Z", Some("2025-03-01T10:00:00Z")).await;
    clinic.assign(&cuff, &other, "2025-03-01T10:00:00Z", None).await;
    let paired = hub.pair(&cuff, STRANGER).await;
    assert_eq!(paired["claimed"], 4);
    eventually("the kept readings", || async { (clinic.count("").await == 6).then_some(()) }).await;
    nothing_is_left(&hub).await;
    assert_eq!(clinic.count(&format!("patient={}", clinic.patient)).await, 2, "the one of 8 o'clock in Berlin");
    assert_eq!(clinic.count(&format!("patient={other}")).await, 4);

    // Each is the uplink that it was kept as: told by the same id, and the garbage is in quarantine.
    for (item, outcome) in answer["items"].as_array().unwrap().iter().zip(["stored", "stored", "undecodable", "stored"])
    {
        let uplink = item["uplink"].as_str().unwrap();
        let uplink = eventually("the uplink to be settled", || async {
            let uplink = clinic.admin.get(&format!("/api/v1/uplinks/{uplink}")).await.expect(200);
            (uplink["outcome"] != "unclaimed").then_some(uplink)
        })
        .await;
        assert_eq!((&uplink["outcome"], &uplink["device"]), (&json!(outcome), &json!(cuff)));
    }
    let quarantine = clinic.admin.get("/api/v1/quarantine").await.expect(200);
    assert_eq!(quarantine["items"].as_array().unwrap().len(), 1);

    // From now on it is a device like any other; what was kept is known, by hub and by phone.
    let known = hub.send(json!([frame(STRANGER, "2A35", &pressure(130, 16))])).await.expect(200);
    assert_eq!(known["items"][0]["outcome"], "duplicate");
    phone.uplink("2A35", &pressure(110, 8)).await.expect(200);
    assert_eq!(clinic.count("").await, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_survive_the_process_and_two_of_them_decode_once() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let hub = clinic.hub("any-gateway", "H1").await;
    let frames: Vec<Value> = (0..200)
        .map(|number| {
            let time = [2025, 3, 1, 8 + number / 60, number % 60, 0];
            frame(STRANGER, "2A35", &blood_pressure_at(100 + number % 50, 70, 60, time))
        })
        .collect();
    hub.send(json!(frames)).await.expect(202);
    let (cuff, _) = clinic.device("gatt-2A35", "NEW").await;
    clinic.assign(&cuff, &clinic.patient, "2020-01-01T00:00:00Z", None).await;
    // The rows are the job: the server that was asked goes away, two others find it.
    let database = app.database.clone();
    hub.pair(&cuff, STRANGER).await;
    drop(app);
    let (first, second) = (TestApp::on(database.clone(), &[]).await, TestApp::on(database, &[]).await);
    let admin = crate::support::Actor::new(first.url(""), clinic.admin.token.clone());
    eventually("all readings", || async {
        let bundle = admin.get(&format!("{}/Observation?_summary=count", clinic.fhir)).await.expect(200);
        (bundle["total"] == 400).then_some(())
    })
    .await;
    let mut conn = connect(&first.database.superuser_url).await;
    let left = count(&mut conn, "unclaimed_item WHERE state <> 'settled'").await;
    let twice = count(&mut conn, "(SELECT id FROM uplink GROUP BY id HAVING count(*) > 1) AS twice").await;
    assert_eq!((left, twice), (0, 0));
    drop(second);
}

async fn count(conn: &mut diesel_async::AsyncPgConnection, from: &str) -> i64 {
    use diesel_async::RunQueryDsl;
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        count: i64,
    }
    let row: Row = diesel::sql_query(format!("SELECT count(*) AS count FROM {from}")).get_result(conn).await.unwrap();
    row.count
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_discarded_is_gone_and_is_said_why() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let hub = clinic.hub("any-gateway", "H1").await;
    let other = "AA:BB:CC:00:00:05";
    hub.send(json!([frame(STRANGER, "2A35", &pressure(120, 8)), frame(other, "2A35", &pressure(121, 9))]))
        .await
        .expect(202);
    let discard = format!("{}/unclaimed/discard", hub.path);
    hub.admin.post(&discard, json!({ "address": STRANGER, "reason": " " })).await.expect(422);
    hub.admin.post(&discard, json!({ "address": "AA:BB:CC:00:00:09", "reason": "none" })).await.expect(404);
    let wish = json!({ "address": "aa-bb-cc-00-00-04", "reason": "a visitor's" });
    assert_eq!(hub.admin.post(&discard, wish.clone()).await.expect(200)["discarded"], 1);
    hub.admin.post(&discard, wish).await.expect(404);
    assert_eq!(hub.unclaimed().await.len(), 1, "the other one is still there");
    // Pairing it later brings nothing back.
    let (cuff, _) = clinic.device("gatt-2A35", "NEW").await;
    clinic.assign(&cuff, &clinic.patient, "2020-01-01T00:00:00Z", None).await;
    assert!(hub.pair(&cuff, STRANGER).await.get("claimed").is_none());
    // Another tenant sees none of it.
    let south = app.clinic("south").await;
    south.admin.get(&format!("{}/unclaimed", hub.path)).await.expect(404);
    south.admin.post(&discard, json!({ "address": other, "reason": "mine" })).await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claimed_device_that_may_not_send_yet_waits_until_it_may() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let hub = clinic.hub("any-gateway", "H1").await;
    hub.send(json!([frame(STRANGER, "2A35", &pressure(120, 8))])).await.expect(202);
    let (cuff, _) = clinic.device("gatt-2A35", "NEW").await;
    clinic.assign(&cuff, &clinic.patient, "2020-01-01T00:00:00Z", None).await;
    clinic.admin.post(&format!("/api/v1/devices/{cuff}/deactivate"), json!({})).await.expect(200);
    hub.pair(&cuff, STRANGER).await;
    tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
    assert_eq!(clinic.count("").await, 0);
    clinic.admin.post(&format!("/api/v1/devices/{cuff}/activate"), json!({})).await.expect(200);
    eventually("the kept reading", || async { (clinic.count("").await == 2).then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_hub_may_leave_unclaimed_is_bounded() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let hub = clinic.hub("any-gateway", "H1").await;
    // Every passer-by's device: the five hundredth address is the last.
    let frames: Vec<Value> = (0..505_u32)
        .map(|number| {
            frame(&format!("AA:BB:CC:DD:{:02X}:{:02X}", number / 256, number % 256), "2A35", &pressure(120, 8))
        })
        .collect();
    let answer = hub.send(json!(frames)).await.expect(202);
    let outcomes = outcomes(&answer);
    assert_eq!(outcomes.iter().filter(|(outcome, _)| outcome == "unclaimed").count(), 500);
    assert_eq!(outcomes.iter().filter(|item| **item == ("too-many-unclaimed".to_owned(), 429)).count(), 5);
    assert_eq!(hub.unclaimed().await.len(), 500);
    // A known address still has room, and another hub is not concerned.
    let more = hub.send(json!([frame("AA:BB:CC:DD:00:00", "2A35", &pressure(121, 9))])).await.expect(202);
    assert_eq!(more["items"][0]["outcome"], "unclaimed");
    let second = clinic.hub("any-gateway", "H2").await;
    let other = second.send(json!([frame(STRANGER, "2A35", &pressure(120, 8))])).await.expect(202);
    assert_eq!(other["items"][0]["outcome"], "unclaimed");
}
