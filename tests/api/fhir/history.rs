//! Every version of a resource, newest first; in pages; for those who may read it.

use afferent::identity::Role;
use serde_json::{Value, json};

use super::{heart_rate, link};
use crate::support::{Clinic, TestApp};

/// An Observation with so many versions; its path.
async fn with_versions(clinic: &Clinic, versions: u32) -> String {
    let made = clinic
        .admin
        .post(&format!("{}/Observation", clinic.fhir), heart_rate(&clinic.patient, "h1", "2026-01-01T10:00:00Z"))
        .await
        .expect(201);
    let path = format!("{}/Observation/{}", clinic.fhir, made["id"].as_str().unwrap());
    for version in 2..=versions {
        let mut next = made.clone();
        next["valueQuantity"]["value"] = json!(80 + version);
        let answer = clinic.admin.put(&path, next).await;
        assert_eq!(answer.header("ETag"), Some(format!("W/\"{version}\"").as_str()));
        answer.expect(200);
    }
    path
}

fn versions(bundle: &Value) -> Vec<&str> {
    let entries = bundle["entry"].as_array().map(Vec::as_slice).unwrap_or_default();
    entries.iter().map(|entry| entry["resource"]["meta"]["versionId"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_versions_are_there_newest_first() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let path = with_versions(&clinic, 3).await;
    let bundle = clinic.admin.get(&format!("{path}/_history")).await.expect(200);
    assert_eq!((&bundle["type"], &bundle["total"]), (&json!("history"), &json!(3)));
    assert_eq!(versions(&bundle), ["3", "2", "1"]);
    assert_eq!(link(&bundle, "next"), None);
    let id = path.rsplit_once("/Observation/").unwrap().1;
    let [newest, _, first] = bundle["entry"].as_array().unwrap().as_slice() else { panic!("{bundle}") };
    assert_eq!(newest["request"], json!({ "method": "PUT", "url": format!("Observation/{id}") }));
    assert_eq!((&newest["response"]["status"], &newest["response"]["etag"]), (&json!("200 OK"), &json!("W/\"3\"")));
    assert_eq!(newest["response"]["lastModified"], newest["resource"]["meta"]["lastUpdated"]);
    assert_eq!((&first["request"]["method"], &first["response"]["status"]), (&json!("POST"), &json!("201 Created")));
    assert_eq!(newest["fullUrl"], json!(app.url(&path)));
    // Each is the text that vread serves, and the newest is what read serves.
    for entry in bundle["entry"].as_array().unwrap() {
        let version = entry["resource"]["meta"]["versionId"].as_str().unwrap();
        assert_eq!(clinic.admin.get(&format!("{path}/_history/{version}")).await.expect(200), entry["resource"]);
    }
    assert_eq!(clinic.admin.get(&path).await.expect(200), newest["resource"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_continue_where_they_ended() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let path = with_versions(&clinic, 5).await;
    let first = clinic.admin.get(&format!("{path}/_history?_count=2")).await.expect(200);
    assert_eq!((versions(&first), &first["total"]), (vec!["5", "4"], &json!(5)));
    // A version that is made meanwhile moves nothing.
    let mut again = first["entry"][0]["resource"].clone();
    again["valueQuantity"]["value"] = json!(99);
    clinic.admin.put(&path, again).await.expect(200);
    let second = clinic.admin.get(&link(&first, "next").unwrap()).await.expect(200);
    assert_eq!(versions(&second), ["3", "2"]);
    let third = clinic.admin.get(&link(&second, "next").unwrap()).await.expect(200);
    assert_eq!((versions(&third), link(&third, "next")), (vec!["1"], None));
    let none = clinic.admin.get(&format!("{path}/_history?_count=0")).await.expect(200);
    assert_eq!((versions(&none).len(), &none["total"]), (0, &json!(6)));
    // Since: from the version that was made then.
    let since = second["entry"][0]["resource"]["meta"]["lastUpdated"].as_str().unwrap();
    let later = clinic.admin.get(&format!("{path}/_history?_since={since}")).await.expect(200);
    assert_eq!(versions(&later)[..3], ["6", "5", "4"]);
    assert!(!versions(&later).contains(&"1"));
    clinic.admin.get(&format!("{path}/_history?_at=2026")).await.expect(400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_is_for_those_who_may_read_the_resource() {
    let app = TestApp::start().await;
    let (north, south) = (app.clinic("north").await, app.clinic("south").await);
    let path = format!("{}/_history", with_versions(&north, 2).await);
    let (_, rest) = path.split_once("/Observation/").unwrap();
    south.admin.get(&format!("{}/Observation/{rest}", south.fhir)).await.expect(404);
    south.admin.get(&path).await.expect(404);
    app.anonymous().get(&path).await.expect(401);
    app.platform_admin().await.get(&path).await.expect(403);
    app.member(Role::Practitioner, &north.tenant).await.get(&path).await.expect(200);
    north.admin.get(&format!("{}/Observation/none/_history", north.fhir)).await.expect(404);
    // Patients and Devices have theirs.
    let patient = north.admin.get(&format!("{}/Patient/{}/_history", north.fhir, north.patient)).await.expect(200);
    assert_eq!(versions(&patient), ["1"]);
    north
        .admin
        .patch(&format!("/api/v1/devices/{}", north.device), json!({ "timeZone": "Europe/Paris" }))
        .await
        .expect(200);
    let device = north.admin.get(&format!("{}/Device/{}/_history", north.fhir, north.device)).await.expect(200);
    assert_eq!(device["total"], json!(device["entry"].as_array().unwrap().len()));
    let statement = app.anonymous().get(&format!("{}/metadata", north.fhir)).await.expect(200);
    for resource in statement["rest"][0]["resource"].as_array().unwrap() {
        assert!(resource["interaction"].to_string().contains("history-instance"), "{resource}");
    }
    assert_eq!(north.admin.post(&path, json!({})).await.status.as_u16(), 405);
}
