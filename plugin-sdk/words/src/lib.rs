//! The words that decoders may say, for people who look for one: every list with what each word means, a search that finds by
//! meaning (`pef` is `peak-expiratory-flow`), and what is wrong with a word or with a unit of a kind.
//!
//! The words are the platform's own tables (`fhir-profiles/`), which are built in. Native only: no decoder carries this.

mod aliases;
mod problem;
mod search;
mod tables;

pub use search::distance;

/// A list of words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Set {
    /// What was measured.
    Kind,
    /// UCUM codes.
    Unit,
    /// What a device says about a measurement besides its value.
    Flag,
    /// What a person should know before trusting a value.
    Warning,
    /// Why a well-formed payload has nothing to store.
    NothingReason,
    /// Why a value is absent (FHIR R4's data-absent-reason).
    AbsentReason,
    /// Facts about the device itself.
    Fact,
    /// What is known about the device's clock.
    ClockState,
    /// Where on the body it was measured.
    BodySite,
    /// How it was measured.
    Method,
    /// Names of contexts.
    Context,
    /// What a payload may claim about its device.
    Identity,
    /// `<`, `<=`, `>=`, `>`.
    Comparator,
}

impl Set {
    /// Every list, in the order in which people need them.
    pub const ALL: [Self; 13] = [
        Self::Kind,
        Self::Unit,
        Self::Flag,
        Self::Warning,
        Self::NothingReason,
        Self::AbsentReason,
        Self::Fact,
        Self::ClockState,
        Self::BodySite,
        Self::Method,
        Self::Context,
        Self::Identity,
        Self::Comparator,
    ];

    /// What the list is called: `kinds`, `units`, `flags`, `reasons for nothing` …
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Kind => "kinds",
            Self::Unit => "units",
            Self::Flag => "flags",
            Self::Warning => "warnings",
            Self::NothingReason => "reasons for nothing",
            Self::AbsentReason => "reasons of absence",
            Self::Fact => "facts about the device",
            Self::ClockState => "clock states",
            Self::BodySite => "body sites",
            Self::Method => "methods",
            Self::Context => "contexts",
            Self::Identity => "identities",
            Self::Comparator => "comparators",
        }
    }

    /// What one word of it is called in a sentence: `registered kind`.
    #[must_use]
    pub const fn of_one(self) -> &'static str {
        match self {
            Self::Kind => "registered kind",
            Self::Unit => "unit of the platform's list",
            Self::Flag => "registered flag",
            Self::Warning => "registered warning",
            Self::NothingReason => "registered reason for nothing",
            Self::AbsentReason => "reason of absence",
            Self::Fact => "registered fact about the device",
            Self::ClockState => "registered clock state",
            Self::BodySite => "registered body site",
            Self::Method => "registered method",
            Self::Context => "registered context",
            Self::Identity => "registered identity",
            Self::Comparator => "comparator",
        }
    }
}

/// What the value of a kind is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// A number with a unit.
    Quantity,
    /// Other kinds, each with its value: a blood pressure.
    Components,
    /// A waveform.
    Sampled,
}

/// A word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The list that it is in.
    pub set: Set,
    /// As decoders say it.
    pub name: String,
    /// What it means, as a title or a sentence.
    pub about: String,
    /// Of a kind, the units in which it is kept; of a context, the values that it may have (none: any).
    pub takes: Vec<String>,
    /// Of a kind, what its value is.
    pub form: Option<Form>,
    /// The host says it by itself: no decoder does.
    pub of_host: bool,
    /// Codes and displays of LOINC and IEEE 11073 by which it is also known.
    also: Vec<String>,
}

/// All lists.
#[derive(Debug, Clone)]
pub struct Words {
    words: Vec<Word>,
    conversions: Vec<tables::Conversion>,
}

impl Words {
    /// Reads the tables that are built in.
    ///
    /// # Errors
    /// Only after a wrong edit of them: a test reads them.
    pub fn load() -> Result<Self, serde_json::Error> {
        tables::load()
    }

    /// A list, in the tables' order.
    pub fn of(&self, set: Set) -> impl Iterator<Item = &Word> {
        self.words.iter().filter(move |word| word.set == set)
    }

    /// The word of this name.
    #[must_use]
    pub fn find(&self, set: Set, name: &str) -> Option<&Word> {
        self.of(set).find(|word| word.name == name)
    }
}
