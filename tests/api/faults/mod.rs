//! Faults that we cause: nothing acknowledged is lost, nothing is doubled, nobody else is hurt.

mod back_pressure;
mod commit_in_doubt;
mod disk_full;
mod hostile_decoders;
mod killed_server;
mod poison;
mod revocation;
mod soak;
mod twins;

use std::time::Duration;

use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};

use crate::support::{TestApp, connect, eventually};

/// Stops every group commit at its first row, until it is released.
struct Plug(AsyncPgConnection);

impl Plug {
    async fn insert(superuser_url: &str) -> Self {
        let mut conn = connect(superuser_url).await;
        conn.batch_execute("BEGIN; LOCK TABLE uplink IN SHARE ROW EXCLUSIVE MODE").await.unwrap();
        Self(conn)
    }

    async fn release(mut self) {
        self.0.batch_execute("COMMIT").await.unwrap();
    }
}

/// Waits until so many uplinks were let in and are not answered.
async fn queued(app: &TestApp, count: usize) {
    eventually(&format!("{count} uplinks to wait"), || async { (app.app.intake.waiting() == count).then_some(()) })
        .await;
}

/// The value of a metric, 0 while it was never counted.
fn metric(app: &TestApp, line: &str) -> u64 {
    let text = app.app.metrics.render();
    let value = text.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(' '));
    value.map_or(0, |value| value.parse().unwrap())
}

#[derive(diesel::QueryableByName)]
struct Count {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    count: i64,
}

/// What `SELECT count(*) AS count …` says, behind the server's back.
async fn count(superuser_url: &str, query: &str) -> i64 {
    let mut conn = connect(superuser_url).await;
    let row: Count = diesel::sql_query(query).get_result(&mut conn).await.unwrap();
    row.count
}

/// A moment for what should not happen.
async fn moment() {
    tokio::time::sleep(Duration::from_millis(300)).await;
}
