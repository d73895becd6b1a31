//! What the server remembers of a source is never older than what was changed: from the next uplink on the new settings
//! count, also in a process that had nothing to do with the change.

use serde_json::json;

use crate::support::{ServerProcess, TestApp, blood_pressure_at};

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_zone_counts_from_the_next_uplink_on_in_every_process() {
    let app = TestApp::start().await;
    let clinic = app.clinic("berlin").await;
    let other = ServerProcess::start(&app.database, None, &[]).await;
    let elsewhere = crate::support::Actor::new(format!("http://{}", other.address), clinic.cuff.token.clone());
    let mut minute = 0;
    // The first round fills both memories; each later one meets them.
    for (zone, offset) in [("Europe/Berlin", "+01:00"), ("America/New_York", "-05:00"), ("Asia/Kolkata", "+05:30")] {
        let path = format!("/api/v1/devices/{}", clinic.device);
        clinic.admin.patch(&path, json!({ "timeZone": zone })).await.expect(200);
        for cuff in [&elsewhere, &clinic.cuff] {
            minute += 1;
            let frame = blood_pressure_at(121, 79, 60, [2025, 1, 9, 8, minute, 0]);
            let receipt = cuff.uplink("2A35", &frame).await.expect(201);
            let pressure = clinic.observation(receipt["observations"][0].as_str().unwrap()).await;
            assert_eq!(pressure["effectiveDateTime"], format!("2025-01-09T08:{minute:02}:00{offset}"));
        }
    }
}
