//! Registered words: what a table may say, and what it says, which its manifest declares.

use std::collections::BTreeSet;

use afferent_plugin_sdk::registry::{
    body_sites, clock_states, contexts, device_identity, fact_kinds, flags, kinds, methods, nothing_reasons, warnings,
};

use super::names::unknown;

/// What a table says.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub kinds: BTreeSet<String>,
    pub flags: BTreeSet<String>,
    pub warnings: BTreeSet<String>,
}

/// A set of registered words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Set {
    Kind,
    Flag,
    Warning,
    Reason,
    Fact,
    ClockState,
    BodySite,
    Method,
    Context,
    Identity,
    AbsentReason,
    Comparator,
}

/// Those of FHIR R4's data-absent-reason that a device can mean.
const ABSENT: &[&str] =
    &["unknown", "error", "not-a-number", "negative-infinity", "positive-infinity", "not-performed", "unsupported"];

/// The warnings that the host computes: no decoder says them.
const OF_HOST: &[&str] = &[warnings::IMPLAUSIBLE, warnings::DEVICE_TIME_IN_FUTURE, warnings::TIME_FROM_RECEIPT];

impl Set {
    fn words(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Kind => ("registered kind", kinds::ALL),
            Self::Flag => ("registered flag", flags::ALL),
            Self::Warning => ("registered warning", warnings::ALL),
            Self::Reason => ("registered reason", nothing_reasons::ALL),
            Self::Fact => ("registered fact", fact_kinds::ALL),
            Self::ClockState => ("registered clock state", clock_states::ALL),
            Self::BodySite => ("registered body site", body_sites::ALL),
            Self::Method => ("registered method", methods::ALL),
            Self::Context => ("registered context", contexts::ALL),
            Self::Identity => ("registered identity", device_identity::ALL),
            Self::AbsentReason => ("reason of absence", ABSENT),
            Self::Comparator => ("comparator", &["<", "<=", ">=", ">"]),
        }
    }

    /// What is wrong with a word.
    pub(super) fn problem(self, word: &str) -> Option<String> {
        let (what, known) = self.words();
        if !known.contains(&word) {
            return Some(unknown(what, word, known.iter().copied()));
        }
        (self == Self::Warning && OF_HOST.contains(&word))
            .then(|| format!("the warning `{word}` is the host's to say: it knows ranges and clocks"))
    }
}
