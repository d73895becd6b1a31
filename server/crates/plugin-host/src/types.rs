//! The host's own words for what crosses the sandbox's border: plain data, independent of any WIT version.
//!
//! Every version module converts its generated types into these, so that callers never see bindings.

/// An exact decimal, `mantissa × 10^exponent` (FHIR decimal; SFLOAT and FLOAT of IEEE 11073-20601).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Decimal {
    /// Signed digits, trailing zeros included: they are precision.
    pub mantissa: i64,
    /// Power of ten, -64 to 64.
    pub exponent: i32,
}

/// A name and a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct NameValue {
    /// Registered or the decoder's own name.
    pub name: String,
    /// Free text.
    pub value: String,
}

/// One code from one system.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Coding {
    /// The system's URI.
    pub system: String,
    /// The code.
    pub code: String,
    /// How the system displays it.
    pub display: Option<String>,
}

/// A number in the device's own unit (UCUM).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Quantity {
    /// The number.
    pub value: Decimal,
    /// UCUM code, from the host's closed list.
    pub unit: String,
    /// `<`, `<=`, `>=`, `>` or nothing.
    pub comparator: Option<String>,
}

/// Samples at a fixed rate.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SampledData {
    /// The value of a raw zero.
    pub origin: Decimal,
    /// Milliseconds between samples.
    pub period_ms: Decimal,
    /// Raw sample × factor + origin = value.
    pub factor: Decimal,
    /// UCUM code.
    pub unit: String,
    /// Lower limit of detection.
    pub lower_limit: Option<Decimal>,
    /// Upper limit of detection.
    pub upper_limit: Option<Decimal>,
    /// Points sampled at the same time.
    pub dimensions: u32,
    /// Raw samples, or one of [`SampledData::MISSING`], [`SampledData::BELOW_LIMIT`] and [`SampledData::ABOVE_LIMIT`].
    pub samples: Vec<i32>,
}

impl SampledData {
    /// In place of a sample that was not measured (lead off, lost packet): FHIR's `E`.
    pub const MISSING: i32 = i32::MIN;
    /// In place of a sample below the lower limit of detection: FHIR's `L`.
    pub const BELOW_LIMIT: i32 = i32::MIN + 1;
    /// In place of a sample above the upper limit of detection: FHIR's `U`.
    pub const ABOVE_LIMIT: i32 = i32::MAX;

    /// The letter that FHIR writes in place of a sample that is no number
    /// (<https://hl7.org/fhir/R4/datatypes.html#SampledData>); none for a number.
    #[must_use]
    pub const fn letter(sample: i32) -> Option<&'static str> {
        match sample {
            Self::MISSING => Some("E"),
            Self::BELOW_LIMIT => Some("L"),
            Self::ABOVE_LIMIT => Some("U"),
            _ => None,
        }
    }
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Value {
    /// The components carry the values.
    None,
    /// A number with a unit.
    Quantity(Quantity),
    /// A code.
    Coded(Coding),
    /// Free text.
    Text(String),
    /// Yes or no.
    Boolean(bool),
    /// A count.
    Integer(i64),
    /// A waveform.
    Sampled(SampledData),
    /// No value, and why: a code of FHIR's data-absent-reason.
    Absent(String),
}

/// When the device says it happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum DeviceTime {
    /// The payload carries no time.
    None,
    /// Wall clock without a zone, `YYYY-MM-DDThh:mm:ss[.fff]`.
    Local(String),
    /// RFC 3339 with an offset.
    Zoned(String),
    /// Milliseconds before the frame's capture.
    BeforeCapture(u64),
}

/// What a changed record with a known key means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum OnChange {
    /// The later one is the truth.
    Replace,
    /// Different measurements.
    Distinct,
    /// A person has to look.
    Conflict,
}

/// A part of a reading.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Component {
    /// Registered kind, or empty.
    pub kind: String,
    /// Explicit codings.
    pub codings: Vec<Coding>,
    /// Its value.
    pub value: Value,
    /// What later contracts add.
    pub extra: Vec<NameValue>,
}

/// One measurement as the payload tells it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Reading {
    /// Registered kind, or empty when `codings` names the thing.
    pub kind: String,
    /// Explicit codings.
    pub codings: Vec<Coding>,
    /// Its value.
    pub value: Value,
    /// Its parts.
    pub components: Vec<Component>,
    /// When it was measured, as the device tells it.
    pub time: DeviceTime,
    /// End of a measured period.
    pub time_end: DeviceTime,
    /// Registered state of the device's clock.
    pub clock_state: String,
    /// Registered body site.
    pub body_site: Option<String>,
    /// Registered method.
    pub method: Option<String>,
    /// Registered contexts.
    pub context: Vec<NameValue>,
    /// Registered flags.
    pub flags: Vec<String>,
    /// User slot of a shared device.
    pub user_slot: Option<String>,
    /// What the payload claims about its device.
    pub device_identity: Vec<NameValue>,
    /// The record's key within its device.
    pub record_key: Option<String>,
    /// What a changed record with that key means.
    pub on_change: OnChange,
    /// What later contracts add.
    pub extra: Vec<NameValue>,
}

