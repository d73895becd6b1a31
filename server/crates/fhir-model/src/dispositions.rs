//! What becomes of a reading: `fhir-profiles/dispositions.json` as a typed table, and the rule that combines its rows.

use std::collections::HashMap;

use serde::Deserialize;

use crate::units::TableError;
use crate::vitals::{Coding, Counts};

const SOURCE: &str = include_str!("../../../../fhir-profiles/dispositions.json");
const TABLE: &str = "dispositions.json";

/// `Observation.status`, from the mildest to the strictest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Complete.
    #[default]
    Final,
    /// Interim or unverified.
    Preliminary,
    /// Started and not completed.
    Cancelled,
    /// Withdrawn: never a result.
    EnteredInError,
}

impl Status {
    /// FHIR's code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Final => "final",
            Self::Preliminary => "preliminary",
            Self::Cancelled => "cancelled",
            Self::EnteredInError => "entered-in-error",
        }
    }
}

/// Who notices a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Noticed {
    /// It is a flag of the decoder.
    Flag,
    /// The host finds it.
    Host,
}

/// What becomes of a reading under one condition.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// The flag's name, or the host's word.
    pub condition: String,
    /// Who notices it.
    pub by: Noticed,
    /// The sentence that people read.
    pub reason: String,
    #[serde(default = "yes")]
    stored: bool,
    #[serde(default)]
    status: Status,
    absent: Option<String>,
    #[serde(default = "yes")]
    forwarded: bool,
    #[serde(default)]
    counts: Counts,
    #[serde(default)]
    held: bool,
    #[serde(default)]
    releasable: bool,
    #[serde(default = "yes")]
    judged: bool,
    interpretation: Option<Coding>,
    remark: Option<Coding>,
    security: Option<String>,
    note: Option<String>,
    warning: Option<String>,
    /// Of `probable-duplicate`: how far apart the times of one measurement by two routes may lie.
    pub within_seconds: Option<u32>,
}

impl Row {
    /// Whether anything but a remark comes of it.
    fn restricts(&self) -> bool {
        let is_as_any_other = self.stored
            && self.status == Status::Final
            && self.absent.is_none()
            && self.forwarded
            && !self.held
            && self.counts == Counts::default();
        !is_as_any_other
    }
}

fn yes() -> bool {
    true
}

/// What becomes of a reading when all its conditions are taken together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disposition {
    /// Whether an Observation is kept at all. A control solution leaves only its uplink.
    pub stored: bool,
    /// `Observation.status`.
    pub status: Status,
    /// When set, every value is replaced by this data-absent-reason.
    pub absent: Option<String>,
    /// Whether it goes to the EHR endpoints.
    pub forwarded: bool,
    /// What it counts for.
    pub counts: Counts,
    /// Whether a person has to release it first.
    pub held: bool,
    /// Whether some condition takes something away: then it is treated otherwise than a reading without conditions.
    pub restricted: bool,
    /// The conditions that were met, in the table's order of precedence.
    pub conditions: Vec<String>,
    /// The sentence of the topmost condition.
    pub reason: Option<String>,
    /// Codings for `Observation.interpretation`, each once.
    pub interpretations: Vec<Coding>,
    /// Codes for `meta.security`.
    pub security: Vec<String>,
    /// Texts for `Observation.note`.
    pub notes: Vec<String>,
    /// Registered warnings that the host raises.
    pub warnings: Vec<String>,
}

/// The table.
#[derive(Debug, Clone)]
pub struct Dispositions {
    rows: Vec<Row>,
    places: HashMap<String, usize>,
}

#[derive(Deserialize)]
struct File {
    conditions: Vec<Row>,
}

impl Dispositions {
    /// Reads the table that is built into the binary.
    pub fn load() -> Result<Self, TableError> {
        let file: File = serde_json::from_str(SOURCE).map_err(|source| TableError::Json { table: TABLE, source })?;
        let rows = file.conditions;
        let places: HashMap<_, _> =
            rows.iter().enumerate().map(|(place, row)| (row.condition.clone(), place)).collect();
        if places.len() != rows.len() {
            return Err(TableError::Content { table: TABLE, problem: "a condition occurs twice".to_owned() });
        }
        Ok(Self { rows, places })
    }

    /// Every row, in the order of precedence.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The row of a condition.
    pub fn row(&self, condition: &str) -> Option<&Row> {
        self.places.get(condition).and_then(|place| self.rows.get(*place))
    }

