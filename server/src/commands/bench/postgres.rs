//! What Postgres says of itself: settings, rows, sizes, WAL, syncs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::ensure;
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde::Serialize;

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

/// Rows of each table that belongs to tenants, by name; partitions count with their table.
pub(super) type Rows = BTreeMap<String, i64>;

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// The tables that belong to tenants.
pub(super) async fn tenant_tables(conn: &mut AsyncPgConnection) -> anyhow::Result<Vec<String>> {
    let tables: Vec<Counted> = diesel::sql_query(
        "SELECT c.relname::text AS name, 0::bigint AS number FROM pg_class c \
         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' \
         WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace ORDER BY 1",
    )
    .load(conn)
    .await?;
    Ok(tables.into_iter().map(|table| table.name).collect())
}

/// Counts them.
pub(super) async fn rows(conn: &mut AsyncPgConnection) -> anyhow::Result<Rows> {
    let counts: Vec<String> = tenant_tables(conn)
        .await?
        .iter()
        .map(|table| format!("SELECT '{table}'::text AS name, count(*) AS number FROM {table}"))
        .collect();
    let counted: Vec<Counted> = diesel::sql_query(counts.join(" UNION ALL ")).load(conn).await?;
    Ok(counted.into_iter().map(|table| (table.name, table.number)).collect())
}

/// What came in between; tables that did not change are left out.
pub(super) fn grown(after: Rows, before: &Rows) -> Rows {
    let grown = after.into_iter().map(|(table, rows)| {
        let more = rows - before.get(&table).copied().unwrap_or_default();
        (table, more)
    });
    grown.filter(|(_, rows)| *rows != 0).collect()
}

/// Size of one table in bytes, its partitions included.
#[derive(Debug, Clone, QueryableByName, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TableSize {
    #[diesel(sql_type = Text)]
    pub(super) table: String,
    #[diesel(sql_type = BigInt)]
    pub(super) rows: i64,
    /// Rows and what is stored beside them.
    #[diesel(sql_type = BigInt)]
    pub(super) table_bytes: i64,
    #[diesel(sql_type = BigInt)]
    pub(super) index_bytes: i64,
}

/// Sizes of the tables.
pub(super) async fn sizes(conn: &mut AsyncPgConnection, tables: &[&str]) -> anyhow::Result<Vec<TableSize>> {
    let queries: Vec<String> = tables
        .iter()
        .map(|table| {
            format!(
                "SELECT '{table}'::text AS \"table\", (SELECT count(*) FROM {table}) AS rows, \
                 sum(pg_table_size(part.relid))::bigint AS table_bytes, \
                 sum(pg_indexes_size(part.relid))::bigint AS index_bytes \
                 FROM (SELECT relid FROM pg_partition_tree('{table}') WHERE isleaf \
                 UNION SELECT '{table}'::regclass) AS part"
            )
        })
        .collect();
    Ok(diesel::sql_query(queries.join(" UNION ALL ")).load(conn).await?)
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = Nullable<BigInt>)]
    number: Option<i64>,
}

pub(super) async fn number(conn: &mut AsyncPgConnection, query: &str) -> anyhow::Result<Option<i64>> {
    let found: Number = diesel::sql_query(format!("SELECT ({query})::bigint AS number")).get_result(conn).await?;
    Ok(found.number)
}

/// Bytes of WAL that were ever written.
pub(super) async fn wal_bytes(conn: &mut AsyncPgConnection) -> anyhow::Result<i64> {
    Ok(number(conn, "pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')").await?.unwrap_or_default())
}

/// How often WAL was synced to disk. A session reports it with a statement of its own that is at least a second after its
/// last report, and when it ends. (Postgres 18 moved it from `pg_stat_wal` to `pg_stat_io`.)
pub(super) async fn wal_syncs(conn: &mut AsyncPgConnection) -> anyhow::Result<i64> {
    let major = number(conn, "current_setting('server_version_num')::int / 10000").await?.unwrap_or_default();
    let query = if major >= 18 {
        "SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal'"
    } else {
        "SELECT wal_sync FROM pg_stat_wal"
    };
    Ok(number(conn, query).await?.unwrap_or_default())
}

/// The name under which the floor connects.
const FLOOR: &str = "afferent-floor";

/// A connection of the floor.
pub(super) async fn connect_floor(url: &str) -> anyhow::Result<AsyncPgConnection> {
    connect(&format!("{url}&application_name={FLOOR}")).await
}

/// Waits until the floor's sessions, which were closed, are gone and their statistics reported.
///
/// # Errors
/// When some stay.
pub(super) async fn floor_ended(conn: &mut AsyncPgConnection) -> anyhow::Result<()> {
    let query = format!("SELECT count(*) FROM pg_stat_activity WHERE application_name = '{FLOOR}'");
    let until = Instant::now() + PATIENCE;
    while number(conn, &query).await? != Some(0) {
        ensure!(Instant::now() < until, "database sessions stay open after their end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
