//! `afferent bench`: how fast the way in is, as ratios against a floor that was measured in the same run.
//!
//! Everything is thrown away afterwards: the server, its Postgres, its folder, the customer.

mod client;
mod clinic;
mod decode;
mod floor;
mod ingest;
mod load;
mod memory;
mod mix;
mod overload;
mod percentile;
mod plan;
mod postgres;
mod processes;
mod report;
mod scale;
mod scratch;
mod server;
mod shadow;
mod stage;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use self::scratch::Scratch;
use crate::config::{Config, LogFormat};
use crate::platform::telemetry;

/// Arguments of `afferent bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Payloads of each measurement.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(200..=10_000_000))]
    payloads: u32,
    /// Connections that post at the same time, each waiting for its answer before it sends the next. Without it ingest is
    /// measured with 32, 256 and 512; the headline is 256.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=2000))]
    connections: Option<u32>,
    /// Devices that the payloads come from, each worn by a patient of its own; rounded up to a multiple of 20, the mix.
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    devices: u32,
    /// Measure this part alone: for a profile, or while working on one thing. Without it everything is measured.
    #[arg(long, value_enum)]
    only: Option<Part>,
    /// Everything, but tiny: shows that it works, not how fast it is.
    #[arg(long, conflicts_with_all = ["payloads", "devices"])]
    quick: bool,
    /// The program that decodes natively and in QuickJS, to compare with (tests/bench/peers); `make bench` builds and names it.
    #[arg(long, value_name = "PROGRAM")]
    peers: Option<PathBuf>,
    /// Print JSON in place of the table.
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print the tables of docs/benchmarks.md.
    #[arg(long)]
    markdown: bool,
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
    /// Payloads to acknowledged commits, without the floor.
    Ingest,
    /// Decoding alone: native, in the sandbox, in QuickJS.
    Decode,
    /// Cold start, and memory idle and under load.
    Memory,
    /// Cost against tables with 16 times the rows.
    Scale,
    /// Five times as much as can be served.
    Overload,
    /// A decoder version beside the one that serves: over retained uplinks, and beside live ones.
    Shadow,
}

/// Runs it. SIGINT and SIGTERM end it early, with nothing left behind.
///
/// # Errors
/// What could not be started, or went wrong on the way: an answer that is not 201, an uplink that is not there.
pub async fn run(args: BenchArgs, mut config: Config) -> anyhow::Result<ExitCode> {
    // What a server tells at its start and end is noise around a table; another filter than the default is a wish.
    if config.log == "info" {
        "warn".clone_into(&mut config.log);
    }
    telemetry::start(&config.log, config.log_format == LogFormat::Json)?;
    // From here on, so that nobody who interrupts leaves a server behind.
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let scratch = Scratch::make(args.dir.as_deref().unwrap_or(&config.data_dir))?;
    config.data_dir = scratch.data_dir();
    config.database_url = None;
    let stop = CancellationToken::new();
    let report = tokio::select! {
        biased;
        _ = interrupt.recv() => Err(anyhow::anyhow!("interrupted")),
        _ = terminate.recv() => Err(anyhow::anyhow!("terminated")),
        report = plan::measure(&args, &config, &scratch, stop.clone()) => report,
    };
    stop.cancel();
    scratch.remove().await;
    let report = report?;
    super::print(&if args.json {
        format!("{}\n", serde_json::to_string_pretty(&report)?)
    } else if args.markdown {
        report.markdown()
    } else {
        report.text()
    })
}
