//! `afferent plugin try`: what a decoder makes of one payload, and which byte became which field.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use clap::Args;
use plugin_host::{Decoder, Frame, Limits, PluginHost, Surface};

use super::project::component;
use crate::commands::print;
use crate::fleet::{Binding, Variables, allowed_words};
use crate::ingest::Tables;
use crate::ingest::trial::{ByteMap, Trial, Tried, TriedVerdict, map_bytes, result_json, try_decoder};
use crate::platform::clock::Clock;

/// Arguments of `afferent plugin try`.
#[derive(Debug, Args)]
pub struct TryArgs {
    /// A component (`.wasm`), or a project, which is packed first.
    target: PathBuf,
    /// Bytes of a frame, hexadecimal, with or without spaces; may be given several times.
    #[arg(long, conflicts_with = "json", required_unless_present = "json")]
    hex: Vec<String>,
    /// A JSON payload; `@FILE` reads it from a file.
    #[arg(long)]
    json: Option<String>,
    /// The device model [default: the decoder's first].
    #[arg(long)]
    model: Option<String>,
    /// The characteristic, port or topic [default: the model's first].
    #[arg(long)]
    channel: Option<String>,
    /// A setting of the device, `NAME=VALUE`; may be given several times.
    #[arg(long = "variable", value_name = "NAME=VALUE")]
    variables: Vec<String>,
    /// When phone or hub got the payload (RFC 3339).
    #[arg(long)]
    captured_at: Option<DateTime<Utc>>,
    /// When the platform is taken to have got it (RFC 3339) [default: now].
    #[arg(long)]
    received_at: Option<DateTime<Utc>>,
    /// The IANA zone of the device's local times.
    #[arg(long, default_value = "UTC")]
    time_zone: Tz,
    /// Print one JSON object, as POST /api/v1/decode answers.
    #[arg(long)]
    as_json: bool,
}

