//! What Postgres says of itself: settings, rows, WAL, syncs.

use std::time::{Duration, Instant};

use anyhow::ensure;
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

/// How long sessions may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// A superuser's connection, which sees every row.
pub(super) async fn connect(url: &str) -> anyhow::Result<AsyncPgConnection> {
    Ok(AsyncPgConnection::establish(url).await?)
}

/// Version and the settings that durability rests on.
#[derive(QueryableByName)]
struct Settings {
    #[diesel(sql_type = Text)]
    version: String,
    #[diesel(sql_type = Text)]
    fsync: String,
    #[diesel(sql_type = Text)]
    synchronous_commit: String,
    #[diesel(sql_type = Text)]
    full_page_writes: String,
}

/// The version, once it is certain that commits are synced to disk: otherwise no number here means anything.
///
/// # Errors
/// When they are not.
pub(super) async fn durable_version(conn: &mut AsyncPgConnection) -> anyhow::Result<String> {
    let settings: Settings = diesel::sql_query(
        "SELECT current_setting('server_version') AS version, current_setting('fsync') AS fsync, \
         current_setting('synchronous_commit') AS synchronous_commit, \
         current_setting('full_page_writes') AS full_page_writes",
    )
    .get_result(conn)
    .await?;
    ensure!(
        settings.fsync == "on" && settings.synchronous_commit == "on" && settings.full_page_writes == "on",
        "the bench's Postgres is not durable: fsync {}, synchronous_commit {}, full_page_writes {}",
        settings.fsync,
        settings.synchronous_commit,
        settings.full_page_writes
    );
    Ok(settings.version)
}

/// Rows that ingest writes, over all tenants.
#[derive(QueryableByName, Clone, Copy)]
pub(super) struct Rows {
    #[diesel(sql_type = BigInt)]
    pub(super) uplinks: i64,
    #[diesel(sql_type = BigInt)]
    pub(super) observations: i64,
    #[diesel(sql_type = BigInt)]
    pub(super) deliveries: i64,
    #[diesel(sql_type = BigInt)]
    pub(super) keys: i64,
}

/// Counts them.
pub(super) async fn rows(conn: &mut AsyncPgConnection) -> anyhow::Result<Rows> {
    let counted = diesel::sql_query(
        "SELECT (SELECT count(*) FROM uplink) AS uplinks, (SELECT count(*) FROM observation) AS observations, \
         (SELECT count(*) FROM delivery) AS deliveries, (SELECT count(*) FROM ingest_key) AS keys",
    );
    Ok(counted.get_result(conn).await?)
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = Nullable<BigInt>)]
    number: Option<i64>,
}

async fn number(conn: &mut AsyncPgConnection, query: &str) -> anyhow::Result<Option<i64>> {
    let found: Number = diesel::sql_query(format!("SELECT ({query})::bigint AS number")).get_result(conn).await?;
    Ok(found.number)
}

/// Bytes of WAL that were ever written.
pub(super) async fn wal_bytes(conn: &mut AsyncPgConnection) -> anyhow::Result<i64> {
    Ok(number(conn, "pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')").await?.unwrap_or_default())
}

/// How often WAL was synced to disk. Sessions report it about once a second and when they end; [`sessions_ended`] makes it
/// exact. (Postgres 18 moved it from `pg_stat_wal` to `pg_stat_io`.)
pub(super) async fn wal_syncs(conn: &mut AsyncPgConnection) -> anyhow::Result<i64> {
    let major = number(conn, "current_setting('server_version_num')::int / 10000").await?.unwrap_or_default();
    let query = if major >= 18 {
        "SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal'"
    } else {
        "SELECT wal_sync FROM pg_stat_wal"
    };
    Ok(number(conn, query).await?.unwrap_or_default())
}

/// Whose sessions.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sessions {
    /// Those of the floor, which say so by their name.
    Floor,
    /// All but the one that asks.
    Others,
}

/// The name under which the floor connects.
const FLOOR: &str = "afferent-floor";

/// A connection of the floor.
pub(super) async fn connect_floor(url: &str) -> anyhow::Result<AsyncPgConnection> {
    connect(&format!("{url}&application_name={FLOOR}")).await
}

/// Waits until sessions that were closed are gone, and their statistics reported.
///
/// # Errors
/// When some stay.
pub(super) async fn sessions_ended(conn: &mut AsyncPgConnection, sessions: Sessions) -> anyhow::Result<()> {
    let condition = match sessions {
        Sessions::Floor => format!("application_name = '{FLOOR}'"),
        Sessions::Others => "pid <> pg_backend_pid()".to_owned(),
    };
    let query = format!("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND {condition}");
    let until = Instant::now() + PATIENCE;
    while number(conn, &query).await? != Some(0) {
        ensure!(Instant::now() < until, "database sessions stay open after their end: {sessions:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