    /// Whether the value is judged against the limits of its kind: not when there was no contact with a body at all.
    pub fn is_judged<'a>(&self, conditions: impl IntoIterator<Item = &'a str>) -> bool {
        conditions.into_iter().filter_map(|condition| self.row(condition)).all(|row| row.judged)
    }

    /// Takes all conditions together. The strictest wins, column by column (the `rule` of the table): repetition and
    /// order of the conditions make no difference, and no condition can make another one milder. `counts` is what the
    /// kind itself counts for. A word without a row is treated as `unlisted-flag`: it may mean that the value must not be trusted.
    pub fn resolve<'a>(&self, counts: Counts, conditions: impl IntoIterator<Item = &'a str>) -> Disposition {
        let mut whole = Disposition::plain(counts);
        for row in self.rows_of(conditions) {
            whole.tighten(row);
        }
        if whole.held {
            whole.status = whole.status.max(Status::Preliminary);
            whole.forwarded = false;
        }
        whole
    }

    /// The same when a person has looked at the reading and released it: rows that hold it count no longer, and leave a
    /// note instead. Every other row holds as before: a released demonstration stays a demonstration.
    ///
    /// # Errors
    /// The row that no person can release, because there is no number that could be shown.
    pub fn release<'a>(
        &self,
        counts: Counts,
        conditions: impl IntoIterator<Item = &'a str>,
    ) -> Result<Disposition, &Row> {
        let mut whole = Disposition::plain(counts);
        for row in self.rows_of(conditions) {
            match (row.held, row.releasable) {
                (false, _) => whole.tighten(row),
                (true, true) => whole.confirm(row),
                (true, false) => return Err(row),
            }
        }
        Ok(whole)
    }

    /// The rows that are met, each once, in order of precedence.
    fn rows_of<'a>(&self, conditions: impl IntoIterator<Item = &'a str>) -> impl Iterator<Item = &Row> {
        let unlisted = self.places.get("unlisted-flag");
        let place = |condition: &str| self.places.get(condition).or(unlisted).copied();
        let mut places: Vec<usize> = conditions.into_iter().filter_map(place).collect();
        places.sort_unstable();
        places.dedup();
        places.into_iter().filter_map(|place| self.rows.get(place))
    }
}

