//! The same payload at the same moment to two processes: one Observation, one answer.

use futures_util::future::join_all;
use serde_json::Value;

use crate::support::{Actor, Clinic, ServerProcess, TestApp, blood_pressure, weight};

async fn sixteen(
    clinic: &Clinic,
    token: &Actor,
    servers: &[ServerProcess; 2],
    channel: &str,
    frame: &[u8],
) -> Vec<Value> {
    let posts = (0..16).map(|number| {
        let server = &servers[number % 2];
        let actor = Actor::new(format!("http://{}", server.address), token.token.clone());
        async move { actor.uplink(channel, frame).await }
    });
    let answers = join_all(posts).await;
    let with = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((with(201), with(200)), (1, 15), "{answers:?}");
    let ids = answers[0].json()["observations"].clone();
    assert!(answers.iter().all(|answer| answer.json()["observations"] == ids), "{answers:?}");
    let ids = ids.as_array().unwrap().clone();
    for id in &ids {
        clinic.observation(id.as_str().unwrap()).await;
    }
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_at_once_to_two_processes_make_one_observation() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let (device, scale) = clinic.device("gatt-2A9D", "SCALE").await;
    clinic.assign(&device, &clinic.patient, "2020-01-01T00:00:00Z", None).await;
    let servers =
        [ServerProcess::start(&app.database, None, &[]).await, ServerProcess::start(&app.database, None, &[]).await];
    for round in 0..5 {
        // A record that is known by its time; and bytes without time or number, known for a minute.
        let cuff = sixteen(&clinic, &clinic.cuff, &servers, "2A35", &blood_pressure(round)).await;
        let scale = sixteen(&clinic, &scale, &servers, "2A9D", &weight(14_000 + u16::try_from(round).unwrap())).await;
        assert_eq!((cuff.len(), scale.len()), (2, 1));
    }
    assert_eq!(clinic.count("").await, 5 * 3);
}

/// A key that was taken for a request which is answered from an earlier one, or refused, answers for nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_body_can_be_sent_again_under_a_new_key() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let (device, scale) = clinic.device("gatt-2A9D", "SCALE").await;
    clinic.assign(&device, &clinic.patient, "2020-01-01T00:00:00Z", None).await;
    let post = async |key: &str, steps: u16| {
        let request = scale.request(reqwest::Method::POST, "/ingest/v1/uplinks?channel=2A9D");
        scale.send(request.header("Idempotency-Key", key).body(weight(steps))).await
    };
    post("key-1", 14_000).await.expect(201);
    // Another weight under the same key by mistake: refused, as the answer says nothing of it is kept …
    assert_eq!(post("key-1", 15_000).await.expect(409)["code"], "idempotency-key.reused");
    // … so under a new key it is stored, and not taken for a repeat of what is nowhere.
    let second = post("key-2", 15_000).await.expect(201);
    assert_eq!(second["observations"].as_array().unwrap().len(), 1, "{second}");
    // The same bytes within the minute under a third key are a repeat, and the third key gives that answer again.
    let third = post("key-3", 15_000).await.expect(200);
    assert_eq!((&third["observations"], &third["reason"]), (&second["observations"], &"repeated-within-window".into()));
    let again = post("key-3", 15_000).await.expect(200);
    assert_eq!(again["observations"], second["observations"]);
    assert_eq!(clinic.count("").await, 2);
}
