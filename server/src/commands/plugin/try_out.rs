//! `afferent plugin try`: what a decoder makes of one payload, and which byte became which field.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use clap::Args;
use plugin_host::{Decoder, Frame, Limits, PluginHost};

use super::project::component;
use super::shown::show;
use crate::commands::print;
use crate::fleet::{Binding, Variables, allowed_words};
use crate::ingest::Tables;
use crate::ingest::trial::{AnyTried, Trial, map_bytes, result_json};
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
    let tried = || AnyTried::of(&binding, trial.clone(), None, tables).map_err(|error| anyhow::anyhow!("{error}"));
    tried()?;
    let tried = tried()?;
    let map = map_bytes(&binding, &trial);
    let fine = tried.is_fine();
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
