//! `afferent plugin`: makes, builds and tries decoders without a server and without a database, and sends them to one.

mod check;
mod compare;
mod expected;
mod project;
mod shown;
mod test;
mod try_out;
mod upload;
mod vectors;
mod words;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::config::Config;
use crate::fleet::{COMPILED_DECODERS, Decoders};
use crate::ingest::Tables;

/// Arguments of `afferent plugin`.
#[derive(Debug, Args)]
pub struct PluginArgs {
    #[command(subcommand)]
    command: PluginCommand,
}

#[derive(Debug, Subcommand)]
enum PluginCommand {
    #[command(flatten)]
    Here(HereCommand),
    /// Upload a component to a server's registry, where it becomes a draft.
    ///
    ///   afferent plugin upload scale.wasm --server URL --token-file token
    #[command(verbatim_doc_comment)]
    Upload(upload::UploadArgs),
}

/// What needs no server.
#[derive(Debug, Subcommand)]
enum HereCommand {
    /// Make a project for a decoder: a table (no code), Rust, C, JavaScript or Python, with an example device, vectors and the next
    /// steps.
    ///
    /// `afferent plugin new acme-scale` makes a directory acme-scale. docs/vendor-guide.md goes from there to a decoded reading
    /// in ten minutes.
    New(project::NewArgs),
    /// Build a project's component: NAME.wasm beside its sources.
    ///
    /// A table (decoder.toml) needs nothing but this program; its mistakes are told with their lines. Rust needs cargo and the
    /// target wasm32-unknown-unknown; C needs clang and wasm-ld; JavaScript Node.js with npm; Python 3.10 with venv.
    Pack {
        /// The project.
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Try everything with a decoder: its examples and vectors, every truncation, every flipped bit, combinations of flags,
    /// payloads at random.
    ///
    /// Each answer is judged: determinism in fresh instances, registered and declared words, units and hard ranges, fuel, memory,
    /// size. The exit code is 1 when something is wrong, with what and where.
    Test(test::TestArgs),
    /// Show what a decoder makes of one payload: readings, FHIR, cost, and which byte became which field.
    ///
    /// Nothing is stored. The map of bytes is found without the decoder's help: each byte is changed in several ways, and what the
    /// answer says otherwise came from it. `(checked)` marks bytes of which some values are refused.
    Try(try_out::TryArgs),
    /// Run payload vectors through decoder and FHIR mapping, and compare with what they expect.
    ///
    /// FILE holds one JSON object a line: id, format, `payload_hex` or `payload_json`, context, expected. The format names the
    /// device model; a format `gatt-2A35` also names the channel, 2A35. The context becomes the decoder's variables.
    ///
    /// The Observations are those that a Patient/example would get, with their status and a line that tells what would
    /// become of them. So that no result depends on the time of the run, every payload is taken to have been received at
    /// 2027-07-01T00:00:00Z, and local times are read as UTC.
    ///
    /// The exit code is 0 when every line passes, and 1 otherwise; a format that no decoder serves does not pass.
    Vectors {
        /// File of vectors, one JSON object a line; `-` reads standard input.
        file: PathBuf,
        /// Print one JSON object a line in place of the report: id, outcome (decoded, reject, no-observation, incomplete,
        /// or unknown-format), observations, warnings, error, outlook, problems.
        #[arg(long)]
        json: bool,
        /// Print only lines that do not pass, and the summary.
        #[arg(long, conflicts_with = "json")]
        quiet: bool,
    },
    /// Show the words that a decoder may say: kinds of readings with units and ranges, flags with what becomes of such a reading,
    /// and the rest.
    ///
    ///   afferent plugin words              the lists
    ///   afferent plugin words kinds        one of them
    ///   afferent plugin words peak flow    what fits, in all of them
    #[command(verbatim_doc_comment)]
    Words(words::WordsArgs),
    /// List the device models that this server can decode, with their decoders.
    ///
    /// Those that are built in, and those of `decoder_dir` (`AFFERENT_DECODER_DIR`). Files that were refused are named with the
    /// reason.
    List,
    /// Load a decoder as the server would: contract, imports, registered words, its own examples.
    ///
    /// Prints what the decoder says of itself, what its examples cost, and the limits that hold for one decode. The exit
    /// code is 1 when the decoder is refused, with the reason.
    Check {
        /// A WebAssembly component.
        file: PathBuf,
    },
}

/// Runs the command.
///
/// # Errors
/// A file that cannot be read, or a built-in decoder that is refused.
pub async fn run(args: PluginArgs, config: Config) -> anyhow::Result<ExitCode> {
    let command = match args.command {
        PluginCommand::Upload(args) => return upload::run(args).await,
        PluginCommand::Here(command) => command,
    };
    // Loading and running decoders is CPU work for seconds: it does not belong on a thread that drives others.
    tokio::task::spawn_blocking(move || match command {
        HereCommand::New(args) => project::new(&args),
        HereCommand::Pack { dir } => project::pack(&dir),
        HereCommand::Test(args) => test::run(&args, &Tables::load()?),
        HereCommand::Try(args) => try_out::run(&args, &Tables::load()?),
        HereCommand::Vectors { file, json, quiet } => {
            let tables = Tables::load()?;
            vectors::run(&open(&config, &tables)?, &tables, &file, vectors::Style::of(json, quiet))
        }
        HereCommand::Words(args) => words::run(&args, &Tables::load()?),
        HereCommand::List => list(&open(&config, &Tables::load()?)?),
        HereCommand::Check { file } => check::run(&file, &Tables::load()?),
    })
    .await?
}

/// With what a server of this data directory has compiled already; nothing is made where there is none.
fn open(config: &Config, tables: &Tables) -> anyhow::Result<Decoders> {
    let compiled = config.data_dir.join(COMPILED_DECODERS);
    Decoders::open(compiled.is_dir().then_some(compiled), config.decoder_dir.as_deref(), &tables.units, &tables.vitals)
}

#[expect(clippy::print_stderr, reason = "printing is what this command is for")]
fn list(decoders: &Decoders) -> anyhow::Result<ExitCode> {
    let rows: Vec<[String; 4]> = decoders
        .models()
        .map(|served| {
            let manifest = served.decoder.manifest();
            let channels =
                if served.model.channels.is_empty() { "any".to_owned() } else { served.model.channels.join(" ") };
            [
                served.model.name.clone(),
                channels,
                format!("{} {}", manifest.name, manifest.version),
                served.model.title.clone(),
            ]
        })
        .collect();
    let head = ["MODEL", "CHANNELS", "DECODER", "TITLE"].map(str::to_owned);
    let width = |column: usize| {
        let cells = std::iter::once(&head).chain(&rows).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let (first, second, third) = (width(0), width(1), width(2));
    let line = |[model, channels, decoder, title]: &[String; 4]| {
        format!("{model:<first$}  {channels:<second$}  {decoder:<third$}  {title}\n")
    };
    super::print(&std::iter::once(&head).chain(&rows).map(line).collect::<String>())?;
    for refused in decoders.refused() {
        eprintln!("refused: {}: {}", refused.file, refused.reason);
    }
    Ok(ExitCode::SUCCESS)
}
