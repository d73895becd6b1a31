//! What has to be done now and then: partitions ahead, expired keys, quiet rate limits.

use std::sync::Arc;
use std::time::Duration;

use diesel::sql_types::Integer;
use diesel_async::RunQueryDsl;
use tokio_util::sync::CancellationToken;

use crate::app::App;

/// How often.
const EVERY: Duration = Duration::from_secs(600);
/// Partitions are there so many days ahead.
const DAYS_AHEAD: i32 = 7;

/// Runs until the server stops. A failure is logged and tried again the next time.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    loop {
        if let Err(error) = once(&app).await {
            tracing::error!(%error, "maintenance failed; it is tried again in ten minutes");
        }
        app.ingest_limits.forget_quiet();
        app.api_limits.forget_quiet();
        app.guess_limits.forget_quiet();
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

async fn once(app: &App) -> Result<(), db::DbError> {
    let mut transaction = app.db.begin_worker().await?;
    diesel::sql_query("SELECT ensure_partitions($1)").bind::<Integer, _>(DAYS_AHEAD).execute(&mut *transaction).await?;
    // Bounded, so that a long backlog does not hold a long transaction.
    diesel::sql_query("DELETE FROM ingest_key WHERE ctid = ANY(ARRAY(SELECT ctid FROM ingest_key WHERE expires_at < now() - interval '1 hour' LIMIT 10000))")
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}
