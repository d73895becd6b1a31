//! The words that decoders may say: the registered sets of `fhir-profiles/registry.json`, the kinds of the table of
//! vitals and the units of the table of units, as the sandbox wants them.

use std::collections::{HashMap, HashSet};

use anyhow::Context;
use fhir_model::units::Units;
use fhir_model::vitals::Vitals;
use plugin_host::Registry;
use serde::Deserialize;

const REGISTRY: &str = include_str!("../../../../fhir-profiles/registry.json");

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sets {
    flags: Vec<Word>,
    warnings: Vec<Word>,
    clock_states: Vec<Word>,
    body_sites: Vec<Word>,
    methods: Vec<Word>,
    contexts: Vec<MeasurementContext>,
    nothing_reasons: Vec<Word>,
    fact_kinds: Vec<Word>,
    device_identity: Vec<Word>,
}

#[derive(Deserialize)]
struct Word {
    name: String,
}

/// A context with its values; no values means any text.
#[derive(Deserialize)]
struct MeasurementContext {
    name: String,
    #[serde(default)]
    values: Vec<Word>,
}

/// Reads the embedded registry, and takes kinds and units from their tables.
///
/// # Errors
/// When the registry is not what this server was built for.
pub fn allowed_words(units: &Units, vitals: &Vitals) -> anyhow::Result<Registry> {
    let sets: Sets = serde_json::from_str(REGISTRY).context("fhir-profiles/registry.json cannot be read")?;
    Ok(Registry {
        kinds: vitals.kinds().map(|kind| kind.name.clone()).collect(),
        units: units.iter().map(|unit| unit.code.clone()).collect(),
        flags: names(sets.flags),
        warnings: names(sets.warnings),
        reasons: names(sets.nothing_reasons),
        clock_states: names(sets.clock_states),
        body_sites: names(sets.body_sites),
        methods: names(sets.methods),
        contexts: sets
            .contexts
            .into_iter()
            .map(|context| (context.name, names(context.values)))
            .collect::<HashMap<_, _>>(),
        facts: names(sets.fact_kinds),
        identities: names(sets.device_identity),
    })
}

fn names(words: Vec<Word>) -> HashSet<String> {
    words.into_iter().map(|word| word.name).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

    use super::*;

    #[test]
    fn every_set_of_the_registry_arrives() {
        let units = Units::load().unwrap();
        let words = allowed_words(&units, &Vitals::load(&units).unwrap()).unwrap();
        assert!(words.kinds.contains("body-weight") && words.units.contains("mm[Hg]"));
        assert!(words.flags.contains("ongoing") && words.reasons.contains("heartbeat"));
        assert!(words.contexts["meal"].contains("fasting"), "values of a closed context");
        assert!(words.contexts["carbohydrate-grams"].is_empty(), "an open context takes any value");
        assert!(words.facts.contains("battery") && words.identities.contains("imei"));
        assert!(!words.clock_states.is_empty() && !words.body_sites.is_empty() && !words.methods.is_empty());
    }
}
