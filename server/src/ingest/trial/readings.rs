//! Readings as the API shows them: the decoder's own words, numbers as text so that no digit is lost.

use plugin_host as host;
use serde::Serialize;
use utoipa::ToSchema;

/// A name and a value.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DecodedNameValue)]
pub struct NameValue {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
}

/// A code.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DecodedCoding)]
pub struct Coding {
    /// The system's URI.
    pub system: String,
    /// The code.
    pub code: String,
    /// How the system displays it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display: Option<String>,
}

/// A value; numbers are decimal text with their precision, in the device's own unit.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
#[schema(as = DecodedValue)]
pub enum Value {
    /// The components carry the values.
    None,
    /// A number with a unit.
    Quantity {
        /// Such as `70.25`.
        value: String,
        /// UCUM code.
        unit: String,
        /// `<`, `<=`, `>=` or `>`.
        #[serde(skip_serializing_if = "Option::is_none")]
        comparator: Option<String>,
    },
    /// A code.
    Coded(Coding),
    /// Text.
    Text {
        /// The text.
        text: String,
    },
    /// Yes or no.
    Boolean {
        /// Which.
        value: bool,
    },
    /// A count.
    Integer {
        /// The count.
        value: i64,
    },
    /// A waveform; only its size is shown here.
    Sampled {
        /// Number of samples.
        samples: usize,
        /// Milliseconds between samples.
        #[serde(rename = "periodMs")]
        period_ms: String,
        /// UCUM code.
        unit: String,
    },
    /// No value, and why.
    Absent {
        /// Code of FHIR's data-absent-reason.
        reason: String,
    },
}

/// When the device says it happened.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
#[schema(as = DecodedTime)]
pub enum DeviceTime {
    /// The payload does not say.
    None,
    /// Wall clock without a zone.
    Local {
        /// `YYYY-MM-DDThh:mm:ss[.fff]`
        time: String,
    },
    /// With an offset.
    Zoned {
        /// RFC 3339.
        time: String,
    },
    /// So long before the capture.
    BeforeCapture {
        /// Milliseconds.
        #[serde(rename = "elapsedMs")]
        elapsed_ms: u64,
    },
}

/// A part of a reading.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DecodedComponent)]
pub struct Component {
    /// Registered kind, or empty.
    pub kind: String,
    /// Explicit codings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub codings: Vec<Coding>,
    /// Its value.
    pub value: Value,
}

/// One measurement as the decoder gave it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DecodedReading)]
pub struct Reading {
    /// Registered kind, or empty when codings name the thing.
    pub kind: String,
    /// Explicit codings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub codings: Vec<Coding>,
    /// Its value.
    pub value: Value,
    /// Its parts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<Component>,
    /// When it was measured, as the device tells it.
    pub time: DeviceTime,
    /// End of a measured period.
    pub time_end: DeviceTime,
    /// State of the device's clock.
    pub clock_state: String,
    /// Body site.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_site: Option<String>,
    /// Method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Circumstances.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub context: Vec<NameValue>,
    /// Flags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// User slot of a shared device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_slot: Option<String>,
    /// What the payload claims about its device.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub device_identity: Vec<NameValue>,
    /// The record's key within its device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_key: Option<String>,
    /// What a changed record with that key means: `replace`, `distinct` or `conflict`.
    pub on_change: &'static str,
}

/// Something about the device itself.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DecodedFact)]
pub struct DeviceFact {
    /// `battery`, `firmware` …
    pub kind: String,
    /// Its value.
    pub value: Value,
}

/// A warning of the decoder or the host.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DecodedWarning)]
pub struct Warning {
    /// Registered code.
    pub code: String,
    /// A sentence.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
}

impl From<&host::NameValue> for NameValue {
    fn from(pair: &host::NameValue) -> Self {
        Self { name: pair.name.clone(), value: pair.value.clone() }
    }
}

impl From<&host::Coding> for Coding {
    fn from(coding: &host::Coding) -> Self {
        Self { system: coding.system.clone(), code: coding.code.clone(), display: coding.display.clone() }
    }
}

impl From<&host::Value> for Value {
    fn from(value: &host::Value) -> Self {
        match value {
            host::Value::None => Self::None,
            host::Value::Quantity(quantity) => Self::Quantity {
                value: quantity.value.to_string(),
                unit: quantity.unit.clone(),
                comparator: quantity.comparator.clone(),
            },
            host::Value::Coded(coding) => Self::Coded(coding.into()),
            host::Value::Text(text) => Self::Text { text: text.clone() },
            host::Value::Boolean(value) => Self::Boolean { value: *value },
            host::Value::Integer(value) => Self::Integer { value: *value },
            host::Value::Sampled(sampled) => Self::Sampled {
                samples: sampled.samples.len(),
                period_ms: sampled.period_ms.to_string(),
                unit: sampled.unit.clone(),
            },
            host::Value::Absent(reason) => Self::Absent { reason: reason.clone() },
        }
    }
}

impl From<&host::DeviceTime> for DeviceTime {
    fn from(time: &host::DeviceTime) -> Self {
        match time {
            host::DeviceTime::None => Self::None,
            host::DeviceTime::Local(time) => Self::Local { time: time.clone() },
            host::DeviceTime::Zoned(time) => Self::Zoned { time: time.clone() },
            host::DeviceTime::BeforeCapture(elapsed_ms) => Self::BeforeCapture { elapsed_ms: *elapsed_ms },
        }
    }
}

impl From<&host::Component> for Component {
    fn from(component: &host::Component) -> Self {
        let codings = component.codings.iter().map(Coding::from).collect();
        Self { kind: component.kind.clone(), codings, value: (&component.value).into() }
    }
}

impl From<&host::Reading> for Reading {
    fn from(reading: &host::Reading) -> Self {
        Self {
            kind: reading.kind.clone(),
            codings: reading.codings.iter().map(Coding::from).collect(),
            value: (&reading.value).into(),
            components: reading.components.iter().map(Component::from).collect(),
            time: (&reading.time).into(),
            time_end: (&reading.time_end).into(),
            clock_state: reading.clock_state.clone(),
            body_site: reading.body_site.clone(),
            method: reading.method.clone(),
            context: reading.context.iter().map(NameValue::from).collect(),
            flags: reading.flags.clone(),
            user_slot: reading.user_slot.clone(),
            device_identity: reading.device_identity.iter().map(NameValue::from).collect(),
            record_key: reading.record_key.clone(),
            on_change: match reading.on_change {
                host::OnChange::Replace => "replace",
                host::OnChange::Distinct => "distinct",
                host::OnChange::Conflict => "conflict",
            },
        }
    }
}

impl From<&host::DeviceFact> for DeviceFact {
    fn from(fact: &host::DeviceFact) -> Self {
        Self { kind: fact.kind.clone(), value: (&fact.value).into() }
    }
}

impl From<&host::Warning> for Warning {
    fn from(warning: &host::Warning) -> Self {
        Self { code: warning.code.clone(), message: warning.message.clone() }
    }
}
