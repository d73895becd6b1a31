//! Cost against a table with sixteen times the rows: the same load on the same Postgres with the same settings, before and
//! after the tables that ingest writes were filled with copies of their rows.

use std::collections::BTreeMap;

use anyhow::ensure;
use diesel::QueryableByName;
use diesel::sql_types::Text;
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use serde::Serialize;

use super::ingest::{self, IngestCost};
use super::postgres::{self, TableSize};
use super::stage::{Stage, progress};

/// How many times the rows.
const TIMES: i64 = 16;

/// Size of the measurement.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    /// Observations that there are at least before it begins.
    pub(super) observations: i64,
    /// Payloads of each measurement; half as many warm up before each.
    pub(super) payloads: u32,
    pub(super) connections: u32,
}

/// Both measurements.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Scale {
    pub(super) base: AtSize,
    pub(super) filled: AtSize,
    /// Observations in the second ÷ in the first.
    pub(super) times_the_rows: f64,
    /// Wall time of a payload, filled ÷ base.
    pub(super) wall_ratio: f64,
    /// Processor time of a payload, filled ÷ base: the steadier of the two on a machine that is not quiet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cpu_ratio: Option<f64>,
    /// Time of the floor, after ÷ before: what the machine itself changed meanwhile.
    pub(super) floor_ratio: f64,
    /// Bytes of one Observation in its table, indexes included.
    pub(super) bytes_per_observation: f64,
    /// Bytes of the whole database for each Observation: uplinks, deliveries and all else included.
    pub(super) database_bytes_per_observation: f64,
}

/// One measurement.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AtSize {
    pub(super) tables: Vec<TableSize>,
    pub(super) cost: IngestCost,
}

/// Measures, fills, and measures again.
pub(super) async fn measure(stage: &mut Stage, size: Size) -> anyhow::Result<Scale> {
    let there = observations(&mut stage.observer).await?;
    // A payload becomes more than one Observation: this is more than enough.
    stage.warm_up(u32::try_from((size.observations - there).max(0))?).await?;
    let floor_before = stage.floor(size.payloads).await?;
    let base = at_size(stage, size).await?;
    fill(&mut stage.observer).await?;
    let filled = at_size(stage, size).await?;
    let floor_after = stage.floor(size.payloads).await?;
    let rows = |at: &AtSize| at.tables.iter().find(|table| table.table == "observation").map(|table| table.rows);
    let (few, many) = (rows(&base).unwrap_or_default(), rows(&filled).unwrap_or_default());
    ensure!(many >= (TIMES - 1) * few, "the tables have {many} Observations, not {TIMES} × {few}");
    let each = |run: &super::floor::FloorRun| run.elapsed.as_secs_f64() / f64::from(run.payloads);
    let database = postgres::number(&mut stage.observer, "pg_database_size(current_database())").await?;
    let cpu = |at: &AtSize| at.cost.cpu_ms_per_payload.map(|cpu| cpu.server + cpu.postgres);
    let bytes = filled.tables.iter().find(|table| table.table == "observation");
    Ok(Scale {
        times_the_rows: quotient(many, few),
        wall_ratio: filled.cost.microseconds_per_payload / base.cost.microseconds_per_payload,
        cpu_ratio: cpu(&filled).zip(cpu(&base)).map(|(filled, base)| filled / base),
        floor_ratio: each(&floor_after) / each(&floor_before),
        bytes_per_observation: bytes
            .map_or(f64::NAN, |table| quotient(table.table_bytes + table.index_bytes, table.rows)),
        database_bytes_per_observation: quotient(
            database.unwrap_or_default(),
            observations(&mut stage.observer).await?,
        ),
        base,
        filled,
    })
}

/// Measures with the tables as they are, from the same start: vacuumed, planned for, everything on disk, then warmed up.
async fn at_size(stage: &mut Stage, size: Size) -> anyhow::Result<AtSize> {
    let written = written_by_ingest(&mut stage.observer).await?;
    let tables: Vec<&str> = written.keys().map(String::as_str).collect();
    progress(&format!("  vacuum of {} tables", tables.len()));
    stage.observer.batch_execute(&format!("VACUUM (ANALYZE) {}", tables.join(", "))).await?;
    stage.observer.batch_execute("CHECKPOINT").await?;
    let tables = postgres::sizes(&mut stage.observer, &tables).await?;
    stage.warm_up(size.payloads / 2).await?;
    let cost = ingest::measure(stage, size.payloads, size.connections).await?;
    Ok(AtSize { tables, cost })
}

