//! The tables of `fhir-profiles/` as lists of words.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{Form, Set, Word, Words};

const VITALS: &str = include_str!("../../../fhir-profiles/vitals.json");
const REGISTRY: &str = include_str!("../../../fhir-profiles/registry.json");
const UNITS: &str = include_str!("../../../fhir-profiles/units.json");

/// Those of FHIR R4's data-absent-reason that a device can mean
/// (<http://terminology.hl7.org/CodeSystem/data-absent-reason>).
const ABSENT: &[(&str, &str)] = &[
    ("unknown", "There should be a value, and it is not known."),
    ("error", "The measurement or its transmission failed."),
    ("not-a-number", "The device sent what is no number (NaN)."),
    ("negative-infinity", "Below what the device can measure."),
    ("positive-infinity", "Above what the device can measure."),
    ("not-performed", "It was not measured."),
    ("unsupported", "The device cannot measure it."),
];

const COMPARATORS: &[(&str, &str)] = &[
    ("<", "The value is less than the number."),
    ("<=", "The value is the number or less."),
    (">=", "The value is the number or more."),
    (">", "The value is more than the number."),
];

/// From one unit to another.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Conversion {
    pub from: String,
    pub to: String,
    /// The kind that alone has it; empty: all.
    #[serde(skip)]
    pub kind: String,
}

#[derive(Deserialize)]
struct Vitals {
    kinds: Vec<Vital>,
}

#[derive(Deserialize)]
struct Vital {
    name: String,
    title: String,
    value: Form,
    #[serde(default)]
    codings: Vec<Coding>,
    #[serde(default)]
    units: Vec<String>,
    #[serde(default)]
    conversions: Vec<Conversion>,
}

#[derive(Deserialize)]
struct Coding {
    code: String,
    display: String,
}

#[derive(Deserialize)]
struct Units {
    units: Vec<Unit>,
    conversions: Vec<Conversion>,
}

#[derive(Deserialize)]
struct Unit {
    code: String,
    display: String,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    description: String,
    /// Who says it: `host` or `decoder` (of warnings).
    #[serde(default)]
    by: String,
    #[serde(default)]
    values: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

pub(crate) fn load() -> Result<Words, serde_json::Error> {
    let vitals: Vitals = serde_json::from_str(VITALS)?;
    let units: Units = serde_json::from_str(UNITS)?;
    let registry: BTreeMap<String, serde_json::Value> = serde_json::from_str(REGISTRY)?;
    let mut words = Vec::new();
    let mut conversions = units.conversions;
    for vital in vitals.kinds {
        let of_kind = |conversion| Conversion { kind: vital.name.clone(), ..conversion };
        conversions.extend(vital.conversions.into_iter().map(of_kind));
        words.push(Word {
            also: vital.codings.into_iter().flat_map(|coding| [coding.code, coding.display]).collect(),
            takes: vital.units,
            form: Some(vital.value),
            ..word(Set::Kind, vital.name, vital.title)
        });
    }
    words.extend(units.units.into_iter().map(|unit| word(Set::Unit, unit.code, unit.display)));
    for (member, set) in [
        ("flags", Set::Flag),
        ("warnings", Set::Warning),
        ("nothingReasons", Set::NothingReason),
        ("factKinds", Set::Fact),
        ("clockStates", Set::ClockState),
        ("bodySites", Set::BodySite),
        ("methods", Set::Method),
        ("contexts", Set::Context),
        ("deviceIdentity", Set::Identity),
    ] {
        let entries = registry.get(member).cloned().unwrap_or_default();
        let entries: Vec<Entry> = serde_json::from_value(entries)?;
        words.extend(entries.into_iter().map(|entry| Word {
            takes: entry.values.into_iter().map(|value| value.name).collect(),
            of_host: entry.by == "host",
            ..word(set, entry.name, entry.description)
        }));
    }
    for (set, list) in [(Set::AbsentReason, ABSENT), (Set::Comparator, COMPARATORS)] {
        words.extend(list.iter().map(|(name, about)| word(set, (*name).to_owned(), (*about).to_owned())));
    }
    Ok(Words { words, conversions })
}

fn word(set: Set, name: String, about: String) -> Word {
    Word { set, name, about, takes: Vec::new(), form: None, of_host: false, also: Vec::new() }
}
