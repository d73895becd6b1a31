//! Retention: raw bytes of settled uplinks go after their tenant's days; those of open items stay until a person has
//! settled them, ninety days at most, and are then closed as `expired`, never silently.
//!
//! Everything is done in small transactions that may be killed at any point: the next run goes on where the last one
//! stopped. One process at a time works; whoever comes second finds the turn taken and leaves it. A lock that ingest waits
//! behind is waited for a fifth of a second at most and held for milliseconds; what cannot be locked is left for the next
//! run.

use std::time::{Duration, Instant};

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use db::DbError;

use super::store;
use super::store::retention::{self as rows, OpenKind, ShortTenant};
use crate::app::App;
use crate::platform::metrics::KindLabel;
use crate::platform::partitions::{self, Partitioned};

/// Days after which an open item is closed, where its tenant's retention is not longer.
pub const OPEN_ITEM_DAYS: i32 = 90;
/// So many days before, it is warned of.
const WARN_DAYS: i32 = 14;
/// Rows of one transaction.
const CHUNK: i64 = 2_000;
/// Unsealed rows moved in one transaction: each is read, sealed and written.
const MOVED: i64 = 500;
/// A run stops in time for the next.
const BUDGET: Duration = Duration::from_secs(120);

/// What a run did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Raw bytes that an older server had written unsealed.
    pub sealed: usize,
    /// Open items closed.
    pub expired: i64,
    /// Raw bytes put aside for open items.
    pub kept: usize,
    /// Raw bytes that were put aside and are settled by now.
    pub forgotten: usize,
    /// Raw bytes deleted one by one, of tenants with a shorter retention than others.
    pub deleted: usize,
    /// Partitions dropped.
    pub dropped: usize,
}

/// When an open item expires, for whoever lists it.
#[must_use]
pub fn expires_at(received_at: DateTime<Utc>, tenant_days: i32) -> DateTime<Utc> {
    received_at + TimeDelta::days(i64::from(tenant_days.max(OPEN_ITEM_DAYS)))
}

/// One run.
///
/// # Errors
/// The first thing that went wrong; what was done before stays done.
pub async fn run(app: &App) -> Result<Done, DbError> {
    let started = Instant::now();
    let mut done = Done::default();
    let default_days = i32::try_from(app.config.uplink_retention_days).unwrap_or(i32::MAX);
    let in_time = || started.elapsed() < BUDGET;

    while in_time() {
        let moved = seal_unsealed(app).await?;
        done.sealed += moved;
        if moved < usize::try_from(MOVED).unwrap_or(usize::MAX) {
            break;
        }
    }
    for kind in OpenKind::ALL {
        done.expired += expire(app, kind, default_days).await?;
    }
    done.forgotten = repeat(app, &in_time, async |conn| rows::forget_settled(conn, CHUNK).await).await?;
    let mut transaction = app.db.begin_worker().await?;
    let longest = rows::longest_days(&mut transaction, default_days).await?;
    let short = rows::short_tenants(&mut transaction, default_days, longest).await?;
    transaction.commit().await?;
    for tenant in short {
        sweep(app, tenant, &in_time, &mut done).await?;
    }
    for day in partitions::due(&app.db, Partitioned::UplinkBody, longest).await? {
        if !in_time() || !drop_bodies(app, day, longest, &mut done).await? {
            break;
        }
    }
    let passports = i32::try_from(app.config.uplink_passport_days).unwrap_or(i32::MAX);
    done.dropped += drop_days(app, Partitioned::Uplink, passports).await?;
    if done != Done::default() {
        tracing::info!(?done, "retention");
    }
    Ok(done)
}

