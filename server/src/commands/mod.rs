//! The command line: one file a subcommand.

mod bench;
mod database;
mod migrate;
mod openapi;
mod plugin;
mod provision;
mod rotate_keys;
pub mod serve;

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::config::Config;
use crate::platform::telemetry;

/// Afferent: device payload in, FHIR Observation out to the customer's EHR.
///
/// Without configuration, `afferent serve` starts on 127.0.0.1:8080 with a Postgres of its own. Configuration comes from
/// afferent.toml and AFFERENT_* variables; `afferent config` prints every key with its meaning.
#[derive(Parser)]
#[command(name = "afferent", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start the server.
    ///
    /// With --demo it also seeds a distributor, two customers, patients and devices, sends real payloads to itself, and
    /// delivers what comes out to the second customer's FHIR endpoint: <http://127.0.0.1:8080/> shows it live.
    Serve(serve::ServeArgs),
    /// Bring the database up to date, and print its schema.
    Migrate(migrate::MigrateArgs),
    /// Make API tokens for scripts, while the server runs or not.
    Provision(provision::ProvisionArgs),
    /// Change the keys that secrets and raw payloads are sealed with, while servers run.
    ///
    /// Without arguments it makes a new data key, as the server does by itself every `data_key_days`. See
    /// docs/retention-and-keys.md for changing `secret_key`.
    RotateKeys(rotate_keys::RotateKeysArgs),
    /// Write, test, try and upload decoders: `afferent plugin new` makes a project.
    ///
    /// A decoder turns the bytes of one device model into readings. From nothing to a decoded reading, without a server:
    ///
    ///   afferent plugin new acme-scale
    ///   afferent plugin pack acme-scale
    ///   afferent plugin test acme-scale
    ///   afferent plugin try acme-scale/acme-scale.wasm --hex "00 581b 55"
    ///
    /// `new --language` rust, c, javascript or python makes the same device in code. The guide: docs/vendor-guide.md.
    #[command(verbatim_doc_comment)]
    Plugin(plugin::PluginArgs),
    /// Measure the way in: ingest as a ratio to the least that this machine's Postgres can do, decoding beside native code and
    /// QuickJS, memory, cold start, sixteen times the data, and overload.
    ///
    /// Starts the real server with a throw-away Postgres in a process of its own, founds a customer with devices that are worn
    /// and one matching (paused) endpoint, and posts a fixed mix of payloads, each of which is decoded in a fresh sandbox
    /// and answered 201 after its commit. Beside it runs the floor: bare inserts of the same texts into two tables of the
    /// same Postgres. The ratio, time of the floor ÷ our time per payload, is what carries over to other machines; compare
    /// absolute figures only between runs on one machine that does nothing else. Nothing is left behind.
    ///
    /// Your configuration counts (committers, batch sizes, queue, decoders), except its database, addresses, keys and rate
    /// limits. What the figures mean, and how to take a flame graph: docs/benchmarks.md.
    Bench(bench::BenchArgs),
    /// Print the OpenAPI document of the REST interface.
    Openapi,
    /// Print every configuration key with its meaning and default, as a starting point for afferent.toml.
    Config,
    /// Print a completion script for your shell: `afferent completions bash > /etc/bash_completion.d/afferent`.
    Completions {
        /// bash, zsh, fish, elvish or powershell.
        shell: Shell,
    },
}

/// Reads the arguments and runs the command.
#[must_use]
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::anyhow!(error).context("cannot start the runtime")),
    };
    match runtime.block_on(run_command(cli.command)) {
        Ok(code) => code,
        Err(error) => fail(&error),
    }
}

async fn run_command(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(args) => serve::run(args, configured()?).await,
        Command::Migrate(args) => migrate::run(args, configured()?).await,
        Command::Provision(args) => provision::run(args, configured()?).await,
        Command::RotateKeys(args) => rotate_keys::run(args, configured()?).await,
        Command::Plugin(args) => plugin::run(args, configured()?).await,
        Command::Bench(args) => bench::run(args, Config::from_process()?).await,
        Command::Openapi => print(&format!("{}\n", openapi::document()?)),
        Command::Config => print(crate::config::DEFAULT_CONFIG),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "afferent", &mut script);
            print(&String::from_utf8_lossy(&script))
        }
    }
}

/// Prints a command's result. Whoever reads only the beginning (`| head`) has what they wanted.
fn print(text: &str) -> anyhow::Result<ExitCode> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// The configuration, with logging as it says.
fn configured() -> anyhow::Result<Config> {
    let config = Config::from_process()?;
    telemetry::start(&config.log, config.log_format == crate::config::LogFormat::Json)?;
    Ok(config)
}

#[expect(clippy::print_stderr, reason = "the last words of a command that failed")]
fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("afferent: {error:#}");
    ExitCode::FAILURE
}
