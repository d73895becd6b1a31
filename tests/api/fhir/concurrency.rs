//! Many at once: what must happen once happens once.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use super::{heart_rate, ids, person};
use crate::support::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_equal_conditional_creates_make_one() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    // By the identifier, which the unique index decides; by an identifier that is not the first, by other criteria and of
    // another type, which a lock decides.
    let cases = [
        (
            "Observation",
            heart_rate(&clinic.patient, "a", "2026-11-22T10:00:00Z"),
            "identifier=urn:example:readings|a".to_owned(),
        ),
        (
            "Observation",
            {
                let mut two = heart_rate(&clinic.patient, "b", "2026-11-22T10:00:00Z");
                two["identifier"]
                    .as_array_mut()
                    .unwrap()
                    .push(json!({ "system": "urn:example:second", "value": "b2" }));
                two
            },
            "identifier=urn:example:second|b2".to_owned(),
        ),
        (
            "Observation",
            heart_rate(&clinic.patient, "c", "2026-11-25T10:00:00Z"),
            format!("patient={}&date=2026-11-25", clinic.patient),
        ),
        ("Patient", person("p", "Once"), "identifier=urn:example:people|p".to_owned()),
    ];
    for (resource_type, resource, condition) in cases {
        let path = format!("{}/{resource_type}", clinic.fhir);
        let posts = (0..16).map(|_| {
            let request = clinic.admin.request(Method::POST, &path).header("If-None-Exist", &condition);
            clinic.admin.send(request.header("Content-Type", "application/fhir+json").body(resource.to_string()))
        });
        let answers = join_all(posts).await;
        let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        statuses.sort_unstable();
        assert_eq!(
            statuses,
            [vec![200; 15], vec![201]].concat(),
            "{condition}: {:?}",
            answers.iter().map(|answer| &answer.text).collect::<Vec<_>>()
        );
        assert!(answers.iter().all(|answer| answer.header("location") == answers[0].header("location")), "{condition}");
        assert_eq!(ids(&clinic.admin.get(&format!("{path}?{condition}")).await.expect(200)).len(), 1, "{condition}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_equal_conditional_updates_make_one_version() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let reading = heart_rate(&clinic.patient, "a", "2026-11-22T10:00:00Z");
    let path = format!("{}/Observation?identifier=urn:example:readings|a", clinic.fhir);
    let answers = join_all((0..16).map(|_| clinic.admin.put(&path, reading.clone()))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert!(answers.iter().all(|answer| answer.status.is_success() && answer.header("etag") == Some("W/\"1\"")));
    assert_eq!(clinic.count("").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_different_updates_leave_no_gap_and_only_one_wins_a_version() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let created = clinic.admin.post(&format!("{}/Patient", clinic.fhir), person("1", "A")).await.expect(201);
    let path = format!("{}/Patient/{}", clinic.fhir, created["id"].as_str().unwrap());
    let update = |number: u32| {
        let mut resource = created.clone();
        resource["name"][0]["family"] = json!(format!("Family {number}"));
        resource
    };
    let with_match = (0..16).map(|number| {
        let request = clinic.admin.request(Method::PUT, &path).header("If-Match", "W/\"1\"");
        clinic.admin.send(request.header("Content-Type", "application/fhir+json").body(update(number).to_string()))
    });
    let answers = join_all(with_match).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 412).count(), 15);
    let answers = join_all((100..116).map(|number| clinic.admin.put(&path, update(number)))).await;
    let mut versions: Vec<String> = answers.iter().map(|answer| answer.header("etag").unwrap().to_owned()).collect();
    versions.sort_unstable();
    let mut expected: Vec<String> = (3..19).map(|version| format!("W/\"{version}\"")).collect();
    expected.sort_unstable();
    assert_eq!(versions, expected);
    for version in 1..19 {
        clinic.admin.get(&format!("{path}/_history/{version}")).await.expect(200);
    }
}
