//! Who may send, what form a request must have, and what each mistake is answered with.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{TestApp, blood_pressure};

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_is_stored_and_served() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let receipt = clinic.cuff.uplink("2A35", &blood_pressure(1)).await.expect(201);
    assert_eq!(receipt["outcome"], "stored");
    let ids = receipt["observations"].as_array().unwrap();
    assert_eq!(ids.len(), 2, "a blood pressure and a pulse: {receipt}");
    let pressure = clinic.observation(ids[0].as_str().unwrap()).await;
    assert_eq!(pressure["meta"]["profile"], json!(["http://hl7.org/fhir/StructureDefinition/bp"]));
    assert_eq!(pressure["subject"]["reference"], format!("Patient/{}", clinic.patient));
    assert_eq!(pressure["device"]["reference"], format!("Device/{}", clinic.device));
    assert_eq!(clinic.count(&format!("patient={}", clinic.patient)).await, 2);

    let uplink =
        clinic.admin.get(&format!("/api/v1/uplinks/{}", receipt["uplink"].as_str().unwrap())).await.expect(200);
    assert_eq!(uplink["outcome"], "stored");
    assert_eq!(uplink["size"], blood_pressure(1).len());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_valid_token_nothing_gets_in() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    for actor in [app.anonymous(), app.anonymous().with_token("afd_nonsense-nonsense-nonsense"), clinic.admin.clone()] {
        let answer = actor.uplink("2A35", &blood_pressure(1)).await;
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert!(answer.header("www-authenticate").is_some());
        assert_eq!(answer.expect(401)["type"], "/problems/unauthenticated");
    }
    assert_eq!(clinic.count("").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_and_a_deactivated_device_stop_within_a_second() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    clinic.cuff.uplink("2A35", &blood_pressure(1)).await.expect(201);

    clinic.admin.post(&format!("/api/v1/devices/{}/deactivate", clinic.device), json!({})).await.expect(200);
    // The memory of tokens still knows the device; the commit asks again.
    let refused = clinic.cuff.uplink("2A35", &blood_pressure(2)).await.expect(403);
    assert_eq!(refused["code"], "source.deactivated");
    clinic.admin.post(&format!("/api/v1/devices/{}/activate", clinic.device), json!({})).await.expect(200);
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    clinic.cuff.uplink("2A35", &blood_pressure(2)).await.expect(201);

    let tokens = clinic.admin.get(&format!("/api/v1/devices/{}/tokens", clinic.device)).await.expect(200);
    let token =
        tokens.pointer("/items/0/id").or_else(|| tokens.pointer("/0/id")).and_then(Value::as_str).unwrap().to_owned();
    clinic.admin.delete(&format!("/api/v1/devices/{}/tokens/{token}", clinic.device)).await.expect(204);
    clinic.cuff.uplink("2A35", &blood_pressure(3)).await.expect(401);
    assert_eq!(clinic.count("").await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_the_wrong_form_is_told_what_would_be_right() {
    let app = TestApp::start_with(&[("AFFERENT_MAX_BODY_BYTES", "64KiB")]).await;
    let clinic = app.clinic("north").await;
    let cuff = &clinic.cuff;
    let post = || cuff.request(Method::POST, "/ingest/v1/uplinks?channel=2A35");

    let empty = cuff.send(post().body(Vec::new())).await.expect(400);
    assert_eq!(empty["code"], "body.empty");
    let large = cuff.send(post().body(vec![0u8; 70 * 1024])).await.expect(413);
    assert_eq!(large["type"], "/problems/too-large", "{large}");
    let form =
        cuff.send(post().header("Content-Type", "application/x-www-form-urlencoded").body("a=b")).await.expect(415);
    assert_eq!(form["code"], "body.media-type");
    let when = cuff.send(post().header("Afferent-Captured-At", "yesterday").body(blood_pressure(1))).await.expect(422);
    assert_eq!(when["errors"][0]["pointer"], "Afferent-Captured-At");
    let key = cuff.send(post().header("Idempotency-Key", "with space").body(blood_pressure(1))).await.expect(400);
    assert_eq!(key["code"], "idempotency-key");
    let envelope = cuff
        .send(
            cuff.request(Method::POST, "/ingest/v1/uplinks")
                .header("Content-Type", "application/vnd.afferent.uplink+json")
                .body(r#"{"frames":[{"channel":"2A35"}]}"#),
        )
        .await
        .expect(422);
    assert_eq!(envelope["errors"][0]["pointer"], "/frames/0");
    assert_eq!(clinic.count("").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_frames_travel_in_an_envelope() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let (device, sensor) = clinic.device("bluetooth-sig", "MULTI-1").await;
    clinic.assign(&device, &clinic.patient, "2020-01-01T00:00:00Z", None).await;
    let envelope = json!({ "frames": [{ "channel": "2A35", "hex": hex::encode(blood_pressure(1)) }, { "channel": "2A35", "hex": hex::encode(blood_pressure(2)) }] });
    let request = sensor
        .request(Method::POST, "/ingest/v1/uplinks")
        .header("Content-Type", "application/vnd.afferent.uplink+json");
    let receipt = sensor.send(request.body(envelope.to_string())).await.expect(201);
    assert_eq!(receipt["observations"].as_array().unwrap().len(), 4, "{receipt}");
}
