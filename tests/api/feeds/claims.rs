//! Accounts that nobody is linked with: kept, listed, claimed or discarded.

use serde_json::{Value, json};

use super::{Feed, outcomes, worn};
use crate::support::{TestApp, eventually};

fn weight(kilograms: &str, time: &str, log: u64) -> Value {
    serde_json::from_str(&format!(
        r#"{{"weight":[{{"bmi":21.99,"date":"2015-05-22","logId":{log},"time":"{time}","weight":{kilograms}}}]}}"#
    ))
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn linking_an_account_brings_in_what_came_before() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let feed = Feed::with_header(&clinic, "fitbit").await;
    for (kilograms, time, log) in [("58.10", "08:00:00", 1), ("58.2", "09:00:00", 2)] {
        let answer = feed.post("?account=228S74", &weight(kilograms, time, log)).await.expect(200);
        assert_eq!(outcomes(&answer), ["unclaimed"]);
    }
    let unclaimed = feed.unclaimed().await;
    assert_eq!((&unclaimed[0]["externalId"], &unclaimed[0]["items"]), (&json!("228S74"), &json!(2)));
    assert!(unclaimed[0]["models"].as_array().unwrap().contains(&json!("fitbit")));
    let device = worn(&clinic, "fitbit", "virtual-1", json!([])).await;
    let linked = feed.link("228S74", &device).await.expect(201);
    assert_eq!(linked["claimed"], 2);
    eventually("the kept readings", || async { (clinic.count("").await == 4).then_some(()) }).await;
    assert!(feed.unclaimed().await.is_empty());
    let bundle = clinic.admin.get(&format!("{}/Observation?code=29463-7", clinic.fhir)).await.expect(200);
    assert!(bundle.to_string().contains("58.10"), "every digit as the vendor wrote it");
    // Sent again, it is known; parted, it is nobody's again.
    let again = feed.post("?account=228S74", &weight("58.2", "09:00:00", 2)).await.expect(200);
    assert_eq!(outcomes(&again), ["duplicate"]);
    let other = worn(&clinic, "fitbit", "virtual-2", json!([])).await;
    assert_eq!(feed.link("228S74", &other).await.expect(409)["code"], "feed.linked");
    feed.admin.delete(&format!("{}/accounts/{device}", feed.path)).await.expect(204);
    let parted = feed.post("?account=228S74", &weight("59", "10:00:00", 3)).await.expect(200);
    assert_eq!(outcomes(&parted), ["unclaimed"]);
    let discard = json!({ "address": "228S74", "reason": "moved away" });
    let discarded = feed.admin.post(&format!("{}/unclaimed/discard", feed.path), discard).await.expect(200);
    assert_eq!(discarded["discarded"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_speaks_for_devices_of_its_own_tenant_only_and_two_that_match_are_none() {
    let app = TestApp::start().await;
    let (clinic, other) = (app.clinic("north").await, app.clinic("south").await);
    let feed = Feed::with_header(&clinic, "fitbit").await;
    let theirs = worn(&other, "fitbit", "228S74", json!([])).await;
    assert_eq!(outcomes(&feed.post("?account=228S74", &weight("60", "08:00:00", 1)).await.expect(200)), ["unclaimed"]);
    feed.link("228S74", &theirs).await.expect(422);
    assert_eq!(other.count("").await, 0);
    // An account that two devices could be is a person's to link.
    worn(&clinic, "fitbit", "twice", json!([])).await;
    worn(&clinic, "fitbit-weight", "twice", json!([])).await;
    assert_eq!(outcomes(&feed.post("?account=twice", &weight("60", "08:00:00", 1)).await.expect(200)), ["unclaimed"]);
    // A device that is deactivated: nothing is kept, and the vendor does not repeat it for ever.
    let device = worn(&clinic, "fitbit", "off", json!([])).await;
    clinic.admin.post(&format!("/api/v1/devices/{device}/deactivate"), json!({})).await.expect(200);
    assert_eq!(outcomes(&feed.post("?account=off", &weight("60", "08:00:00", 1)).await.expect(200)), ["deactivated"]);
}
