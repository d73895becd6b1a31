//! What a phone brings: many devices, late and in any order, each item once, each answered by itself.

use serde_json::{Value, json};

use super::{Phone, item, outcomes};
use crate::support::{TestApp, blood_pressure, blood_pressure_at, eventually, weight};

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_told_which_devices_it_may_speak_for_and_how() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let phone = Phone::pair(&clinic).await;
    clinic.admin.put(&format!("{}/devices/{}", phone.hub.path, clinic.device), json!({})).await.expect(200);
    let (scale, _) = clinic.device("gatt-2A9D", "SCALE").await;
    phone.hub.pair(&scale, "Scale of the hall").await;
    clinic.admin.post(&format!("/api/v1/devices/{scale}/deactivate"), json!({})).await.expect(200);
    let me = phone.me().await.expect(200);
    let devices = me["devices"].as_array().unwrap();
    assert_eq!(devices.len(), 2);
    let serial = format!("CUFF-1-{}", clinic.tenant);
    assert_eq!((&devices[0]["id"], &devices[0]["named"]), (&json!(clinic.device), &json!(clinic.device)));
    assert_eq!((&devices[0]["serial"], &devices[0]["channels"]), (&json!(serial), &json!(["2A35"])));
    assert_eq!((&devices[1]["named"], &devices[1]["active"]), (&json!("Scale of the hall"), &json!(false)));
    clinic.admin.delete(&format!("{}/devices/{scale}", phone.hub.path)).await.expect(204);
    assert_eq!(phone.me().await.expect(200)["devices"].as_array().unwrap().len(), 1);
    let listed = clinic.admin.get(&format!("{}/devices", phone.hub.path)).await.expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_late_and_in_any_order_is_stored_once_at_the_time_it_was_captured() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let phone = Phone::pair(&clinic).await;
    phone.hub.pair(&clinic.device, "cuff").await;
    let (scale, _) = clinic.device("gatt-2A9D", "SCALE").await;
    clinic.assign(&scale, &clinic.patient, "2020-01-01T00:00:00Z", None).await;
    phone.hub.pair(&scale, &scale).await;
    // Weights without any time of their own: when the phone got them is when they were taken, weeks ago; two are equal.
    let queue = json!([
        item("w-3", &scale, "2A9D", &weight(14_000), "2026-03-03T07:00:00.250+01:00"),
        item("b-1", "cuff", "2A35", &blood_pressure_at(120, 80, 60, [2026, 3, 2, 7, 0, 0]), "2026-03-02T06:00:02Z"),
        item("w-1", &scale, "2A9D", &weight(14_000), "2026-03-01T07:00:00+01:00"),
        item("x-1", "A stranger's scale", "2A9D", &weight(20_000), "2026-03-02T07:00:00+01:00"),
        item("w-2", &scale, "2A9D", &weight(14_100), "2026-03-02T07:00:00+01:00"),
    ]);
    let first = phone.hub.send(queue.clone()).await.expect(202);
    assert_eq!(outcomes(&first), ["stored", "stored", "stored", "unclaimed", "stored"]);
    let observation = clinic.observation(first["items"][0]["observations"][0].as_str().unwrap()).await;
    let effective = observation["effectiveDateTime"].as_str().unwrap();
    let effective = chrono::DateTime::parse_from_rfc3339(effective).unwrap();
    let captured = chrono::DateTime::parse_from_rfc3339("2026-03-03T07:00:00.250+01:00").unwrap();
    assert!((effective - captured).abs() < chrono::TimeDelta::seconds(1), "{effective}");
    assert_eq!(observation["subject"]["reference"], format!("Patient/{}", clinic.patient));
    assert_eq!(clinic.count("code=29463-7").await, 3);
    // The answer was lost: the phone sends all of it again, twice at the same time.
    let (second, third) = tokio::join!(phone.hub.send(queue.clone()), phone.hub.send(queue));
    for again in [second.expect(202), third.expect(202)] {
        assert_eq!(outcomes(&again), ["duplicate", "duplicate", "duplicate", "unclaimed", "duplicate"]);
        for place in [0, 1, 2, 4] {
            assert_eq!(again["items"][place]["observations"], first["items"][place]["observations"]);
            assert_eq!(again["items"][place]["id"], first["items"][place]["id"]);
        }
        assert_eq!(again["items"][3]["uplink"], first["items"][3]["uplink"]);
    }
    assert_eq!(clinic.count("code=29463-7").await, 3);
    // What the stranger sent is claimed once it is somebody's.
    let unclaimed = phone.hub.unclaimed().await;
    assert_eq!((&unclaimed[0]["address"], &unclaimed[0]["items"]), (&json!("A stranger's scale"), &json!(1)));
    assert!(unclaimed[0]["models"].as_array().unwrap().contains(&json!("gatt-2A9D")));
    let (own, _) = clinic.device("gatt-2A9D", "OWN").await;
    let other = clinic.patient("Other").await;
    clinic.assign(&own, &other, "2020-01-01T00:00:00Z", None).await;
    assert_eq!(phone.hub.pair(&own, "A stranger's scale").await["claimed"], 1);
    eventually("the kept weight", || async { (clinic.count(&format!("patient={other}")).await == 1).then_some(()) })
        .await;
    // What staff do not want is discarded.
    let more = json!([item("y-1", "Nobody's", "2A9D", &weight(1), "2026-03-02T07:00:00Z")]);
    phone.hub.send(more).await.expect(202);
    let wish = json!({ "address": "Nobody's", "reason": "a neighbour's" });
    let discarded = clinic.admin.post(&format!("{}/unclaimed/discard", phone.hub.path), wish).await.expect(200);
    assert_eq!(discarded["discarded"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_of_five_thousand_is_taken_and_one_more_is_told_to_wait() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let phone = Phone::pair(&clinic).await;
    phone.hub.pair(&clinic.device, "cuff").await;
    let frame = |number: u32| {
        item(&format!("i-{number}"), "cuff", "2A35", &blood_pressure(number * 7_919 % 86_400), "2026-03-02T06:00:02Z")
    };
    let too_many: Vec<Value> = (0..5_001).map(frame).collect();
    assert_eq!(phone.hub.send(json!(too_many)).await.expect(413)["code"], "envelope.frames");
    let queue: Vec<Value> = (0..5_000).map(frame).collect();
    // As many as the queue of the group commit takes: what is not taken says so, and comes again.
    let mut answer = phone.hub.send(json!(queue)).await;
    for _ in 0..20 {
        if answer.status != 503 {
            break;
        }
        assert!(answer.header("retry-after").is_some());
        answer = phone.hub.send(json!(queue)).await;
    }
    assert!(matches!(answer.status.as_u16(), 200 | 201), "{}", answer.status);
    assert_eq!(clinic.count("").await, 10_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_sends_envelopes_only() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let phone = Phone::pair(&clinic).await;
    assert_eq!(phone.hub.post("application/json", "{}".into()).await.expect(415)["code"], "app.media-type");
    assert_eq!(clinic.admin.get("/api/v1/quarantine").await.expect(200)["items"], json!([]));
}
