//! `afferent plugin test`: everything that is tried with a decoder before anybody trusts it.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use plugin_host::{Limits, PluginHost};
use vendor_tools::trial::{self, Answers, Report};

use super::project::component;
use crate::fleet::allowed_words;
use crate::ingest::Tables;

/// Arguments of `afferent plugin test`.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// A project, which is packed first, or a component (`.wasm`).
    #[arg(default_value = ".")]
    target: PathBuf,
    /// A file of vectors; may be given several times [default: `vectors/*.jsonl` of the project, or beside the component].
    #[arg(long)]
    vectors: Vec<PathBuf>,
    /// Seconds after which no more combinations of flags and random payloads are begun. Vectors, truncations and flipped
    /// bits are always tried.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Print one JSON object in place of the report, for CI.
    #[arg(long)]
    json: bool,
}

/// Tries a decoder, and prints what came of it.
///
/// # Errors
/// A file that cannot be read, or a project that cannot be packed.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "printing is what this command is for")]
pub fn run(args: &TestArgs, tables: &Tables) -> anyhow::Result<ExitCode> {
    let (component, beside) = component(&args.target)?;
    let limits = Limits::default();
    let host = PluginHost::for_development(limits.clone(), allowed_words(&tables.units, &tables.vitals)?)?;
    let decoder = match host.load(&component) {
        Ok(decoder) => decoder,
        Err(reason) => {
            if args.json {
                println!("{}", serde_json::json!({"passed": false, "refused": reason.to_string()}));
            } else {
                eprintln!("refused: {reason}");
            }
            return Ok(ExitCode::FAILURE);
        }
    };
    let files = files(&args.vectors, &beside)?;
    let shows_progress = !args.json && std::io::stderr().is_terminal();
    let report = trial::test(&decoder, &limits, &files, Duration::from_secs(args.seconds), |what| {
        if shows_progress {
            let _ = write!(std::io::stderr(), "\r\x1b[K{what}");
        }
    });
    if shows_progress {
        eprint!("\r\x1b[K");
    }
    if args.json {
        let mut told = serde_json::to_value(&report)?;
        told["passed"] = report.passed().into();
        told["decoder"] = decoder.manifest().name.as_str().into();
        told["version"] = decoder.manifest().version.as_str().into();
        println!("{told}");
    } else {
        print(&report, &format!("{} {}", decoder.manifest().name, decoder.manifest().version));
    }
    Ok(if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Name and text of each file of vectors.
fn files(named: &[PathBuf], beside: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let mut paths = named.to_vec();
    if paths.is_empty() {
        let entries = std::fs::read_dir(beside.join("vectors")).into_iter().flatten().flatten();
        paths.extend(
            entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "jsonl")),
        );
        paths.sort();
    }
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok((path.display().to_string(), text))
    };
    if let Some(missing) = named.iter().find(|path| !path.is_file()) {
        bail!("{} is no file", missing.display());
    }
    paths.iter().map(read).collect()
}

#[expect(clippy::print_stdout, reason = "printing is what this command is for")]
fn came_to(answers: &Answers) {
    println!("  came to       {} refused, {} nothing, {} absent", answers.refused, answers.nothing, answers.absent);
    println!(
        "                {} held (outside the hard range), {} flagged, {} plausible",
        answers.held, answers.flagged, answers.plausible
    );
}

#[expect(clippy::print_stdout, reason = "printing is what this command is for")]
fn print(report: &Report, name: &str) {
    let changes = &report.changes;
    let answers = &report.answers;
    let cost = &report.cost;
    println!("{name}");
    println!("  examples      {}", report.examples);
    println!("  vectors       {}", report.vectors);
    println!("  changed       {} cut short, {} with a flipped bit", changes.truncations, changes.flipped_bits);
    println!(
        "                {} with other flags and bytes, {} with another JSON field",
        changes.flags, changes.edited_fields
    );
    println!("                {} at random", changes.random);
    came_to(answers);
    if let Some(repaired) = &report.repaired {
        println!(
            "  repaired      {} of these again with the checksum made right again ({})",
            repaired.changes.all(),
            repaired.checksums.join("; ")
        );
        came_to(&repaired.answers);
    }
    println!("  fuel          at most {} of {}", cost.fuel, cost.fuel_limit);
    println!("  memory        at most {} of {} KiB", cost.memory_bytes / 1024, cost.memory_limit / 1024);
    println!("  time          {} µs a call, {} calls", cost.mean_microseconds, cost.calls);
    if report.not_fully_tried > 0 {
        println!(
            "  left out      {} lines were not tried with every byte: --seconds gives more time",
            report.not_fully_tried
        );
    }
    for notice in &report.notices {
        println!("  notice        {notice}");
    }
    if report.further_notices > 0 {
        println!("  notice        and {} more", report.further_notices);
    }
    for problem in &report.problems {
        println!("  FAILED        {problem}");
    }
    if report.further_problems > 0 {
        println!("  FAILED        and {} more", report.further_problems);
    }
    println!("{}", if report.passed() { "passed" } else { "did not pass" });
}
