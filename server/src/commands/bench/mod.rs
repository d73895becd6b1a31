//! `afferent bench`: how fast the way in is, as ratios against a floor that was measured in the same run.
//!
//! Everything is thrown away afterwards: the Postgres, its folder, the server, the customer.

mod client;
mod clinic;
mod decode;
mod floor;
mod ingest;
mod load;
mod payload;
mod percentile;
mod postgres;
mod report;
mod server;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use self::ingest::{Ready, Size};
use self::report::{FloorCost, Machine, Ratios, Report};
use self::server::Server;
use super::database::Database;
use crate::config::{Config, LogFormat, Rate};
use crate::platform::clock::Clock;
use crate::platform::telemetry;

/// Limits that one machine with a few made-up devices must not meet.
const NO_LIMIT: Rate = Rate { per_second: 1_000_000, burst: 1_000_000 };

/// Arguments of `afferent bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Payloads that ingest is measured with; a twentieth more goes before, to warm up.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(200..=10_000_000))]
    payloads: u32,
    /// Connections that post at the same time, each waiting for its answer before it sends the next.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1000))]
    connections: u16,
    /// Devices that the payloads come from, each worn by a patient of its own.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=5000))]
    devices: u16,
    /// A run of about five seconds (1,000 payloads, 20 devices): shows that everything works, not how fast it is.
    #[arg(long, conflicts_with_all = ["payloads", "devices"])]
    quick: bool,
    /// Measure this part alone, as often as --payloads says: for a profile, or while working on one thing. Without it
    /// everything is measured.
    #[arg(long, value_enum)]
    only: Option<Part>,
    /// Print JSON in place of the table.
    #[arg(long)]
    json: bool,
    /// Folder to make the throw-away database in; without it the data directory. It decides which disk is measured: on one
    /// that lives in memory a commit costs nothing.
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// A part of the measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Bare inserts of the same texts.
    Floor,
    /// Payloads to acknowledged commits.
    Ingest,
    /// The sandbox alone.
    Decode,
}

/// Runs it. SIGINT and SIGTERM end it early, with nothing left behind.
///
/// # Errors
/// What could not be started, or went wrong on the way: an answer that is not 201, an uplink that is not there.
pub async fn run(args: BenchArgs, mut config: Config) -> anyhow::Result<ExitCode> {
    // What a server tells at its start and end is noise around a table; another filter than the default is a wish.
    let filter = if config.log == "info" { "warn" } else { &config.log };
    telemetry::start(filter, config.log_format == LogFormat::Json)?;
    // From here on, so that nobody who interrupts leaves a Postgres behind.
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let scratch = Scratch::make(args.dir.as_deref().unwrap_or(&config.data_dir))?;
    config.listen = ([127, 0, 0, 1], 0).into();
    config.public_url = None;
    config.data_dir.clone_from(&scratch.path);
    config.database_url = None;
    config.outbound_allow = vec![std::net::IpAddr::from([127, 0, 0, 1]).into()];
    (config.api_rate_per_client, config.ingest.rate_per_source) = (NO_LIMIT, NO_LIMIT);
    let database = Database::open_for_server(&config).await?;
    let stop = CancellationToken::new();
    let result = tokio::select! {
        biased;
        _ = interrupt.recv() => Err(anyhow::anyhow!("interrupted")),
        _ = terminate.recv() => Err(anyhow::anyhow!("terminated")),
        result = measure(&args, config, &database, stop.clone()) => result,
    };
    stop.cancel();
    database.close().await;
    drop(scratch);
    let report = result?;
    super::print(&if args.json { format!("{}\n", serde_json::to_string_pretty(&report)?) } else { report.text() })
}

async fn measure(
    args: &BenchArgs,
    config: Config,
    database: &Database,
    stop: CancellationToken,
) -> anyhow::Result<Report> {
    let date = Clock.now().format("%Y-%m-%d %H:%M UTC").to_string();
    database.migrate().await?;
    let owner = database.owner_url.expose();
    let mut observer = postgres::connect(owner).await?;
    let postgres = postgres::durable_version(&mut observer).await?;

    let wants = |part: Part| args.only.is_none_or(|only| only == part);
    let mut report = Report { date, machine: machine(postgres), ratios: None, ingest: None, floor: None, decode: None };
    if wants(Part::Decode) {
        let calls = if args.quick { 100 } else { 2000 };
        report.decode = Some(tokio::task::spawn_blocking(move || decode::measure(calls)).await??);
    }
    if args.only == Some(Part::Decode) {
        return Ok(report);
    }
    let size = args.size();
    let ready = Ready::prepare(Server::start(config, database).await?, size, stop).await?;
    let templates = floor::prepare(&mut observer).await?;
    // Half of the floor before and half after: a machine that gets busier or slower meanwhile shows itself.
    let mut floors = Vec::new();
    if wants(Part::Floor) {
        floors.push(floor::measure(owner, &templates, size.payloads / 2).await?);
    }
    if wants(Part::Ingest) {
        report.ingest = Some(ready.measure(&mut observer).await?.finish(&mut observer).await?);
    } else {
        ready.finish().await;
    }
    if wants(Part::Floor) {
        floors.push(floor::measure(owner, &templates, size.payloads / 2).await?);
    }
    if let [before, after] = floors.as_slice() {
        report.floor = Some(FloorCost::new(before, after));
        report.ratios = report.ingest.as_ref().map(|ingest| Ratios::new(before, after, ingest));
    }
    Ok(report)
}

impl BenchArgs {
    fn size(&self) -> Size {
        let (payloads, devices) = if self.quick { (1000, 20) } else { (self.payloads, self.devices) };
        Size { payloads, warm_up: payloads / 20, connections: self.connections, devices }
    }
}

fn machine(postgres: String) -> Machine {
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = processor.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    Machine {
        processor: processor.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned()),
        cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        postgres,
        profile: if cfg!(debug_assertions) { "debug" } else { "release" },
    }
}

/// A folder that goes when the run is over, with the folders above it that were made for it.
struct Scratch {
    path: PathBuf,
    made: Option<PathBuf>,
}

impl Scratch {
    fn make(parent: &Path) -> anyhow::Result<Self> {
        let made = (!parent.exists()).then(|| parent.to_owned());
        std::fs::create_dir_all(parent).with_context(|| format!("cannot make the folder {}", parent.display()))?;
        let path = parent.canonicalize()?.join(format!("bench-{}", uuid::Uuid::new_v4().simple()));
        ensure!(!path.exists(), "{} is there already", path.display());
        std::fs::create_dir(&path).with_context(|| format!("cannot make the folder {}", path.display()))?;
        Ok(Self { path, made })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Where Postgres' account cannot reach this folder, the cluster lives elsewhere and a link tells where.
        let elsewhere = self.path.join("postgres").canonicalize().ok().filter(|home| !home.starts_with(&self.path));
        for folder in elsewhere.iter().chain([&self.path]) {
            if let Err(error) = std::fs::remove_dir_all(folder) {
                tracing::warn!(folder = %folder.display(), %error, "a folder of the bench could not be removed");
            }
        }
        if let Some(made) = &self.made {
            // Not empty means that somebody else began to use it.
            let _ = std::fs::remove_dir(made);
        }
    }
}
