//! Ingest as devices meet it: HTTP, authentication, sandboxed decode, FHIR mapping, group commit with row-level security,
//! and a delivery row for one matching endpoint; every answer a 201 after COMMIT.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::ensure;
use serde::Serialize;

use super::load::Driven;
use super::percentile::Sorted;
use super::postgres::{self, Rows};
use super::processes::ProcessorTime;
use super::stage::Stage;

/// A session tells its statistics with a statement that comes at least a second after the last time it told them.
const STATISTICS_PAUSE: Duration = Duration::from_millis(1100);
/// Payloads that are sent one by one after that: each takes another of the server's pooled sessions (24 at most).
const STATISTICS_NUDGES: u32 = 40;

/// What ingest costs; what is said of a payload is the mean over those that were measured.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct IngestCost {
    pub(super) payloads: u32,
    pub(super) connections: u32,
    pub(super) seconds: f64,
    pub(super) payloads_per_second: f64,
    /// Wall time: seconds ÷ payloads.
    pub(super) microseconds_per_payload: f64,
    /// Latency, from request to answer.
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) p999_ms: f64,
    pub(super) payloads_per_commit: f64,
    pub(super) rows_per_payload: f64,
    /// The same, table by table.
    pub(super) rows_by_table: BTreeMap<String, f64>,
    pub(super) wal_bytes_per_payload: f64,
    pub(super) wal_syncs_per_payload: f64,
    /// Processor time, where the system tells it of other processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cpu_ms_per_payload: Option<CpuCost>,
}

/// Milliseconds of processor time for a payload.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CpuCost {
    pub(super) server: f64,
    pub(super) postgres: f64,
    /// The load generator, which is no part of the product.
    pub(super) load: f64,
    pub(super) sum: f64,
}

impl CpuCost {
    pub(super) fn new(time: ProcessorTime, payloads: u32) -> Self {
        let each = |time: Duration| time.as_secs_f64() * 1e3 / f64::from(payloads);
        Self { server: each(time.server), postgres: each(time.postgres), load: each(time.ours), sum: each(time.sum()) }
    }
}

/// Sends so many payloads, each connection waiting for its answer, and checks that every one that was acknowledged is there.
pub(super) async fn measure(stage: &mut Stage, payloads: u32, connections: u32) -> anyhow::Result<IngestCost> {
    let before = postgres::rows(&mut stage.observer).await?;
    let syncs_before = postgres::wal_syncs(&mut stage.observer).await?;
    let wal_before = postgres::wal_bytes(&mut stage.observer).await?;
    let commits_before = commits(stage).await?;
    let time_before = stage.server.processes.processor_time()?;
    let driven = stage.send(payloads, connections, false).await?;
    let time = stage.server.processes.processor_time()?.zip(time_before).map(|(after, before)| after.since(before));
    let wal = postgres::wal_bytes(&mut stage.observer).await? - wal_before;
    let commits = commits(stage).await? - commits_before;
    let grown = postgres::grown(postgres::rows(&mut stage.observer).await?, &before);
    let uplinks = grown.get("uplink").copied().unwrap_or_default();
    ensure!(
        uplinks == i64::from(payloads),
        "{payloads} payloads were acknowledged, {uplinks} uplinks are stored: what was acknowledged must be there, once"
    );
    tokio::time::sleep(STATISTICS_PAUSE).await;
    stage.send(STATISTICS_NUDGES, 1, false).await?;
    let syncs = postgres::wal_syncs(&mut stage.observer).await? - syncs_before;
    let mut cost = cost(payloads, connections, driven, &grown);
    cost.payloads_per_commit = f64::from(payloads) / commits;
    cost.wal_bytes_per_payload = ratio(wal, payloads);
    cost.wal_syncs_per_payload = ratio(syncs - i64::from(STATISTICS_NUDGES), payloads).max(0.0);
    cost.cpu_ms_per_payload = time.map(|time| CpuCost::new(time, payloads));
    Ok(cost)
}

fn cost(payloads: u32, connections: u32, driven: Driven, grown: &Rows) -> IngestCost {
    let seconds = driven.elapsed.as_secs_f64();
    let latencies = Sorted::new(driven.latencies);
    IngestCost {
        payloads,
        connections,
        seconds,
        payloads_per_second: f64::from(payloads) / seconds,
        microseconds_per_payload: seconds * 1e6 / f64::from(payloads),
        p50_ms: latencies.microseconds(500) / 1e3,
        p99_ms: latencies.microseconds(990) / 1e3,
        p999_ms: latencies.microseconds(999) / 1e3,
        payloads_per_commit: f64::NAN,
        rows_per_payload: ratio(grown.values().sum(), payloads),
        rows_by_table: grown.iter().map(|(table, rows)| (table.clone(), ratio(*rows, payloads))).collect(),
        wal_bytes_per_payload: f64::NAN,
        wal_syncs_per_payload: f64::NAN,
        cpu_ms_per_payload: None,
    }
}

/// A count for each payload.
#[expect(clippy::cast_precision_loss, reason = "counts of one run are far below 2^52")]
pub(super) fn ratio(count: i64, payloads: u32) -> f64 {
    count as f64 / f64::from(payloads)
}

/// The group commits so far, from the server's own metrics.
async fn commits(stage: &Stage) -> anyhow::Result<f64> {
    stage.server.metric("afferent_ingest_commit_batch_count").await
}
