//! Ingest as devices meet it: HTTP, authentication, sandboxed decode, FHIR mapping, group commit with row-level security,
//! and a delivery row for one matching endpoint; every answer a 201 after COMMIT.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use diesel_async::AsyncPgConnection;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::client::Connection;
use super::clinic::{self, Cuff};
use super::load::{self, Driven, Load};
use super::percentile::Sorted;
use super::postgres::{self, Rows, Sessions};
use super::server::Server;
use crate::platform::metrics::Metrics;

/// How much is sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) payloads: u32,
    pub(super) warm_up: u32,
    pub(super) connections: u16,
    pub(super) devices: u16,
}

/// What ingest costs; what is said of a payload is the mean over those that were measured.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct IngestCost {
    pub(super) payloads: u32,
    pub(super) connections: u16,
    pub(super) devices: u16,
    pub(super) seconds: f64,
    pub(super) payloads_per_second: f64,
    /// Wall time: seconds ÷ payloads.
    pub(super) microseconds_per_payload: f64,
    /// Latency, from request to answer.
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) p999_ms: f64,
    pub(super) payloads_per_commit: f64,
    /// Uplinks, Observations, deliveries and keys against repeats.
    pub(super) rows_per_payload: f64,
    pub(super) observations_per_payload: f64,
    pub(super) deliveries_per_payload: f64,
    pub(super) wal_bytes_per_payload: f64,
    /// Known when the server's sessions have ended: see [`Measured::finish`].
    pub(super) wal_syncs_per_payload: f64,
    /// Processor time of the server in this process, without Postgres and without the load where that can be told.
    pub(super) server_cpu_ms_per_payload: f64,
    /// Processor time of the load, where it can be told.
    pub(super) load_cpu_ms_per_payload: Option<f64>,
}

/// A prepared run: the server is up, the customer founded, everything warm.
pub(super) struct Ready {
    server: Server,
    cuffs: Arc<[Cuff]>,
    size: Size,
    stop: CancellationToken,
}

/// A run that is over, while the server's sessions are still open.
pub(super) struct Measured {
    server: Server,
    cost: IngestCost,
    syncs_before: i64,
}

impl Ready {
    /// Founds the customer and sends the first payloads, which do not count.
    pub(super) async fn prepare(server: Server, size: Size, stop: CancellationToken) -> anyhow::Result<Self> {
        let cuffs = {
            let mut connection = Connection::open(server.address).await?;
            clinic::found(&server.app, &mut connection, size.devices).await?.into()
        };
        let ready = Self { server, cuffs, size, stop };
        ready.drive(0, size.warm_up).await?;
        Ok(ready)
    }

    /// Sends the payloads, and checks that every one that was acknowledged is there.
    pub(super) async fn measure(self, observer: &mut AsyncPgConnection) -> anyhow::Result<Measured> {
        let (rows_before, wal_before) = (postgres::rows(observer).await?, postgres::wal_bytes(observer).await?);
        postgres::sessions_ended(observer, Sessions::Floor).await?;
        let syncs_before = postgres::wal_syncs(observer).await?;
        let commits_before = Commits::read(&self.server.app.metrics)?;
        let from = self.size.warm_up;
        let driven = self.drive(from, from + self.size.payloads).await?;
        let wal = postgres::wal_bytes(observer).await? - wal_before;
        let commits = Commits::read(&self.server.app.metrics)?;
        let rows = difference(postgres::rows(observer).await?, rows_before);
        ensure!(
            rows.uplinks == i64::from(self.size.payloads),
            "{} payloads were acknowledged, {} uplinks are stored",
            self.size.payloads,
            rows.uplinks
        );
        let per_commit = (commits.payloads - commits_before.payloads) / (commits.commits - commits_before.commits);
        let cost = cost(self.size, driven, rows, wal, per_commit);
        Ok(Measured { server: self.server, cost, syncs_before })
    }

    /// Ends the server when nothing is to be measured.
    pub(super) async fn finish(self) {
        self.server.stop().await;
    }

