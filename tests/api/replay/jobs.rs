//! Replays as jobs: who may, which uplinks, cancelled and resumed, killed and taken over; bytes that are gone.

use afferent::identity::Role;
use diesel_async::SimpleAsyncConnection;
use serde_json::{Value, json};

use super::{Ward, all, observation};
use crate::support::{connect, eventually};

const TIME: &str = "2025-06-01T07:00:00";

/// Sends readings, one an uplink; the Observations' ids.
async fn weighed(ward: &Ward, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..count {
        let time = format!("2025-06-01T07:{:02}:{:02}", number / 60, number % 60);
        ids.push(observation(&ward.send(&format!("k {number} 7025 {time}")).await));
    }
    ids
}

async fn sql(ward: &Ward, sql: &str) {
    connect(&ward.app.database.superuser_url).await.batch_execute(sql).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn admins_of_the_tenant_may_and_others_find_nothing() {
    let ward = Ward::start().await;
    weighed(&ward, 1).await;
    let wish = json!({ "scope": { "quarantined": true }, "reason": "because" });
    for role in [Role::CustomerUser, Role::Practitioner] {
        ward.member(role).await.post("/api/v1/replays", wish.clone()).await.expect(403);
    }
    let begun = ward.clinic.admin.post("/api/v1/replays", wish.clone()).await.expect(202);
    assert_eq!(begun["dryRun"], true, "nothing changes unless that is said");
    let path = format!("/api/v1/replays/{}", begun["id"].as_str().unwrap());
    let other = ward.app.clinic("south").await;
    for call in ["", "/items"] {
        other.admin.get(&format!("{path}{call}")).await.expect(404);
    }
    for call in ["/cancel", "/resume"] {
        other.admin.post(&format!("{path}{call}"), json!({})).await.expect(404);
    }
    let foreign = json!({ "tenant": ward.clinic.tenant, "scope": { "quarantined": true }, "reason": "because" });
    other.admin.post("/api/v1/replays", foreign.clone()).await.expect(404);
    assert_eq!(other.admin.get("/api/v1/replays").await.expect(200)["items"], json!([]));
    let platform = ward.app.platform_admin().await;
    platform.post("/api/v1/replays", foreign).await.expect(202);
    assert_eq!(platform.get("/api/v1/replays").await.expect(200)["items"].as_array().unwrap().len(), 2);
    // What makes no sense says why.
    for (scope, pointer) in [
        (json!({}), "/scope"),
        (json!({ "uplinks": [] }), "/scope/uplinks"),
        (json!({ "from": "2990-01-01T00:00:00Z" }), "/scope/from"),
        (
            json!({ "quarantined": true, "decoder": { "name": "versioned-decoder", "version": "9.9.9" } }),
            "/scope/decoder",
        ),
    ] {
        let problem =
            ward.clinic.admin.post("/api/v1/replays", json!({ "scope": scope, "reason": "x" })).await.expect(422);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_choose_the_uplinks() {
    let ward = Ward::start().await;
    let one = ward.send(&format!("k 1 7025 {TIME}")).await;
    ward.send(&format!("k 2 7025 {TIME}")).await;
    ward.send(&format!("x 3 7025 {TIME}")).await;
    let ward = ward.with(&["1.0.0", "2.0.0"]).await;
    let counted = async |scope: Value| ward.replay(scope, true).await["counts"]["uplinks"].as_u64().unwrap();
    assert_eq!(counted(json!({ "uplinks": [one["uplink"]] })).await, 1);
    assert_eq!(counted(json!({ "quarantined": true })).await, 1);
    assert_eq!(counted(json!({ "quarantineReason": "no-such" })).await, 0);
    assert_eq!(counted(json!({ "decodedBy": { "name": "versioned-decoder", "version": "1.0.0" } })).await, 3);
    assert_eq!(counted(json!({ "decodedBy": { "name": "versioned-decoder", "version": "2.0.0" } })).await, 0);
    assert_eq!(counted(json!({ "devices": [ward.device], "from": "2020-01-01T00:00:00Z" })).await, 3);
    assert_eq!(counted(json!({ "models": ["gatt-2A35"] })).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_replay_goes_on_where_it_stopped() {
    let ward = Ward::start().await;
    let ids = weighed(&ward, 250).await;
    let ward = ward.with(&["1.0.0", "2.0.0"]).await;
    // The third page cannot be written: the replay stands there until it is cancelled.
    sql(
        &ward,
        "CREATE FUNCTION halt() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                    IF (NEW.counts->>'uplinks')::int > 200 THEN RAISE EXCEPTION 'halted'; END IF; RETURN NEW; END $$; \
                CREATE TRIGGER halt BEFORE UPDATE ON replay FOR EACH ROW EXECUTE FUNCTION halt()",
    )
    .await;
    let wish = json!({ "scope": all(), "dryRun": false, "reason": "version 1 was wrong" });
    let begun = ward.clinic.admin.post("/api/v1/replays", wish).await.expect(202);
    let path = format!("/api/v1/replays/{}", begun["id"].as_str().unwrap());
    let stuck = eventually("two pages, and a failure that is told", || async {
        let replay = ward.clinic.admin.get(&path).await.expect(200);
        (replay["counts"]["uplinks"] == 200 && replay.get("failure").is_some()).then_some(replay)
    })
    .await;
    assert_eq!((&stuck["state"], &stuck["total"]), (&json!("running"), &json!(250)));
    let cancelled = ward.clinic.admin.post(&format!("{path}/cancel"), json!({})).await.expect(200);
    assert_eq!(cancelled["state"], "cancelled");
    sql(&ward, "DROP TRIGGER halt ON replay").await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(ward.clinic.admin.get(&path).await.expect(200)["counts"]["uplinks"], 200);
    assert_eq!(ward.value(&ids[199]).await.2, "2");
    assert_eq!(ward.value(&ids[200]).await.2, "1", "nothing of a page that was not finished");
    ward.clinic.admin.post(&format!("{path}/resume"), json!({})).await.expect(200);
    let done = ward.done(&begun).await;
    assert_eq!((&done["counts"]["uplinks"], &done["counts"]["corrected"]), (&json!(250), &json!(250)), "{done}");
    for id in &ids {
        assert_eq!(ward.value(id).await, ("70.25".into(), "corrected".into(), "2".into()));
    }
    ward.clinic.admin.post(&format!("{path}/cancel"), json!({})).await.expect(409);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_takes_over_and_does_nothing_twice() {
    let ward = Ward::start().await;
    let ids = weighed(&ward, 120).await;
    let ward = ward.with(&["1.0.0", "2.0.0"]).await;
    // Somebody else is at it, and dies: its lease ends.
    sql(&ward, "CREATE FUNCTION taken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                    NEW.worker := gen_random_uuid(); NEW.lease_until := now() + interval '3 seconds'; RETURN NEW; END $$; \
                CREATE TRIGGER taken BEFORE INSERT ON replay FOR EACH ROW EXECUTE FUNCTION taken()").await;
    let wish = json!({ "scope": all(), "dryRun": false, "reason": "version 1 was wrong" });
    let begun = ward.clinic.admin.post("/api/v1/replays", wish).await.expect(202);
    let path = format!("/api/v1/replays/{}", begun["id"].as_str().unwrap());
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    assert_eq!(ward.clinic.admin.get(&path).await.expect(200)["counts"]["uplinks"], 0, "it is somebody else's");
    // Two processes from now on.
    let second = ward.with_second().await;
    let done = ward.done(&begun).await;
    drop(second);
    assert_eq!((&done["counts"]["uplinks"], &done["counts"]["corrected"]), (&json!(120), &json!(120)), "{done}");
    for id in &ids {
        assert_eq!(ward.value(id).await.2, "2", "one new version each");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_gone_are_told() {
    let ward = Ward::start().await;
    let ids = weighed(&ward, 2).await;
    sql(&ward, "DELETE FROM uplink_body WHERE uplink_id = (SELECT min(id::text)::uuid FROM uplink)").await;
    let ward = ward.with(&["1.0.0", "2.0.0"]).await;
    let done = ward.replay(all(), false).await;
    assert_eq!(
        (&done["counts"]["corrected"], &done["counts"]["reasons"]),
        (&json!(1), &json!({ "bytes-gone": 1 })),
        "{done}"
    );
    assert_eq!(ward.value(&ids[0]).await.2, "1");
    assert_eq!(ward.value(&ids[1]).await.2, "2");
}
