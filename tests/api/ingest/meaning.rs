//! What is stored says what the device measured, whose it is and when: the clinical promises.

use serde_json::{Value, json};

use crate::support::{TestApp, blood_pressure, blood_pressure_at};

fn component<'a>(observation: &'a Value, code: &str) -> &'a Value {
    let parts = observation["component"].as_array().unwrap();
    parts
        .iter()
        .find(|part| part["code"]["coding"].as_array().unwrap().iter().any(|coding| coding["code"] == code))
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_local_time_of_the_device_gets_the_zone_of_the_tenant() {
    let app = TestApp::start().await;
    let clinic = app.clinic("berlin").await;
    // Summer and winter in Europe/Berlin.
    for (month, offset) in [(7, "+02:00"), (1, "+01:00")] {
        let receipt =
            clinic.cuff.uplink("2A35", &blood_pressure_at(121, 79, 60, [2025, month, 9, 8, 30, 15])).await.expect(201);
        let pressure = clinic.observation(receipt["observations"][0].as_str().unwrap()).await;
        assert_eq!(pressure["effectiveDateTime"], format!("2025-0{month}-09T08:30:15{offset}"));
        assert_eq!(component(&pressure, "8480-6")["valueQuantity"]["value"], json!(121));
        assert_eq!(component(&pressure, "8480-6")["valueQuantity"]["code"], "mm[Hg]");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_measurement_is_no_number() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    // Systolic 120, diastolic and mean NaN (0x07FF), no time.
    let receipt = clinic.cuff.uplink("2A35", &[0x00, 120, 0, 0xFF, 0x07, 0xFF, 0x07]).await.expect(201);
    let pressure = clinic.observation(receipt["observations"][0].as_str().unwrap()).await;
    let diastolic = component(&pressure, "8462-4");
    assert_eq!(diastolic["dataAbsentReason"]["coding"][0]["code"], "not-a-number");
    assert!(diastolic.get("valueQuantity").is_none());
    assert!(!pressure.to_string().contains("2047"), "{pressure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_reading_belongs_to_whoever_wore_the_device_then() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let second = clinic.patient("Second").await;
    let (device, cuff) = clinic.device("gatt-2A35", "SHARED").await;
    clinic.assign(&device, &clinic.patient, "2025-01-01T00:00:00+01:00", Some("2025-02-01T00:00:00+01:00")).await;
    clinic.assign(&device, &second, "2025-02-01T00:00:00+01:00", None).await;

    let subject = async |time: [u16; 6]| {
        let receipt = cuff.uplink("2A35", &blood_pressure_at(120, 80, 60, time)).await.expect(201);
        clinic.observation(receipt["observations"][0].as_str().unwrap()).await["subject"]["reference"].clone()
    };
    assert_eq!(subject([2025, 3, 1, 9, 0, 0]).await, format!("Patient/{second}"));
    // Sent later, measured earlier: to the second before the change, local time.
    assert_eq!(subject([2025, 1, 31, 23, 59, 59]).await, format!("Patient/{}", clinic.patient));
    assert_eq!(subject([2025, 2, 1, 0, 0, 0]).await, format!("Patient/{second}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_that_nobody_owns_is_kept_and_is_nobodys_result() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let (_, cuff) = clinic.device("gatt-2A35", "UNWORN").await;
    let receipt = cuff.uplink("2A35", &blood_pressure(1)).await.expect(202);
    assert_eq!(receipt["outcome"], "unassigned");
    assert_eq!(receipt["held"].as_array().unwrap().len(), 2);
    assert_eq!(receipt["observations"], json!([]));
    assert_eq!(clinic.count("").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_impossible_value_is_held_for_a_person() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let (device, oximeter) = clinic.device("gatt-2A5E", "OXI").await;
    clinic.assign(&device, &clinic.patient, "2020-01-01T00:00:00Z", None).await;
    // SpO2 250 %, pulse 60.
    let receipt = oximeter.uplink("2A5E", &[0x00, 250, 0, 60, 0]).await.expect(201);
    assert_eq!(receipt["held"].as_array().unwrap().len(), 1, "{receipt}");
    assert_eq!(receipt["held"][0]["kind"], "oxygen-saturation");
    assert_eq!(clinic.count("code=2708-6").await, 0, "a wrong number is never shown");
}
