//! A version beside the one that serves: what it would change is known before anybody activates it.

use afferent::ingest::activation_block;
use serde_json::{Value, json};

use super::{Ward, observation};
use crate::support::{Actor, eventually};

const TIME: &str = "2025-06-01T07:00:00";

fn version(number: &str) -> Value {
    json!({ "name": "versioned-decoder", "version": number })
}

/// The report of a shadow replay of a version, when it is done.
async fn report(platform: &Actor, number: &str) -> Value {
    let begun = platform.post("/api/v1/shadow-replays", json!({ "decoder": version(number) })).await.expect(202);
    let path = format!("/api/v1/shadow-replays/{}/report", begun["id"].as_str().unwrap());
    eventually("the shadow replay to be done", || async {
        let report = platform.get(&path).await.expect(200);
        (report["shadow"]["state"] == "done").then_some(report)
    })
    .await
}

fn counts(report: &Value) -> [u64; 5] {
    ["same", "changed", "newlyDecoded", "newlyFailing", "bothRefuse"].map(|name| report[name].as_u64().unwrap())
}

/// How often a field of a kind differs.
fn field(report: &Value, kind: &str, field: &str) -> u64 {
    let fields = report["fields"].as_array().unwrap();
    let found = fields.iter().find(|one| one["kind"] == kind && one["field"] == field);
    found.map_or(0, |one| one["count"].as_u64().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_says_exactly_what_would_change() {
    let ward = Ward::start().await;
    for number in 0..4 {
        ward.send(&format!("k {number} 70{number}5 {TIME}")).await;
    }
    for number in 0..2 {
        ward.send(&format!("d 1{number} 7025 {TIME}\nd 2{number} 7125 {TIME}")).await;
    }
    ward.send(&format!("v 30 7025 {TIME}\nk 31 7025 {TIME}")).await;
    ward.send(&format!("x 40 7025 {TIME}")).await;
    ward.send(&format!("f 50 7025 {TIME}")).await;
    ward.send("nonsense").await;
    ward.clinic.cuff.uplink("2A35", &crate::support::blood_pressure(1)).await.expect(201);
    let ward = ward.with(&["1.0.0", "2.0.0", "5.0.0"]).await;
    // 5.0.0 serves, being the newest; 2.0.0 is the same, 1.0.0 was wrong.
    let platform = ward.app.platform_admin().await;
    let same = report(&platform, "2.0.0").await;
    assert_eq!(counts(&same), [9, 0, 0, 0, 1], "{same}");
    assert_eq!(
        (&same["verdict"], &same["slower"], &same["shadow"]["total"]),
        (&json!("same"), &json!(false), &json!(10))
    );
    assert_eq!(same["active"]["fuelMedian"], same["version"]["fuelMedian"], "fuel is the same for the same work");

    let wrong = report(&platform, "1.0.0").await;
    assert_eq!(counts(&wrong), [0, 8, 0, 1, 1], "{wrong}");
    assert_eq!(wrong["verdict"], "differs");
    assert_eq!(field(&wrong, "body-weight", "value"), 4 + 4 + 1 + 1);
    assert_eq!(field(&wrong, "body-weight", "reading"), 1, "the one that only 1.0.0 finds");
    assert_eq!(field(&wrong, "body-weight", "recordKey"), 0);
    assert_eq!((&wrong["recordKeysChanged"], &wrong["contentInKey"]), (&json!(0), &json!(4)));
    assert_eq!(wrong["failures"], json!({ "malformed": 1 }));
    let example = wrong["examples"].as_array().unwrap().iter().find(|one| one["class"] == "changed").unwrap();
    assert_eq!(example["changes"][0], json!({ "field": "value", "before": "70.05", "after": "75.05" }));
    assert_eq!((&example["tenant"], &example["model"]), (&json!(ward.clinic.tenant), &json!("versioned")));
    assert!(!wrong.to_string().contains(&ward.clinic.patient), "no person in a report");

    // Nothing was stored.
    assert_eq!(ward.clinic.count("code=29463-7").await, 11);
    let block = async |number: &str| {
        let mut transaction = ward.app.app.db.begin_worker().await.unwrap();
        let block = activation_block(&mut transaction, "versioned-decoder", number).await.unwrap();
        transaction.commit().await.unwrap();
        block.map(|block| block.code)
    };
    assert_eq!((block("1.0.0").await, block("9.9.9").await), (None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_record_keys_block_until_it_is_said_what_becomes_of_them() {
    let ward = Ward::start().await;
    let line = format!("k 1 7025 {TIME}");
    let total = |steps: u32| format!("g 4 {steps} 2025-06-01T00:00:00 2025-06-02T00:00:00");
    let ward = ward.with(&["1.0.0", "2.0.0"]).await;
    let weight = observation(&ward.send(&line).await);
    let steps = observation(&ward.send(&total(500)).await);
    let ward = ward.with(&["2.0.0", "3.0.0"]).await;
    // A newer version serves by being there: look at the other direction, which changes the keys just as much.
    let platform = ward.app.platform_admin().await;
    let blocked = report(&platform, "2.0.0").await;
    assert_eq!((&blocked["verdict"], &blocked["recordKeysChanged"]), (&json!("blocked"), &json!(2)), "{blocked}");
    let block = async || {
        let mut transaction = ward.app.app.db.begin_worker().await.unwrap();
        let block = activation_block(&mut transaction, "versioned-decoder", "2.0.0").await.unwrap();
        transaction.commit().await.unwrap();
        block.map(|block| block.code)
    };
    assert_eq!(block().await, Some("record-keys-changed"));
    let path = format!("/api/v1/shadow-replays/{}/record-keys", blocked["shadow"]["id"].as_str().unwrap());
    platform.post(&path, json!({ "recordKeys": "accept" })).await.expect(400);
    let accepted =
        platform.post(&path, json!({ "recordKeys": "accept", "reason": "nothing is sent again" })).await.expect(200);
    assert_eq!((&accepted["mapped"], &accepted["shadow"]["recordKeys"]), (&json!(0), &json!("accept")));
    assert_eq!(block().await, None);
    assert_eq!((ward.value(&weight).await.2.as_str(), ward.value(&steps).await.2.as_str()), ("1", "1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn mapped_records_are_known_under_their_new_keys() {
    let ward = Ward::start().await.with(&["2.0.0"]).await;
    let line = format!("k 1 7025 {TIME}");
    let total = |steps: u32| format!("g 4 {steps} 2025-06-01T00:00:00 2025-06-02T00:00:00");
    let weight = observation(&ward.send(&line).await);
    let steps = observation(&ward.send(&total(500)).await);
    // A draft that names the records otherwise.
    let platform = ward.app.platform_admin().await;
    let upload = platform.request(reqwest::Method::POST, "/api/v1/plugins");
    let upload = upload.header("Content-Type", "application/wasm").body(super::versioned("3.0.0"));
    platform.send(upload).await.expect(201);
    let pairs = report(&platform, "3.0.0").await;
    assert_eq!((&pairs["verdict"], &pairs["recordKeysChanged"]), (&json!("blocked"), &json!(2)));
    let activate = async || {
        let path = "/api/v1/plugins/versioned-decoder/versions/3.0.0/activate";
        platform.post(path, json!({ "reason": "longer keys" })).await
    };
    assert_eq!(activate().await.expect(409)["code"], "record-keys-changed");
    let path = format!("/api/v1/shadow-replays/{}/record-keys", pairs["shadow"]["id"].as_str().unwrap());
    let mapped =
        platform.post(&path, json!({ "recordKeys": "remap", "reason": "keys have a prefix now" })).await.expect(200);
    assert_eq!(mapped["mapped"], 2);
    activate().await.expect(200);
    // Version 3 gives the records other keys, and they are known.
    let again = ward.send(&line).await;
    assert_eq!((&again["outcome"], &again["observations"]), (&json!("duplicate"), &json!([weight])));
    let grown = ward.send(&total(700)).await;
    assert_eq!((&grown["outcome"], &grown["revised"]), (&json!("stored"), &json!([steps])), "{grown}");
    assert!(ward.value(&steps).await.0.starts_with("700"));
    assert_eq!(ward.clinic.count("").await, 2);
    // Another record is another record.
    let new = ward.send(&format!("k 2 7025 {TIME}")).await;
    assert_eq!(new["outcome"], "stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn old_reports_keep_their_counts_and_forget_their_examples() {
    let ward = Ward::start().await;
    ward.send(&format!("k 1 7025 {TIME}")).await;
    let ward = ward.with(&["1.0.0", "3.0.0"]).await;
    let platform = ward.app.platform_admin().await;
    let (old, young) = (report(&platform, "1.0.0").await, report(&platform, "1.0.0").await);
    assert_eq!((&old["changed"], &old["recordKeysChanged"]), (&json!(1), &json!(1)), "{old}");
    let id = |report: &Value| report["shadow"]["id"].as_str().unwrap().to_owned();
    let mut conn = crate::support::connect(&ward.app.database.superuser_url).await;
    let age = format!("UPDATE shadow_replay SET updated_at = now() - interval '91 days' WHERE id = '{}'", id(&old));
    diesel_async::SimpleAsyncConnection::batch_execute(&mut conn, &age).await.unwrap();
    // A process looks when it starts.
    let second = ward.with_second().await;
    let read = async |id: &str| platform.get(&format!("/api/v1/shadow-replays/{id}/report")).await.expect(200);
    eventually("the examples to be forgotten", || async {
        (read(&id(&old)).await["examples"] == json!([])).then_some(())
    })
    .await;
    assert_eq!(
        (&read(&id(&old)).await["changed"], &read(&id(&young)).await["examples"]),
        (&json!(1), &young["examples"])
    );
    assert_ne!(young["examples"], json!([]));
    drop(second);
}

#[tokio::test(flavor = "multi_thread")]
async fn slower_is_told_in_fuel_and_refusals_with_their_reason() {
    let ward = Ward::start().await;
    for number in 0..3 {
        ward.send(&format!("k {number} 7025 {TIME}")).await;
    }
    ward.send(&format!("f 9 7025 {TIME}")).await;
    let ward = ward.with(&["4.0.0", "5.0.0"]).await;
    let platform = ward.app.platform_admin().await;
    let slower = report(&platform, "4.0.0").await;
    assert_eq!(counts(&slower), [3, 0, 0, 1, 0], "{slower}");
    assert_eq!((&slower["slower"], &slower["slowerUplinks"]), (&json!(true), &json!(4)));
    assert!(slower["version"]["fuelMedian"].as_u64() > slower["active"]["fuelMedian"].as_u64());
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_are_the_platforms() {
    let ward = Ward::start().await;
    let wish = json!({ "decoder": version("1.0.0") });
    ward.clinic.admin.post("/api/v1/shadow-replays", wish.clone()).await.expect(403);
    let platform = ward.app.platform_admin().await;
    let begun = platform.post("/api/v1/shadow-replays", wish).await.expect(202);
    let path = format!("/api/v1/shadow-replays/{}", begun["id"].as_str().unwrap());
    for call in ["", "/report"] {
        ward.clinic.admin.get(&format!("{path}{call}")).await.expect(404);
    }
    let unknown = platform.post("/api/v1/shadow-replays", json!({ "decoder": version("9.9.9") })).await.expect(422);
    assert_eq!(unknown["errors"][0]["pointer"], "/decoder");
    let foreign = json!({ "decoder": version("1.0.0"), "scope": { "models": ["gatt-2A35"] } });
    assert_eq!(
        platform.post("/api/v1/shadow-replays", foreign).await.expect(422)["errors"][0]["pointer"],
        "/scope/models"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_shadow_counts_beside_the_answers() {
    let ward = Ward::start().await.with(&["1.0.0", "2.0.0"]).await;
    let platform = ward.app.platform_admin().await;
    let wish = json!({ "decoder": version("1.0.0"), "scope": { "share": 100 } });
    let begun = platform.post("/api/v1/shadow-replays", wish).await.expect(202);
    assert_eq!(begun["kind"], "live");
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    for number in 0..5 {
        let receipt = ward.send(&format!("k {number} 7025 2025-06-01T07:0{number}:00")).await;
        assert_eq!(receipt["outcome"], "stored");
    }
    ward.send(&format!("x 9 7025 {TIME}")).await;
    let path = format!("/api/v1/shadow-replays/{}", begun["id"].as_str().unwrap());
    let report = eventually("six uplinks to be compared", || async {
        let report = platform.get(&format!("{path}/report")).await.expect(200);
        (report["shadow"]["uplinks"] == 6).then_some(report)
    })
    .await;
    assert_eq!(counts(&report), [0, 5, 0, 1, 0], "{report}");
    assert_eq!(field(&report, "body-weight", "value"), 5);
    // What serves is what is stored.
    assert_eq!(ward.clinic.count("code=29463-7").await, 6);
    platform.post(&format!("{path}/cancel"), json!({})).await.expect(200);
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    ward.send(&format!("k 77 7025 {TIME}")).await;
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    assert_eq!(platform.get(&path).await.expect(200)["uplinks"], 6);
}
