//! The shape of `decoder.toml`. `decoder.schema.json` says the same for editors; a test keeps the two together.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::literal::Plain;
use super::word::WordSource;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Document {
    pub decoder: Identity,
    #[serde(default)]
    pub model: Vec<Model>,
    #[serde(default)]
    pub format: BTreeMap<String, Format>,
    #[serde(default)]
    pub example: Vec<Example>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Identity {
    pub name: String,
    pub vendor: String,
    pub version: String,
    #[serde(default = "apache")]
    pub license: String,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub extra: BTreeMap<String, String>,
}

fn apache() -> String {
    "Apache-2.0".to_owned()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Model {
    pub name: String,
    pub title: String,
    #[serde(default)]
    pub channels: Vec<String>,
    #[serde(default)]
    pub variables: Vec<String>,
    pub format: Option<String>,
    pub formats: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Format {
    /// `bytes` or `json`.
    pub payload: String,
    #[serde(default)]
    pub endian: Option<String>,
    #[serde(default)]
    pub empty: Option<Silence>,
    #[serde(default)]
    pub field: Vec<Field>,
    #[serde(default)]
    pub refuse: Vec<Refuse>,
    #[serde(default)]
    pub nothing: Vec<Silence>,
    #[serde(default)]
    pub warning: Vec<Caution>,
    #[serde(default)]
    pub fact: Vec<Fact>,
    #[serde(default)]
    pub every_reading: Option<Reading>,
    #[serde(default)]
    pub reading: Vec<Reading>,
}

/// Any field: which of the properties it has depends on its type, and the others are refused.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Field {
    #[serde(default)]
    pub name: Option<String>,
    #[serde(rename = "type")]
    pub kind: String,
    pub when: Option<String>,
    pub endian: Option<String>,
    /// Bytes: a number, a field, or `rest`.
    pub length: Option<Plain>,
    pub bits: Option<BTreeMap<String, Plain>>,
    pub unknown_bits: Option<String>,
    pub algorithm: Option<String>,
    pub from: Option<i32>,
    pub to: Option<i32>,
    pub path: Option<String>,
    pub optional: Option<bool>,
    pub places: Option<u8>,
    pub local: Option<bool>,
    /// A date, or a date and time.
    pub epoch: Option<String>,
    pub equals: Option<Plain>,
    pub one_of: Option<Vec<Plain>>,
    pub refuse_as: Option<String>,
    pub missing: Option<Vec<Plain>>,
    pub absent: Option<BTreeMap<String, String>>,
    pub only_above: Option<i64>,
    pub scale: Option<Plain>,
    pub offset: Option<Plain>,
    // Made of others.
    pub variable: Option<String>,
    pub of: Option<Vec<String>>,
    pub year: Option<String>,
    pub month: Option<String>,
    pub day: Option<String>,
    pub hour: Option<String>,
    pub minute: Option<String>,
    pub second: Option<String>,
    pub year_base: Option<i64>,
    pub time: Option<String>,
    pub by: Option<String>,
    pub unit: Option<String>,
    // Members.
    pub known: Option<Vec<String>>,
    pub others: Option<String>,
    // A block.
    pub repeat: Option<Plain>,
    pub each: Option<String>,
    pub or_single: Option<bool>,
    #[serde(default)]
    pub field: Vec<Self>,
    #[serde(default)]
    pub refuse: Vec<Refuse>,
    #[serde(default)]
    pub nothing: Vec<Silence>,
    #[serde(default)]
    pub warning: Vec<Caution>,
    #[serde(default)]
    pub fact: Vec<Fact>,
    #[serde(default)]
    pub every_reading: Option<Reading>,
    #[serde(default)]
    pub reading: Vec<Reading>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Refuse {
    pub when: String,
    /// `malformed`, `unsupported` or `not-for-me`.
    #[serde(rename = "as")]
    pub kind: Option<String>,
    pub message: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Silence {
    pub when: Option<String>,
    pub reason: String,
    #[serde(default)]
    pub message: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Caution {
    pub when: Option<String>,
    pub code: String,
    pub message: String,
}

/// What a reading, its component and a fact have in common is written in each of them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Component {
    pub kind: String,
    pub value: String,
    #[serde(rename = "as")]
    pub shown_as: Option<String>,
    pub system: Option<String>,
    pub unit: Option<WordSource>,
    pub comparator: Option<WordSource>,
    #[serde(default)]
    pub absent: Vec<Case>,
    #[serde(default)]
    pub optional: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Fact {
    pub when: Option<String>,
    pub kind: String,
    pub value: String,
    #[serde(rename = "as")]
    pub shown_as: Option<String>,
    pub system: Option<String>,
    pub unit: Option<WordSource>,
    #[serde(default)]
    pub absent: Vec<Case>,
}

/// A word and when it is meant.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Case {
    pub when: Option<String>,
    pub is: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Claim {
    pub name: String,
    pub value: String,
    pub when: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct CodingSource {
    pub system: String,
    pub code: String,
    #[serde(default)]
    pub display: String,
}

/// A reading, or what every reading of a block has.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Reading {
    pub when: Option<String>,
    pub kind: Option<WordSource>,
    pub coding: Option<CodingSource>,
    pub value: Option<String>,
    #[serde(rename = "as")]
    pub shown_as: Option<String>,
    pub system: Option<String>,
    pub unit: Option<WordSource>,
    pub comparator: Option<WordSource>,
    #[serde(default)]
    pub absent: Vec<Case>,
    #[serde(default)]
    pub component: Vec<Component>,
    pub time: Option<String>,
    pub time_end: Option<String>,
    pub zone: Option<String>,
    pub clock_state: Option<WordSource>,
    pub body_site: Option<WordSource>,
    pub method: Option<WordSource>,
    #[serde(default)]
    pub context: BTreeMap<String, WordSource>,
    #[serde(default)]
    pub flags: Vec<FlagSource>,
    pub user_slot: Option<String>,
    #[serde(default)]
    pub identity: Vec<Claim>,
    pub record_key: Option<String>,
    pub on_change: Option<String>,
}

/// A flag: always, or when a condition holds.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "a flag, or { when = \"…\", is = \"FLAG\" }")]
pub(super) enum FlagSource {
    Always(String),
    Sometimes(Case),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Example {
    pub name: String,
    pub model: String,
    #[serde(default)]
    pub channel: String,
    pub hex: Option<Frames>,
    pub json: Option<String>,
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    pub outcome: String,
    #[serde(default)]
    pub values: Vec<String>,
}

/// One frame or several.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "hexadecimal digits, or a list of them")]
pub(super) enum Frames {
    One(String),
    Several(Vec<String>),
}

impl Frames {
    pub(super) fn list(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Several(several) => several,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::collections::BTreeSet;

    use serde::de::DeserializeOwned;
    use serde_json::Value;

    /// The names that the reader of a table knows, which it tells when it meets another.
    fn known<T: DeserializeOwned + std::fmt::Debug>() -> BTreeSet<String> {
        let told = toml::from_str::<T>("no-such-name = 1").unwrap_err().message().to_owned();
        let (_, names) = told.split_once("expected").unwrap();
        names.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn the_schema_has_the_names_that_are_read() {
        let schema: Value = serde_json::from_str(include_str!("../../decoder.schema.json")).unwrap();
        let names = |pointer: &str| -> BTreeSet<String> {
            let properties = schema.pointer(pointer).and_then(Value::as_object).unwrap();
            properties.keys().cloned().collect()
        };
        assert_eq!(known::<super::Document>(), names("/properties"));
        for (definition, read) in [
            ("identity", known::<super::Identity>()),
            ("model", known::<super::Model>()),
            ("format", known::<super::Format>()),
            ("field", known::<super::Field>()),
            ("refuse", known::<super::Refuse>()),
            ("nothing", known::<super::Silence>()),
            ("warning", known::<super::Caution>()),
            ("component", known::<super::Component>()),
            ("fact", known::<super::Fact>()),
            ("case", known::<super::Case>()),
            ("claim", known::<super::Claim>()),
            ("coding", known::<super::CodingSource>()),
            ("reading", known::<super::Reading>()),
            ("example", known::<super::Example>()),
            ("map", known::<super::super::word::MapSource>()),
        ] {
            assert_eq!(read, names(&format!("/$defs/{definition}/properties")), "{definition}");
        }
    }
}
