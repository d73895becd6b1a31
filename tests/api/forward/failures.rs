//! An EHR that fails on demand.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{deliveries, endpoint, pause, readings, settled};
use crate::support::{FakeEhr, Fault, TestApp, eventually};

/// Readings through these faults, to an EHR that creates whatever it is told to create: all of them, each once.
async fn once_through(faults: Vec<Fault>) {
    let (app, ehr) = (TestApp::start().await, FakeEhr::start().await);
    ehr.state().ignores_conditions = true;
    let clinic = app.clinic("clinic").await;
    let endpoint = endpoint(&clinic, &ehr, json!({ "active": false })).await;
    readings(&clinic, &[118, 119, 120, 121]).await;
    ehr.script(faults.clone());
    pause(&clinic, &endpoint, false).await;
    settled(&clinic, &endpoint, 4).await;
    assert_eq!(ehr.counts(), (4, 4), "{faults:?}");
    assert!(ehr.state().faults.is_empty(), "every fault was met");
    assert!(deliveries(&clinic, &endpoint, "dead").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_before_storing() {
    once_through(vec![Fault::Status(500), Fault::Status(503), Fault::Status(502), Fault::Status(500)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hanging_after_storing() {
    once_through(vec![Fault::StoreAndHang]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failing_after_storing() {
    once_through(vec![Fault::StoreAndFail(500)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn junk_after_storing() {
    once_through(vec![Fault::StoreAndJunk]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_few_answers_after_storing() {
    once_through(vec![Fault::StoreAndShorten]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_refused_reading_does_not_hold_up_its_neighbours() {
    let (app, ehr) = (TestApp::start().await, FakeEhr::start().await);
    ehr.state().refused_value = Some(124);
    let clinic = app.clinic("clinic").await;
    let endpoint = endpoint(&clinic, &ehr, json!({ "active": false })).await;
    let ids = readings(&clinic, &[120, 121, 122, 123, 124, 125, 126]).await;
    pause(&clinic, &endpoint, false).await;
    settled(&clinic, &endpoint, 6).await;
    let dead = deliveries(&clinic, &endpoint, "dead").await;
    assert_eq!(dead.len(), 1);
    assert_eq!((&dead[0]["resourceId"], &dead[0]["lastStatus"]), (&json!(ids[4]), &json!(422)));
    assert!(dead[0]["lastOutcome"].as_str().unwrap().contains("not plausible"));
    // The EHR's words can name the patient: operations do not get them.
    let platform = app.platform_admin().await;
    let seen = platform.get(&format!("/api/v1/deliveries?endpoint={endpoint}&state=dead")).await.expect(200);
    assert_eq!((seen["items"].as_array().unwrap().len(), &seen["items"][0]["lastOutcome"]), (1, &json!(null)));

    ehr.state().refused_value = None;
    let replay = format!("/api/v1/deliveries/{}/replay", dead[0]["id"].as_str().unwrap());
    assert_eq!(clinic.admin.post(&replay, json!({})).await.expect(200), json!({ "replayed": 1 }));
    settled(&clinic, &endpoint, 7).await;
    assert_eq!(ehr.counts(), (7, 7));
    // Once more, all of them: the identifiers keep the effect to one.
    let again = json!({ "endpoint": endpoint, "state": "delivered", "from": "2020-01-01T00:00:00Z" });
    assert_eq!(clinic.admin.post("/api/v1/deliveries/replay", again).await.expect(200), json!({ "replayed": 7 }));
    settled(&clinic, &endpoint, 14).await;
    assert_eq!(ehr.counts(), (7, 7));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_asks_for_time_gets_it() {
    let (app, ehr) = (TestApp::start().await, FakeEhr::start().await);
    let clinic = app.clinic("clinic").await;
    let endpoint = endpoint(&clinic, &ehr, json!({})).await;
    ehr.script([Fault::RetryAfter(429, 1)]);
    let before = Instant::now();
    readings(&clinic, &[120]).await;
    settled(&clinic, &endpoint, 1).await;
    assert!(before.elapsed() >= Duration::from_secs(1));
    let state = ehr.state();
    let sent: Vec<Instant> = state.transactions.iter().map(|(at, _)| *at).collect();
    assert_eq!((sent.len(), state.searches), (2, 0), "nothing was processed, nothing has to be asked");
    assert!(sent[1] - sent[0] >= Duration::from_millis(990), "{:?}", sent[1] - sent[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_is_waited_for() {
    let (app, ehr) = (TestApp::start().await, FakeEhr::start().await);
    let clinic = app.clinic("clinic").await;
    let endpoint = endpoint(&clinic, &ehr, json!({})).await;
    ehr.stop().await;
    readings(&clinic, &[120, 121, 122]).await;
    eventually("the circuit opens", || async {
        let status = clinic.admin.get(&format!("/api/v1/endpoints/{endpoint}/status")).await.expect(200);
        (status["failures"].as_i64() >= Some(5) && status["pending"] == 3 && status["lastError"].is_string())
            .then_some(())
    })
    .await;
    let ehr = ehr.restart();
    settled(&clinic, &endpoint, 3).await;
    assert_eq!((ehr.counts(), ehr.state().searches), ((3, 3), 0));
    let status = clinic.admin.get(&format!("/api/v1/endpoints/{endpoint}/status")).await.expect(200);
    assert_eq!((&status["breaker"], &status["failures"], &status["dead"]), (&json!("closed"), &json!(0), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_credential_kills_nothing() {
    let (app, ehr) = (TestApp::start().await, FakeEhr::start().await);
    ehr.state().token = Some("Bearer right".into());
    let clinic = app.clinic("clinic").await;
    let endpoint = endpoint(&clinic, &ehr, json!({ "auth": { "kind": "bearer", "token": "wrong" } })).await;
    readings(&clinic, &[120, 121]).await;
    let status = eventually("the circuit opens", || async {
        let status = clinic.admin.get(&format!("/api/v1/endpoints/{endpoint}/status")).await.expect(200);
        (status["failures"].as_i64() >= Some(1)).then_some(status)
    })
    .await;
    assert!(status["lastError"].as_str().unwrap().contains("401"), "{status}");
    assert_eq!((&status["pending"], &status["dead"]), (&json!(2), &json!(0)));
    let answer = clinic
        .admin
        .patch(&format!("/api/v1/endpoints/{endpoint}"), json!({ "auth": { "kind": "bearer", "token": "right" } }))
        .await;
    assert!(!answer.text.contains("right"), "the secret is not shown: {}", answer.text);
    settled(&clinic, &endpoint, 2).await;
    assert_eq!(ehr.counts(), (2, 2));
}
