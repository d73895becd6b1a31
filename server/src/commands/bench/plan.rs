//! What is measured, in which order.

use std::time::Duration;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use super::floor::FloorRun;
use super::ingest::IngestCost;
use super::memory::{self, ColdStart};
use super::mix::PATTERN;
use super::overload::Offer;
use super::report::{FloorCost, IngestRow, Machine, Report};
use super::scratch::Scratch;
use super::server::Server;
use super::stage::Stage;
use super::{BenchArgs, Part, decode, ingest, overload, postgres, scale, shadow};
use crate::config::Config;
use crate::platform::clock::Clock;

/// With how many connections ingest is measured.
const CONNECTIONS: [u32; 3] = [32, HEADLINE, 512];
/// What the headline is: a busy platform, and enough to fill batches of 200.
const HEADLINE: u32 = 256;
/// How many times the measured capacity is offered.
const OVERLOAD: f64 = 5.0;
/// Uplinks that a shadow replay goes over.
const RETAINED: u32 = 100_000;
/// Observations that the fill starts from.
const BASE_OBSERVATIONS: i64 = 50_000;

/// How much of each.
struct Sizes {
    payloads: u32,
    devices: u32,
    connections: Vec<u32>,
    headline: u32,
    decodes: u32,
    base_observations: i64,
    overload: Duration,
    overload_connections: u32,
    retained: u32,
}

impl Sizes {
    fn of(args: &BenchArgs) -> Self {
        let headline = args.connections.unwrap_or(HEADLINE);
        if args.quick {
            let connections = vec![32];
            return Self {
                payloads: 300,
                devices: PATTERN,
                connections,
                headline: 32,
                decodes: 50,
                base_observations: 0,
                overload: Duration::from_secs(1),
                overload_connections: 200,
                retained: 500,
            };
        }
        let connections = match (args.connections, args.only) {
            (Some(only), _) => vec![only],
            (None, Some(_)) => vec![HEADLINE],
            (None, None) => CONNECTIONS.to_vec(),
        };
        Self {
            payloads: args.payloads,
            devices: args.devices.next_multiple_of(PATTERN),
            connections,
            headline,
            decodes: 2000,
            base_observations: BASE_OBSERVATIONS,
            overload: Duration::from_secs(15),
            overload_connections: 4000,
            retained: RETAINED,
        }
    }
}

/// Measures what is asked for.
pub(super) async fn measure(
    args: &BenchArgs,
    config: &Config,
    scratch: &Scratch,
    stop: CancellationToken,
) -> anyhow::Result<Report> {
    let sizes = Sizes::of(args);
    let wants = |part: Part| args.only.is_none_or(|only| only == part);
    let mut report = Report::new(Clock.now().format("%Y-%m-%d %H:%M UTC").to_string(), machine());
    if wants(Part::Decode) {
        let (decodes, peers) = (sizes.decodes, args.peers.clone());
        let measured = tokio::task::spawn_blocking(move || decode::measure(decodes, peers.as_deref())).await??;
        report.decode = Some(measured);
        if args.only.is_some() {
            return Ok(report);
        }
    }
    let (mut server, new_folder) = Server::start(config, &scratch.path).await?;
    if wants(Part::Memory) {
        server.stop().await?;
        let (again, existing_folder) = Server::start(config, &scratch.path).await?;
        server = again;
        report.cold_start = Some(ColdStart::new(new_folder, existing_folder));
        // What a start leaves to do is done by then.
        tokio::time::sleep(Duration::from_secs(1)).await;
        report.memory.extend(memory::read(server.processes, "idle, just started"));
    }
    let mut stage = Stage::set(server, config, sizes.devices, stop).await?;
    report.machine.postgres = Some(postgres::durable_version(&mut stage.observer).await?);
    stage.warm_up(sizes.payloads / 10).await?;
    if !matches!(args.only, Some(Part::Shadow)) {
        measure_ingest(&mut stage, &sizes, args.only, &mut report).await?;
    }
    if wants(Part::Shadow) {
        let cost = shadow::measure(&mut stage, sizes.retained, sizes.payloads, sizes.headline).await;
        report.shadow = Some(cost.context("beside a shadow")?);
    }
    if wants(Part::Scale) {
        // Long enough to leave the moments behind in which every page that is touched goes to the WAL as a whole.
        let (payloads, connections) = (sizes.payloads.saturating_mul(2), sizes.headline);
        let size = scale::Size { observations: sizes.base_observations, payloads, connections };
        report.scale = Some(scale::measure(&mut stage, size).await?);
    }
    if wants(Part::Overload) {
        let capacity = report.ingest.iter().map(|row| row.cost.payloads_per_second).fold(0.0, f64::max);
        let connections = sizes.overload_connections;
        let offer = Offer { rate: capacity * OVERLOAD, duration: sizes.overload, connections };
        report.overload = Some(overload::measure(&mut stage, offer).await.context("under overload")?);
        report.memory.extend(memory::read(stage.server.processes, "after the overload"));
    }
    stage.server.stop().await?;
    Ok(report)
}

/// Ingest with each number of connections, and the floor before and after each.
async fn measure_ingest(
    stage: &mut Stage,
    sizes: &Sizes,
    only: Option<Part>,
    report: &mut Report,
) -> anyhow::Result<()> {
    let with_floor = matches!(only, None | Some(Part::Floor));
    let mut floors: Vec<FloorRun> = Vec::new();
    if with_floor {
        floors.push(stage.floor(sizes.payloads).await?);
    }
    if only == Some(Part::Floor) {
        floors.push(stage.floor(sizes.payloads).await?);
    }
    if !matches!(only, Some(Part::Floor | Part::Scale)) {
        for connections in &sizes.connections {
            let cost: IngestCost = ingest::measure(stage, sizes.payloads, *connections).await?;
            let moment = format!("after {} payloads, {connections} connections", cost.payloads);
            report.memory.extend(memory::read(stage.server.processes, moment));
            let before = floors.last().cloned();
            if with_floor {
                floors.push(stage.floor(sizes.payloads).await?);
            }
            let around = before.zip(floors.last().cloned());
            report.ingest.push(IngestRow::new(cost, around, *connections == sizes.headline));
        }
    }
    report.floor = FloorCost::of(&floors);
    Ok(())
}

fn machine() -> Machine {
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = processor.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    Machine {
        processor: processor.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned()),
        cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        load_average: load_average(),
        postgres: None,
        profile: if cfg!(debug_assertions) { "debug" } else { "release" },
    }
}

/// Processes that ran or wanted to, over the last minute: on a quiet machine well below one before the run.
fn load_average() -> Option<f64> {
    std::fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}
