//! What an upload shows of itself before anybody trusts it, beside what the sandbox checks when it is loaded.

use std::sync::Arc;

use plugin_host::{Decoder, Surface};
use serde_json::{Value, json};

use crate::error::{Error, Kind};

/// Runs a decoder's own examples twice: what they cost, and that both runs say the same. Synchronous work of milliseconds.
///
/// # Errors
/// 422 naming the example whose two runs differ.
pub fn examine(decoder: &Arc<Decoder>) -> Result<Value, Error> {
    let manifest = decoder.manifest();
    let (mut fuel, mut memory) = (0, 0);
    for example in &manifest.examples {
        let stats = match decoder.surface() {
            Surface::Device => same(decoder.run(&example.input), decoder.run(&example.input)),
            Surface::Hub => same(decoder.run_hub(&example.input), decoder.run_hub(&example.input)),
        };
        let Some(stats) = stats else {
            let name: String = example.name.chars().take(100).collect();
            return Err(Error::new(
                Kind::Unprocessable,
                "plugin.not-deterministic",
                format!(
                    "The example `{name}` gave two answers in two runs: a decoder is a function of its input alone."
                ),
            ));
        };
        fuel = fuel.max(stats.fuel_used);
        memory = memory.max(stats.memory_bytes);
    }
    Ok(json!({
        "surface": match decoder.surface() { Surface::Device => "device", Surface::Hub => "hub" },
        "examples": manifest.examples.len(),
        "mostFuel": fuel,
        "mostMemory": memory,
    }))
}

/// What the first of two equal runs cost.
fn same<T: PartialEq>(first: plugin_host::Run<T>, second: plugin_host::Run<T>) -> Option<plugin_host::RunStats> {
    (first.result == second.result && first.stats.fuel_used == second.stats.fuel_used).then_some(first.stats)
}
