//! Draft + disposition + binding → the JSON text that is stored and served.

use super::{
    ACT_REASON, AuthorError, Binding, Component, DATA_ABSENT_REASON, Draft, EXTENSION_BASE, Effective, ExtensionValue,
    Quantity, Samples, Value,
};
use crate::dispositions::Disposition;
use crate::r4;
use crate::units::UCUM;

/// Writes the Observation as compact JSON, elements in FHIR's order, decimals with their trailing zeros
/// (<https://hl7.org/fhir/R4/observation.html>).
///
/// The disposition decides status, interpretation, notes, security labels, and whether values are withdrawn.
/// A profile is claimed only with a subject: every R4 vital-signs profile requires one.
///
/// # Errors
/// [`AuthorError`] when fhirbolt refuses the resource; that is a defect of the caller's draft.
pub fn author(draft: &Draft, disposition: &Disposition, binding: &Binding<'_>) -> Result<String, AuthorError> {
    let withdrawn = disposition.absent.as_deref();
    let (value, absent) = value_or_reason(&draft.value, withdrawn)?;
    let components = draft.components.iter().map(|part| component(part, withdrawn));
    let resource = r4::Observation {
        id: Some(binding.id.into()),
        meta: Some(Box::new(meta(draft, disposition, binding))),
        extension: draft.extensions.iter().map(|(name, value)| extension(name, value)).collect(),
        identifier: vec![r4::identifier(binding.identifier_system, binding.identifier_value)],
        status: disposition.status.code().into(),
        category: draft.categories.iter().map(r4::single).collect(),
        code: Box::new(r4::concept(&draft.code)),
        subject: binding.subject.map(|subject| Box::new(r4::reference(subject, None))),
        effective: Some(effective(&draft.effective)),
        issued: Some(binding.last_updated.into()),
        value,
        data_absent_reason: absent.map(|reason| Box::new(r4::coded(DATA_ABSENT_REASON, reason))),
        interpretation: disposition.interpretations.iter().map(r4::single).collect(),
        note: disposition.notes.iter().map(|note| annotation(note)).collect(),
        body_site: draft.body_site.as_ref().map(|site| Box::new(r4::concept(site))),
        method: draft.method.as_ref().map(|method| Box::new(r4::concept(method))),
        device: binding.device.map(|device| Box::new(r4::reference(device, binding.device_display))),
        has_member: binding.has_member.iter().map(|target| r4::reference(target, None)).collect(),
        derived_from: binding.derived_from.iter().map(|target| r4::reference(target, None)).collect(),
        component: components.collect::<Result<_, _>>()?,
        ..r4::Observation::default()
    };
    r4::observation_text(&resource)
}

fn meta(draft: &Draft, disposition: &Disposition, binding: &Binding<'_>) -> r4::Meta {
    let label = |code: &String| r4::Coding {
        system: Some(ACT_REASON.into()),
        code: Some(code.as_str().into()),
        ..r4::Coding::default()
    };
    let claimed = draft.profile.as_deref().filter(|_| binding.subject.is_some());
    r4::Meta {
        version_id: Some(binding.version.to_string().into()),
        last_updated: Some(binding.last_updated.into()),
        source: binding.source.map(Into::into),
        profile: claimed.map(Into::into).into_iter().collect(),
        security: disposition.security.iter().map(label).collect(),
        ..r4::Meta::default()
    }
}

/// The value to write, or the reason why there is none. A reason of the disposition beats a value and every other reason.
fn value_or_reason<'a>(
    value: &'a Value,
    withdrawn: Option<&'a str>,
) -> Result<(Option<r4::ObservationValue>, Option<&'a str>), AuthorError> {
    let written = match (value, withdrawn) {
        (Value::None, _) => return Ok((None, None)),
        (_, Some(reason)) => return Ok((None, Some(reason))),
        (Value::Absent(reason), None) => return Ok((None, Some(reason.as_str()))),
        (Value::Quantity(value), None) => r4::ObservationValue::Quantity(Box::new(quantity(value))),
        (Value::Concept(value), None) => r4::ObservationValue::CodeableConcept(Box::new(r4::concept(value))),
        (Value::Text(value), None) => r4::ObservationValue::String(value.as_str().into()),
        (Value::Boolean(value), None) => r4::ObservationValue::Boolean((*value).into()),
        (Value::Integer(value), None) => r4::ObservationValue::Integer((*value).into()),
        (Value::Samples(value), None) => r4::ObservationValue::SampledData(Box::new(samples(value)?)),
    };
    Ok((Some(written), None))
}

