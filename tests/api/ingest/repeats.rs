//! The same again is the same: by record key, by Idempotency-Key, by bytes within a short window.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::support::{Actor, Stage, TestApp, blood_pressure, weight};

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

#[tokio::test(flavor = "multi_thread")]
async fn an_envelope_means_what_its_frames_mean_one_by_one() {
    let stage = Stage::start().await;
    let (_, band) = stage.device("B1").await;
    let beat = "kind=heart-rate\nvalue=72 /min\nframe=own";
    let at = |minute: u32| format!("2025-06-01T10:{minute:02}:00Z");
    // The same bytes five minutes later are another measurement; twenty seconds later the same transmission.
    let frames = [(beat, Some(at(0))), (beat, Some(at(5))), (beat, Some("2025-06-01T10:05:20Z".to_owned()))];
    let frames: Vec<_> = frames.iter().map(|(lines, captured)| (*lines, captured.as_deref())).collect();
    let answer = band.script_envelope(&frames).await.expect(201);
    let ids = answer["observations"].as_array().unwrap();
    assert_eq!((ids.len(), &answer["reason"]), (2, &json!("repeated-within-window")), "{answer}");
    let mut times = Vec::new();
    for id in ids {
        let one = stage.clinic.observation(id.as_str().unwrap()).await;
        times.push(one["effectiveDateTime"].as_str().unwrap().to_owned());
    }
    // Each has the time of its own frame.
    assert_eq!(times, ["2025-06-01T12:00:00+02:00", "2025-06-01T12:05:00+02:00"]);
    // The same envelope again is known.
    assert_eq!(band.script_envelope(&frames).await.expect(200)["observations"], answer["observations"]);
    // Without captures they all came with the receipt.
    let uncaptured = band.script_envelope(&[(beat, None), (beat, None)]).await.expect(201);
    assert_eq!(uncaptured["observations"].as_array().unwrap().len(), 1);
    // A decoder that does not say the frame is believed: equal readings are that many.
    let unsaid = "kind=heart-rate\nvalue=75 /min";
    let told = band.script_envelope(&[(unsaid, None), (unsaid, None)]).await.expect(201);
    assert_eq!(told["observations"].as_array().unwrap().len(), 2);
    // So are equal readings of one frame.
    let twice = band.script("kind=heart-rate\nvalue=76 /min\n\nkind=heart-rate\nvalue=76 /min").await.expect(201);
    assert_eq!(twice["observations"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_phone_kept_while_it_was_offline_is_not_a_repeat() {
    let stage = Stage::start().await;
    let (_, band) = stage.device("B1").await;
    let beat = "kind=heart-rate\nvalue=72 /min";
    // All at once, and the newest first.
    for minute in [30, 20, 10] {
        band.script_captured(beat, &format!("2025-06-01T10:{minute}:00Z")).await.expect(201);
    }
    let again = band.script_captured(beat, "2025-06-01T10:10:20Z").await.expect(200);
    assert_eq!(again["reason"], "repeated-within-window");
    assert_eq!(stage.clinic.count("code=8867-4").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_has_a_window_of_its_own() {
    let stage = Stage::start().await;
    let (device, band) = stage.clinic.device("hostile-well-behaved", "W1").await;
    stage.clinic.assign(&device, &stage.clinic.patient, "2020-01-01T00:00:00Z", None).await;
    // The decoder's manifest says: equal bytes of this model are never a repeat.
    for _ in 0..3 {
        band.uplink("", &[0xB0, 0x36]).await.expect(201);
    }
    assert_eq!(stage.clinic.count("code=29463-7").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_idempotency_key_on_two_servers_at_once_and_after_a_restart() {
    let stage = Stage::start().await;
    let second = stage.second().await;
    let (_, here) = stage.device("K1").await;
    let there = Actor::new(second.url(""), here.token.clone());
    let post = async |actor: &Actor, body: &str| {
        let request = actor.request(Method::POST, "/ingest/v1/uplinks").header("Idempotency-Key", "one");
        actor.send(request.header("Content-Type", "text/plain").body(body.to_owned())).await
    };
    // No record key: only the Idempotency-Key tells that these are the same.
    let (a, b) = ("kind=heart-rate\nvalue=72 /min", "kind=heart-rate\nvalue=73 /min");
    let answers = join_all((0..8).map(|number| {
        let (actor, body) = (if number % 2 == 0 { &here } else { &there }, if number < 4 { a } else { b });
        post(actor, body)
    }))
    .await;
    let with = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((with(201), with(200), with(409)), (1, 3, 4), "{answers:?}");
    let stored = answers.iter().find(|answer| answer.status == 201).unwrap().json();
    let known: Vec<_> = answers.iter().filter(|answer| answer.status == 200).map(|answer| answer.json()).collect();
    assert!(known.iter().all(|answer| answer["observations"] == stored["observations"]));
    assert_eq!(stage.clinic.count("code=8867-4").await, 1);

    let restarted = stage.second().await;
    let after = Actor::new(restarted.url(""), here.token.clone());
    let winner = if stage.clinic.observation(stored["observations"][0].as_str().unwrap()).await["valueQuantity"]["value"]
        == json!(72)
    {
        (a, b)
    } else {
        (b, a)
    };
    let again = post(&after, winner.0).await.expect(200);
    assert_eq!((&again["uplink"], &again["observations"]), (&stored["uplink"], &stored["observations"]));
    post(&after, winner.1).await.expect(409);
    // What was refused left no key of its bytes behind: without the Idempotency-Key it is taken.
    here.script(winner.1).await.expect(201);
    // The same bytes with a new key are still the same transmission, and the key has its answer.
    let keyed = async || {
        let request = here.request(Method::POST, "/ingest/v1/uplinks").header("Idempotency-Key", "two");
        here.send(request.body(winner.1.to_owned())).await.expect(200)
    };
    assert_eq!(keyed().await["observations"], keyed().await["observations"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_content_under_a_known_key_is_what_the_decoder_declared() {
    let stage = Stage::start().await;
    let (_, meter) = stage.device("M1").await;
    let record = |value: u32, change: &str| {
        format!("kind=heart-rate\nvalue={value} /min\ntime=2025-06-01T08:00:00\nkey={change}-1\nchange={change}")
    };
    meter.script(&record(70, "distinct")).await.expect(201);
    meter.script(&record(71, "distinct")).await.expect(201);
    meter.script(&record(70, "distinct")).await.expect(200);
    assert_eq!(stage.clinic.count("code=8867-4").await, 2);
    meter.script(&record(80, "conflict")).await.expect(201);
    meter.script(&record(80, "conflict")).await.expect(200);
    let changed = meter.script(&record(81, "conflict")).await.expect(202);
    assert_eq!((&changed["outcome"], &changed["reason"]), (&json!("held"), &json!("record-changed")));
    assert_eq!(stage.clinic.count("code=8867-4").await, 3);
    // The list position takes no part in the identity of what has a key.
    let (a, b) = (record(90, "distinct"), record(91, "distinct"));
    let first = meter.script(&format!("{a}\n\n{b}")).await.expect(201);
    let turned = meter.script(&format!("{b}\n\n{a}")).await.expect(200);
    let sorted = |answer: &serde_json::Value| {
        let mut ids: Vec<String> = serde_json::from_value(answer["observations"].clone()).unwrap();
        ids.sort();
        ids
    };
    assert_eq!(sorted(&first), sorted(&turned));
}