/// Something about the device itself.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DeviceFact {
    /// `battery`, `firmware`, `clock`, `fault` …
    pub kind: String,
    /// Its value.
    pub value: Value,
    /// What later contracts add.
    pub extra: Vec<NameValue>,
}

/// A registered warning.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Warning {
    /// Registered code.
    pub code: String,
    /// A sentence.
    pub message: String,
}

/// A payload that carried readings.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Decoded {
    /// In the payload's order.
    pub readings: Vec<Reading>,
    /// About the device.
    pub facts: Vec<DeviceFact>,
    /// About the payload.
    pub warnings: Vec<Warning>,
    /// What later contracts add.
    pub extra: Vec<NameValue>,
}

/// More frames are needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incomplete {
    /// What is missing.
    pub reason: String,
    /// What later contracts add.
    pub extra: Vec<NameValue>,
}

/// Well formed, nothing to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nothing {
    /// Registered reason.
    pub reason: String,
    /// A sentence.
    pub message: String,
    /// About the device.
    pub facts: Vec<DeviceFact>,
    /// About the payload.
    pub warnings: Vec<Warning>,
    /// What later contracts add.
    pub extra: Vec<NameValue>,
}

/// Why a decoder refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The bytes contradict the format.
    Malformed,
    /// Right format, unknown demand.
    Unsupported,
    /// Another device's payload.
    NotForMe,
}

impl ErrorKind {
    /// As the contract writes it; the stable reason of a quarantine.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unsupported => "unsupported",
            Self::NotForMe => "not-for-me",
        }
    }
}

/// A decoder's refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError {
    /// Why.
    pub kind: ErrorKind,
    /// A sentence.
    pub message: String,
    /// Byte offset.
    pub offset: Option<u32>,
    /// JSON path.
    pub path: Option<String>,
    /// What later contracts add.
    pub extra: Vec<NameValue>,
}

/// What became of the frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Readings.
    Readings(Decoded),
    /// More frames are needed.
    Incomplete(Incomplete),
    /// Nothing to store.
    Nothing(Nothing),
    /// Refused.
    Error(DecodeError),
}

/// Bytes as they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Characteristic, port or topic.
    pub channel: String,
    /// The bytes.
    pub data: Vec<u8>,
    /// When the phone or hub got it, milliseconds since the Unix epoch.
    pub captured_at_ms: Option<i64>,
    /// What later contracts add.
    pub extra: Vec<NameValue>,
}

/// All that a decoder may know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// The device's model.
    pub model: String,
    /// In order of arrival.
    pub frames: Vec<Frame>,
    /// Media type of the request.
    pub content_type: String,
    /// Milliseconds since the Unix epoch.
    pub received_at_ms: i64,
    /// IANA zone of the device.
    pub time_zone: Option<String>,
    /// The device's settings.
    pub variables: Vec<NameValue>,
    /// What later contracts add.
    pub extra: Vec<NameValue>,
}

/// A model that a decoder serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// Stable name.
    pub name: String,
    /// For people.
    pub title: String,
    /// Channels it understands; empty means any.
    pub channels: Vec<String>,
    /// Variables it needs.
    pub variables: Vec<String>,
}

/// A payload and what it must come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// For people.
    pub name: String,
    /// What goes in.
    pub input: Input,
    /// `readings`, `incomplete`, `nothing` or `error`.
    pub outcome: String,
    /// One line a value.
    pub values: Vec<String>,
}

/// What a decoder says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Stable name.
    pub name: String,
    /// Who made it.
    pub vendor: String,
    /// Semantic version.
    pub version: String,
    /// SPDX expression.
    pub license: String,
    /// One or two sentences.
    pub description: String,
    /// Models.
    pub models: Vec<Model>,
    /// Kinds it may say.
    pub kinds: Vec<String>,
    /// Flags it may say.
    pub flags: Vec<String>,
    /// Warnings it may say.
    pub warnings: Vec<String>,
    /// Its own examples.
    pub examples: Vec<Example>,
    /// What later contracts add.
    pub extra: Vec<NameValue>,
}

/// What a hub carried from one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HubContent {
    /// Bytes for that device's own decoder.
    Frame(Frame),
    /// Readings that the hub decoded.
    Readings(Decoded),
    /// Nothing to store.
    Nothing(Nothing),
    /// Refused, this item alone.
    Error(DecodeError),
}

/// One device's part of a hub's uplink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubItem {
    /// The device as the hub names it.
    pub device: String,
    /// The hub's own id of the item.
    pub item_id: Option<String>,
    /// What it carried.
    pub content: HubContent,
    /// What later contracts add.
    pub extra: Vec<NameValue>,
}

/// What became of a hub's frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HubOutcome {
    /// Items per device.
    Items(Vec<HubItem>),
    /// More frames are needed.
    Incomplete(Incomplete),
    /// Nothing to store.
    Nothing(Nothing),
    /// Refused.
    Error(DecodeError),
}