/// Tries a payload. The exit code is 0 when the decoder answers with readings or with nothing to store.
///
/// # Errors
/// A file or payload that cannot be read, or a decoder that is refused.
#[expect(clippy::print_stderr, reason = "printing is what this command is for")]
pub fn run(args: &TryArgs, tables: &Tables) -> anyhow::Result<ExitCode> {
    let (bytes, _) = component(&args.target)?;
    let host = PluginHost::for_development(Limits::default(), allowed_words(&tables.units, &tables.vitals)?)?;
    let decoder = match host.load_untried(&bytes) {
        Ok(decoder) => decoder,
        Err(reason) => {
            eprintln!("refused: {reason}");
            return Ok(ExitCode::FAILURE);
        }
    };
    if let Err(reason) = decoder.try_examples() {
        eprintln!("note: a server would refuse this decoder: {reason}\n");
    }
    if decoder.surface() == Surface::Hub {
        bail!("this is a hub's decoder: `try` shows what a device's decoder makes of a payload");
    }
    let (model, channel) = model(args, &decoder)?;
    let trial = Trial {
        frames: frames(args, &channel)?,
        content_type: if args.json.is_some() { "application/json" } else { "application/octet-stream" }.to_owned(),
        received_at: args.received_at.unwrap_or_else(|| Clock.now()),
        zone: args.time_zone,
        variables: variables(&args.variables)?,
    };
    let binding = Binding { decoder, model, channel };
    // The first call of a process touches memory for the first time: the second one's time is that of a server.
    try_decoder(&binding, trial.clone(), tables).map_err(|error| anyhow::anyhow!("{error}"))?;
    let tried = try_decoder(&binding, trial.clone(), tables).map_err(|error| anyhow::anyhow!("{error}"))?;
    let map = map_bytes(&binding, &trial);
    let fine = matches!(tried.verdict, TriedVerdict::Readings { .. } | TriedVerdict::Nothing { .. });
    if args.as_json {
        let told =
            result_json(tried, &binding, host.limits(), Some(map)).map_err(|error| anyhow::anyhow!("{error}"))?;
        print(&format!("{told}\n"))?;
    } else {
        print(&show(&tried, &trial, &map, host.limits())?)?;
    }
    Ok(if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[expect(clippy::print_stderr, reason = "printing is what this command is for")]
fn model(args: &TryArgs, decoder: &Decoder) -> anyhow::Result<(String, String)> {
    let models = &decoder.manifest().models;
    let found = match &args.model {
        None => models.first(),
        Some(name) => models.iter().find(|model| model.name == *name),
    };
    let Some(model) = found else {
        let names: Vec<&str> = models.iter().map(|model| model.name.as_str()).collect();
        bail!("this decoder has no such model; it has {}", names.join(", "));
    };
    let channel = args.channel.clone().or_else(|| model.channels.first().cloned()).unwrap_or_default();
    if !model.channels.is_empty() && !model.channels.contains(&channel) {
        eprintln!("note: {} names the channels {}", model.name, model.channels.join(", "));
    }
    Ok((model.name.clone(), channel))
}

fn frames(args: &TryArgs, channel: &str) -> anyhow::Result<Vec<Frame>> {
    let frame = |data: Vec<u8>| Frame {
        channel: channel.to_owned(),
        data,
        captured_at_ms: args.captured_at.map(|time| time.timestamp_millis()),
        extra: Vec::new(),
    };
    if let Some(json) = &args.json {
        let data = match json.strip_prefix('@') {
            Some(file) => std::fs::read(file).with_context(|| format!("cannot read {file}"))?,
            None => json.clone().into_bytes(),
        };
        return Ok(vec![frame(data)]);
    }
    let read = |digits: &String| {
        let plain: String = digits.chars().filter(|letter| !letter.is_whitespace()).collect();
        hex::decode(plain).map(frame).with_context(|| format!("`{digits}` is not an even number of hexadecimal digits"))
    };
    args.hex.iter().map(read).collect()
}

fn variables(pairs: &[String]) -> anyhow::Result<Variables> {
    let split = |pair: &String| {
        let (name, value) = pair.split_once('=').with_context(|| format!("`{pair}` is not NAME=VALUE"))?;
        Ok((name.to_owned(), value.to_owned()))
    };
    pairs.iter().map(split).collect()
}

/// What came of it, for people.
fn show(tried: &Tried, trial: &Trial, map: &ByteMap, limits: &Limits) -> anyhow::Result<String> {
    let mut out = String::new();
    match &tried.verdict {
        TriedVerdict::Readings { decoded, previews } => {
            for (index, (reading, preview)) in decoded.readings.iter().zip(previews).enumerate() {
                let lines = plugin_host::value_lines(&plugin_host::Outcome::Readings(plugin_host::Decoded {
                    readings: vec![reading.clone()],
                    ..plugin_host::Decoded::default()
                }));
                writeln!(out, "reading {index}")?;
                for line in &lines {
                    writeln!(out, "  {line}")?;
                }
                if let Some(key) = &reading.record_key {
                    writeln!(out, "  record key  {key}")?;
                }
                if !reading.flags.is_empty() {
                    writeln!(out, "  flags       {}", reading.flags.join(", "))?;
                }
                if !reading.clock_state.is_empty() && reading.clock_state != "unknown" {
                    writeln!(out, "  clock       {}", reading.clock_state)?;
                }
                if let Some(slot) = &reading.user_slot {
                    writeln!(out, "  user slot   {slot}")?;
                }
                writeln!(out, "  {}", preview.outlook)?;
                for warning in &preview.warnings {
                    writeln!(out, "  warning     {warning}")?;
                }
            }
            for fact in &decoded.facts {
                writeln!(out, "device: {} {}", fact.kind, fact_text(&fact.value))?;
            }
            for warning in &decoded.warnings {
                writeln!(out, "warning: {} {}", warning.code, warning.message)?;
            }
            for preview in previews {
                let observation: serde_json::Value = serde_json::from_str(&preview.observation)?;
                writeln!(out, "\n{observation:#}")?;
            }
        }
        TriedVerdict::Nothing { reason, message, facts, warnings } => {
            writeln!(out, "nothing to store: {reason}: {message}")?;
            for fact in facts {
                writeln!(out, "device: {} {}", fact.kind, fact_text(&fact.value))?;
            }
            for warning in warnings {
                writeln!(out, "warning: {} {}", warning.code, warning.message)?;
            }
        }
        TriedVerdict::Incomplete { reason, .. } => writeln!(out, "incomplete: {reason}")?,
        TriedVerdict::Refused { reason, detail } => writeln!(out, "refused by the decoder: {reason}: {detail}")?,
        TriedVerdict::Failed { reason, detail } => writeln!(out, "the decoder failed: {reason}: {detail}")?,
    }
    let stats = tried.stats;
    writeln!(
        out,
        "\nfuel {} of {}, {} µs, {} KiB of memory",
        stats.fuel_used,
        limits.fuel,
        stats.elapsed.as_micros(),
        stats.memory_bytes / 1024
    )?;
    if !map.bytes.is_empty() {
        writeln!(out, "\nwhich byte became what (found by {} changed payloads):", map.calls)?;
        if !map.checksums.is_empty() {
            let made = map.checksums.join("; ");
            writeln!(out, "  (the checksum was made right again after every change: {made})")?;
        }
    }
    for stretch in &map.bytes {
        let data = trial.frames.get(stretch.frame).map(|frame| frame.data.as_slice()).unwrap_or_default();
        let part = data.get(stretch.from..stretch.to).unwrap_or_default();
        let place = match &stretch.path {
            Some(path) => format!("{path} = {}", String::from_utf8_lossy(part)),
            None => format!("{:>3}..{:<3} {}", stretch.from, stretch.to, hex::encode(part)),
        };
        let fields = if stretch.fields.is_empty() { "nothing".to_owned() } else { stretch.fields.join(", ") };
        writeln!(out, "  {place:<28}  {fields}{}", if stretch.checked { " (checked)" } else { "" })?;
    }
    if !map.complete && !map.bytes.is_empty() {
        writeln!(out, "  the rest was not tried: calls and time are bounded")?;
    }
    Ok(out)
}

fn fact_text(value: &plugin_host::Value) -> String {
    match value {
        plugin_host::Value::Quantity(quantity) => format!("{} {}", quantity.value, quantity.unit),
        plugin_host::Value::Text(text) => text.clone(),
        other => format!("{other:?}"),
    }
}
