//! What came of a trial, for people: readings or a hub's items, cost, and which byte became what.

use std::fmt::Write;

use plugin_host::{DeviceFact, Limits, Reading, RunStats, Warning};

use crate::ingest::trial::{AnyTried, ByteMap, MappedBytes, Preview, Trial, TriedItem, TriedParts, TriedVerdict};

/// Everything, in lines.
///
/// # Errors
/// An Observation that is no JSON, which is a defect of ours.
pub(super) fn show(tried: &AnyTried, trial: &Trial, map: &ByteMap, limits: &Limits) -> anyhow::Result<String> {
    let mut out = String::new();
    match tried {
        AnyTried::Device(tried) => out.push_str(&verdict(&tried.verdict)?),
        AnyTried::Hub(tried) => match &tried.parts {
            TriedParts::Whole(whole) => out.push_str(&verdict(whole)?),
            TriedParts::Items(items) => {
                for (index, one) in items.iter().enumerate() {
                    out.push_str(&item(index, one)?);
                }
            }
        },
    }
    cost(&mut out, tried.stats(), limits)?;
    bytes(&mut out, trial, map)?;
    Ok(out)
}

fn item(index: usize, item: &TriedItem) -> anyhow::Result<String> {
    let mut out = String::new();
    let named = [item.id.as_deref(), item.device_type.as_deref()].into_iter().flatten();
    let named: String = named.map(|word| format!(", {word}")).collect();
    writeln!(out, "item {index}: {}{named}", item.device)?;
    if let Some(frame) = &item.frame {
        let bytes = hex::encode(&frame.data);
        writeln!(out, "  frame {} of {} bytes: {bytes}", frame.channel, frame.data.len())?;
        writeln!(out, "  the device's own decoder reads it")?;
    }
    if let Some(said) = &item.verdict {
        for line in verdict(said)?.lines() {
            writeln!(out, "{}{line}", if line.is_empty() { "" } else { "  " })?;
        }
    }
    Ok(out)
}

fn verdict(verdict: &TriedVerdict) -> anyhow::Result<String> {
    let mut out = String::new();
    match verdict {
        TriedVerdict::Readings { decoded, previews } => {
            for (index, (one, preview)) in decoded.readings.iter().zip(previews).enumerate() {
                reading(&mut out, index, one, preview)?;
            }
            beside(&mut out, &decoded.facts, &decoded.warnings)?;
            for preview in previews {
                let observation: serde_json::Value = serde_json::from_str(&preview.observation)?;
                writeln!(out, "\n{observation:#}")?;
            }
        }
        TriedVerdict::Nothing { reason, message, facts, warnings } => {
            writeln!(out, "nothing to store: {reason}: {message}")?;
            beside(&mut out, facts, warnings)?;
        }
        TriedVerdict::Incomplete { reason, .. } => writeln!(out, "incomplete: {reason}")?,
        TriedVerdict::Refused { reason, detail } => writeln!(out, "refused by the decoder: {reason}: {detail}")?,
        TriedVerdict::Failed { reason, detail } => writeln!(out, "the decoder failed: {reason}: {detail}")?,
    }
    Ok(out)
}

fn reading(out: &mut String, index: usize, reading: &Reading, preview: &Preview) -> std::fmt::Result {
    let decoded = plugin_host::Decoded { readings: vec![reading.clone()], ..plugin_host::Decoded::default() };
    writeln!(out, "reading {index}")?;
    for line in &plugin_host::value_lines(&plugin_host::Outcome::Readings(decoded)) {
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
    preview.warnings.iter().try_for_each(|warning| writeln!(out, "  warning     {warning}"))
}

fn beside(out: &mut String, facts: &[DeviceFact], warnings: &[Warning]) -> std::fmt::Result {
    facts.iter().try_for_each(|fact| writeln!(out, "device: {} {}", fact.kind, fact_text(&fact.value)))?;
    warnings.iter().try_for_each(|warning| writeln!(out, "warning: {} {}", warning.code, warning.message))
}

fn fact_text(value: &plugin_host::Value) -> String {
    match value {
        plugin_host::Value::Quantity(quantity) => format!("{} {}", quantity.value, quantity.unit),
        plugin_host::Value::Text(text) => text.clone(),
        other => format!("{other:?}"),
    }
}

fn cost(out: &mut String, stats: RunStats, limits: &Limits) -> std::fmt::Result {
    writeln!(
        out,
        "\nfuel {} of {}, {} µs, {} KiB of memory",
        stats.fuel_used,
        limits.fuel,
        stats.elapsed.as_micros(),
        stats.memory_bytes / 1024
    )
}

fn bytes(out: &mut String, trial: &Trial, map: &ByteMap) -> std::fmt::Result {
    if map.bytes.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nwhich byte became what (found by {} changed payloads):", map.calls)?;
    if !map.checksums.is_empty() {
        let made = map.checksums.join("; ");
        writeln!(out, "  (the checksum was made right again after every change: {made})")?;
    }
    map.bytes.iter().try_for_each(|one| stretch(out, trial, one))?;
    if !map.complete {
        writeln!(out, "  the rest was not tried: calls and time are bounded")?;
    }
    Ok(())
}

fn stretch(out: &mut String, trial: &Trial, stretch: &MappedBytes) -> std::fmt::Result {
    let data = trial.frames.get(stretch.frame).map(|frame| frame.data.as_slice()).unwrap_or_default();
    let part = data.get(stretch.from..stretch.to).unwrap_or_default();
    let place = match &stretch.path {
        Some(path) => format!("{path} = {}", String::from_utf8_lossy(part)),
        None => format!("{:>3}..{:<3} {}", stretch.from, stretch.to, hex::encode(part)),
    };
    let fields = if stretch.fields.is_empty() { "nothing".to_owned() } else { stretch.fields.join(", ") };
    writeln!(out, "  {place:<28}  {fields}{}", if stretch.checked { " (checked)" } else { "" })
}