impl Disposition {
    /// No condition is met.
    fn plain(counts: Counts) -> Self {
        Self {
            stored: true,
            status: Status::Final,
            absent: None,
            forwarded: true,
            counts,
            held: false,
            restricted: false,
            conditions: Vec::new(),
            reason: None,
            interpretations: Vec::new(),
            security: Vec::new(),
            notes: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Adds a row that a person has set aside: it is told, and changes nothing.
    fn confirm(&mut self, row: &Row) {
        self.conditions.push(row.condition.clone());
        let note = format!("{} A person checked the reading and released it.", row.reason);
        push_once(&mut self.notes, &note);
    }

    /// Adds a row; rows come in order of precedence.
    fn tighten(&mut self, row: &Row) {
        self.stored &= row.stored;
        self.status = self.status.max(row.status);
        self.absent = self.absent.take().or_else(|| row.absent.clone());
        self.forwarded &= row.forwarded;
        self.counts = self.counts.and(row.counts);
        self.held |= row.held;
        self.restricted |= row.restricts();
        self.conditions.push(row.condition.clone());
        self.reason.get_or_insert_with(|| row.reason.clone());
        for coding in [&row.interpretation, &row.remark].into_iter().flatten() {
            push_once(&mut self.interpretations, coding);
        }
        if let Some(label) = &row.security {
            push_once(&mut self.security, label);
        }
        if let Some(note) = &row.note {
            push_once(&mut self.notes, note);
        }
        if let Some(warning) = &row.warning {
            push_once(&mut self.warnings, warning);
        }
    }
}

fn push_once<T: Clone + PartialEq>(list: &mut Vec<T>, item: &T) {
    if !list.contains(item) {
        list.push(item.clone());
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    fn resolve(conditions: &[&str]) -> Disposition {
        Dispositions::load().unwrap().resolve(Counts::default(), conditions.iter().copied())
    }

    #[test]
    fn without_conditions_a_reading_is_final_and_travels() {
        let plain = resolve(&[]);
        assert!(plain.stored && plain.forwarded && !plain.held);
        assert_eq!((plain.status, plain.counts, plain.reason), (Status::Final, Counts::default(), None));
    }

    #[test]
    fn the_strictest_wins_whatever_the_order() {
        let one = resolve(&["manual-entry", "ongoing", "outside-soft-range", "ongoing"]);
        let other = resolve(&["outside-soft-range", "ongoing", "manual-entry"]);
        assert_eq!(one, other);
        assert_eq!(one.status, Status::Preliminary);
        assert!(!one.forwarded && !one.counts.alerts && !one.held);
        assert_eq!(one.conditions, ["ongoing", "outside-soft-range", "manual-entry"]);
        assert!(one.reason.unwrap().starts_with("The measurement was still running"));
        assert_eq!(one.warnings, ["implausible"]);
    }

    #[test]
    fn no_condition_makes_another_milder() {
        let table = Dispositions::load().unwrap();
        for first in table.rows() {
            let alone = resolve(&[&first.condition]);
            for second in table.rows() {
                let both = resolve(&[&first.condition, &second.condition]);
                let pair = format!("{} + {}", first.condition, second.condition);
                assert!(both.status >= alone.status, "{pair}");
                assert!(!both.stored || alone.stored, "{pair}");
                assert!(!both.forwarded || alone.forwarded, "{pair}");
                assert!(both.held || !alone.held, "{pair}");
                assert!(both.absent.is_some() || alone.absent.is_none(), "{pair}");
                assert_eq!(both.counts.and(alone.counts), both.counts, "{pair}");
            }
        }
    }

    #[test]
    fn held_readings_are_unverified_and_stay_here() {
        for row in Dispositions::load().unwrap().rows() {
            let disposition = resolve(&[&row.condition]);
            if disposition.held {
                assert!(disposition.status >= Status::Preliminary && !disposition.forwarded, "{}", row.condition);
            }
            if disposition.status == Status::Preliminary {
                assert!(!disposition.forwarded, "{}", row.condition);
            }
        }
    }

    #[test]
    fn a_released_reading_counts_and_travels_unless_something_else_forbids() {
        let table = Dispositions::load().unwrap();
        let released = |conditions: &[&str]| table.release(Counts::default(), conditions.iter().copied());
        let plain = released(&["outside-hard-range"]).unwrap();
        assert!(plain.forwarded && !plain.held && plain.interpretations.is_empty());
        assert_eq!((plain.status, plain.counts, plain.absent), (Status::Final, Counts::default(), None));
        assert!(plain.notes.first().unwrap().ends_with("A person checked the reading and released it."));
        let demo = released(&["contradictory-parts", "demo"]).unwrap();
        assert!(!demo.forwarded && !demo.counts.alerts && demo.security == ["HTEST"]);
        assert_eq!(released(&["outside-hard-range", "unit-not-listed"]).unwrap_err().condition, "unit-not-listed");
        // What has lost its value cannot be released into having one.
        for row in table.rows().iter().filter(|row| row.releasable) {
            assert!(row.held && row.absent.is_none() && row.stored, "{}", row.condition);
        }
    }

    #[test]
    fn particular_readings() {
        assert!(!resolve(&["control-solution"]).stored);
        let invalid = resolve(&["invalid", "unavailable"]);
        assert_eq!((invalid.status, invalid.absent.as_deref()), (Status::EnteredInError, Some("error")));
        let demo = resolve(&["demo", "test"]);
        assert_eq!(demo.security, ["HTEST"]);
        assert!(!demo.forwarded && !demo.counts.billing && demo.stored);
        let manual = resolve(&["manual-entry"]);
        assert!(manual.forwarded && manual.counts.alerts && !manual.counts.billing);
        assert!(resolve(&["a-word-from-tomorrow"]).held);
    }

    #[test]
    fn every_registered_flag_and_warning_has_its_row() {
        #[derive(Deserialize)]
        struct Word {
            name: String,
        }
        #[derive(Deserialize)]
        struct Registry {
            flags: Vec<Word>,
            warnings: Vec<Word>,
        }
        let registry: Registry = serde_json::from_str(include_str!("../../../../fhir-profiles/registry.json")).unwrap();
        let table = Dispositions::load().unwrap();
        for flag in registry.flags {
            assert!(table.row(&flag.name).is_some(), "{}", flag.name);
        }
        for warning in table.rows().iter().filter_map(|row| row.warning.as_ref()) {
            assert!(registry.warnings.iter().any(|word| &word.name == warning), "{warning}");
        }
    }
}
