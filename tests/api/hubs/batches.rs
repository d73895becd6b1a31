//! A batch of many devices: every item goes its own way and is answered by itself.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{frame, outcomes};
use crate::support::{TestApp, blood_pressure, blood_pressure_at, weight_at};

const CUFF: &str = "AA:BB:CC:00:00:01";
const SCALE: &str = "AA:BB:CC:00:00:02";
const SLEEPING: &str = "AA:BB:CC:00:00:03";
const STRANGER: &str = "AA:BB:CC:00:00:04";

#[tokio::test(flavor = "multi_thread")]
async fn paired_unpaired_deactivated_and_garbage_items_are_answered_each_by_itself() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let hub = clinic.hub("any-gateway", "H1").await;
    hub.pair(&clinic.device, CUFF).await;
    let (scale, _) = clinic.device("gatt-2A9D", "SCALE").await;
    hub.pair(&scale, SCALE).await;
    let (sleeping, _) = clinic.device("gatt-2A35", "SLEEPING").await;
    hub.pair(&sleeping, SLEEPING).await;
    clinic.admin.post(&format!("/api/v1/devices/{sleeping}/deactivate"), json!({})).await.expect(200);

    let batch = json!([
        frame("aabbcc000001", "2A35", &blood_pressure(1)),
        frame(STRANGER, "2A35", &blood_pressure(2)),
        frame(SLEEPING, "2A35", &blood_pressure(3)),
        frame(CUFF, "2A35", &[0x1F, 0x00]),
        json!({ "device": CUFF, "channel": "2A35", "hex": "no digits" }),
        frame(SCALE, "2A9D", &weight_at(14_000, [2025, 3, 1, 8, 0, 0])),
        json!("garbage"),
        frame(CUFF, "2A35", &blood_pressure(4)),
    ]);
    let answer = hub.send(batch.clone()).await.expect(202);
    assert_eq!(answer["outcome"], "partial");
    let expected = [
        ("stored", 201),
        ("unclaimed", 202),
        ("deactivated", 403),
        ("undecodable", 202),
        ("invalid", 422),
        ("unassigned", 202),
        ("invalid", 422),
        ("stored", 201),
    ];
    assert_eq!(outcomes(&answer), expected.map(|(outcome, status)| (outcome.to_owned(), status)), "{answer}");
    let items = answer["items"].as_array().unwrap();
    for (index, item) in items.iter().enumerate() {
        assert_eq!(item["index"], index);
    }
    assert_eq!(items[0]["device"], CUFF, "an address has one spelling");
    assert_eq!(clinic.count("").await, 4, "a pressure and a pulse of each of the two");
    let observation = clinic.observation(items[0]["observations"][0].as_str().unwrap()).await;
    assert_eq!(observation["subject"]["reference"], format!("Patient/{}", clinic.patient));
    assert_eq!(observation["device"]["reference"], format!("Device/{}", clinic.device));

    // The garbage that has a device is in quarantine with its reason; what the sleeping one sent was not kept.
    let quarantine = clinic.admin.get("/api/v1/quarantine").await.expect(200);
    let quarantined = quarantine["items"].as_array().unwrap();
    assert_eq!(quarantined.len(), 1);
    assert_eq!((&quarantined[0]["uplink"], &quarantined[0]["reason"]), (&items[3]["uplink"], &json!("malformed")));
    let uplinks = clinic.admin.get(&format!("/api/v1/uplinks?device={sleeping}")).await.expect(200);
    assert_eq!(uplinks["items"], json!([]));

    // Again: what was stored is known, nothing is there twice, and the stranger's item is the one that is kept already.
    let again = hub.send(batch).await.expect(202);
    assert_eq!(outcomes(&again)[0], ("duplicate".to_owned(), 200));
    assert_eq!(again["items"][0]["observations"], items[0]["observations"]);
    assert_eq!(clinic.count("").await, 4);
    let metrics = app.anonymous().get("/metrics").await.text;
    assert!(
        metrics.contains("afferent_ingest_uplinks_total{outcome=\"deactivated\"} 2"),
        "what is not kept is counted"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_is_201_when_all_is_stored_and_200_when_all_is_known() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let hub = clinic.hub("any-gateway", "H1").await;
    hub.pair(&clinic.device, CUFF).await;
    let batch = json!([frame(CUFF, "2A35", &blood_pressure(1)), frame(CUFF, "2A35", &blood_pressure(2))]);
    assert_eq!(hub.send(batch.clone()).await.expect(201)["outcome"], "stored");
    assert_eq!(hub.send(batch).await.expect(200)["outcome"], "duplicate");
    let invalid = hub.send(json!([{ "device": CUFF, "hex": "0" }])).await.expect(422);
    assert_eq!(invalid["items"][0]["outcome"], "invalid");
    assert_eq!(hub.send(json!([])).await.status, 422);
    assert_eq!(hub.post("application/vnd.afferent.uplink+json", "{".into()).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_hub_and_a_phone_bring_of_one_device_is_one_observation() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let hub = clinic.hub("any-gateway", "H1").await;
    hub.pair(&clinic.device, CUFF).await;
    let frame_bytes = blood_pressure_at(131, 84, 66, [2025, 3, 1, 8, 0, 0]);
    let by_phone = clinic.cuff.uplink("2A35", &frame_bytes).await.expect(201);
    let by_hub = hub.send(json!([frame(CUFF, "2A35", &frame_bytes)])).await.expect(200);
    assert_eq!(by_hub["items"][0]["observations"], by_phone["observations"]);
    // The other way round.
    let frame_bytes = blood_pressure_at(132, 85, 67, [2025, 3, 1, 9, 0, 0]);
    let by_hub = hub.send(json!([frame(CUFF, "2A35", &frame_bytes)])).await.expect(201);
    let by_phone = clinic.cuff.uplink("2A35", &frame_bytes).await.expect(200);
    assert_eq!(by_hub["items"][0]["observations"], by_phone["observations"]);
    assert_eq!(clinic.count("").await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_items_id_makes_it_known_again_and_names_one_content() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let hub = clinic.hub("any-gateway", "H1").await;
    let (scale, _) = clinic.device("gatt-2A9D", "SCALE").await;
    clinic.assign(&scale, &clinic.patient, "2020-01-01T00:00:00Z", None).await;
    hub.pair(&scale, SCALE).await;
    // A weight without time: nothing but the id tells it from another that is equal. The hub was offline in between.
    let item = |id: &str, grams: u16, captured: &str| {
        json!({ "device": SCALE, "channel": "2A9D", "hex": super::hex(&[0, (grams / 5).to_le_bytes()[0], (grams / 5).to_le_bytes()[1]]),
            "capturedAt": captured, "id": id })
    };
    let first = hub.send(json!([item("a-1", 60_000, "2026-03-01T08:00:00Z")])).await.expect(201);
    let again = hub
        .send(json!([item("a-1", 60_000, "2026-03-01T08:00:00Z"), item("a-2", 60_000, "2026-03-01T09:00:00Z")]))
        .await;
    let again = again.expect(201);
    assert_eq!(outcomes(&again), [("duplicate".to_owned(), 200), ("stored".to_owned(), 201)]);
    assert_eq!(again["items"][0]["uplink"], first["items"][0]["uplink"]);
    assert_eq!(again["items"][1]["id"], "a-2");
    let other = hub
        .send(json!([item("a-1", 61_000, "2026-03-01T08:00:00Z"), item("a-3", 61_000, "2026-03-01T10:00:00Z")]))
        .await;
    assert_eq!(outcomes(&other.expect(202)), [("conflict".to_owned(), 409), ("stored".to_owned(), 201)]);
    assert_eq!(clinic.count("code=29463-7").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_items_of_any_age_and_order_are_all_stored_once() {
    const ITEMS: u32 = 2_500;
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let hub = clinic.hub("any-gateway", "H1").await;
    hub.pair(&clinic.device, CUFF).await;
    // A fixed disorder; garbage every hundredth.
    let frames: Vec<Value> = (0..ITEMS)
        .map(|number| match number % 100 {
            99 => frame(CUFF, "2A35", &[0xFF]),
            _ => frame(CUFF, "2A35", &blood_pressure((number * 7_919) % 86_400)),
        })
        .collect();
    let answer = hub.send(json!(frames)).await.expect(202);
    let outcomes = outcomes(&answer);
    assert_eq!(outcomes.len(), 2_500);
    let of = |wanted: &str| outcomes.iter().filter(|(outcome, _)| outcome == wanted).count();
    assert_eq!((of("stored"), of("undecodable")), (2_475, 25));
    let ids: HashSet<&str> = answer["items"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|item| item["observations"].as_array().cloned().unwrap_or_default())
        .map(|id| Box::leak(id.as_str().unwrap().to_owned().into_boxed_str()) as &str)
        .collect();
    assert_eq!(ids.len(), 2 * 2_475);
    assert_eq!(clinic.count("").await, 2 * 2_475);
}
