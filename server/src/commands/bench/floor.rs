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
use super::processes::Processes;
use crate::platform::clock::Clock;

/// Tables and statement.
const SQL: &str = include_str!("../../../../tests/bench/floor.sql");
/// Payloads of one statement and commit.
const BATCH: u32 = 200;
/// Connections that write at the same time.
const CONNECTIONS: usize = 2;

/// A payload, and what Afferent stored for it.
pub(super) struct Template {
    pub(super) channel: &'static str,
    pub(super) frame: Vec<u8>,
    pub(super) texts: Vec<String>,
}

/// One measurement.
#[derive(Debug, Clone)]
pub(super) struct FloorRun {
    pub(super) payloads: u32,
    pub(super) observations: usize,
    pub(super) elapsed: Duration,
    pub(super) wal_bytes: i64,
    /// Processor time of Postgres and of what writes.
    pub(super) processor_time: Option<Duration>,
}

fn section(name: &str) -> anyhow::Result<&'static str> {
    let found = SQL.split("-- section: ").find_map(|section| section.strip_prefix(name));
    found.with_context(|| format!("floor.sql has no section {name}"))
}

#[derive(QueryableByName)]
struct Stored {
    #[diesel(sql_type = Array<Text>)]
    texts: Vec<String>,
}

/// Makes the tables.
pub(super) async fn prepare(conn: &mut AsyncPgConnection) -> anyhow::Result<()> {
    Ok(conn.batch_execute(section("tables")?).await?)
}

/// The texts of Observations, in the order of their ids.
pub(super) async fn texts(conn: &mut AsyncPgConnection, ids: &[String]) -> anyhow::Result<Vec<String>> {
    let stored: Stored = diesel::sql_query(
        "SELECT coalesce(array_agg(o.body ORDER BY wish.place), '{}') AS texts \
         FROM unnest($1) WITH ORDINALITY AS wish (id, place) JOIN observation o ON o.id = wish.id",
    )
    .bind::<Array<Text>, _>(ids)
    .get_result(conn)
    .await?;
    ensure!(stored.texts.len() == ids.len(), "an acknowledged Observation is not there");
    Ok(stored.texts)
}

/// Writes about so many payloads, in whole batches.
pub(super) async fn measure(
    url: &str,
    templates: &Arc<[Template]>,
    payloads: u32,
    processes: Processes,
) -> anyhow::Result<FloorRun> {
    let batches = payloads.div_ceil(BATCH).max(2);
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(postgres::connect_floor(url).await?);
    }
    let mut observer = postgres::connect_floor(url).await?;
    let wal_before = postgres::wal_bytes(&mut observer).await?;
    let before = processes.processor_time()?;
    let next = Arc::new(AtomicU32::new(0));
    let started = Instant::now();
    let mut writers = JoinSet::new();
    for connection in connections {
        writers.spawn(write(connection, Arc::clone(templates), Arc::clone(&next), batches));
    }
    let mut observations = 0;
    while let Some(written) = writers.join_next().await {
        observations += written??;
    }
    let elapsed = started.elapsed();
    let after = processes.processor_time()?;
    let processor_time = before.zip(after).map(|(before, after)| {
        let taken = after.since(before);
        taken.postgres + taken.ours
    });
    let wal_bytes = postgres::wal_bytes(&mut observer).await? - wal_before;
    Ok(FloorRun { payloads: batches * BATCH, observations, elapsed, wal_bytes, processor_time })
}

/// Writes batches while there are any left; answers how many Observations they held.
async fn write(
    mut conn: AsyncPgConnection,
    templates: Arc<[Template]>,
    next: Arc<AtomicU32>,
    batches: u32,
) -> anyhow::Result<usize> {
    let statement = section("batch")?;
    let (tenant, device) = (Uuid::now_v7(), Uuid::now_v7());
    let patient = Uuid::now_v7().to_string();
    let mut written = 0;
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= batches {
            return Ok(written);
        }
        let from = usize::try_from(number * BATCH)? % templates.len();
        let batch = Batch::of(templates.iter().cycle().skip(from).take(BATCH as usize));
        let stored = diesel::sql_query(statement)
            .bind::<SqlUuid, _>(tenant)
            .bind::<Timestamptz, _>(Clock.now())
            .bind::<Array<SqlUuid>, _>(&batch.uplinks)
            .bind::<Array<SqlUuid>, _>(vec![device; batch.uplinks.len()])
            .bind::<Array<Text>, _>(&batch.channels)
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
}

/// The columns of one batch.
#[derive(Default)]
struct Batch<'a> {
    uplinks: Vec<Uuid>,
    channels: Vec<&'a str>,
    frames: Vec<&'a [u8]>,
    observations: Vec<String>,
    of_uplinks: Vec<Uuid>,
    texts: Vec<&'a str>,
}

impl<'a> Batch<'a> {
    fn of(templates: impl Iterator<Item = &'a Template>) -> Self {
        let mut batch = Self::default();
        for template in templates {
            let uplink = Uuid::now_v7();
            batch.uplinks.push(uplink);
            batch.channels.push(template.channel);
            batch.frames.push(&template.frame);
            for text in &template.texts {
                batch.observations.push(Uuid::now_v7().to_string());
                batch.of_uplinks.push(uplink);
                batch.texts.push(text);
            }
        }
        batch
    }
}
