//! The same again is the same: by record key, by Idempotency-Key, by bytes within a short window.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::support::{TestApp, blood_pressure, weight};

#[tokio::test(flavor = "multi_thread")]
async fn the_same_record_twice_is_one_observation() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let first = clinic.cuff.uplink("2A35", &blood_pressure(1)).await.expect(201);
    let second = clinic.cuff.uplink("2A35", &blood_pressure(1)).await.expect(200);
    assert_eq!(second["outcome"], "duplicate");
    assert_eq!(second["observations"], first["observations"]);
    assert_eq!(clinic.count("").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_identical_posts_at_once_make_one_observation() {
    let app = TestApp::start().await;
    let second = TestApp::on(app.database.clone(), &[]).await;
    let clinic = app.clinic("north").await;
    let elsewhere = crate::support::Actor::new(second.url(""), clinic.cuff.token.clone());
    let frame = blood_pressure(1);
    let posts = (0..16).map(|number| {
        let actor = if number % 2 == 0 { clinic.cuff.clone() } else { elsewhere.clone() };
        let frame = frame.clone();
        async move { actor.uplink("2A35", &frame).await }
    });
    let answers = join_all(posts).await;
    let stored = answers.iter().filter(|answer| answer.status == 201).count();
    let known = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!((stored, known), (1, 15));
    let ids = answers[0].json()["observations"].clone();
    assert!(answers.iter().all(|answer| answer.json()["observations"] == ids));
    assert_eq!(clinic.count("").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_gets_the_first_answer_and_no_other_body() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let post = async |key: &str, frame: Vec<u8>| {
        let request = clinic
            .cuff
            .request(Method::POST, "/ingest/v1/uplinks?channel=2A35")
            .header("Idempotency-Key", key.to_owned());
        clinic.cuff.send(request.body(frame)).await
    };
    let first = post("key-1", blood_pressure(1)).await.expect(201);
    let again = post("key-1", blood_pressure(1)).await.expect(200);
    assert_eq!((&again["uplink"], &again["observations"]), (&first["uplink"], &first["observations"]));
    let other = post("key-1", blood_pressure(2)).await.expect(409);
    assert_eq!(other["code"], "idempotency-key.reused");
    assert_eq!(clinic.count("").await, 2);
    // A request that was turned away leaves no trace of its key.
    clinic.admin.post(&format!("/api/v1/devices/{}/deactivate", clinic.device), json!({})).await.expect(200);
    post("key-2", blood_pressure(3)).await.expect(403);
    clinic.admin.post(&format!("/api/v1/devices/{}/activate", clinic.device), json!({})).await.expect(200);
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    post("key-2", blood_pressure(3)).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_without_time_repeat_only_within_the_window() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let (device, scale) = clinic.device("gatt-2A9D", "SCALE").await;
    clinic.assign(&device, &clinic.patient, "2020-01-01T00:00:00Z", None).await;
    let first = scale.uplink("2A9D", &weight(14_000)).await.expect(201);
    let repeat = scale.uplink("2A9D", &weight(14_000)).await.expect(200);
    assert_eq!(repeat["observations"], first["observations"]);
    assert_eq!(repeat["reason"], "repeated-within-window");
    scale.uplink("2A9D", &weight(14_001)).await.expect(201);
    assert_eq!(clinic.count("code=29463-7").await, 2);
    // The drop is visible.
    let list = clinic.admin.get(&format!("/api/v1/uplinks?device={device}&outcome=duplicate")).await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);

    // After the window the same bytes are another measurement that happens to be equal.
    let mut conn = crate::support::connect(&app.database.superuser_url).await;
    diesel_async::SimpleAsyncConnection::batch_execute(
        &mut conn,
        "UPDATE ingest_key SET expires_at = now() - interval '1 second'",
    )
    .await
    .unwrap();
    scale.uplink("2A9D", &weight(14_000)).await.expect(201);
    assert_eq!(clinic.count("code=29463-7").await, 3);
}
