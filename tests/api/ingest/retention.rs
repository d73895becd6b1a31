//! Retention: raw bytes go when their time is over and nobody has to settle anything about them; partitions are there
//! ahead, and what cannot be stored is not acknowledged. Time passes by moving rows into the past, as a superuser.

use afferent::commands::serve::maintenance;
use afferent::ingest::retention::{self, Done};
use chrono::{NaiveDate, TimeDelta, Utc};
use diesel::QueryableByName;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use serde_json::{Value, json};

use crate::support::{Actor, Clinic, TestApp, blood_pressure, connect, weight};

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

async fn count(conn: &mut AsyncPgConnection, what: &str) -> i64 {
    let row: Counted =
        diesel::sql_query(format!("SELECT count(*) AS count FROM {what}")).get_result(conn).await.unwrap();
    row.count
}

/// The day `days` ago.
fn day(days: i64) -> NaiveDate {
    (Utc::now() - TimeDelta::days(days)).date_naive()
}

/// Moves everything that was received into the past, with partitions for it; answers how many days it lies on.
async fn age(conn: &mut AsyncPgConnection, days: i64) -> usize {
    #[derive(QueryableByName)]
    struct Day {
        #[diesel(sql_type = diesel::sql_types::Date)]
        day: NaiveDate,
    }
    let found: Vec<Day> = diesel::sql_query(format!(
        "SELECT DISTINCT ((received_at - interval '{days} days') AT TIME ZONE 'UTC')::date AS day FROM uplink"
    ))
    .load(conn)
    .await
    .unwrap();
    for Day { day } in &found {
        for table in ["uplink", "uplink_body"] {
            attach(conn, table, *day).await;
        }
    }
    for table in ["uplink", "uplink_body", "uplink_body_kept", "quarantine", "held_reading"] {
        conn.batch_execute(&format!("UPDATE {table} SET received_at = received_at - interval '{days} days'"))
            .await
            .unwrap();
    }
    found.len()
}

/// A day's partition, if it is not there.
async fn attach(conn: &mut AsyncPgConnection, table: &str, day: NaiveDate) {
    let name = format!("{table}_{}", day.format("%Y%m%d"));
    conn.batch_execute(&format!(
        "DO $$ BEGIN IF to_regclass('{name}') IS NULL THEN SET LOCAL ROLE afferent_owner; PERFORM attach_partition('{table}', '{day}'); END IF; END $$"
    ))
    .await
    .unwrap();
}

/// One stored, one undecodable, one that nobody wore.
async fn three_kinds(clinic: &Clinic) -> (String, String, String) {
    let id = |receipt: Value| receipt["uplink"].as_str().unwrap().to_owned();
    let stored = id(clinic.cuff.uplink("2A35", &blood_pressure(1)).await.expect(201));
    let undecodable = id(clinic.cuff.uplink("FFFF", &blood_pressure(2)).await.expect(202));
    let (_, scale) = clinic.device("gatt-2A9D", "SCALE").await;
    let unassigned = id(scale.uplink("2A9D", &weight(14_000)).await.expect(202));
    (stored, undecodable, unassigned)
}

async fn bodies(conn: &mut AsyncPgConnection) -> (i64, i64) {
    (count(conn, "uplink_body").await, count(conn, "uplink_body_kept").await)
}

