//! The floor (tests/bench/floor.sql): the same payloads and texts into two bare tables of the same Postgres.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use diesel::QueryableByName;
use diesel::sql_types::{Array, Bytea, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::postgres;
use crate::platform::clock::Clock;

/// Tables and statement.
const SQL: &str = include_str!("../../../../tests/bench/floor.sql");
/// Payloads of one statement and commit.
const BATCH: u32 = 200;
/// Connections that write at the same time.
const CONNECTIONS: usize = 2;

/// What Afferent stored for one payload.
#[derive(QueryableByName)]
pub(super) struct Template {
    #[diesel(sql_type = Bytea)]
    frame: Vec<u8>,
    #[diesel(sql_type = Array<Text>)]
    texts: Vec<String>,
}

/// One measurement.
pub(super) struct FloorRun {
    pub(super) payloads: u32,
    pub(super) observations: usize,
    pub(super) elapsed: Duration,
    pub(super) wal_bytes: i64,
}

fn section(name: &str) -> anyhow::Result<&'static str> {
    let found = SQL.split("-- section: ").find_map(|section| section.strip_prefix(name));
    found.with_context(|| format!("floor.sql has no section {name}"))
}

/// Makes the tables, and takes from Afferent's own what is to be written: frames and texts, as they are.
pub(super) async fn prepare(conn: &mut AsyncPgConnection) -> anyhow::Result<Arc<[Template]>> {
    conn.batch_execute(section("tables")?).await?;
    let templates: Vec<Template> = diesel::sql_query(
        "SELECT u.body AS frame, array_agg(o.body ORDER BY o.id) AS texts \
         FROM uplink u JOIN observation o ON o.tenant_id = u.tenant_id AND o.uplink_id = u.id \
         GROUP BY u.tenant_id, u.id, u.received_at, u.body ORDER BY u.id LIMIT 1000",
    )
    .load(conn)
    .await?;
    ensure!(!templates.is_empty(), "nothing was stored that the floor could write");
    Ok(templates.into())
}

/// Writes about so many payloads, in whole batches.
pub(super) async fn measure(url: &str, templates: &Arc<[Template]>, payloads: u32) -> anyhow::Result<FloorRun> {
    let batches = payloads.div_ceil(BATCH).max(2);
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(postgres::connect_floor(url).await?);
    }
    let mut observer = postgres::connect_floor(url).await?;
    let wal_before = postgres::wal_bytes(&mut observer).await?;
    let left = Arc::new(AtomicU32::new(batches));
    let started = Instant::now();
    let mut writers = JoinSet::new();
    for connection in connections {
        writers.spawn(write(connection, Arc::clone(templates), Arc::clone(&left)));
    }
    let mut observations = 0;
    while let Some(written) = writers.join_next().await {
        observations += written??;
    }
    let elapsed = started.elapsed();
    let wal_bytes = postgres::wal_bytes(&mut observer).await? - wal_before;
    Ok(FloorRun { payloads: batches * BATCH, observations, elapsed, wal_bytes })
}

/// Writes batches while there are any left; answers how many Observations they held.
async fn write(mut conn: AsyncPgConnection, templates: Arc<[Template]>, left: Arc<AtomicU32>) -> anyhow::Result<usize> {
    let statement = section("batch")?;
    let (tenant, device) = (Uuid::now_v7(), Uuid::now_v7());
    let patient = Uuid::now_v7().to_string();
    let mut written = 0;
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
        let mut batch = Batch::default();
        for template in templates.iter().cycle().take(BATCH as usize) {
            let uplink = Uuid::now_v7();
            batch.uplinks.push(uplink);
            batch.frames.push(&template.frame);
            for text in &template.texts {
                batch.observations.push(Uuid::now_v7().to_string());
                batch.of_uplinks.push(uplink);
                batch.texts.push(text);
            }
        }
        let stored = diesel::sql_query(statement)
            .bind::<SqlUuid, _>(tenant)
            .bind::<Timestamptz, _>(Clock.now())
            .bind::<Array<SqlUuid>, _>(&batch.uplinks)
            .bind::<Array<SqlUuid>, _>(vec![device; batch.uplinks.len()])
            .bind::<Array<Bytea>, _>(&batch.frames)
            .bind::<Array<Text>, _>(&batch.observations)
            .bind::<Array<SqlUuid>, _>(&batch.of_uplinks)
            .bind::<Array<Text>, _>(vec![patient.as_str(); batch.texts.len()])
            .bind::<Array<Text>, _>(&batch.texts)
            .execute(&mut conn)
            .await?;
        ensure!(stored == batch.texts.len(), "the floor stored {stored} of {} Observations", batch.texts.len());
        written += stored;
    }
    Ok(written)
}

/// The columns of one batch.
#[derive(Default)]
struct Batch<'a> {
    uplinks: Vec<Uuid>,
    frames: Vec<&'a [u8]>,
    observations: Vec<String>,
    of_uplinks: Vec<Uuid>,
    texts: Vec<&'a str>,
}