fn component(part: &Component, withdrawn: Option<&str>) -> Result<r4::ObservationComponent, AuthorError> {
    let (value, absent) = value_or_reason(&part.value, withdrawn.filter(|_| !part.circumstance))?;
    let value = value.map(|value| match value {
        r4::ObservationValue::Quantity(value) => r4::ObservationComponentValue::Quantity(value),
        r4::ObservationValue::CodeableConcept(value) => r4::ObservationComponentValue::CodeableConcept(value),
        r4::ObservationValue::String(value) => r4::ObservationComponentValue::String(value),
        r4::ObservationValue::Boolean(value) => r4::ObservationComponentValue::Boolean(value),
        r4::ObservationValue::Integer(value) => r4::ObservationComponentValue::Integer(value),
        r4::ObservationValue::SampledData(value) => r4::ObservationComponentValue::SampledData(value),
        _ => r4::ObservationComponentValue::Invalid,
    });
    // A component without a value needs a reason (vs-3).
    let absent = absent.or_else(|| value.is_none().then_some("unknown"));
    Ok(r4::ObservationComponent {
        code: Box::new(r4::concept(&part.code)),
        value,
        data_absent_reason: absent.map(|reason| Box::new(r4::coded(DATA_ABSENT_REASON, reason))),
        ..r4::ObservationComponent::default()
    })
}

fn quantity(quantity: &Quantity) -> r4::Quantity {
    let original = quantity.original.as_deref().map(|original| r4::Extension {
        url: format!("{EXTENSION_BASE}original-quantity"),
        value: Some(r4::ExtensionValue::Quantity(Box::new(self::quantity(original)))),
        ..r4::Extension::default()
    });
    r4::Quantity {
        extension: original.into_iter().collect(),
        value: Some(quantity.value.to_string().into()),
        comparator: quantity.comparator.as_deref().map(Into::into),
        unit: Some(quantity.display.as_str().into()),
        system: Some(UCUM.into()),
        code: Some(quantity.unit.as_str().into()),
        ..r4::Quantity::default()
    }
}

fn samples(samples: &Samples) -> Result<r4::SampledData, AuthorError> {
    if samples.dimensions == 0 {
        return Err(AuthorError::new("sampled data of no dimension"));
    }
    Ok(r4::SampledData {
        origin: Box::new(quantity(&samples.origin)),
        period: samples.period_ms.to_string().into(),
        factor: Some(samples.factor.to_string().into()),
        lower_limit: samples.lower_limit.map(|limit| limit.to_string().into()),
        upper_limit: samples.upper_limit.map(|limit| limit.to_string().into()),
        dimensions: samples.dimensions.into(),
        data: Some(samples.data.as_str().into()),
        ..r4::SampledData::default()
    })
}

fn effective(effective: &Effective) -> r4::ObservationEffective {
    match effective {
        Effective::Instant(instant) => r4::ObservationEffective::DateTime(instant.as_str().into()),
        Effective::Period { start, end } => r4::ObservationEffective::Period(Box::new(r4::Period {
            start: Some(start.as_str().into()),
            end: Some(end.as_str().into()),
            ..r4::Period::default()
        })),
    }
}

fn extension(name: &str, value: &ExtensionValue) -> r4::Extension {
    let value = match value {
        ExtensionValue::Text(text) => r4::ExtensionValue::String(text.as_str().into()),
        ExtensionValue::Code(code) => r4::ExtensionValue::Code(code.as_str().into()),
        ExtensionValue::Reference(target) => r4::ExtensionValue::Reference(Box::new(r4::reference(target, None))),
        ExtensionValue::Concept(concept) => r4::ExtensionValue::CodeableConcept(Box::new(r4::concept(concept))),
        ExtensionValue::Seconds(seconds) => r4::ExtensionValue::Duration(Box::new(r4::Duration {
            value: Some(seconds.to_string().into()),
            unit: Some("s".into()),
            system: Some(UCUM.into()),
            code: Some("s".into()),
            ..r4::Duration::default()
        })),
    };
    r4::Extension { url: format!("{EXTENSION_BASE}{name}"), value: Some(value), ..r4::Extension::default() }
}

fn annotation(text: &str) -> r4::Annotation {
    r4::Annotation { text: text.into(), ..r4::Annotation::default() }
}
