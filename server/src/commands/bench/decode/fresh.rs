//! Decoding alone: the examples of every bundled decoder, each in a fresh sandbox; no database, no HTTP, one thread.

use plugin_host::Surface;
use serde::Serialize;

use super::super::percentile::Sorted;
use super::WARM_UP;
use crate::fleet::Decoders;

/// What decoding the payloads of one model costs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct ModelCost {
    /// The model.
    pub(in super::super) model: String,
    /// Examples that give readings; each ran as often as the others.
    pub(in super::super) examples: usize,
    /// Calls that count.
    pub(in super::super) calls: usize,
    /// Microseconds: instance, call, check of the answer.
    pub(in super::super) median_us: f64,
    /// Microseconds.
    pub(in super::super) p99_us: f64,
    /// The most that any example burnt.
    pub(in super::super) fuel: u64,
}

/// Measures; CPU work on the calling thread.
pub(super) fn measure(decoders: &Decoders, calls_per_example: u32) -> anyhow::Result<Vec<ModelCost>> {
    let mut costs = Vec::new();
    for served in decoders.models() {
        let decoder = &served.decoder;
        let examples = decoder.manifest().examples.iter();
        let examples: Vec<_> = examples
            .filter(|example| example.input.model == served.model.name)
            .filter(|example| matches!(example.outcome.as_str(), "readings" | "items"))
            .collect();
        if examples.is_empty() {
            continue;
        }
        let (mut nanoseconds, mut fuel) = (Vec::new(), 0);
        // Round by round, so that no example has the caches for itself.
        for round in 0..WARM_UP + calls_per_example {
            for example in &examples {
                let (stats, failure) = match decoder.surface() {
                    Surface::Device => {
                        let run = decoder.run(&example.input);
                        (run.stats, run.result.err())
                    }
                    Surface::Hub => {
                        let run = decoder.run_hub(&example.input);
                        (run.stats, run.result.err())
                    }
                };
                if let Some(failure) = failure {
                    anyhow::bail!("{}: the example {:?} failed: {failure}", served.model.name, example.name);
                }
                if round >= WARM_UP {
                    nanoseconds.push(stats.elapsed);
                }
                fuel = fuel.max(stats.fuel_used);
            }
        }
        let sorted = Sorted::new(nanoseconds);
        costs.push(ModelCost {
            model: served.model.name.clone(),
            examples: examples.len(),
            calls: sorted.len(),
            median_us: sorted.microseconds(500),
            p99_us: sorted.microseconds(990),
            fuel,
        });
    }
    Ok(costs)
}
