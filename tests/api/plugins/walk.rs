//! The whole way of a decoder that was wrong: refused, compared, exchanged, and what it had made of people's payloads put
//! right, here and at the EHR, which is a second Afferent.

use afferent::identity::Role;
use serde_json::{Value, json};

use super::upload;
use crate::replay::versioned;
use crate::support::{Actor, TestApp, eventually};

const TIME: &str = "2025-06-01T07:00:00";

/// Waits until a job is done.
async fn done(actor: &Actor, path: &str) -> Value {
    eventually("the job to be done", || async {
        let job = actor.get(path).await.expect(200);
        (job["state"] == "done").then_some(job)
    })
    .await
}

async fn act(admin: &Actor, version: &str, what: &str) -> crate::support::Answer {
    let path = format!("/api/v1/plugins/versioned-decoder/versions/{version}/{what}");
    admin.post(&path, json!({ "reason": "the walk" })).await
}

/// The report of a draft over what is retained.
async fn report(admin: &Actor, version: &str) -> Value {
    let wish = json!({ "decoder": { "name": "versioned-decoder", "version": version } });
    let begun = admin.post("/api/v1/shadow-replays", wish).await.expect(202);
    let path = format!("/api/v1/shadow-replays/{}", begun["id"].as_str().unwrap());
    done(admin, &path).await;
    admin.get(&format!("{path}/report")).await.expect(200)
}

/// Weights over there, by status and value.
async fn weights(reader: &Actor, fhir: &str) -> Vec<(String, String)> {
    let bundle = reader.get(&format!("{fhir}/Observation?code=29463-7")).await.expect(200);
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    let mut found: Vec<(String, String)> = entries
        .iter()
        .map(|entry| {
            let one = &entry["resource"];
            (one["status"].as_str().unwrap().to_owned(), one["valueQuantity"]["value"].to_string())
        })
        .collect();
    found.sort();
    found
}

