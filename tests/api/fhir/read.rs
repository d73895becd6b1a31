//! Read, vread, and what a client that knows a version gets.

use reqwest::Method;
use serde_json::json;

use super::{heart_rate, person};
use crate::support::{TestApp, blood_pressure};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_served_is_what_was_stored() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    // Digits, order of elements and unknown extensions stay as they came.
    let text = format!(
        r#"{{"resourceType":"Observation","meta":{{"tag":[{{"system":"urn:t","code":"a"}}]}},"status":"final","subject":{{"reference":"Patient/{}"}},"code":{{"text":"weight"}},"valueQuantity":{{"unit":"kg","value":97.50}},"extension":[{{"url":"urn:example:x","valueDecimal":0.50}}]}}"#,
        clinic.patient
    );
    let request = clinic.admin.request(Method::POST, &format!("{}/Observation", clinic.fhir));
    let created = clinic.admin.send(request.header("Content-Type", "application/fhir+json").body(text)).await;
    assert_eq!(created.status, 201, "{}", created.text);
    assert!(created.text.contains(r#""valueQuantity":{"unit":"kg","value":97.50}"#), "{}", created.text);
    assert!(
        created.text.contains(r#""tag":[{"system":"urn:t","code":"a"}]"#) && created.text.contains("0.50"),
        "{}",
        created.text
    );
    assert_eq!(created.header("etag"), Some("W/\"1\""));
    let id = created.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(
        created.header("location").unwrap(),
        format!("{}{}/Observation/{id}/_history/1", app.url(""), clinic.fhir)
    );

    let read = clinic.admin.get(&format!("{}/Observation/{id}", clinic.fhir)).await;
    assert_eq!(
        (read.text.as_str(), read.header("content-type")),
        (created.text.as_str(), Some("application/fhir+json; charset=utf-8"))
    );
    assert_eq!(read.header("last-modified"), created.header("last-modified"));
    assert_eq!(read.json()["meta"]["versionId"], "1");
    let short = clinic.admin.get(&format!("/fhir/r4/Observation/{id}")).await;
    assert_eq!(short.text, created.text, "a token with one tenant needs no tenant in the path");
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_kept_and_a_known_one_is_not_sent_again() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let first = clinic.admin.post(&format!("{}/Patient", clinic.fhir), person("1", "Ärmel")).await.expect(201);
    let path = format!("{}/Patient/{}", clinic.fhir, first["id"].as_str().unwrap());
    let mut second = first.clone();
    second["name"][0]["family"] = json!("Bauer");
    let second = clinic.admin.put(&path, second).await;
    assert_eq!((second.status.as_u16(), second.header("etag")), (200, Some("W/\"2\"")));

    assert_eq!(clinic.admin.get(&format!("{path}/_history/1")).await.expect(200), first);
    assert_eq!(clinic.admin.get(&format!("{path}/_history/2")).await.text, second.text);
    for missing in ["3", "0", "x", "99999999999"] {
        clinic.admin.get(&format!("{path}/_history/{missing}")).await.expect(404);
    }
    let ask = |tag: &'static str| clinic.admin.request(Method::GET, &path).header("If-None-Match", tag);
    let unchanged = clinic.admin.send(ask("W/\"2\"")).await;
    assert_eq!((unchanged.status.as_u16(), unchanged.text.as_str()), (304, ""));
    assert_eq!(clinic.admin.send(ask("W/\"1\"")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_resources_do_not_exist() {
    let app = TestApp::start().await;
    let (north, south) = (app.clinic("north").await, app.clinic("south").await);
    let receipt = north.cuff.uplink("2A35", &blood_pressure(1)).await.expect(201);
    let reading = receipt["observations"][0].as_str().unwrap();
    for path in
        [format!("Patient/{}", north.patient), format!("Device/{}", north.device), format!("Observation/{reading}")]
    {
        north.admin.get(&format!("{}/{path}", north.fhir)).await.expect(200);
        // Through its own base, and through ours: both times as if it were not there.
        let own = south.admin.get(&format!("{}/{path}", south.fhir)).await.expect(404);
        let foreign = south.admin.get(&format!("{}/{path}", north.fhir)).await.expect(404);
        assert_eq!(
            (&own["resourceType"], &foreign["resourceType"]),
            (&json!("OperationOutcome"), &json!("OperationOutcome"))
        );
        south.admin.get(&format!("{}/{path}/_history/1", south.fhir)).await.expect(404);
    }
    let search = south.admin.get(&format!("{}/Observation?patient={}", south.fhir, north.patient)).await.expect(200);
    assert!(search.get("entry").is_none(), "{search}");
    south.admin.get(&format!("{}/Observation", north.fhir)).await.expect(404);
    // Nor can they be written to, nor written about.
    south
        .admin
        .put(&format!("{}/Observation/{reading}", south.fhir), {
            let mut stolen = heart_rate(&south.patient, "1", "2026-11-22");
            stolen["id"] = json!(reading);
            stolen
        })
        .await
        .expect(405);
    let refused = south
        .admin
        .post(&format!("{}/Observation", south.fhir), heart_rate(&north.patient, "1", "2026-11-22"))
        .await
        .expect(422);
    assert_eq!(refused["issue"][0]["expression"], json!(["Observation.subject.reference"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_platform_sees_no_patients() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let platform = app.platform_admin().await;
    let refused = platform.get(&format!("{}/Patient/{}", clinic.fhir, clinic.patient)).await.expect(403);
    assert_eq!(refused["issue"][0]["code"], "forbidden");
    platform.get("/fhir/r4/Patient").await.expect(403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_of_the_fleet_is_a_fhir_device_that_clients_only_read() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let path = format!("{}/Device/{}", clinic.fhir, clinic.device);
    let device = clinic.admin.get(&path).await.expect(200);
    assert_eq!(device["status"], "active");
    clinic.admin.put(&path, device.clone()).await.expect(405);
    clinic.admin.post(&format!("{}/Device", clinic.fhir), device).await.expect(405);
    clinic.admin.post(&format!("/api/v1/devices/{}/deactivate", clinic.device), json!({})).await.expect(200);
    assert_eq!(clinic.admin.get(&path).await.expect(200)["status"], "inactive");
    assert_eq!(clinic.admin.get(&format!("{path}/_history/1")).await.expect(200)["status"], "active");
    let found = clinic.admin.get(&format!("{}/Device?status=inactive", clinic.fhir)).await.expect(200);
    assert_eq!(super::ids(&found), std::slice::from_ref(&clinic.device));
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_needs_no_credential_and_tells_nobody_which_tenants_exist() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let anonymous = app.anonymous();
    let statement = anonymous.get(&format!("{}/metadata", clinic.fhir)).await.expect(200);
    assert_eq!(statement["fhirVersion"], "4.0.1");
    assert_eq!(statement["implementation"]["url"], format!("{}{}", app.url(""), clinic.fhir));
    let nobody = uuid::Uuid::now_v7().to_string();
    let other = anonymous.get(&format!("/t/{nobody}/fhir/r4/metadata")).await;
    assert_eq!(other.status, 200);
    assert_eq!(other.text.replace(&nobody, &clinic.tenant), statement.to_string());
    anonymous.get("/fhir/r4/metadata").await.expect(200);
    assert_eq!(
        anonymous.get(&format!("{}/.well-known/smart-configuration", clinic.fhir)).await.expect(404)["resourceType"],
        "OperationOutcome"
    );
}
