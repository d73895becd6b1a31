//! What an Observation is searched by: the typed columns that stand beside its JSON.

use chrono::{DateTime, Utc};

use crate::vitals::Coding;

/// From the first instant (included) to the last (excluded), as FHIR's date search sees `effective[x]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EffectiveRange {
    /// Start of the second or of the period.
    pub low: DateTime<Utc>,
    /// First instant after it.
    pub high: DateTime<Utc>,
}

/// A number for comparisons. The float is for the index and for thresholds; the text in the JSON is the truth.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    /// The registered kind of the value or component.
    pub kind: String,
    /// As it is written in the resource.
    pub value: f64,
    /// UCUM code in the resource.
    pub unit: String,
    /// In the kind's canonical unit, unrounded to six places: thresholds compare this.
    pub canonical_value: f64,
    /// UCUM code of the canonical unit.
    pub canonical_unit: String,
}

/// The typed columns of an Observation.
#[derive(Debug, Clone, PartialEq)]
pub struct IndexColumns {
    /// `code`: any of them matches a token search; the first names the concept.
    pub codes: Vec<Coding>,
    /// `component.code`, all of them.
    pub component_codes: Vec<Coding>,
    /// `category`.
    pub categories: Vec<Coding>,
    /// `status`.
    pub status: &'static str,
    /// `effective[x]`.
    pub effective: EffectiveRange,
    /// `value[x]` as a number, unless it is absent.
    pub value: Option<Measure>,
    /// The components' numbers.
    pub components: Vec<Measure>,
    /// `dataAbsentReason` of the whole.
    pub absent: Option<String>,
    /// `identifier.system`.
    pub identifier_system: String,
    /// `identifier.value`.
    pub identifier_value: String,
}