/// Drops the days of a table that nothing has to be put aside of; what is busy waits for the next run.
///
/// # Errors
/// The database's error.
pub async fn drop_days(app: &App, table: Partitioned, keep_days: i32) -> Result<usize, DbError> {
    let mut dropped = 0;
    for day in partitions::due(&app.db, table, keep_days).await? {
        let mut transaction = app.db.begin_worker().await?;
        if !rows::take_turn(&mut transaction).await? {
            break;
        }
        match partitions::drop_day(&mut transaction, table, day, keep_days).await.map_err(DbError::from) {
            Ok(was_there) => {
                transaction.commit().await?;
                dropped += usize::from(was_there);
            }
            Err(error) if partitions::is_busy(&error) => {
                tracing::info!(table = table.as_str(), %day, "a partition is in use; it is dropped at the next run");
                break;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(dropped)
}

/// How much is about to expire, for metrics and the log.
///
/// # Errors
/// The database's error.
pub async fn warn(app: &App) -> Result<(), DbError> {
    let default_days = i32::try_from(app.config.uplink_retention_days).unwrap_or(i32::MAX);
    let mut transaction = app.db.begin_worker().await?;
    for kind in OpenKind::ALL {
        let count = rows::expiring(&mut transaction, kind, OPEN_ITEM_DAYS, default_days, WARN_DAYS).await?;
        let gauge = app.metrics.open_items_expiring.get_or_create(&KindLabel { kind: kind.as_str() });
        // Said when it changes, not every time.
        if gauge.set(count) != count && count > 0 {
            tracing::warn!(
                kind = kind.as_str(),
                count,
                "open items expire within {WARN_DAYS} days: their raw bytes go unless somebody settles them"
            );
        }
    }
    transaction.commit().await
}

async fn seal_unsealed(app: &App) -> Result<usize, DbError> {
    let mut transaction = app.db.begin_worker().await?;
    let found = store::unsealed(&mut transaction, MOVED).await?;
    if !found.is_empty()
        && let Err(error) = store::seal_in_place(&mut transaction, &app.data_keys, &found).await
    {
        tracing::error!(cause = %format!("{error:?}"), "raw bytes of an older server could not be sealed");
        return Ok(0);
    }
    transaction.commit().await?;
    Ok(found.len())
}

async fn expire(app: &App, kind: OpenKind, default_days: i32) -> Result<i64, DbError> {
    let mut transaction = app.db.begin_worker().await?;
    let expired = rows::expire(&mut transaction, kind, OPEN_ITEM_DAYS, default_days).await?;
    transaction.commit().await?;
    let mut sum = 0;
    for of_tenant in &expired {
        sum += of_tenant.number;
        tracing::warn!(
            tenant.id = %of_tenant.tenant_id,
            kind = kind.as_str(),
            count = of_tenant.number,
            "open items expired: nobody settled them in time, and their raw bytes go"
        );
    }
    let counter = app.metrics.open_items_expired.get_or_create(&KindLabel { kind: kind.as_str() });
    counter.inc_by(u64::try_from(sum).unwrap_or_default());
    Ok(sum)
}

/// Deletes what a tenant with a shorter retention does not keep, hour by hour.
async fn sweep(
    app: &App,
    tenant: ShortTenant,
    in_time: &(impl Fn() -> bool + Sync),
    done: &mut Done,
) -> Result<(), DbError> {
    let mut from = tenant.swept_until;
    while from < tenant.sweep_until && in_time() {
        let until = (from + TimeDelta::hours(1)).min(tenant.sweep_until);
        let mut transaction = app.db.begin_worker().await?;
        if !rows::take_turn(&mut transaction).await? {
            return Ok(());
        }
        done.kept += rows::keep_open(&mut transaction, Some(tenant.id), (from, until)).await?;
        let deleted = rows::delete_bodies(&mut transaction, tenant.id, (from, until), CHUNK).await?;
        let all = i64::try_from(deleted).unwrap_or(i64::MAX) < CHUNK;
        if all {
            rows::set_swept(&mut transaction, tenant.id, until).await?;
        }
        transaction.commit().await?;
        done.deleted += deleted;
        if all {
            from = until;
        }
    }
    Ok(())
}

/// Drops a day of raw bytes, after those of open items are put aside; behind the lock it is only asked whether any are
/// left, so that nothing slips through between and ingest waits for milliseconds. False when that has to wait for the next run.
async fn drop_bodies(app: &App, day: NaiveDate, keep_days: i32, done: &mut Done) -> Result<bool, DbError> {
    let from = day.and_time(NaiveTime::MIN).and_utc();
    let period = (from, from + Days::new(1));
    let mut transaction = app.db.begin_worker().await?;
    if rows::unsealed_until(&mut transaction, day).await? {
        return Ok(false);
    }
    done.kept += rows::keep_open(&mut transaction, None, period).await?;
    transaction.commit().await?;

    let mut transaction = app.db.begin_worker().await?;
    if !rows::take_turn(&mut transaction).await? {
        return Ok(false);
    }
    let dropped = async {
        rows::lock_bodies(&mut transaction).await?;
        if rows::any_left(&mut transaction, period).await? {
            // Opened just now: copied in peace at the next run.
            return Ok(None);
        }
        let dropped = partitions::drop_day(&mut transaction, Partitioned::UplinkBody, day, keep_days).await?;
        transaction.commit().await?;
        Ok::<_, DbError>(Some(dropped))
    };
    match dropped.await {
        Ok(Some(dropped)) => {
            done.dropped += usize::from(dropped);
            Ok(true)
        }
        Ok(None) => Ok(false),
        Err(error) if partitions::is_busy(&error) => {
            tracing::info!(%day, "raw bytes are in use; their day is dropped at the next run");
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Repeats a bounded step until it does less than its bound, each time in a transaction of its own.
async fn repeat(
    app: &App,
    in_time: &impl Fn() -> bool,
    step: impl AsyncFn(&mut diesel_async::AsyncPgConnection) -> diesel::QueryResult<usize>,
) -> Result<usize, DbError> {
    let mut sum = 0;
    while in_time() {
        let mut transaction = app.db.begin_worker().await?;
        let done = step(&mut transaction).await?;
        transaction.commit().await?;
        sum += done;
        if i64::try_from(done).unwrap_or(i64::MAX) < CHUNK {
            break;
        }
    }
    Ok(sum)
}

/// Closes as `expired` what is open and cannot be decoded again, because the data keys of its raw bytes are lost; answers
/// how many items.
///
/// # Errors
/// The database's error.
pub async fn give_up(db: &db::Db, data_keys: &[i32]) -> Result<usize, DbError> {
    let mut transaction = db.begin_worker().await?;
    let mut sum = 0;
    for kind in OpenKind::ALL {
        sum += rows::expire_sealed_with(&mut transaction, kind, data_keys).await?;
    }
    transaction.commit().await?;
    Ok(sum)
}
