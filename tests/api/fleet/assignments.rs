//! Who wears a device when: periods that cannot overlap, patients that exist, and their end.

use afferent::identity::Role;
use serde_json::json;

use super::{items, text};
use crate::support::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_wears_a_device_at_the_same_time() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let (device, _) = clinic.device("gatt-2A9D", "SCALE").await;
    let path = format!("/api/v1/devices/{device}/assignments");
    let other = clinic.patient("Other").await;
    let assign = |patient: &str, from: &str, until: Option<&str>| {
        let wish = json!({ "patient": patient, "from": from, "until": until });
        clinic.admin.post(&path, wish)
    };
    let first = assign(&clinic.patient, "2026-01-01T08:00:00+01:00", None).await;
    let location = first.header("location").unwrap().to_owned();
    let first = first.expect(201);
    assert_eq!((text(&first, "patient"), text(&first, "from")), (clinic.patient.as_str(), "2026-01-01T07:00:00Z"));

    let overlap = assign(&other, "2026-02-01T00:00:00Z", None).await.expect(409);
    assert_eq!(overlap["code"], "assignment.overlap");
    assert!(text(&overlap, "detail").contains("End the other assignment"), "{overlap}");

    clinic.admin.patch(&location, json!({ "until": "2026-01-01T07:00:00Z" })).await.expect(422);
    let ended = clinic.admin.patch(&location, json!({ "until": "2026-02-01T00:00:00Z" })).await.expect(200);
    assert_eq!(ended["until"], "2026-02-01T00:00:00Z");
    assign(&format!("Patient/{other}"), "2026-02-01T00:00:00Z", Some("2026-03-01T00:00:00Z")).await.expect(201);
    let longer = clinic.admin.patch(&location, json!({ "until": "2026-02-01T00:00:01Z" })).await.expect(409);
    assert_eq!(longer["code"], "assignment.overlap");
    assert_eq!(items(&clinic.admin.get(&path).await.expect(200)).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_device_has_a_wearer_for_each_slot() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let (device, _) = clinic.device("gatt-2A9D", "SCALE").await;
    let path = format!("/api/v1/devices/{device}/assignments");
    let other = clinic.patient("Other").await;
    for (patient, slot, status) in [(&clinic.patient, "1", 201), (&other, "2", 201), (&other, "1", 409)] {
        let wish = json!({ "patient": patient, "from": "2026-01-01T00:00:00Z", "slot": slot });
        clinic.admin.post(&path, wish).await.expect(status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_patient_of_the_devices_tenant_can_wear_it() {
    let app = TestApp::start().await;
    let (north, south) = (app.clinic("north").await, app.clinic("south").await);
    let (device, _) = north.device("gatt-2A9D", "SCALE").await;
    let path = format!("/api/v1/devices/{device}/assignments");
    for patient in [south.patient.as_str(), "no-such-patient", "Device/1"] {
        let problem =
            north.admin.post(&path, json!({ "patient": patient, "from": "2026-01-01T00:00:00Z" })).await.expect(422);
        assert_eq!(problem["errors"][0]["pointer"], "/patient", "{patient}");
    }
    let backwards =
        json!({ "patient": north.patient, "from": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z" });
    north.admin.post(&path, backwards).await.expect(422);
}

#[tokio::test(flavor = "multi_thread")]
async fn nurses_and_logistics_may_assign_and_strangers_may_not() {
    let app = TestApp::start().await;
    let (north, south) = (app.clinic("north").await, app.clinic("south").await);
    let wish = json!({ "patient": north.patient, "from": "2026-01-01T00:00:00Z" });
    let nurse = app.member(Role::Practitioner, &north.tenant).await;
    for (number, actor) in [nurse, app.platform_admin().await].into_iter().enumerate() {
        let (device, _) = north.device("gatt-2A9D", &format!("SCALE-{number}")).await;
        let path = format!("/api/v1/devices/{device}/assignments");
        let made = actor.post(&path, wish.clone()).await.expect(201);
        assert_eq!(items(&actor.get(&path).await.expect(200)), std::slice::from_ref(&made));
        south.admin.post(&path, wish.clone()).await.expect(404);
        south
            .admin
            .patch(&format!("{path}/{}", text(&made, "id")), json!({ "until": "2027-01-01T00:00:00Z" }))
            .await
            .expect(404);
    }
}
