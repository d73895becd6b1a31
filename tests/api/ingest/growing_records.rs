//! Records that grow (`replace`): a day's total comes again with other content and is a new version of the same
//! Observation; an older state that arrives late changes nothing.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Actor, Stage};

/// A day's total, as a tracker sends it again and again.
fn total(steps: u32) -> String {
    format!(
        "kind=steps-day\nvalue={steps} {{steps}}/(24.h)\ntime=2025-06-01T00:00:00\nend=2025-06-02T00:00:00\nkey=day-2025-06-01\nchange=replace"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grown_total_is_a_new_version_of_the_same_observation() {
    let stage = Stage::start().await;
    let (_, tracker) = stage.device("T1").await;
    let first = tracker.script(&total(500)).await.expect(201);
    let id = first["observations"][0].as_str().unwrap().to_owned();
    let before = stage.clinic.observation(&id).await;
    let again = tracker.script(&total(500)).await.expect(200);
    assert_eq!((&again["outcome"], &again["observations"]), (&json!("duplicate"), &json!([id])));

    let grown = tracker.script(&total(1250)).await.expect(201);
    assert_eq!(grown["outcome"], "stored");
    assert_eq!((&grown["observations"], &grown["revised"]), (&json!([id]), &json!([id])));
    let after = stage.clinic.observation(&id).await;
    assert_eq!(after["meta"]["versionId"], "2");
    assert_eq!(after["identifier"], before["identifier"]);
    assert_eq!(after["valueQuantity"]["value"], json!(1250));
    assert_eq!((&before["status"], &after["status"]), (&json!("final"), &json!("amended")));
    assert_ne!(after["meta"]["source"], before["meta"]["source"], "the version names the uplink that brought it");
    assert_eq!(stage.clinic.count("code=41950-7").await, 1);
    // The index follows the content; what it was stays readable.
    assert_eq!(stage.clinic.count("code=41950-7&status=amended").await, 1);
    assert_eq!(stage.clinic.count("code=41950-7&status=final").await, 0);
    let old = stage.clinic.admin.get(&format!("{}/Observation/{id}/_history/1", stage.clinic.fhir)).await.expect(200);
    assert_eq!(old, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_state_that_arrives_late_changes_nothing() {
    let stage = Stage::start().await;
    let (_, tracker) = stage.device("T1").await;
    let at = |hour: u32| format!("2025-06-01T{hour:02}:00:00Z");
    let first = tracker.script_captured(&total(4000), &at(17)).await.expect(201);
    let id = first["observations"][0].as_str().unwrap().to_owned();
    // The phone's upload of the morning comes in the evening.
    let late = tracker.script_captured(&total(500), &at(10)).await.expect(200);
    assert_eq!((&late["outcome"], &late["reason"]), (&json!("duplicate"), &json!("superseded")));
    assert_eq!(late["observations"], json!([id]));
    // The same total seen later is still the total then: what was seen between is old.
    tracker.script_captured(&total(4000), &at(20)).await.expect(200);
    let between = tracker.script_captured(&total(3900), &at(18)).await.expect(200);
    assert_eq!(between["reason"], "superseded");
    let stored = stage.clinic.observation(&id).await;
    assert_eq!((&stored["meta"]["versionId"], &stored["valueQuantity"]["value"]), (&json!("1"), &json!(4000)));
    // A total may shrink: the tracker corrected itself.
    let corrected = tracker.script_captured(&total(3950), &at(21)).await.expect(201);
    assert_eq!(corrected["revised"], json!([id]));
    // A phone whose clock runs ahead does not lock the record for the rest of time.
    tracker.script_captured(&total(4100), "2035-01-01T00:00:00Z").await.expect(201);
    tracker.script_captured(&total(4200), "2035-01-01T00:00:00Z").await.expect(201);
    let stored = stage.clinic.observation(&id).await;
    assert_eq!((&stored["meta"]["versionId"], &stored["valueQuantity"]["value"]), (&json!("4"), &json!(4200)));
}

#[tokio::test(flavor = "multi_thread")]
async fn states_of_one_uplink_make_the_newest_current() {
    let stage = Stage::start().await;
    let (_, tracker) = stage.device("T1").await;
    let script = [total(100), total(300), total(200)].join("\n\n");
    let answer = tracker.script(&script).await.expect(201);
    let [id] = answer["observations"].as_array().unwrap().as_slice() else { panic!("one Observation in {answer}") };
    assert_eq!(answer["revised"], json!([id]));
    let stored = stage.clinic.observation(id.as_str().unwrap()).await;
    assert_eq!((&stored["meta"]["versionId"], &stored["valueQuantity"]["value"]), (&json!("2"), &json!(200)));
    assert_eq!(stored["status"], "amended");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_end_with_the_newest_state_and_every_version() {
    let stage = Stage::start().await;
    let second = stage.second().await;
    let (_, here) = stage.device("T1").await;
    let there = Actor::new(second.url(""), here.token.clone());
    here.script_captured(&total(0), "2025-06-01T08:00:00Z").await.expect(201);
    for round in 1..=4u32 {
        let posts = (0..6u32).map(|number| {
            let actor = if number % 2 == 0 { here.clone() } else { there.clone() };
            let captured = format!("2025-06-01T{:02}:{:02}:00Z", 8 + round, (number * 7) % 60);
            async move { actor.script_captured(&total(round * 1000 + number), &captured).await }
        });
        let answers = join_all(posts).await;
        assert!(answers.iter().all(|answer| matches!(answer.status.as_u16(), 200 | 201)), "{answers:?}");
        let bundle =
            stage.clinic.admin.get(&format!("{}/Observation?code=41950-7", stage.clinic.fhir)).await.expect(200);
        let [entry] = bundle["entry"].as_array().unwrap().as_slice() else { panic!("one Observation in {bundle}") };
        let stored = &entry["resource"];
        assert_eq!(stored["valueQuantity"]["value"], json!(round * 1000 + 5), "the state that was captured last");
        let version: u32 = stored["meta"]["versionId"].as_str().unwrap().parse().unwrap();
        let (mut updated, id) = (String::new(), stored["id"].as_str().unwrap());
        for number in 1..=version {
            let path = format!("{}/Observation/{id}/_history/{number}", stage.clinic.fhir);
            let one = stage.clinic.admin.get(&path).await.expect(200);
            assert_eq!(one["meta"]["versionId"], json!(number.to_string()));
            let at = one["meta"]["lastUpdated"].as_str().unwrap().to_owned();
            assert!(at >= updated, "a version is not older than the one before");
            updated = at;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_a_person_withdrew_is_not_revived_by_its_device() {
    let stage = Stage::start().await;
    let (_, tracker) = stage.device("T1").await;
    let first = tracker.script(&total(500)).await.expect(201);
    let id = first["observations"][0].as_str().unwrap();
    let mut wrong = stage.clinic.observation(id).await;
    wrong["status"] = json!("entered-in-error");
    stage.clinic.admin.put(&format!("{}/Observation/{id}", stage.clinic.fhir), wrong).await.expect(200);
    tracker.script(&total(500)).await.expect(200);
    let grown = tracker.script(&total(900)).await.expect(202);
    assert_eq!((&grown["outcome"], &grown["reason"]), (&json!("held"), &json!("record-changed")));
    assert_eq!(stage.clinic.observation(id).await["status"], "entered-in-error");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_of_two_wearers_is_nobodys_total() {
    let stage = Stage::start().await;
    let clinic = &stage.clinic;
    let (device, tracker) = clinic.device("scripted", "T1").await;
    let other = clinic.patient("other").await;
    clinic.assign(&device, &clinic.patient, "2020-01-01T00:00:00Z", Some("2025-06-02T10:00:00Z")).await;
    clinic.assign(&device, &other, "2025-06-02T10:00:00Z", None).await;
    // The first of June is the first wearer's, the third the other's; the second is of both.
    let first = tracker.script(&total(500)).await.expect(201);
    let subject = async |receipt: &serde_json::Value| {
        clinic.observation(receipt["observations"][0].as_str().unwrap()).await["subject"]["reference"].clone()
    };
    assert_eq!(subject(&first).await, json!(format!("Patient/{}", clinic.patient)));
    let day =
        |from: u32| total(700).replace("06-02", &format!("06-0{}", from + 1)).replace("06-01", &format!("06-0{from}"));
    let shared = tracker.script(&day(2)).await.expect(202);
    assert_eq!((&shared["outcome"], &shared["reason"]), (&json!("unassigned"), &json!("unassigned")));
    let third = tracker.script(&day(3)).await.expect(201);
    assert_eq!(subject(&third).await, json!(format!("Patient/{other}")));
}