async fn observations(conn: &mut AsyncPgConnection) -> anyhow::Result<i64> {
    Ok(postgres::number(conn, "SELECT count(*) FROM observation").await?.unwrap_or_default())
}

/// The tables that grow with payloads, and their rows: those that have at least one row for every second uplink.
async fn written_by_ingest(conn: &mut AsyncPgConnection) -> anyhow::Result<BTreeMap<String, i64>> {
    let rows = postgres::rows(conn).await?;
    let uplinks = rows.get("uplink").copied().unwrap_or_default();
    Ok(rows.into_iter().filter(|(_, rows)| *rows * 2 >= uplinks).collect())
}

/// A column and how a copy's value is made from it.
#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    kind: String,
}

impl Column {
    /// The copy's value: ids and times as if all had happened hours before, so that the copies lie in every index where
    /// older rows would; whatever else is unique is hashed to another value of the same length.
    fn copied(&self) -> String {
        let name = &self.name;
        let observation = matches!(name.as_str(), "id" | "resource_id" | "observation_id");
        match self.kind.as_str() {
            "uuid" if matches!(name.as_str(), "id" | "uplink_id" | "observation_id") => {
                format!("pg_temp.earlier({name}, hours.back)")
            }
            "text" if observation => format!("pg_temp.earlier({name}::uuid, hours.back)::text"),
            "text" if matches!(name.as_str(), "identifier_value" | "reading_key" | "record_key") => {
                format!("left(encode(sha256(convert_to({name} || hours.back, 'UTF8')), 'hex'), length({name}))")
            }
            "timestamp with time zone" => format!("{name} - hours.back * interval '1 hour'"),
            _ => name.clone(),
        }
    }
}

/// The id that a UUIDv7 would have been so many hours before: its first 48 bits are milliseconds (RFC 9562 §5.7).
const EARLIER: &str = "CREATE OR REPLACE FUNCTION pg_temp.earlier(id uuid, hours bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ \
     SELECT (lpad(to_hex(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint - hours * 3600000), 12, '0') \
     || substr(replace(id::text, '-', ''), 13))::uuid $$";

/// Copies every row of the tables that ingest writes until there are sixteen times as many.
async fn fill(conn: &mut AsyncPgConnection) -> anyhow::Result<()> {
    let tables = written_by_ingest(conn).await?;
    conn.batch_execute(EARLIER).await?;
    // No foreign key is asked and no trigger runs, for the copies are as good as their originals; and nobody waits for the
    // disk. Both end with the fill.
    conn.batch_execute("SET session_replication_role = replica; SET synchronous_commit = off").await?;
    for table in tables.keys() {
        conn.batch_execute(&format!("CREATE TEMPORARY TABLE base_{table} AS SELECT * FROM {table}")).await?;
    }
    for back in (1..TIMES).rev() {
        for table in tables.keys() {
            progress(&format!("  filling: {} of {} times the rows, {table}", TIMES - back, TIMES));
            let columns = columns(conn, table).await?;
            let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            let values: Vec<String> = columns.iter().map(Column::copied).collect();
            conn.batch_execute(&format!(
                "INSERT INTO {table} ({}) SELECT {} FROM base_{table}, (SELECT {back}::bigint AS back) AS hours",
                names.join(", "),
                values.join(", ")
            ))
            .await
            .map_err(|error| anyhow::Error::new(error).context(format!("rows of {table} could not be copied")))?;
        }
    }
    for table in tables.keys() {
        conn.batch_execute(&format!("DROP TABLE base_{table}")).await?;
    }
    conn.batch_execute("RESET session_replication_role; RESET synchronous_commit").await?;
    progress("");
    Ok(())
}

/// The columns that an insert may name.
async fn columns(conn: &mut AsyncPgConnection, table: &str) -> anyhow::Result<Vec<Column>> {
    let columns = diesel::sql_query(
        "SELECT attname::text AS name, format_type(atttypid, NULL) AS kind FROM pg_attribute \
         WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
    );
    Ok(columns.bind::<Text, _>(table).load(conn).await?)
}

#[expect(clippy::cast_precision_loss, reason = "rows and bytes of one run are far below 2^52")]
fn quotient(numerator: i64, denominator: i64) -> f64 {
    numerator as f64 / denominator as f64
}
