//! `afferent plugin check`: what the server would say to a decoder.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use plugin_host::{Decoder, Limits, PluginHost, RunStats, Surface};

use crate::fleet::allowed_words;
use crate::ingest::Tables;

/// Loads a component by itself, beside no others, and prints what it is.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "printing is what this command is for")]
pub fn run(file: &Path, tables: &Tables) -> anyhow::Result<ExitCode> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let host = PluginHost::new(Limits::default(), allowed_words(&tables.units, &tables.vitals)?, None)?;
    let decoder = match host.load(&bytes) {
        Ok(decoder) => decoder,
        Err(reason) => {
            eprintln!("refused: {reason}");
            return Ok(ExitCode::FAILURE);
        }
    };
    let manifest = decoder.manifest();
    println!("{} {} by {}, {}", manifest.name, manifest.version, manifest.vendor, manifest.license);
    println!("{}", manifest.description);
    println!("component   {} bytes, sha256 {}", bytes.len(), decoder.content_hash());
    let surface = match decoder.surface() {
        Surface::Device => "decodes the payloads of a device",
        Surface::Hub => "splits the uplinks of a hub",
    };
    println!("contract    {}, {surface}", decoder.contract());
    for model in &manifest.models {
        let channels = if model.channels.is_empty() { "any channel".to_owned() } else { model.channels.join(", ") };
        println!("model       {} ({}), {channels}", model.name, model.title);
        if !model.variables.is_empty() {
            println!("            needs the variables {}", model.variables.join(", "));
        }
    }
    words("kinds", &manifest.kinds);
    words("flags", &manifest.flags);
    words("warnings", &manifest.warnings);
    let cost = examples(&decoder);
    println!(
        "examples    {} pass; the dearest burnt {} of {} fuel and had {} of {} KiB of memory",
        manifest.examples.len(),
        cost.fuel_used,
        host.limits().fuel,
        cost.memory_bytes / 1024,
        host.limits().memory_bytes / 1024
    );
    println!(
        "limits      {} s, {} readings, {} KiB of answer",
        host.limits().deadline.as_secs(),
        host.limits().readings,
        host.limits().output_bytes / 1024
    );
    println!("accepted");
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "printing is what this command is for")]
fn words(what: &str, words: &[String]) {
    if !words.is_empty() {
        println!("{what:<11} {}", words.join(", "));
    }
}

/// The most that any example cost; they ran and passed when the decoder was loaded.
fn examples(decoder: &Decoder) -> RunStats {
    let mut most = RunStats::default();
    for example in &decoder.manifest().examples {
        let stats = match decoder.surface() {
            Surface::Device => decoder.run(&example.input).stats,
            Surface::Hub => decoder.run_hub(&example.input).stats,
        };
        most.fuel_used = most.fuel_used.max(stats.fuel_used);
        most.memory_bytes = most.memory_bytes.max(stats.memory_bytes);
    }
    most
}