#[tokio::test(flavor = "multi_thread")]
async fn settled_bytes_go_with_their_day_and_open_ones_stay_until_they_are_settled() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let (stored, undecodable, _) = three_kinds(&clinic).await;
    let mut conn = connect(&app.database.superuser_url).await;
    assert_eq!(bodies(&mut conn).await, (3, 0));

    // Within the seven days nothing happens.
    age(&mut conn, 6).await;
    assert_eq!(retention::run(&app.app).await.unwrap(), Done::default());
    age(&mut conn, 3).await;
    let done = retention::run(&app.app).await.unwrap();
    assert_eq!((done.kept, done.deleted, done.expired), (2, 0, 0), "{done:?}");
    assert!(done.dropped > 0, "{done:?}");
    assert_eq!(bodies(&mut conn).await, (0, 2));
    // The passports are all there.
    let passport = clinic.admin.get("/api/v1/uplinks?limit=10").await.expect(200);
    assert_eq!(passport["items"].as_array().unwrap().len(), 3);
    assert!(passport["items"].as_array().unwrap().iter().any(|uplink| uplink["id"] == json!(stored)));

    // The open item can still be replayed, from where it is kept; its bytes go then, those of the held reading stay.
    let list = clinic.admin.get("/api/v1/quarantine").await.expect(200);
    let expires: chrono::DateTime<Utc> = list["items"][0]["expiresAt"].as_str().unwrap().parse().unwrap();
    assert_eq!((expires - Utc::now()).num_days(), 80, "90 days after receipt, 9 of which are over");
    conn.batch_execute("UPDATE uplink SET channel = '2A35' WHERE channel = 'FFFF'").await.unwrap();
    let mended = clinic.admin.post(&format!("/api/v1/quarantine/{undecodable}/replay"), json!({})).await.expect(200);
    assert_eq!(mended["outcome"], "stored", "{mended}");
    let done = retention::run(&app.app).await.unwrap();
    assert_eq!(done, Done { forgotten: 1, ..Done::default() });
    assert_eq!(bodies(&mut conn).await, (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_settles_is_warned_of_and_then_closed_as_expired() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let (_, undecodable, _) = three_kinds(&clinic).await;
    let mut conn = connect(&app.database.superuser_url).await;
    // Frames that are missing never came.
    conn.batch_execute(
        "UPDATE uplink SET outcome = 'incomplete' WHERE outcome = 'stored' AND id = (SELECT id FROM uplink WHERE outcome = 'stored' LIMIT 1)",
    )
    .await
    .unwrap();
    age(&mut conn, 80).await;
    retention::run(&app.app).await.unwrap();
    assert_eq!(bodies(&mut conn).await, (0, 3));
    retention::warn(&app.app).await.unwrap();
    let metrics = app.anonymous().get("/metrics").await;
    for kind in ["quarantine", "held", "incomplete"] {
        let line = format!("afferent_open_items_expiring{{kind=\"{kind}\"}} 1");
        assert!(metrics.text.contains(&line), "{line} is not in:\n{}", metrics.text);
    }

    age(&mut conn, 11).await;
    let done = retention::run(&app.app).await.unwrap();
    assert_eq!((done.expired, done.forgotten), (3, 3), "{done:?}");
    assert_eq!(bodies(&mut conn).await, (0, 0));
    assert_eq!(clinic.admin.get("/api/v1/quarantine").await.expect(200)["items"], json!([]));
    let expired = clinic.admin.get("/api/v1/quarantine?state=expired").await.expect(200);
    assert_eq!(expired["items"][0]["uplink"], json!(undecodable));
    assert!(expired["items"][0].get("expiresAt").is_none());
    assert_eq!(count(&mut conn, "held_reading WHERE state = 'expired'").await, 1);
    let passport = clinic.admin.get("/api/v1/uplinks?outcome=expired").await.expect(200);
    assert_eq!(passport["items"][0]["reason"], "incomplete");
    clinic.admin.post(&format!("/api/v1/quarantine/{undecodable}/replay"), json!({})).await.expect(404);
    let metrics = app.anonymous().get("/metrics").await;
    assert!(metrics.text.contains("afferent_open_items_expired_total{kind=\"held\"} 1"), "{}", metrics.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_may_keep_its_bytes_for_a_shorter_or_a_longer_time() {
    let app = TestApp::start().await;
    let (short, long) = (app.clinic("short").await, app.clinic("long").await);
    let path = |clinic: &Clinic| format!("/api/v1/tenants/{}", clinic.tenant);
    assert_eq!(short.admin.get(&path(&short)).await.expect(200)["uplinkRetentionDays"], 7);
    for wrong in [0, 366, -1] {
        short.admin.patch(&path(&short), json!({ "uplinkRetentionDays": wrong })).await.expect(422);
    }
    short.admin.patch(&path(&long), json!({ "uplinkRetentionDays": 30 })).await.expect(404);
    let user = app.member(afferent::identity::Role::CustomerUser, &short.tenant).await;
    user.patch(&path(&short), json!({ "uplinkRetentionDays": 30 })).await.expect(403);
    let changed = short.admin.patch(&path(&short), json!({ "uplinkRetentionDays": 2 })).await.expect(200);
    assert_eq!((&changed["uplinkRetentionDays"], &changed["name"]), (&json!(2), &json!("short")));
    long.admin.patch(&path(&long), json!({ "uplinkRetentionDays": 30 })).await.expect(200);

    three_kinds(&short).await;
    three_kinds(&long).await;
    let mut conn = connect(&app.database.superuser_url).await;
    age(&mut conn, 5).await;
    let done = retention::run(&app.app).await.unwrap();
    assert_eq!((done.deleted, done.kept, done.dropped), (3, 2, 0), "{done:?}");
    assert_eq!(count(&mut conn, &format!("uplink_body WHERE tenant_id = '{}'", long.tenant)).await, 3);
    assert_eq!(count(&mut conn, &format!("uplink_body WHERE tenant_id = '{}'", short.tenant)).await, 0);
    assert_eq!(count(&mut conn, &format!("uplink_body_kept WHERE tenant_id = '{}'", short.tenant)).await, 2);
    // Nothing is left to do: it is written down how far it came.
    assert_eq!(retention::run(&app.app).await.unwrap(), Done::default());
    // Past the default, but not past the longest.
    age(&mut conn, 5).await;
    retention::run(&app.app).await.unwrap();
    assert_eq!(count(&mut conn, &format!("uplink_body WHERE tenant_id = '{}'", long.tenant)).await, 3);
    // As configured again: the day goes as a whole.
    let changed = long.admin.patch(&path(&long), json!({ "uplinkRetentionDays": null })).await.expect(200);
    assert_eq!(changed["uplinkRetentionDays"], 7);
    assert!(retention::run(&app.app).await.unwrap().dropped > 0);
    assert_eq!(bodies(&mut conn).await, (0, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_killed_in_the_middle_is_continued() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    three_kinds(&clinic).await;
    let mut conn = connect(&app.database.superuser_url).await;
    age(&mut conn, 9).await;
    // What a killed run left: bytes put aside, the day not dropped.
    conn.batch_execute(
        "INSERT INTO uplink_body_kept (tenant_id, uplink_id, received_at, key_id, body) \
         SELECT b.* FROM uplink_body b JOIN quarantine q ON q.uplink_id = b.uplink_id",
    )
    .await
    .unwrap();
    // And one that was cut while it waited for the lock: a reader has the table.
    let mut reader = connect(&app.database.superuser_url).await;
    reader.batch_execute("BEGIN; SELECT count(*) FROM uplink_body").await.unwrap();
    let done = retention::run(&app.app).await.unwrap();
    assert_eq!((done.kept, done.dropped), (1, 0), "{done:?}");
    // Ingest goes on beside the reader.
    clinic.cuff.uplink("2A35", &blood_pressure(77)).await.expect(201);
    let aborted = tokio::time::timeout(std::time::Duration::from_millis(20), retention::run(&app.app)).await;
    reader.batch_execute("ROLLBACK").await.unwrap();
    drop(aborted);
    let done = retention::run(&app.app).await.unwrap();
    assert!(done.dropped > 0, "{done:?}");
    assert_eq!(bodies(&mut conn).await, (1, 2));
    assert_eq!(count(&mut conn, "uplink").await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_do_it_once_and_ingest_goes_on() {
    let app = TestApp::start().await;
    let second = TestApp::on(app.database.clone(), &[]).await;
    let clinic = app.clinic("north").await;
    three_kinds(&clinic).await;
    let mut conn = connect(&app.database.superuser_url).await;
    let days = age(&mut conn, 9).await;
    let cuff: Actor = clinic.cuff.clone();
    let load = tokio::spawn(async move {
        for number in 100..160 {
            cuff.uplink("2A35", &blood_pressure(number)).await.expect(201);
        }
    });
    let (one, two) = tokio::join!(retention::run(&app.app), retention::run(&second.app));
    let (mut one, two) = (one.unwrap(), two.unwrap());
    load.await.unwrap();
    // Whoever found the turn taken, or the table in use, has left it for later.
    let later = retention::run(&app.app).await.unwrap();
    one.dropped += two.dropped + later.dropped;
    assert_eq!(one.dropped, days, "each day once: {one:?} {two:?} {later:?}");
    assert_eq!(bodies(&mut conn).await, (60, 2));
    assert_eq!(count(&mut conn, "uplink").await, 63);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owners_functions_drop_nothing_before_its_time() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    clinic
        .admin
        .patch(&format!("/api/v1/tenants/{}", clinic.tenant), json!({ "uplinkRetentionDays": 30 }))
        .await
        .expect(200);
    let mut conn = connect(&app.database.superuser_url).await;
    three_kinds(&clinic).await;
    age(&mut conn, 20).await;
    let refused = |sql: String, said: &'static str| {
        let app = &app;
        async move {
            let mut transaction = app.app.db.begin_worker().await.unwrap();
            let error = transaction.batch_execute(&sql).await.unwrap_err().to_string();
            assert!(error.contains(said), "{sql}: {error}");
        }
    };
    let old = day(20);
    refused(format!("SELECT drop_partition('uplink_body', '{old}', 7)"), "kept for 30 days at least").await;
    refused(format!("SELECT drop_partition('uplink_body', '{old}', NULL)"), "at least").await;
    refused(format!("SELECT drop_partition('uplink_body', '{old}', 30)"), "is not 30 days old").await;
    refused(format!("SELECT drop_partition('uplink', '{old}', 19)"), "kept for 366 days at least").await;
    refused(format!("SELECT drop_partition('uplink', '{old}', 366)"), "is not 366 days old").await;
    refused(format!("SELECT drop_partition('observation', '{old}', 400)"), "are not dropped").await;
    refused("SELECT drop_partition('uplink', NULL, 400)".to_owned(), "is not 400 days old").await;
    // Nor without them: the worker has no right to the tables, and may delete no passport.
    refused(format!("DROP TABLE uplink_{}", old.format("%Y%m%d")), "must be owner").await;
    refused("DELETE FROM uplink".to_owned(), "permission denied").await;
    refused("TRUNCATE uplink_body".to_owned(), "permission denied").await;
    refused("SELECT attach_partition('uplink', '2020-01-01')".to_owned(), "permission denied").await;
    assert_eq!((count(&mut conn, "uplink").await, count(&mut conn, "uplink_body").await), (3, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn passports_and_delivery_logs_go_after_their_own_time() {
    let app = TestApp::start_with(&[("AFFERENT_DELIVERY_LOG_DAYS", "10")]).await;
    let clinic = app.clinic("north").await;
    three_kinds(&clinic).await;
    let mut conn = connect(&app.database.superuser_url).await;
    for (days, left) in [(398, 3), (3, 0)] {
        age(&mut conn, days).await;
        let old = day(12);
        attach(&mut conn, "delivery_log", old).await;
        maintenance::once(&app.app).await;
        assert_eq!(count(&mut conn, "uplink").await, left);
        assert_eq!(
            count(&mut conn, &format!("pg_class WHERE relname = 'delivery_log_{}'", old.format("%Y%m%d"))).await,
            0
        );
    }
    // What was stored of them stays.
    assert_eq!(clinic.count("").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_partitions_show_in_readyz_and_are_made_again() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let mut conn = connect(&app.database.superuser_url).await;
    let anonymous = app.anonymous();
    assert_eq!(anonymous.get("/readyz").await.text, "ready\n");
    let drop = |days: i64| format!("DROP TABLE uplink_body_{}", day(-days).format("%Y%m%d"));

    conn.batch_execute(&drop(3)).await.unwrap();
    let warned = anonymous.get("/readyz").await;
    assert_eq!(warned.status, 200);
    assert!(warned.text.contains("uplink_body reach 2 day(s) ahead"), "{}", warned.text);
    conn.batch_execute(&drop(1)).await.unwrap();
    let refused = anonymous.get("/readyz").await;
    assert_eq!(refused.status, 503);
    assert!(refused.text.contains("uplink_body for tomorrow is missing"), "{}", refused.text);
    let metrics = anonymous.get("/metrics").await;
    assert!(metrics.text.contains("afferent_partition_days_ahead{table=\"uplink_body\"} 0"), "{}", metrics.text);
    assert!(metrics.text.contains("afferent_partition_days_ahead{table=\"uplink\"} 7"), "{}", metrics.text);

    // Today's: nothing can be stored, and nothing is acknowledged.
    conn.batch_execute(&drop(0)).await.unwrap();
    let answer = clinic.cuff.uplink("2A35", &blood_pressure(1)).await;
    assert_eq!((answer.status.as_u16(), answer.json()["code"].as_str().unwrap()), (503, "storage.no-partition"));
    assert!(answer.header("Retry-After").is_some());
    assert_eq!((count(&mut conn, "uplink").await, clinic.count("").await), (0, 0));

    maintenance::once(&app.app).await;
    assert_eq!(anonymous.get("/readyz").await.text, "ready\n");
    clinic.cuff.uplink("2A35", &blood_pressure(1)).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_are_made_while_others_read_and_write() {
    let app = TestApp::start().await;
    let mut conn = connect(&app.database.superuser_url).await;
    conn.batch_execute(&format!("DROP TABLE uplink_{}", day(-5).format("%Y%m%d"))).await.unwrap();
    // A dump reads, a long commit writes.
    let mut busy = connect(&app.database.superuser_url).await;
    busy.batch_execute("BEGIN; LOCK TABLE uplink IN ROW EXCLUSIVE MODE; SELECT count(*) FROM uplink").await.unwrap();
    maintenance::once(&app.app).await;
    assert_eq!(app.anonymous().get("/readyz").await.text, "ready\n");
    busy.batch_execute("ROLLBACK").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_clock_is_wrong_acknowledges_nothing() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    three_kinds(&clinic).await;
    let mut conn = connect(&app.database.superuser_url).await;
    for days in [-3, 3, 3000] {
        let wrong = TestApp::with_clock(app.database.clone(), &[], TimeDelta::days(days)).await;
        let ready = wrong.anonymous().get("/readyz").await;
        assert_eq!(ready.status, 503);
        assert!(ready.text.contains("clock"), "{}", ready.text);
        let cuff = Actor::new(wrong.url(""), clinic.cuff.token.clone());
        let answer = cuff.uplink("2A35", &blood_pressure(9)).await;
        assert_eq!(answer.status, 503, "{days} days: {}", answer.text);
        assert!(answer.text.contains("clock"), "{}", answer.text);
        // And it throws nothing away.
        maintenance::once(&wrong.app).await;
    }
    assert_eq!(count(&mut conn, "uplink").await, 3);
    assert_eq!(bodies(&mut conn).await, (3, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_older_server_wrote_unsealed_is_read_and_moved() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let receipt = clinic.cuff.uplink("FFFF", &blood_pressure(1)).await.expect(202);
    let uplink = receipt["uplink"].as_str().unwrap().to_owned();
    let mut conn = connect(&app.database.superuser_url).await;
    // As the version before left it.
    let frame = hex::encode(blood_pressure(1));
    conn.batch_execute(&format!("UPDATE uplink SET body = '\\x{frame}'; DELETE FROM uplink_body")).await.unwrap();
    let path = format!("/api/v1/quarantine/{uplink}/replay");
    assert_eq!(clinic.admin.post(&path, json!({})).await.expect(200)["outcome"], "undecodable");
    assert_eq!(retention::run(&app.app).await.unwrap(), Done { sealed: 1, ..Done::default() });
    assert_eq!(count(&mut conn, "uplink WHERE body IS NOT NULL").await, 0);
    assert_eq!(bodies(&mut conn).await, (1, 0));
    conn.batch_execute("UPDATE uplink SET channel = '2A35'").await.unwrap();
    assert_eq!(clinic.admin.post(&path, json!({})).await.expect(200)["outcome"], "stored");
}

#[test]
fn no_statement_deletes_passports() {
    let mut open = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut statements = 0;
    while let Some(folder) = open.pop() {
        for path in std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            for (_, rest) in text.match_indices("DELETE FROM ").map(|(at, found)| text.split_at(at + found.len())) {
                statements += 1;
                let table = rest.split(|character: char| !character.is_ascii_lowercase() && character != '_').next();
                assert_ne!(table, Some("uplink"), "{}: passports leave by dropping their day alone", path.display());
            }
            assert!(!text.contains("TRUNCATE"), "{}: nothing is truncated", path.display());
        }
    }
    assert!(statements > 3, "the search itself is wrong");
}
