//! What was read wrongly becomes right: as new versions of the same Observations, here and at the EHR.

use serde_json::{Value, json};

use super::{Ward, all, observation};
use crate::support::{FakeEhr, eventually};

const TIME: &str = "2025-06-01T07:00:00";

/// The EHR's Observations once `ready` holds for them.
async fn at_the_ehr(ehr: &FakeEhr, what: &str, ready: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    eventually(what, || async {
        let all = ehr.state().observations.clone();
        ready(&all).then_some(all)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_decoder_is_corrected_as_new_versions_that_travel() {
    let ward = Ward::start().await;
    let ehr = FakeEhr::start().await;
    let wish = json!({ "tenant": ward.clinic.tenant, "name": "EHR", "kind": "fhir", "url": ehr.url(), "auth": { "kind": "none" } });
    ward.clinic.admin.post("/api/v1/endpoints", wish).await.expect(201);
    // Keyed, distinct, without a key, a growing total; one that version 2 does not find, one that only it finds.
    let keyed = observation(&ward.send(&format!("k 1 7025 {TIME}")).await);
    let distinct = observation(&ward.send(&format!("d 2 7100 {TIME}")).await);
    let keyless = observation(&ward.send(&format!("n 3 7200 {TIME}")).await);
    let total = observation(&ward.send("g 4 900 2025-06-01T00:00:00 2025-06-02T00:00:00").await);
    let gone = observation(&ward.send(&format!("v 5 7300 {TIME}\nk 6 7400 {TIME}")).await);
    let refused = ward.send(&format!("x 7 7500 {TIME}")).await;
    assert_eq!(refused["outcome"], "undecodable");
    let nothing = ward.send(&format!("a 8 7600 {TIME}")).await;
    assert_eq!(nothing["outcome"], "nothing", "{nothing}");
    assert_eq!(ward.value(&keyed).await, ("75.25".into(), "final".into(), "1".into()));
    at_the_ehr(&ehr, "six readings at the EHR", |all| all.len() == 6).await;

    let ward = ward.with(&["1.0.0", "2.0.0"]).await;
    let dry = ward.replay(all(), true).await;
    let counts = &dry["counts"];
    let told = |counts: &Value| {
        ["uplinks", "settled", "same", "corrected", "created", "withdrawn", "held", "skipped", "failed"]
            .map(|name| counts[name].as_u64().unwrap())
    };
    assert_eq!(told(counts), [7, 1, 0, 5, 2, 1, 0, 0, 0], "{dry}");
    assert_eq!(counts["fields"]["valueQuantity.value"], 5);
    assert_eq!(ward.value(&keyed).await.2, "1", "a dry run changes nothing");
    let quarantine = ward.clinic.admin.get("/api/v1/quarantine").await.expect(200);
    assert_eq!(quarantine["items"].as_array().unwrap().len(), 1);
    let items = ward.items(&ward.clinic.admin, &dry).await;
    let item = items.iter().find(|item| item["observation"] == json!(keyed)).unwrap();
    assert_eq!(item["action"], "corrected");
    assert!(
        item["changes"]
            .as_array()
            .unwrap()
            .contains(&json!({ "field": "valueQuantity.value", "before": "75.25", "after": "70.25" })),
        "{item}"
    );
    // The platform sees which fields, not what they say.
    let platform = ward.app.platform_admin().await;
    let blind = ward.items(&platform, &dry).await;
    assert_eq!(blind.len(), items.len());
    assert!(!json!(blind).to_string().contains("70.25") && json!(blind).to_string().contains("valueQuantity.value"));

    let done = ward.replay(all(), false).await;
    assert_eq!(told(&done["counts"]), told(counts), "the replay does what the dry run said");
    for (id, right) in [(&keyed, "70.25"), (&distinct, "71"), (&keyless, "72"), (&total, "900")] {
        let (value, status, version) = ward.value(id).await;
        assert!(value.starts_with(right), "{value} is not {right}");
        assert_eq!((status.as_str(), version.as_str()), ("corrected", "2"), "{id}");
    }
    assert_eq!(ward.value(&gone).await.1, "entered-in-error");
    let history =
        ward.clinic.admin.get(&format!("{}/Observation/{keyed}/_history", ward.clinic.fhir)).await.expect(200);
    let versions: Vec<&Value> = history["entry"].as_array().unwrap().iter().map(|entry| &entry["resource"]).collect();
    assert_eq!(versions.len(), 2);
    let sources: Vec<&str> = versions.iter().map(|one| one["meta"]["source"].as_str().unwrap()).collect();
    assert!(
        sources[0].contains("versioned-decoder@2.0.0") && sources[1].contains("versioned-decoder@1.0.0"),
        "{sources:?}"
    );
    assert_eq!(versions[0]["identifier"], versions[1]["identifier"], "the same Observation");
    assert_eq!(ward.clinic.count("status=final,corrected").await, 7);
    let quarantine = ward.clinic.admin.get("/api/v1/quarantine").await.expect(200);
    assert_eq!(quarantine["items"], json!([]), "the quarantine became an Observation");

    // The EHR has what is true, and nothing twice.
    let arrived = at_the_ehr(&ehr, "the corrections at the EHR", |all| {
        let count = |status: &str| all.iter().filter(|one| one["status"] == status).count();
        (count("corrected"), count("entered-in-error"), count("final")) == (5, 1, 2)
    })
    .await;
    assert_eq!(arrived.len(), 8);
    assert_eq!(ehr.counts(), (8, 8));

    // The record of corrections names the replay; a second replay finds nothing to do.
    let record = ward.clinic.admin.get("/api/v1/reading-corrections").await.expect(200);
    let entries: Vec<&Value> =
        record["items"].as_array().unwrap().iter().filter(|entry| entry["replay"] == done["id"]).collect();
    assert_eq!(entries.len(), 8, "{record}");
    assert!(entries.iter().all(|entry| entry["action"] == "replay" && entry["reason"] == "version 1 was wrong"));
    let again = ward.replay(all(), false).await;
    assert_eq!(told(&again["counts"]), [7, 0, 7, 0, 0, 0, 0, 0, 0], "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_device_sends_again_meets_its_corrected_observation() {
    let ward = Ward::start().await;
    let line = format!("d 1 7025 {TIME}");
    let first = observation(&ward.send(&line).await);
    let total = "g 4 900 2025-06-01T00:00:00 2025-06-02T00:00:00";
    let steps = observation(&ward.send(total).await);
    let ward = ward.with(&["1.0.0", "2.0.0"]).await;
    ward.replay(all(), false).await;
    // The key of a `distinct` record holds its content; the record is known all the same.
    let again = ward.send(&line).await;
    assert_eq!((&again["outcome"], &again["observations"]), (&json!("duplicate"), &json!([first])));
    assert_eq!(ward.clinic.count("code=29463-7").await, 1);
    // A total goes on growing.
    let grown = ward.send(&total.replace("900", "950")).await;
    assert_eq!((&grown["outcome"], &grown["revised"]), (&json!("stored"), &json!([steps])));
    // What another uplink has made newer is not touched by replaying the older one.
    let back = json!({ "models": ["versioned"], "decoder": { "name": "versioned-decoder", "version": "1.0.0" }, "decodedBy": { "name": "versioned-decoder", "version": "2.0.0" }, "until": "2020-01-01T00:00:00Z" });
    ward.clinic.admin.post("/api/v1/replays", json!({ "scope": back, "reason": "none" })).await.expect(202);
    assert!(ward.value(&steps).await.0.starts_with("950"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_state_of_a_record_does_not_come_back() {
    let ward = Ward::start().await;
    let total = |steps: u32| format!("g 4 {steps} 2025-06-01T00:00:00 2025-06-02T00:00:00");
    let steps = observation(&ward.send(&total(100)).await);
    ward.send(&total(200)).await;
    assert!(ward.value(&steps).await.0.starts_with("205"), "version 1 counts five too many");
    let ward = ward.with(&["1.0.0", "2.0.0"]).await;
    let done = ward.replay(all(), false).await;
    let (value, status, version) = ward.value(&steps).await;
    assert_eq!((value.as_str(), status.as_str(), version.as_str()), ("200", "corrected", "3"), "{done}");
}
