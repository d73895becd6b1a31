//! The one module that names fhirbolt: the R4 types that the host authors with, and how they become text. Observations are
//! written directly (`observation/author.rs`), and held against these types in tests.
//!
//! `Resource` and `Bundle` are never named, here or elsewhere: they would bring the (de)serializers of all 148
//! resources into the binary. Nothing is parsed with fhirbolt either, because it loses decimals.

pub(crate) use fhirbolt::model::r4::resources::{Device, DeviceDeviceName, DeviceVersion};
#[cfg(test)]
pub(crate) use fhirbolt::model::r4::resources::{
    Observation, ObservationComponent, ObservationComponentValue, ObservationEffective, ObservationValue,
};
#[cfg(test)]
pub(crate) use fhirbolt::model::r4::types::{
    Annotation, Duration, Extension, ExtensionValue, Period, Quantity, SampledData,
};
pub(crate) use fhirbolt::model::r4::types::{CodeableConcept, Coding, Identifier, Meta, Reference};

#[cfg(test)]
use crate::vitals;

/// Why a resource could not be written: a required element is missing, or a number is no number.
#[derive(Debug, thiserror::Error)]
#[error("the resource cannot be written: {0}")]
pub struct AuthorError(String);

impl AuthorError {
    /// With what is wrong, in words that name no patient.
    pub fn new(problem: impl Into<String>) -> Self {
        Self(problem.into())
    }
}

#[cfg(test)]
/// The Observation as compact JSON, elements in FHIR's order.
pub(crate) fn observation_text(resource: &Observation) -> Result<String, AuthorError> {
    fhirbolt::json::to_string(resource, None).map_err(|error| AuthorError(error.to_string()))
}

/// The Device as compact JSON, elements in FHIR's order.
pub(crate) fn device_text(resource: &Device) -> Result<String, AuthorError> {
    fhirbolt::json::to_string(resource, None).map_err(|error| AuthorError(error.to_string()))
}

#[cfg(test)]
pub(crate) fn coding(coding: &vitals::Coding) -> Coding {
    Coding {
        system: Some(coding.system.as_str().into()),
        code: Some(coding.code.as_str().into()),
        display: coding.display.as_deref().map(Into::into),
        ..Coding::default()
    }
}

#[cfg(test)]
pub(crate) fn concept(concept: &vitals::Concept) -> CodeableConcept {
    CodeableConcept {
        coding: concept.codings.iter().map(coding).collect(),
        text: concept.text.as_deref().map(Into::into),
        ..CodeableConcept::default()
    }
}

/// A concept with one coding of a system whose codes need no display.
pub(crate) fn coded(system: &str, code: &str) -> CodeableConcept {
    let coding = Coding { system: Some(system.into()), code: Some(code.into()), ..Coding::default() };
    CodeableConcept { coding: vec![coding], ..CodeableConcept::default() }
}

#[cfg(test)]
/// A concept of one coding alone.
pub(crate) fn single(one: &vitals::Coding) -> CodeableConcept {
    CodeableConcept { coding: vec![coding(one)], ..CodeableConcept::default() }
}

/// A literal reference such as `Patient/p1`.
pub(crate) fn reference(target: &str, display: Option<&str>) -> Reference {
    Reference { reference: Some(target.into()), display: display.map(Into::into), ..Reference::default() }
}

pub(crate) fn identifier(system: &str, value: &str) -> Identifier {
    Identifier { system: Some(system.into()), value: Some(value.into()), ..Identifier::default() }
}
