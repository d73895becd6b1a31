//! A poison item costs its neighbours nothing: it is found by halving, and kept alone. What is the database's own trouble
//! is never blamed on an item.

use std::sync::Arc;
use std::time::Duration;

use diesel_async::SimpleAsyncConnection;
use futures_util::future::join_all;

use super::{Plug, count, metric, moment};
use crate::support::{TestApp, blood_pressure, connect, eventually};

const BATCH: u32 = 200;
const POISON: u32 = 137;

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_hundred() {
    let app = Arc::new(TestApp::start_with(&[("AFFERENT_INGEST_QUEUE_WAIT", "60s")]).await);
    let clinic = app.clinic("north").await;
    let mut behind = connect(&app.database.superuser_url).await;
    // The 137th payload: 02:17 past midnight.
    let rule = "ALTER TABLE observation ADD CONSTRAINT poison CHECK (body NOT LIKE '%2025-03-01T00:02:17%')";
    behind.batch_execute(rule).await.unwrap();

    // Both committers are busy with one each; everybody else shares the next batch.
    let plug = Plug::insert(&app.database.superuser_url).await;
    let mut posts = Vec::new();
    for number in [900, 901] {
        let cuff = clinic.cuff.clone();
        posts.push(tokio::spawn(async move { (number, cuff.uplink("2A35", &blood_pressure(number)).await) }));
        moment().await;
    }
    for number in 0..BATCH {
        let cuff = clinic.cuff.clone();
        posts.push(tokio::spawn(async move { (number, cuff.uplink("2A35", &blood_pressure(number)).await) }));
    }
    eventually("200 to wait behind the two", || async { (app.app.intake.decoded() == 200).then_some(()) }).await;
    let commits = metric(&app, "afferent_ingest_commit_batch_count");
    plug.release().await;

    for answer in join_all(posts).await {
        let (number, answer) = answer.unwrap();
        if number == POISON {
            let answer = answer.expect(202);
            assert_eq!((&answer["outcome"], &answer["reason"]), (&"quarantined".into(), &"not-storable".into()));
        } else {
            assert_eq!(answer.expect(201)["outcome"], "stored", "{number}");
        }
    }
    assert_eq!(clinic.count("").await, 2 * (201));
    assert_eq!(metric(&app, "afferent_ingest_poison_total"), 1);
    assert!(metric(&app, "afferent_ingest_commit_batch_count") - commits <= 2, "they did share batches");
    let halved = metric(&app, "afferent_ingest_bisections_total");
    assert!((7..=8).contains(&halved), "200 halve eight times, not {halved}");

    // Its bytes are kept, and come to their right when the cause is gone.
    behind.batch_execute("ALTER TABLE observation DROP CONSTRAINT poison").await.unwrap();
    let items = clinic.admin.get("/api/v1/quarantine").await.expect(200);
    let [item] = items["items"].as_array().unwrap().as_slice() else { panic!("one item in {items}") };
    assert_eq!(item["reason"], "not-storable");
    let uplink = item["uplink"].as_str().unwrap_or_else(|| item["id"].as_str().unwrap());
    let replayed = clinic.admin.post(&format!("/api/v1/quarantine/{uplink}/replay"), serde_json::json!({})).await;
    assert_eq!(replayed.expect(200)["outcome"], "stored");
    assert_eq!(clinic.count("").await, 2 * 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_is_thrown_out_is_nobodys_fault() {
    let app = TestApp::start_with(&[("AFFERENT_INGEST_QUEUE_WAIT", "20s")]).await;
    let clinic = app.clinic("north").await;
    let plug = Plug::insert(&app.database.superuser_url).await;
    let cuff = clinic.cuff.clone();
    let post = tokio::spawn(async move { cuff.uplink("2A35", &blood_pressure(1)).await });
    let waiting = "SELECT count(*) AS count FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    for _ in 0..3 {
        while count(&app.database.superuser_url, waiting).await == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let thrown_out = waiting.replace("count(*)", "count(pg_terminate_backend(pid))");
        assert_eq!(count(&app.database.superuser_url, &thrown_out).await, 1);
    }
    plug.release().await;
    assert_eq!(post.await.unwrap().expect(201)["outcome"], "stored");
    assert_eq!(clinic.count("").await, 2);
    assert_eq!(metric(&app, "afferent_ingest_poison_total"), 0);
    assert!(metric(&app, "afferent_ingest_commit_retries_total") >= 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_even_be_quarantined_is_not_acknowledged() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let mut behind = connect(&app.database.superuser_url).await;
    for table in ["observation", "quarantine"] {
        behind
            .batch_execute(&format!("ALTER TABLE {table} ADD CONSTRAINT poison CHECK (false) NOT VALID"))
            .await
            .unwrap();
    }
    let answer = clinic.cuff.uplink("2A35", &blood_pressure(1)).await;
    assert!(answer.header("Retry-After").is_some());
    assert_eq!(answer.expect(503)["code"], "database.unavailable");
    assert_eq!(count(&app.database.superuser_url, "SELECT count(*) AS count FROM uplink").await, 0);
    for table in ["observation", "quarantine"] {
        behind.batch_execute(&format!("ALTER TABLE {table} DROP CONSTRAINT poison")).await.unwrap();
    }
    clinic.cuff.uplink("2A35", &blood_pressure(1)).await.expect(201);
}
