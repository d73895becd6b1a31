//! Tables that grow fast are analysed before their plans, made while they were empty, read all of them.

use afferent::platform::statistics;
use diesel::QueryableByName;
use diesel::sql_types::{Bool, Float4};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use tokio_util::sync::CancellationToken;

use crate::support::{TestApp, connect, eventually};

/// What the planner believes of `ingest_key`; -1 when nobody has looked yet.
async fn believed(conn: &mut AsyncPgConnection) -> f32 {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Float4)]
        reltuples: f32,
    }
    let row: Row = diesel::sql_query("SELECT reltuples FROM pg_class WHERE relname = 'ingest_key'")
        .get_result(conn)
        .await
        .unwrap();
    row.reltuples
}

async fn keys(app: &TestApp, conn: &mut AsyncPgConnection, count: u32) {
    let tenant = app.clinic(&format!("clinic-{count}")).await.tenant;
    let insert = format!(
        "INSERT INTO ingest_key SELECT '{tenant}', gen_random_uuid(), gen_random_uuid()::text::bytea, gen_random_uuid(), now(), now() + interval '1 day', '{{}}' \
         FROM generate_series(1, {count})"
    );
    conn.batch_execute(&insert).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_grows_is_analysed_within_seconds() {
    let app = TestApp::start().await;
    let mut conn = connect(&app.database.superuser_url).await;
    let stop = CancellationToken::new();
    tokio::spawn(statistics::follow(app.app.db.clone(), stop.clone()));
    // Each time four times as many; autovacuum would look once a minute.
    for (count, all) in [(5_000, 5_000.0), (30_000, 35_000.0)] {
        keys(&app, &mut conn, count).await;
        let mut conn = connect(&app.database.superuser_url).await;
        eventually("the table to be analysed", || {
            let url = app.database.superuser_url.clone();
            async move {
                let mut conn = connect(&url).await;
                (believed(&mut conn).await > 0.9 * all).then_some(())
            }
        })
        .await;
        assert!(believed(&mut conn).await < 1.1 * all);
    }
    stop.cancel();

    #[derive(QueryableByName)]
    struct May {
        #[diesel(sql_type = Bool)]
        may: bool,
    }
    let may: May =
        diesel::sql_query("SELECT has_function_privilege('afferent_app', 'analyze_grown_table()', 'EXECUTE') AS may")
            .get_result(&mut conn)
            .await
            .unwrap();
    assert!(!may.may, "it is the worker's");
}