    /// Runs the load on a thread of its own, and says how far it is.
    async fn drive(&self, from: u32, until: u32) -> anyhow::Result<Driven> {
        let load = Load {
            address: self.server.address,
            cuffs: Arc::clone(&self.cuffs),
            from,
            until,
            connections: self.size.connections,
            next: Arc::new(AtomicU32::new(from)),
            stop: self.stop.clone(),
        };
        let next = Arc::clone(&load.next);
        let mut driving = tokio::task::spawn_blocking(move || load::drive(&load));
        loop {
            tokio::select! {
                driven = &mut driving => {
                    progress("");
                    return driven.context("the load ended early")?;
                }
                () = tokio::time::sleep(Duration::from_secs(1)) => {
                    let sent = next.load(Ordering::Relaxed).min(until) - from;
                    progress(&format!("  {sent} of {} payloads", until - from));
                }
            }
        }
    }
}

impl Measured {
    /// Ends the server. Its sessions report their last WAL syncs when they end.
    pub(super) async fn finish(self, observer: &mut AsyncPgConnection) -> anyhow::Result<IngestCost> {
        let Self { server, mut cost, syncs_before } = self;
        server.stop().await;
        postgres::sessions_ended(observer, Sessions::Others).await?;
        let syncs = postgres::wal_syncs(observer).await? - syncs_before;
        cost.wal_syncs_per_payload = ratio(syncs, cost.payloads);
        Ok(cost)
    }
}

fn cost(size: Size, driven: Driven, rows: Rows, wal: i64, payloads_per_commit: f64) -> IngestCost {
    let seconds = driven.elapsed.as_secs_f64();
    let payloads = f64::from(size.payloads);
    let latencies = Sorted::new(driven.latencies);
    let server_cpu = driven.process_cpu.saturating_sub(driven.load_cpu.unwrap_or_default());
    let all_rows = rows.uplinks + rows.observations + rows.deliveries + rows.keys;
    IngestCost {
        payloads: size.payloads,
        connections: size.connections,
        devices: size.devices,
        seconds,
        payloads_per_second: payloads / seconds,
        microseconds_per_payload: seconds * 1e6 / payloads,
        p50_ms: latencies.microseconds(500) / 1e3,
        p99_ms: latencies.microseconds(990) / 1e3,
        p999_ms: latencies.microseconds(999) / 1e3,
        payloads_per_commit,
        rows_per_payload: ratio(all_rows, size.payloads),
        observations_per_payload: ratio(rows.observations, size.payloads),
        deliveries_per_payload: ratio(rows.deliveries, size.payloads),
        wal_bytes_per_payload: ratio(wal, size.payloads),
        wal_syncs_per_payload: f64::NAN,
        server_cpu_ms_per_payload: server_cpu.as_secs_f64() * 1e3 / payloads,
        load_cpu_ms_per_payload: driven.load_cpu.map(|time| time.as_secs_f64() * 1e3 / payloads),
    }
}

/// A count for each payload.
#[expect(clippy::cast_precision_loss, reason = "counts of one run are far below 2^52")]
pub(super) fn ratio(count: i64, payloads: u32) -> f64 {
    count as f64 / f64::from(payloads)
}

fn difference(after: Rows, before: Rows) -> Rows {
    Rows {
        uplinks: after.uplinks - before.uplinks,
        observations: after.observations - before.observations,
        deliveries: after.deliveries - before.deliveries,
        keys: after.keys - before.keys,
    }
}

/// The group commits so far, from the server's own metrics.
struct Commits {
    commits: f64,
    payloads: f64,
}

impl Commits {
    fn read(metrics: &Metrics) -> anyhow::Result<Self> {
        let text = metrics.render();
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.and_then(|value| value.trim().parse().ok()).with_context(|| format!("no metric {name}"))
        };
        Ok(Self {
            commits: value("afferent_ingest_commit_batch_count")?,
            payloads: value("afferent_ingest_commit_batch_sum")?,
        })
    }
}

/// A line that the next one overwrites, for whoever watches.
fn progress(line: &str) {
    let mut out = std::io::stderr();
    if out.is_terminal() {
        // Who does not see it misses nothing.
        let _ = write!(out, "\r{line}\x1b[K").and_then(|()| out.flush());
    }
}
