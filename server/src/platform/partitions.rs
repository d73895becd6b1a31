//! Daily partitions: made ahead, looked at by `/readyz` and metrics, and dropped after their time by functions of the
//! owner, which refuse anything younger than their own limits.

use chrono::NaiveDate;
use db::{Db, DbError, Transaction};
use diesel::QueryableByName;
use diesel::sql_types::{Bool, Date, Double, Integer, Text};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};

/// Partitions are there so many days ahead.
pub const DAYS_AHEAD: i32 = 7;
/// Fewer days than this: something keeps maintenance from its work, and a person should look.
pub const DAYS_WARNED: i32 = 3;
/// How long a drop waits for the transactions in front of it; those behind it wait as long.
const LOCK_TIMEOUT_MS: u32 = 200;

/// The partitioned tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Partitioned {
    /// Passports of what was received.
    Uplink,
    /// Sealed raw bytes.
    UplinkBody,
    /// Finished deliveries.
    DeliveryLog,
}

impl Partitioned {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Uplink, Self::UplinkBody, Self::DeliveryLog];

    /// The table's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Uplink => "uplink",
            Self::UplinkBody => "uplink_body",
            Self::DeliveryLog => "delivery_log",
        }
    }
}

/// How far a table's partitions reach without a gap.
#[derive(Debug, Clone)]
pub struct Ahead {
    /// The table.
    pub table: &'static str,
    /// Whole days after today (UTC, by the database's clock); -1 when today's is missing.
    pub days: i32,
}

#[derive(QueryableByName)]
struct AheadRow {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Integer)]
    days: i32,
    #[diesel(sql_type = Double)]
    database_time: f64,
}

/// What `/readyz` wants to know: how far partitions reach, and the database's clock (seconds of the Unix epoch).
///
/// # Errors
/// The database's error.
pub async fn look(db: &Db) -> Result<(Vec<Ahead>, f64), DbError> {
    let mut transaction = db.begin_worker().await?;
    // The first day whose partition is missing; by name, which the owner's function gives.
    let rows: Vec<AheadRow> = diesel::sql_query(
        "SELECT p.name AS table_name, extract(epoch FROM clock_timestamp())::float8 AS database_time, \
                coalesce((SELECT min(d.n) FROM generate_series(0, 91) AS d(n) WHERE NOT EXISTS ( \
                    SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
                    WHERE i.inhparent = ('public.' || p.name)::regclass \
                      AND c.relname = p.name || '_' || to_char((now() AT TIME ZONE 'UTC')::date + d.n, 'YYYYMMDD'))), 92)::int - 1 AS days \
         FROM unnest($1) AS p(name)",
    )
    .bind::<diesel::sql_types::Array<Text>, _>(Partitioned::ALL.map(Partitioned::as_str).to_vec())
    .load(&mut *transaction)
    .await?;
    transaction.commit().await?;
    let database_time = rows.iter().map(|row| row.database_time).next().unwrap_or_default();
    let ahead = Partitioned::ALL
        .into_iter()
        .map(|table| Ahead {
            table: table.as_str(),
            days: rows.iter().find(|row| row.table_name == table.as_str()).map_or(-1, |row| row.days),
        })
        .collect();
    Ok((ahead, database_time))
}

/// Makes what is missing from yesterday to [`DAYS_AHEAD`]; answers how many were made.
///
/// # Errors
/// The database's error.
pub async fn ensure(db: &Db) -> Result<i32, DbError> {
    #[derive(QueryableByName)]
    struct Made {
        #[diesel(sql_type = Integer)]
        made: i32,
    }
    let mut transaction = db.begin_worker().await?;
    let made: Made = diesel::sql_query("SELECT ensure_partitions($1) AS made")
        .bind::<Integer, _>(DAYS_AHEAD)
        .get_result(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(made.made)
}

/// The days of a table that are over for `keep_days` or longer, oldest first.
///
/// # Errors
/// The database's error.
pub async fn due(db: &Db, table: Partitioned, keep_days: i32) -> Result<Vec<NaiveDate>, DbError> {
    #[derive(QueryableByName)]
    struct Day {
        #[diesel(sql_type = Date)]
        day: NaiveDate,
    }
    let mut transaction = db.begin_worker().await?;
    let days: Vec<Day> = diesel::sql_query(
        "SELECT day FROM (SELECT to_date(right(c.relname, 8), 'YYYYMMDD') AS day FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
             WHERE i.inhparent = ('public.' || $1)::regclass AND c.relname ~ ('^' || $1 || '_[0-9]{8}$')) AS days \
         WHERE (day + 1)::timestamp AT TIME ZONE 'UTC' <= now() - make_interval(days => $2) ORDER BY day",
    )
    .bind::<Text, _>(table.as_str())
    .bind::<Integer, _>(keep_days)
    .load(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(days.into_iter().map(|day| day.day).collect())
}

/// Drops one day in the running transaction, which should be short: until its commit the whole table is locked. What
/// cannot be locked at once is an error that [`is_busy`] knows, and tried again at the next run.
///
/// # Errors
/// The database's error: locked, too young, or not a table whose partitions are dropped.
pub async fn drop_day(
    transaction: &mut Transaction,
    table: Partitioned,
    day: NaiveDate,
    keep_days: i32,
) -> diesel::QueryResult<bool> {
    #[derive(QueryableByName)]
    struct Dropped {
        #[diesel(sql_type = Bool)]
        dropped: bool,
    }
    transaction.batch_execute(&format!("SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")).await?;
    let dropped: Dropped = diesel::sql_query("SELECT drop_partition($1, $2, $3) AS dropped")
        .bind::<Text, _>(table.as_str())
        .bind::<Date, _>(day)
        .bind::<Integer, _>(keep_days)
        .get_result(&mut **transaction)
        .await?;
    Ok(dropped.dropped)
}

/// Whether somebody else held a lock for too long, or what had to be done behind it took too long.
#[must_use]
pub fn is_busy(error: &DbError) -> bool {
    matches!(error, DbError::Query(diesel::result::Error::DatabaseError(_, information)) if ["lock timeout", "statement timeout"].iter().any(|cause| information.message().contains(cause)))
}
