//! Endpoints over REST, and how they name patients.

use serde_json::json;

use super::{deliveries, endpoint, readings, settled};
use crate::support::{FakeEhr, TestApp, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn addresses_inside_are_refused_with_the_key_that_opens_them() {
    // Which allows 127.0.0.0/8 and nothing else.
    let app = TestApp::start().await;
    let clinic = app.clinic("clinic").await;
    for url in [
        "http://10.0.0.1:9/fhir",
        "http://[::1]:9/fhir",
        "http://[::ffff:10.0.0.1]/fhir",
        "http://169.254.169.254/",
        "ftp://127.0.0.1/",
        "http://user:pass@127.0.0.1/",
    ] {
        let wish =
            json!({ "tenant": clinic.tenant, "name": "EHR", "kind": "fhir", "url": url, "auth": { "kind": "none" } });
        let problem = clinic.admin.post("/api/v1/endpoints", wish).await.expect(422);
        assert_eq!(problem["errors"][0]["pointer"], "/url");
        assert!(problem["errors"][0]["detail"].as_str().unwrap().contains("AFFERENT_OUTBOUND_ALLOW"), "{problem}");
    }
    let wish = json!({ "tenant": clinic.tenant, "name": "EHR", "kind": "fhir", "url": "http://127.0.0.1:9/fhir/", "auth": { "kind": "none" } });
    let created = clinic.admin.post("/api/v1/endpoints", wish).await.expect(201);
    assert_eq!((&created["url"], &created["active"]), (&json!("http://127.0.0.1:9/fhir"), &json!(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patient_without_a_usable_identifier_is_a_dead_letter_until_mapped() {
    let (app, ehr) = (TestApp::start().await, FakeEhr::start().await);
    ehr.state().knows = Some(vec!["H 42|x".to_owned()]);
    let clinic = app.clinic("clinic").await;
    let endpoint = endpoint(&clinic, &ehr, json!({ "patientIdentifierSystem": "urn:hospital" })).await;
    readings(&clinic, &[120]).await;
    let dead =
        eventually("the delivery is given up", || async { deliveries(&clinic, &endpoint, "dead").await.pop() }).await;
    assert!(dead["lastReason"].as_str().unwrap().contains("urn:hospital"), "{dead}");
    assert!(ehr.state().transactions.is_empty());

    let mapping = format!("/api/v1/endpoints/{endpoint}/patients/{}", clinic.patient);
    let replay = json!({ "endpoint": endpoint, "state": "dead" });
    // An identifier that nobody has over there.
    clinic.admin.put(&mapping, json!({ "system": "urn:hospital", "value": "H 41" })).await.expect(200);
    assert_eq!(
        clinic.admin.post("/api/v1/deliveries/replay", replay.clone()).await.expect(200),
        json!({ "replayed": 1 })
    );
    let dead = eventually("the EHR does not know the patient", || async {
        deliveries(&clinic, &endpoint, "dead").await.pop().filter(|dead| dead["lastStatus"] == 404)
    })
    .await;
    assert!(dead["lastReason"].as_str().unwrap().contains("patient"), "{dead}");

    // The fake EHR reads the escaped form; `|` and the backslash in front of it are part of the search syntax.
    ehr.state().knows = Some(vec![r"H 42\|x".to_owned()]);
    clinic.admin.put(&mapping, json!({ "system": "urn:hospital", "value": "H 42|x" })).await.expect(200);
    assert_eq!(clinic.admin.get(&mapping).await.expect(200), json!({ "system": "urn:hospital", "value": "H 42|x" }));
    app.platform_admin().await.get(&mapping).await.expect(403);
    clinic.admin.post("/api/v1/deliveries/replay", replay).await.expect(200);
    settled(&clinic, &endpoint, 1).await;
    clinic.admin.delete(&mapping).await.expect(204);
    clinic.admin.get(&mapping).await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn not_yours_is_not_there() {
    let (app, ehr) = (TestApp::start().await, FakeEhr::start().await);
    let (mine, yours) = (app.clinic("mine").await, app.clinic("yours").await);
    let endpoint = endpoint(&mine, &ehr, json!({})).await;
    readings(&mine, &[120]).await;
    let delivery = settled(&mine, &endpoint, 1).await[0]["id"].as_str().unwrap().to_owned();
    for path in [
        format!("/api/v1/endpoints/{endpoint}"),
        format!("/api/v1/endpoints/{endpoint}/status"),
        format!("/api/v1/deliveries?tenant={}", mine.tenant),
    ] {
        yours.admin.get(&path).await.expect(404);
    }
    yours.admin.patch(&format!("/api/v1/endpoints/{endpoint}"), json!({ "active": false })).await.expect(404);
    yours.admin.post(&format!("/api/v1/deliveries/{delivery}/replay"), json!({})).await.expect(404);
    yours.admin.post("/api/v1/deliveries/replay", json!({ "endpoint": endpoint, "state": "dead" })).await.expect(404);
    assert_eq!(yours.admin.get("/api/v1/endpoints").await.expect(200)["items"], json!([]));
    assert_eq!(
        yours.admin.get(&format!("/api/v1/deliveries?endpoint={endpoint}")).await.expect(200)["items"],
        json!([])
    );
}
