//! The registered words: what decoders may say, as data that the caller owns.

use std::collections::{HashMap, HashSet};

/// The sets of words that the platform understands. A decoder that declares or says another word is refused: an unknown
/// flag may mean that the value must not be trusted.
///
/// The words are the platform's tables (`fhir-profiles/`), which the caller reads; an empty set allows nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registry {
    /// Kinds of readings and components: `body-weight`, `blood-pressure-systolic`.
    pub kinds: HashSet<String>,
    /// UCUM codes: `kg`, `mm[Hg]`.
    pub units: HashSet<String>,
    /// Flags of readings: `test`, `poor-contact`.
    pub flags: HashSet<String>,
    /// Codes of warnings: `implausible`.
    pub warnings: HashSet<String>,
    /// Reasons why there is nothing to store: `heartbeat`.
    pub reasons: HashSet<String>,
    /// States of a device's clock: `not-set`.
    pub clock_states: HashSet<String>,
    /// Body sites: `finger`.
    pub body_sites: HashSet<String>,
    /// Methods: `spot-check`.
    pub methods: HashSet<String>,
    /// Names of contexts with their values: `meal` → `fasting` …; an empty set of values means any.
    pub contexts: HashMap<String, HashSet<String>>,
    /// Kinds of device facts: `battery`.
    pub facts: HashSet<String>,
    /// Names of claimed identities: `imei`.
    pub identities: HashSet<String>,
}

/// The codes of FHIR R4's `http://terminology.hl7.org/CodeSystem/data-absent-reason`.
pub(crate) const DATA_ABSENT_REASONS: [&str; 15] = [
    "unknown",
    "asked-unknown",
    "temp-unknown",
    "not-asked",
    "asked-declined",
    "masked",
    "not-applicable",
    "unsupported",
    "as-text",
    "error",
    "not-a-number",
    "negative-infinity",
    "positive-infinity",
    "not-performed",
    "not-permitted",
];

/// The codes of FHIR R4's `quantity-comparator`.
pub(crate) const COMPARATORS: [&str; 4] = ["<", "<=", ">=", ">"];