fn weight(status: &str, value: &str) -> (String, String) {
    (status.to_owned(), value.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_decoder_is_replaced_and_what_it_said_put_right_here_and_at_the_ehr() {
    let app = TestApp::start().await;
    let admin = app.platform_admin().await;

    // One that does not keep its own promise is refused, with the example that shows it.
    let refused = upload(&admin, crate::support::versioned("1.0.0", 'X')).await.expect(422);
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.contains("a weight") && detail.contains("1.00 kg") && detail.contains("70.25 kg"), "{detail}");

    // 1.0.0 passes its examples, and is wrong all the same: 5 kg too much, and it refuses one kind of record.
    upload(&admin, versioned("1.0.0")).await.expect(201);
    act(&admin, "1.0.0", "activate").await.expect(200);
    let clinic = app.clinic("north").await;
    let hospital = app.clinic("hospital").await;
    let writer = app.member(Role::CustomerAdmin, &hospital.tenant).await;
    let endpoint = json!({
        "tenant": clinic.tenant, "name": "Hospital", "kind": "fhir", "url": app.url(&hospital.fhir), "createPatients": true,
        "auth": { "kind": "bearer", "token": writer.token },
    });
    clinic.admin.post("/api/v1/endpoints", endpoint).await.expect(201);
    let (device, scale) = clinic.device("versioned", "S1").await;
    clinic.assign(&device, &clinic.patient, "2020-01-01T00:00:00Z", None).await;
    let stored = scale.uplink("", format!("k 1 7025 {TIME}").as_bytes()).await.expect(201);
    let kept = scale.uplink("", format!("x 2 7125 {TIME}").as_bytes()).await.expect(202);
    assert_eq!(kept["outcome"], "undecodable");
    let there = async |expected: Vec<(String, String)>| {
        eventually(&format!("the EHR to have {expected:?}"), || async {
            (weights(&hospital.admin, &hospital.fhir).await == expected).then_some(())
        })
        .await;
    };
    there(vec![weight("final", "75.25")]).await;

    // The draft of 2.0.0: what it would change is known before it serves.
    upload(&admin, versioned("2.0.0")).await.expect(201);
    assert_eq!(act(&admin, "2.0.0", "activate").await.expect(409)["code"], "plugin.not-compared");
    let draft = report(&admin, "2.0.0").await;
    assert_eq!(
        (&draft["changed"], &draft["newlyDecoded"], &draft["newlyFailing"]),
        (&json!(1), &json!(1), &json!(0)),
        "{draft}"
    );
    let fields = draft["fields"].as_array().unwrap();
    let value = fields.iter().find(|one| one["kind"] == "body-weight" && one["field"] == "value").unwrap();
    assert_eq!(value["count"], 1);
    let examples = draft["examples"].to_string();
    assert!(examples.contains("75.25") && examples.contains("70.25"), "before and after: {draft}");
    assert_eq!(clinic.count("code=29463-7").await, 1, "a shadow stores nothing");
    act(&admin, "2.0.0", "activate").await.expect(200);

    // Tried first, then done: the wrong one gets a new version, the quarantined one becomes an Observation.
    for dry_run in [true, false] {
        let wish = json!({ "tenant": clinic.tenant, "scope": { "models": ["versioned"] }, "dryRun": dry_run, "reason": "1.0.0 was wrong" });
        let begun = clinic.admin.post("/api/v1/replays", wish).await.expect(202);
        done(&clinic.admin, &format!("/api/v1/replays/{}", begun["id"].as_str().unwrap())).await;
        assert_eq!(clinic.count("code=29463-7").await, if dry_run { 1 } else { 2 });
    }
    let id = stored["observations"][0].as_str().unwrap();
    let corrected = clinic.observation(id).await;
    assert_eq!(
        (&corrected["status"], corrected["valueQuantity"]["value"].to_string().as_str()),
        (&json!("corrected"), "70.25")
    );
    let history = clinic.admin.get(&format!("{}/Observation/{id}/_history", clinic.fhir)).await.expect(200);
    assert_eq!(history["entry"].as_array().unwrap().len(), 2, "the wrong one is not forgotten: {history}");
    assert_eq!(clinic.admin.get("/api/v1/quarantine").await.expect(200)["items"], json!([]));
    there(vec![weight("corrected", "70.25"), weight("final", "71.25")]).await;

    // 3.0.0 would name the records otherwise: what is sent again would be stored twice. It does not serve before somebody
    // has said what becomes of that; and the version before comes back with one call.
    upload(&admin, versioned("3.0.0")).await.expect(201);
    let blocked = report(&admin, "3.0.0").await;
    assert_eq!(blocked["verdict"], "blocked", "{blocked}");
    assert_eq!(act(&admin, "3.0.0", "activate").await.expect(409)["code"], "record-keys-changed");
    let decision = json!({ "recordKeys": "accept", "reason": "nothing is sent again" });
    let path = format!("/api/v1/shadow-replays/{}/record-keys", blocked["shadow"]["id"].as_str().unwrap());
    admin.post(&path, decision).await.expect(200);
    act(&admin, "3.0.0", "activate").await.expect(200);
    let back = admin.post("/api/v1/plugins/versioned-decoder/rollback", json!({ "reason": "the walk ends" })).await;
    assert_eq!(back.expect(200)["version"], "2.0.0");
    // What was compared with another version counts no more.
    assert_eq!(act(&admin, "3.0.0", "activate").await.expect(409)["code"], "plugin.not-compared");
    // Sent again: known.
    let again = scale.uplink("", format!("k 1 7025 {TIME}").as_bytes()).await.expect(200);
    assert_eq!(again["observations"], stored["observations"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_in_the_shadow_is_compared_on_live_uplinks_until_it_serves() {
    let app = TestApp::start().await;
    let admin = app.platform_admin().await;
    for version in ["1.0.0", "2.0.0"] {
        upload(&admin, versioned(version)).await.expect(201);
    }
    act(&admin, "1.0.0", "activate").await.expect(200);
    let shadow = json!({ "share": 100, "reason": "the walk" });
    admin.post("/api/v1/plugins/versioned-decoder/versions/2.0.0/shadow", shadow).await.expect(200);
    let runs = async || admin.get("/api/v1/shadow-replays").await.expect(200)["items"].as_array().unwrap().clone();
    let run = runs().await.into_iter().find(|run| run["state"] == "running").expect("a live shadow runs");
    let clinic = app.clinic("north").await;
    let (device, scale) = clinic.device("versioned", "S1").await;
    clinic.assign(&device, &clinic.patient, "2020-01-01T00:00:00Z", None).await;
    let path = format!("/api/v1/shadow-replays/{}/report", run["id"].as_str().unwrap());
    let mut number = 0;
    // Until the process has noticed, and then some: each is 5 kg too much by the version that serves.
    loop {
        number += 1;
        assert!(number < 600, "the live shadow sees nothing");
        scale.uplink("", format!("k {number} 7025 {TIME}").as_bytes()).await.expect(201);
        let report = admin.get(&path).await.expect(200);
        if report["changed"].as_u64().unwrap_or_default() > 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    // A live shadow sees what comes, and not what is there: that is asked for.
    assert_eq!(act(&admin, "2.0.0", "activate").await.expect(409)["code"], "plugin.not-compared");
    report(&admin, "2.0.0").await;
    act(&admin, "2.0.0", "activate").await.expect(200);
    assert!(runs().await.iter().all(|run| run["state"] != "running"), "what serves is no shadow any more");
}
