//! Frames of one record that come in several uplinks: joined by whoever finds them, once.

use serde_json::{Value, json};

use crate::support::{Actor, Clinic, TempDir, TestApp, eventually};

struct Bench {
    _decoders: TempDir,
    app: TestApp,
    clinic: Clinic,
    device: String,
    scale: Actor,
}

async fn bench() -> Bench {
    let decoders = TempDir::new();
    std::fs::copy(env!("HOSTILE_DECODER"), decoders.path().join("hostile.wasm")).unwrap();
    let app = TestApp::start_with(&[("AFFERENT_DECODER_DIR", decoders.path().to_str().unwrap())]).await;
    let clinic = app.clinic("north").await;
    let (device, scale) = clinic.device("hostile-in-parts", "PARTS").await;
    clinic.assign(&device, &clinic.patient, "2020-01-01T00:00:00Z", None).await;
    Bench { _decoders: decoders, app, clinic, device, scale }
}

/// The parts of a record: number, of how many, a byte of the weight.
fn parts(hundredths: u16) -> [[u8; 3]; 2] {
    let [low, high] = hundredths.to_le_bytes();
    [[1, 2, low], [2, 2, high]]
}

/// The same of a device whose decoder refuses a later part alone.
fn strict_parts(hundredths: u16) -> [[u8; 3]; 2] {
    parts(hundredths).map(|[number, of, byte]| [number, of | 0x80, byte])
}

async fn uplink(clinic: &Clinic, receipt: &Value) -> Value {
    clinic.admin.get(&format!("/api/v1/uplinks/{}", receipt["uplink"].as_str().unwrap())).await.expect(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_frame_is_answered_with_the_record() {
    let Bench { clinic, device, scale, .. } = &bench().await;
    let [first, last] = strict_parts(7_025);
    let waits = scale.uplink("", &first).await.expect(202);
    assert_eq!(waits["outcome"], "incomplete");
    // Alone the last one would be refused.
    let stored = scale.uplink("", &last).await.expect(201);
    assert_eq!((&stored["outcome"], clinic.count("code=29463-7").await), (&json!("stored"), 1));
    let observation = clinic.observation(stored["observations"][0].as_str().unwrap()).await;
    assert_eq!(observation["valueQuantity"]["value"].to_string(), "70.25");
    let first = uplink(clinic, &waits).await;
    assert_eq!((&first["outcome"], &first["reason"]), (&json!("joined"), &stored["uplink"]));
    let all = clinic.admin.get(&format!("/api/v1/uplinks?device={device}")).await.expect(200);
    let outcomes: Vec<&str> =
        all["items"].as_array().unwrap().iter().map(|uplink| uplink["outcome"].as_str().unwrap()).collect();
    assert_eq!(
        outcomes.iter().filter(|outcome| **outcome == "joined").count(),
        2,
        "both, and what was made of them: {outcomes:?}"
    );
    assert_eq!(clinic.admin.get("/api/v1/quarantine").await.expect(200)["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_of_a_record_that_was_given_up_disturbs_no_other() {
    let Bench { clinic, scale, .. } = &bench().await;
    let [stale, _] = strict_parts(6_000);
    let [first, last] = strict_parts(7_025);
    scale.uplink("", &stale).await.expect(202);
    scale.uplink("", &first).await.expect(202);
    let stored = scale.uplink("", &last).await.expect(201);
    let observation = clinic.observation(stored["observations"][0].as_str().unwrap()).await;
    assert_eq!(observation["valueQuantity"]["value"].to_string(), "70.25");
    // The stale one is never completed: after the decoder's five seconds it is in quarantine, with the reason.
    let quarantined = eventually("the stale frame in quarantine", || async {
        let list = clinic.admin.get("/api/v1/quarantine").await.expect(200);
        list["items"].as_array().unwrap().first().cloned()
    })
    .await;
    assert_eq!(quarantined["reason"], "incomplete");
    assert_eq!(clinic.count("").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_come_at_once_or_across_a_restart_are_joined_once() {
    let Bench { app, clinic, device, scale, _decoders } = bench().await;
    // At once: neither request sees the other's frame.
    let [first, last] = parts(7_025);
    let at = |frame: [u8; 3], second: &'static str| {
        let request = scale.request(reqwest::Method::POST, "/ingest/v1/uplinks");
        let request = request.header("Content-Type", "application/octet-stream").header("Afferent-Captured-At", second);
        scale.send(request.body(frame.to_vec()))
    };
    let (one, other) = tokio::join!(at(first, "2026-03-01T08:00:00Z"), at(last, "2026-03-01T08:00:01Z"));
    assert!(one.status.is_success() && other.status.is_success());
    eventually("the record", || async { (clinic.count("").await == 1).then_some(()) }).await;

    // A restart between the frames, with two processes behind it.
    let [first, last] = parts(7_130);
    scale.uplink("", &first).await.expect(202);
    let (database, environment) =
        (app.database.clone(), [("AFFERENT_DECODER_DIR", _decoders.path().to_str().unwrap())]);
    drop(app);
    let (left, right) = (TestApp::on(database.clone(), &environment).await, TestApp::on(database, &environment).await);
    let sender = Actor::new(right.url(""), scale.token.clone());
    let stored = sender.uplink("", &last).await.expect(201);
    assert_eq!(stored["outcome"], "stored");
    let admin = Actor::new(left.url(""), clinic.admin.token.clone());
    let all = admin.get(&format!("/api/v1/uplinks?device={device}")).await.expect(200);
    let joined = all["items"].as_array().unwrap().iter().filter(|uplink| uplink["outcome"] == "joined").count();
    assert_eq!(joined, 4, "{all}");
    let bundle = admin.get(&format!("{}/Observation?_summary=count", clinic.fhir)).await.expect(200);
    assert_eq!(bundle["total"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_carries_the_frames_one_by_one_gets_the_record_for_the_last() {
    let Bench { clinic, device, .. } = &bench().await;
    let hub = clinic.hub("any-gateway", "H1").await;
    hub.pair(device, "AA:BB:CC:00:00:01").await;
    let [first, last] = parts(7_025);
    let frames: Vec<Value> = [first, last]
        .iter()
        .map(|part| json!({ "device": "AA:BB:CC:00:00:01", "hex": part.iter().map(|byte| format!("{byte:02x}")).collect::<String>() }))
        .collect();
    let answer = hub.send(json!(frames)).await.expect(202);
    let outcomes: Vec<&Value> = answer["items"].as_array().unwrap().iter().map(|item| &item["outcome"]).collect();
    assert_eq!(outcomes, [&json!("incomplete"), &json!("stored")], "{answer}");
    assert_eq!(clinic.count("").await, 1);
}
