//! What has to be done now and then: partitions ahead and behind, retention, data keys, expired keys, quiet rate limits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use diesel_async::RunQueryDsl;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::ingest::retention;
use crate::platform::metrics::TableLabel;
use crate::platform::partitions::{self, Ahead, DAYS_WARNED, Partitioned};

/// How often everything is done.
const EVERY: Duration = Duration::from_secs(600);
/// How often data keys are read: a new one is in use everywhere after that.
const KEYS_EVERY: Duration = Duration::from_secs(60);
/// So far the server's clock and the database's may be apart, seconds. Ingest refuses at the same point.
const CLOCKS_APART: f64 = 600.0;

/// Runs until the server stops. A failure is logged and tried again the next time.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let mut last: Option<Instant> = None;
    loop {
        if let Err(error) = app.data_keys.refresh(&app.db, &app.sealer).await {
            tracing::error!(cause = %format!("{error:#}"), "the data keys could not be read again; those in memory stay in use");
        }
        if last.is_none_or(|last| last.elapsed() >= EVERY) {
            last = Some(Instant::now());
            once(&app).await;
            app.ingest_limits.forget_quiet();
            app.api_limits.forget_quiet();
            app.guess_limits.forget_quiet();
            app.pairing_limits.forget_quiet();
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(KEYS_EVERY) => {}
        }
    }
}

/// Everything once. Each part is tried, whatever became of the others: a retention that fails must not keep partitions from
/// being made.
pub async fn once(app: &App) {
    said("partitions ahead", partitions::ensure(&app.db).await);
    let state = storage(app).await;
    match &state {
        Ok(state) => state.warnings().iter().for_each(|warning| tracing::warn!("{warning}")),
        Err(error) => tracing::error!(%error, "the partitions could not be looked at"),
    }
    said("expired ingest keys", forget_keys(app).await);
    // What is old is a question of the clock: when it is doubtful, nothing is thrown away.
    if state.is_ok_and(|state| !state.clocks_apart()) {
        let age = TimeDelta::days(i64::from(app.config.data_key_days));
        if let Err(error) = app.data_keys.rotate(&app.db, &app.sealer, Some((age, app.clock.now()))).await {
            tracing::error!(cause = %format!("{error:#}"), "a new data key could not be made; the old one stays in use");
        }
        said("retention", retention::run(app).await);
        let log_days = i32::try_from(app.config.delivery_log_days).unwrap_or(i32::MAX);
        said("old deliveries", retention::drop_days(app, Partitioned::DeliveryLog, log_days).await);
    }
    said("expiring items", retention::warn(app).await);
}

fn said<T>(what: &str, result: Result<T, db::DbError>) {
    if let Err(error) = result {
        tracing::error!(%error, "maintenance failed: {what}; it is tried again in ten minutes");
    }
}

async fn forget_keys(app: &App) -> Result<(), db::DbError> {
    let mut transaction = app.db.begin_worker().await?;
    // Bounded, so that a long backlog does not hold a long transaction.
    diesel::sql_query("DELETE FROM ingest_key WHERE ctid = ANY(ARRAY(SELECT ctid FROM ingest_key WHERE expires_at < now() - interval '1 hour' LIMIT 10000))")
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

/// Whether what arrives now and tomorrow can be stored.
#[derive(Debug)]
pub struct Storage {
    ahead: Vec<Ahead>,
    /// Seconds that the server's clock is ahead of the database's.
    clock_offset: f64,
}

impl Storage {
    fn clocks_apart(&self) -> bool {
        self.clock_offset.abs() > CLOCKS_APART
    }

    /// Why nothing should be sent here, if so.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        if self.clocks_apart() {
            return Some(format!(
                "the server's clock is {:.0} seconds ahead of the database's; set the clocks",
                self.clock_offset
            ));
        }
        let short = self.ahead.iter().find(|ahead| ahead.days < 1)?;
        let day = if short.days < 0 { "today" } else { "tomorrow" };
        Some(format!(
            "the partition of {} for {day} is missing; maintenance makes it, and its log says why not",
            short.table
        ))
    }

    /// What a person should look at before it becomes a refusal.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.refusal()
            .into_iter()
            .chain(self.ahead.iter().filter(|ahead| (1..DAYS_WARNED).contains(&ahead.days)).map(|ahead| {
                format!(
                    "partitions of {} reach {} day(s) ahead only; there should be {}",
                    ahead.table,
                    ahead.days,
                    partitions::DAYS_AHEAD
                )
            }))
            .collect()
    }
}

/// Looks at partitions and clocks, and sets the metrics.
///
/// # Errors
/// The database's error.
pub async fn storage(app: &App) -> Result<Storage, db::DbError> {
    let (ahead, database_time) = partitions::look(&app.db).await?;
    for table in &ahead {
        app.metrics.partition_days_ahead.get_or_create(&TableLabel { table: table.table }).set(i64::from(table.days));
    }
    let now = app.clock.now();
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of this century are exact in a float")]
    let clock_offset = now.timestamp_millis() as f64 / 1000.0 - database_time;
    app.metrics.clock_offset_seconds.set(clock_offset);
    Ok(Storage { ahead, clock_offset })
}
