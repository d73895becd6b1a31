//! Observations as the host authors them, in two steps: a [`Draft`] holds all that the payload and the tables tell, and
//! is made before the transaction; [`author`] adds what only the transaction knows (ids, subject) and writes the JSON.

mod author;
mod index;
mod json;
#[cfg(test)]
mod typed;

use std::sync::Arc;

pub use author::author;
pub use index::{EffectiveRange, IndexColumns, Measure};

use crate::decimal::Decimal;
pub use crate::r4::AuthorError;
use crate::vitals::{Coding, Concept};

/// Where the definitions of our extensions live; the files are in `fhir-profiles/afferent`.
pub const EXTENSION_BASE: &str = "https://afferent.dev/fhir/StructureDefinition/";
/// FHIR's system for `dataAbsentReason`.
pub const DATA_ABSENT_REASON: &str = "http://terminology.hl7.org/CodeSystem/data-absent-reason";
/// FHIR's system for the security labels of test data.
pub const ACT_REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";

/// A number with a UCUM unit, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quantity {
    /// The number.
    pub value: Decimal,
    /// `<`, `<=`, `>=` or `>`.
    pub comparator: Option<String>,
    /// UCUM code.
    pub unit: String,
    /// What people read in place of the code.
    pub display: String,
    /// What the device said, where it was another unit.
    pub original: Option<Box<Quantity>>,
}

/// Samples at a fixed rate; FHIR's `SampledData` with its origin in the unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Samples {
    /// Value of a raw zero, with the unit.
    pub origin: Quantity,
    /// Milliseconds between samples.
    pub period_ms: Decimal,
    /// Raw sample × factor + origin = value.
    pub factor: Decimal,
    /// Lower limit of detection.
    pub lower_limit: Option<Decimal>,
    /// Upper limit of detection.
    pub upper_limit: Option<Decimal>,
    /// Points sampled at the same time.
    pub dimensions: u32,
    /// Raw samples, separated by single spaces.
    pub data: String,
}

/// The value of an Observation or of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// The components carry the values.
    None,
    /// `valueQuantity`.
    Quantity(Quantity),
    /// `valueCodeableConcept`.
    Concept(Arc<Concept>),
    /// `valueString`.
    Text(String),
    /// `valueBoolean`.
    Boolean(bool),
    /// `valueInteger`.
    Integer(i32),
    /// `valueSampledData`.
    Samples(Box<Samples>),
    /// `dataAbsentReason`, a code of [`DATA_ABSENT_REASON`].
    Absent(String),
}

/// A part of an Observation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// `component.code`.
    pub code: Arc<Concept>,
    /// `component.value[x]` or `component.dataAbsentReason`.
    pub value: Value,
    /// Whether it is a circumstance (a meal, a posture) and no result: it stays when the results are withdrawn.
    pub circumstance: bool,
}

/// When it was measured, as FHIR writes it: `YYYY-MM-DDThh:mm:ss[.fff](Z|±hh:mm)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effective {
    /// `effectiveDateTime`.
    Instant(String),
    /// `effectivePeriod`.
    Period {
        /// Its start.
        start: String,
        /// Its end.
        end: String,
    },
}

/// The value of one of our extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExtensionValue {
    /// `valueString`.
    Text(String),
    /// `valueCode`.
    Code(String),
    /// `valueDuration`, in seconds.
    Seconds(Decimal),
    /// `valueCodeableConcept`.
    Concept(Arc<Concept>),
    /// `valueReference`, such as `Observation/o1`.
    Reference(String),
}

/// All of an Observation that does not need the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// `meta.profile`; claimed only when the Observation has a subject, which the profiles require.
    pub profile: Option<String>,
    /// `category`.
    pub categories: Arc<[Coding]>,
    /// `code`.
    pub code: Arc<Concept>,
    /// `effective[x]`.
    pub effective: Effective,
    /// `value[x]` or `dataAbsentReason`.
    pub value: Value,
    /// `component`, in the table's order.
    pub components: Vec<Component>,
    /// `bodySite`.
    pub body_site: Option<Arc<Concept>>,
    /// `method`.
    pub method: Option<Arc<Concept>>,
    /// Ours, by the last part of their URL (see [`EXTENSION_BASE`]).
    pub extensions: Vec<(&'static str, ExtensionValue)>,
}

/// What only the transaction knows.
#[derive(Debug, Clone)]
pub struct Binding<'a> {
    /// `id`.
    pub id: &'a str,
    /// `meta.versionId`.
    pub version: u32,
    /// `meta.lastUpdated` and `issued`, an instant with offset.
    pub last_updated: &'a str,
    /// `meta.source`: what it was made from.
    pub source: Option<&'a str>,
    /// `identifier.system`: `urn:uuid:` and the installation's id.
    pub identifier_system: &'a str,
    /// `identifier.value`.
    pub identifier_value: &'a str,
    /// `subject`, such as `Patient/p1`; nothing while the reading is unassigned.
    pub subject: Option<&'a str>,
    /// `device`, such as `Device/d1`.
    pub device: Option<&'a str>,
    /// `device.display`.
    pub device_display: Option<&'a str>,
    /// `hasMember`.
    pub has_member: &'a [String],
    /// `derivedFrom`.
    pub derived_from: &'a [String],
}
