//! Updates by id and by condition.

use reqwest::Method;
use serde_json::json;

use super::{heart_rate, ids, person};
use crate::support::{TestApp, blood_pressure};

#[tokio::test(flavor = "multi_thread")]
async fn an_update_makes_a_version_and_moves_what_it_is_found_by() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let other = clinic.patient("Other").await;
    let created = clinic
        .admin
        .post(&format!("{}/Observation", clinic.fhir), heart_rate(&clinic.patient, "a", "2026-11-22T10:00:00Z"))
        .await
        .expect(201);
    let id = created["id"].as_str().unwrap();
    let path = format!("{}/Observation/{id}", clinic.fhir);
    let mut corrected = created.clone();
    corrected["status"] = json!("corrected");
    corrected["subject"]["reference"] = json!(format!("Patient/{other}"));
    corrected["identifier"] =
        json!([{ "system": "urn:example:readings", "value": "z" }, { "system": "urn:example:readings", "value": "y" }]);
    corrected["code"]["coding"][0]["code"] = json!("40443-4");
    let answer = clinic.admin.put(&path, corrected.clone()).await;
    assert_eq!((answer.status.as_u16(), answer.header("etag")), (200, Some("W/\"2\"")), "{}", answer.text);
    for (query, found) in [
        ("identifier=a".to_owned(), 0),
        ("identifier=z".to_owned(), 1),
        ("identifier=y".to_owned(), 1),
        (format!("patient={}", clinic.patient), 0),
        (format!("patient={other}"), 1),
        ("code=8867-4".to_owned(), 0),
        ("code=http://loinc.org|40443-4".to_owned(), 1),
        ("status=corrected".to_owned(), 1),
        ("status:not=corrected".to_owned(), 0),
    ] {
        assert_eq!(clinic.count(&query).await, found, "{query}");
    }
    // The same again is no new version.
    let again = clinic.admin.put(&path, answer.json()).await;
    assert_eq!(
        (again.status.as_u16(), again.header("etag"), again.text.as_str()),
        (200, Some("W/\"2\""), answer.text.as_str())
    );
    clinic.admin.get(&format!("{path}/_history/3")).await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_condition_updates_the_one_that_matches() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let path = format!("{}/Observation?identifier=urn:example:readings|a", clinic.fhir);
    let mut reading = heart_rate(&clinic.patient, "a", "2026-11-22T10:00:00Z");
    let created = clinic.admin.put(&path, reading.clone()).await;
    assert_eq!(created.status, 201, "{}", created.text);
    reading["valueQuantity"]["value"] = json!(80);
    let updated = clinic.admin.put(&path, reading.clone()).await;
    assert_eq!((updated.status.as_u16(), updated.header("etag")), (200, Some("W/\"2\"")));
    assert_eq!(updated.json()["id"], created.json()["id"]);
    // A resource with another id is not the one that matches.
    reading["id"] = json!("someone-elses");
    assert_eq!(
        clinic.admin.put(&path, reading.clone()).await.expect(400)["issue"][0]["expression"],
        json!(["Observation.id"])
    );
    clinic.admin.post(&format!("{}/Observation", clinic.fhir), reading.clone()).await.expect(201);
    assert_eq!(clinic.admin.put(&path, reading).await.expect(412)["issue"][0]["code"], "multiple-matches");
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_of_patients_may_be_the_clients_and_those_of_observations_are_ours() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let mut patient = person("1", "A");
    patient["id"] = json!("MRN-1");
    let path = format!("{}/Patient/MRN-1", clinic.fhir);
    let created = clinic.admin.put(&path, patient.clone()).await;
    assert_eq!(created.status, 201, "{}", created.text);
    assert_eq!(clinic.admin.put(&path, patient.clone()).await.status, 200);
    let mismatch = clinic.admin.put(&format!("{}/Patient/MRN-2", clinic.fhir), patient).await.expect(400);
    assert_eq!(mismatch["issue"][0]["expression"], json!(["Patient.id"]));
    // A condition that nothing matches does not overwrite whoever has the id.
    let mut other = person("2", "B");
    other["id"] = json!("MRN-1");
    let taken = clinic
        .admin
        .put(&format!("{}/Patient?identifier=urn:example:people|2", clinic.fhir), other.clone())
        .await
        .expect(409);
    assert_eq!(taken["issue"][0]["expression"], json!(["Patient.id"]));
    other["id"] = json!("MRN-2");
    let made =
        clinic.admin.put(&format!("{}/Patient?identifier=urn:example:people|2", clinic.fhir), other).await.expect(201);
    assert_eq!(made["id"], "MRN-2");

    let mut reading = heart_rate("MRN-1", "a", "2026-11-22");
    reading["id"] = json!("mine");
    let refused = clinic.admin.put(&format!("{}/Observation/mine", clinic.fhir), reading).await.expect(405);
    assert_eq!(refused["issue"][0]["code"], "not-supported");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_version_than_the_known_one_is_not_overwritten() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let mut patient = clinic.admin.post(&format!("{}/Patient", clinic.fhir), person("1", "A")).await.expect(201);
    let path = format!("{}/Patient/{}", clinic.fhir, patient["id"].as_str().unwrap());
    let put = |tag: &'static str, body: serde_json::Value| {
        let request = clinic.admin.request(Method::PUT, &path).header("If-Match", tag);
        clinic.admin.send(request.header("Content-Type", "application/fhir+json").body(body.to_string()))
    };
    patient["name"][0]["family"] = json!("B");
    assert_eq!(put("W/\"1\"", patient.clone()).await.status, 200);
    patient["name"][0]["family"] = json!("C");
    assert_eq!(put("W/\"1\"", patient.clone()).await.expect(412)["issue"][0]["code"], "conflict");
    put("1", patient).await.expect(400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_can_be_marked_as_an_error_but_not_given_away() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let other = clinic.patient("Other").await;
    let receipt = clinic.cuff.uplink("2A35", &blood_pressure(1)).await.expect(201);
    let path = format!("{}/Observation/{}", clinic.fhir, receipt["observations"][0].as_str().unwrap());
    let reading = clinic.admin.get(&path).await.expect(200);
    let mut away = reading.clone();
    away["subject"]["reference"] = json!(format!("Patient/{other}"));
    assert_eq!(clinic.admin.put(&path, away).await.expect(422)["issue"][0]["code"], "business-rule");
    let mut nameless = reading.clone();
    nameless["identifier"] = json!([{ "value": "mine" }]);
    assert_eq!(
        clinic.admin.put(&path, nameless).await.expect(422)["issue"][0]["expression"],
        json!(["Observation.identifier"])
    );
    let mut wrong = reading.clone();
    wrong["status"] = json!("entered-in-error");
    assert_eq!(clinic.admin.put(&path, wrong).await.expect(200)["meta"]["versionId"], "2");
    // The same payload is a duplicate still.
    clinic.cuff.uplink("2A35", &blood_pressure(1)).await.expect(200);
    let found = clinic.admin.get(&format!("{}/Observation?status=entered-in-error", clinic.fhir)).await.expect(200);
    assert_eq!(ids(&found).len(), 1);
}
