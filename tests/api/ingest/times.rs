//! When a reading was measured, end to end: clocks that are off, factory dates, hours that come twice or not at all.

use serde_json::{Value, json};

use crate::support::{Stage, TestApp, blood_pressure_at};

fn weight(time: &str) -> String {
    format!("kind=body-weight\nvalue=72 kg\ntime={time}\nkey={time}")
}

fn extension<'a>(observation: &'a Value, name: &str) -> Option<&'a Value> {
    let url = format!("https://afferent.dev/fhir/StructureDefinition/{name}");
    observation["extension"].as_array()?.iter().find(|extension| extension["url"] == url.as_str())
}

async fn stored(stage: &Stage, receipt: Value) -> Value {
    stage.clinic.observation(receipt["observations"][0].as_str().unwrap_or_else(|| panic!("{receipt}"))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_steadily_off_is_measured_and_corrected() {
    let stage = Stage::start().await;
    let (device, cuff) = stage.device("C1").await;
    // Every morning at 8:00 UTC, sent at once, by a clock that is 20 minutes and some seconds behind (Berlin, winter).
    for day in 1..=5 {
        let device_time = format!("2026-02-{day:02}T08:39:55");
        let captured = format!("2026-02-{day:02}T08:00:0{day}Z");
        let receipt = cuff.script_captured(&weight(&device_time), &captured).await.expect(201);
        let observation = stored(&stage, receipt).await;
        let corrected = extension(&observation, "clock-offset");
        assert_eq!(corrected.is_some(), day == 5, "{observation}");
    }
    let shown = stage.clinic.admin.get(&format!("/api/v1/devices/{device}")).await.expect(200)["clock"].clone();
    assert_eq!(
        (&shown["state"], &shown["appliedSeconds"], &shown["samples"]),
        (&json!("steady"), &json!(1206), &json!(5))
    );

    // One that was kept and comes late, without being called stored: corrected like the others, and no sample.
    let receipt = cuff.script_captured(&weight("2026-02-05T19:40:00"), "2026-02-06T07:00:00Z").await.expect(201);
    let observation = stored(&stage, receipt).await;
    assert_eq!(observation["effectiveDateTime"], "2026-02-05T20:00:06+01:00");
    let offset = extension(&observation, "clock-offset").unwrap()["valueDuration"]["value"].to_string();
    assert_eq!(offset, "1206.000", "{observation}");
    assert_eq!(extension(&observation, "device-local-time").unwrap()["valueString"], "2026-02-05T19:40:00");
    // The same again is the same, whatever is known of the clock by now.
    let again = cuff.script_captured(&weight("2026-02-01T08:39:55"), "2026-02-06T07:01:00Z").await.expect(200);
    assert_eq!(again["outcome"], "duplicate");

    // Somebody sets the clock: nothing is corrected until it is measured anew.
    let receipt = cuff.script_captured(&weight("2026-02-07T09:00:00"), "2026-02-07T08:00:05Z").await.expect(201);
    assert_eq!(stored(&stage, receipt).await["effectiveDateTime"], "2026-02-07T09:00:00+01:00");
    let shown = stage.clinic.admin.get(&format!("/api/v1/devices/{device}")).await.expect(200)["clock"].clone();
    assert_eq!((&shown["state"], shown.get("appliedSeconds")), (&json!("jumped"), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_missed_the_change_of_daylight_saving_is_corrected_from_then_on() {
    let stage = Stage::start().await;
    let (device, cuff) = stage.device("C1").await;
    // Since 29 March 2026 Berlin is two hours ahead of UTC, and the cuff still one.
    for day in 1..=5 {
        let (device_time, captured) = (format!("2026-04-0{day}T09:00:00"), format!("2026-04-0{day}T08:00:10Z"));
        cuff.script_captured(&weight(&device_time), &captured).await.expect(201);
    }
    let shown = stage.clinic.admin.get(&format!("/api/v1/devices/{device}")).await.expect(200)["clock"].clone();
    assert_eq!((&shown["state"], &shown["appliedSeconds"]), (&json!("zone"), &json!(3600)));
    let receipt = cuff.script_captured(&weight("2026-04-06T09:00:00"), "2026-04-06T08:00:10Z").await.expect(201);
    assert_eq!(stored(&stage, receipt).await["effectiveDateTime"], "2026-04-06T10:00:00+02:00");
    // What it kept from the winter was right.
    let receipt = cuff.script_captured(&weight("2026-03-20T09:00:00"), "2026-04-06T08:01:20Z").await.expect(201);
    assert_eq!(stored(&stage, receipt).await["effectiveDateTime"], "2026-03-20T09:00:00+01:00");
}

#[tokio::test(flavor = "multi_thread")]
async fn factory_dates_and_the_future_are_not_believed() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    for (time, warning) in [
        ([2000, 1, 1, 0, 3, 0], "device-time-untrusted"),
        ([1970, 1, 1, 10, 0, 0], "device-time-untrusted"),
        ([2037, 12, 31, 0, 0, 0], "device-time-in-future"),
    ] {
        let receipt = clinic.cuff.uplink("2A35", &blood_pressure_at(120, 80, 62, time)).await.expect(201);
        assert!(receipt["warnings"].as_array().unwrap().contains(&json!(warning)), "{receipt}");
        let observation = clinic.observation(receipt["observations"][0].as_str().unwrap()).await;
        assert_eq!(extension(&observation, "time-source").unwrap()["valueCode"], "receipt");
        let year = format!("{}-", time[0]);
        assert!(!observation["effectiveDateTime"].as_str().unwrap().starts_with(&year), "{observation}");
        let own = extension(&observation, "device-local-time").unwrap()["valueString"].as_str().unwrap();
        assert!(own.starts_with(&year), "the device's own words are kept: {own}");
    }
    let leap_day = blood_pressure_at(120, 80, 62, [2024, 2, 29, 23, 59, 59]);
    let receipt = clinic.cuff.uplink("2A35", &leap_day).await.expect(201);
    let observation = clinic.observation(receipt["observations"][0].as_str().unwrap()).await;
    assert_eq!(observation["effectiveDateTime"], "2024-02-29T23:59:59+01:00");
}

#[tokio::test(flavor = "multi_thread")]
async fn hours_that_come_twice_or_not_at_all() {
    let stage = Stage::start().await;
    let (_, cuff) = stage.device("C1").await;
    let frames: Vec<String> =
        ["01:50:00", "02:30:00", "02:10:00"].iter().map(|time| weight(&format!("2025-10-26T{time}"))).collect();
    let receipt = cuff.script(&frames.join("\n\n")).await.expect(201);
    let mut effective = Vec::new();
    for id in receipt["observations"].as_array().unwrap() {
        let observation = stage.clinic.observation(id.as_str().unwrap()).await;
        assert!(observation.get("note").is_none(), "settled by the order: {observation}");
        effective.push(observation["effectiveDateTime"].as_str().unwrap().to_owned());
    }
    assert_eq!(effective, ["2025-10-26T01:50:00+02:00", "2025-10-26T02:30:00+02:00", "2025-10-26T02:10:00+01:00"]);

    let alone = cuff.script(&weight("2025-10-26T02:40:00")).await.expect(201);
    let observation = stored(&stage, alone).await;
    assert_eq!(observation["effectiveDateTime"], "2025-10-26T02:40:00+02:00");
    assert!(observation["note"][0]["text"].as_str().unwrap().contains("occurs twice"), "{observation}");
    let skipped = cuff.script(&weight("2025-03-30T02:30:00")).await.expect(201);
    let observation = stored(&stage, skipped).await;
    assert_eq!(observation["effectiveDateTime"], "2025-03-30T02:30:00+01:00");
    assert!(observation["note"][0]["text"].as_str().unwrap().contains("does not exist"), "{observation}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_that_changes_concerns_what_comes_after() {
    let stage = Stage::start().await;
    let (device, cuff) = stage.device("C1").await;
    let before = cuff.script(&weight("2025-07-01T08:00:00")).await.expect(201);
    // What waits keeps the zone in which it came.
    let wild = "kind=body-weight\nvalue=9999 kg\ntime=2025-07-01T08:30:00\nkey=wild";
    let held = cuff.script(wild).await.expect(202)["held"][0]["id"].as_str().unwrap().to_owned();
    let change = json!({ "timeZone": "America/New_York" });
    stage.clinic.admin.patch(&format!("/api/v1/devices/{device}"), change).await.expect(200);
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let after = cuff.script(&weight("2025-07-02T08:00:00")).await.expect(201);
    assert_eq!(stored(&stage, before.clone()).await["effectiveDateTime"], "2025-07-01T08:00:00+02:00");
    assert_eq!(stored(&stage, after).await["effectiveDateTime"], "2025-07-02T08:00:00-04:00");
    // The same record, sent again from New York, is the same record.
    assert_eq!(cuff.script(&weight("2025-07-01T08:00:00")).await.expect(200)["observations"], before["observations"]);
    let path = format!("/api/v1/held-readings/{held}/release");
    let released = stage.clinic.admin.post(&path, json!({ "reason": "an exercise test" })).await.expect(200);
    let observation = stage.clinic.observation(released["observation"].as_str().unwrap()).await;
    assert_eq!(observation["effectiveDateTime"], "2025-07-01T08:30:00+02:00");
}
