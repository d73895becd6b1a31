//! A decoder version beside the one that serves: how fast it goes over what is retained and in how much memory, and what it
//! costs live uplinks.
//!
//! The version is the one that serves, once more: that costs what a new version of it would, and nothing may differ.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde::Serialize;
use serde_json::{Value, json};

use super::client::{Connection, head};
use super::ingest::{self, CpuCost};
use super::processes::Resident;
use super::stage::{Stage, progress};

/// Shares of the live uplinks, in percent, in the order in which they are measured: none first and last, for the machine.
const SHARES: [u8; 4] = [0, 10, 100, 0];
/// After a live shadow is begun or ended, every process knows.
const KNOWN: Duration = Duration::from_secs(3);
/// How long what waits in the queue may take to be compared.
const DRAINED: Duration = Duration::from_secs(3);

/// What it came to.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ShadowCost {
    /// The version: name and version.
    pub(super) decoder: String,
    /// Retained uplinks, each decoded twice and compared.
    pub(super) uplinks: u64,
    pub(super) seconds: f64,
    pub(super) uplinks_per_second: f64,
    /// Resident set of the server before.
    pub(super) server_before_bytes: Option<u64>,
    /// The most while it ran.
    pub(super) server_peak_bytes: Option<u64>,
    /// Ingest beside live shadows.
    pub(super) live: Vec<LiveCost>,
}

/// Ingest beside a live shadow.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LiveCost {
    /// Of the uplinks, in percent; 0 without any.
    pub(super) share: u8,
    pub(super) payloads_per_second: f64,
    pub(super) microseconds_per_payload: f64,
    pub(super) p99_ms: f64,
    /// Uplinks that were compared.
    pub(super) compared: u64,
    /// Uplinks that were not, because the queue was full.
    pub(super) dropped: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cpu_ms_per_payload: Option<CpuCost>,
}

/// Measures both; `retained` uplinks are there at least before the first.
pub(super) async fn measure(
    stage: &mut Stage,
    retained: u32,
    payloads: u32,
    connections: u32,
) -> anyhow::Result<ShadowCost> {
    let missing = retained.saturating_sub(stage.next);
    if missing > 0 {
        stage.send(missing, connections, false).await?;
    }
    let platform = Platform::of(stage);
    let (name, version) = platform.serving().await?;
    let decoder = json!({ "name": name, "version": version });
    stage.server.processes.forget_peak();
    let before = stage.server.processes.resident();
    let started = Instant::now();
    let run = platform.begin(&json!({ "decoder": decoder })).await?;
    let done = loop {
        let run = platform.get(&format!("/api/v1/shadow-replays/{run}")).await?;
        if run.get("state").and_then(Value::as_str) == Some("done") {
            break run;
        }
        progress(&format!("  shadow replay: {} of {}", number(&run, "uplinks"), number(&run, "total")));
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    progress("");
    let seconds = started.elapsed().as_secs_f64();
    let after = stage.server.processes.resident();
    let uplinks = number(&done, "uplinks");
    let report = platform.get(&format!("/api/v1/shadow-replays/{run}/report")).await?;
    ensure!(
        number(&report, "same") == uplinks && uplinks >= u64::from(retained),
        "the same version twice must say the same of every retained uplink: {report}"
    );
    let mut live = Vec::new();
    for share in SHARES {
        live.push(beside(stage, &platform, &decoder, share, payloads, connections).await?);
    }
    Ok(ShadowCost {
        decoder: format!("{name} {version}"),
        uplinks,
        seconds,
        uplinks_per_second: f64::from(u32::try_from(uplinks)?) / seconds,
        server_before_bytes: before.map(|Resident { now, .. }| now),
        server_peak_bytes: after.map(|Resident { peak, .. }| peak),
        live,
    })
}

async fn beside(
    stage: &mut Stage,
    platform: &Platform,
    decoder: &Value,
    share: u8,
    payloads: u32,
    connections: u32,
) -> anyhow::Result<LiveCost> {
    let run = match share {
        0 => None,
        share => Some(platform.begin(&json!({ "decoder": decoder, "scope": { "share": share } })).await?),
    };
    tokio::time::sleep(KNOWN).await;
    let cost = ingest::measure(stage, payloads, connections).await?;
    let (mut compared, mut dropped) = (0, 0);
    if let Some(run) = run {
        tokio::time::sleep(DRAINED).await;
        let report = platform.get(&format!("/api/v1/shadow-replays/{run}/report")).await?;
        compared = ["same", "changed", "newlyDecoded", "newlyFailing", "bothRefuse"]
            .iter()
            .map(|name| number(&report, name))
            .sum();
        dropped = number(&report, "dropped");
        platform.post(&format!("/api/v1/shadow-replays/{run}/cancel"), &json!({}), 200).await?;
        tokio::time::sleep(KNOWN).await;
    }
    Ok(LiveCost {
        share,
        payloads_per_second: cost.payloads_per_second,
        microseconds_per_payload: cost.microseconds_per_payload,
        p99_ms: cost.p99_ms,
        compared,
        dropped,
        cpu_ms_per_payload: cost.cpu_ms_per_payload,
    })
}

fn number(object: &Value, name: &str) -> u64 {
    object.get(name).and_then(Value::as_u64).unwrap_or_default()
}

/// The platform's admin. A connection a call: the server closes one that is silent while something is measured.
struct Platform {
    address: SocketAddr,
    token: String,
}

impl Platform {
    fn of(stage: &Stage) -> Self {
        Self { address: stage.server.address, token: stage.clinic.platform.clone() }
    }

    /// The decoder that serves the mix.
    async fn serving(&self) -> anyhow::Result<(String, String)> {
        let decoders = self.get("/api/v1/decoders").await?;
        let items = decoders.get("items").and_then(Value::as_array).context("a list of decoders")?;
        let text = |item: &Value, name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
        let found = items.iter().find(|item| text(item, "name").as_deref() == Some("bluetooth-sig"));
        let found = found.context("the mix's decoder is built in")?;
        text(found, "name").zip(text(found, "version")).context("a decoder has name and version")
    }

    async fn begin(&self, wish: &Value) -> anyhow::Result<String> {
        let run = self.post("/api/v1/shadow-replays", wish, 202).await?;
        run.get("id").and_then(Value::as_str).map(str::to_owned).context("a run has an id")
    }

    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let mut connection = Connection::open(self.address).await?;
        let answer = connection.exchange(&head("GET", path, &self.token, "application/json", 0)).await?;
        ensure!(answer.status == 200, "GET {path} answered {}: {}", answer.status, answer.text());
        Ok(serde_json::from_slice(answer.body)?)
    }

    async fn post(&self, path: &str, body: &Value, status: u16) -> anyhow::Result<Value> {
        let body = body.to_string();
        let mut request = head("POST", path, &self.token, "application/json", body.len());
        request.extend_from_slice(body.as_bytes());
        let mut connection = Connection::open(self.address).await?;
        let answer = connection.exchange(&request).await?;
        ensure!(answer.status == status, "POST {path} answered {}: {}", answer.status, answer.text());
        Ok(serde_json::from_slice(answer.body)?)
    }
}
