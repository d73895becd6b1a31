//! The same Observation authored with fhirbolt's typed model: what `author.rs` is held against, for every way of writing a
//! value, a reason and an extension.

use super::{
    ACT_REASON, AuthorError, Binding, Component, DATA_ABSENT_REASON, Draft, EXTENSION_BASE, Effective, ExtensionValue,
    Quantity, Samples, Value,
};
use crate::dispositions::Disposition;
use crate::r4;
use crate::units::UCUM;

fn typed(draft: &Draft, disposition: &Disposition, binding: &Binding<'_>) -> Result<String, AuthorError> {
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

mod same_text {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::sync::Arc;

    use super::super::author;
    use super::*;
    use crate::decimal::Decimal;
    use crate::dispositions::Dispositions;
    use crate::vitals::{Coding, Concept, Counts};

    fn concept(codes: &[&str], text: Option<&str>) -> Arc<Concept> {
        let coding = |code: &&str| Coding {
            system: "http://loinc.org".to_owned(),
            code: (*code).to_owned(),
            display: code.starts_with('8').then(|| format!("a \"display\" of {code}")),
        };
        Arc::new(Concept { codings: codes.iter().map(coding).collect(), text: text.map(str::to_owned) })
    }

    fn number(mantissa: i64, exponent: i32) -> Decimal {
        Decimal::new(mantissa, exponent).unwrap()
    }

    fn amount(original: bool) -> Quantity {
        let original = original.then(|| Box::new(Quantity { unit: "[lb_av]".to_owned(), ..amount(false) }));
        Quantity {
            value: number(9750, -2),
            comparator: original.is_some().then(|| "<".to_owned()),
            unit: "kg".to_owned(),
            display: "kg \\ \n µ".to_owned(),
            original,
        }
    }

    fn wave(dimensions: u32) -> Value {
        Value::Samples(Box::new(Samples {
            origin: amount(true),
            period_ms: number(4, 0),
            factor: number(25, -4),
            lower_limit: Some(number(-5, 1)),
            upper_limit: None,
            dimensions,
            data: "1 2 -3".to_owned(),
        }))
    }

    fn values() -> Vec<Value> {
        vec![
            Value::None,
            Value::Quantity(amount(false)),
            Value::Quantity(amount(true)),
            Value::Concept(concept(&["8480-6", "1"], Some("x"))),
            Value::Text("tab\tand \u{1} and ü".to_owned()),
            Value::Boolean(true),
            Value::Boolean(false),
            Value::Integer(-7),
            wave(1),
            Value::Absent("not-a-number".to_owned()),
        ]
    }

    fn draft(value: Value) -> Draft {
        let component = |value, circumstance| Component { code: concept(&["8462-4"], None), value, circumstance };
        Draft {
            profile: Some("http://hl7.org/fhir/StructureDefinition/bp".to_owned()),
            categories: vec![concept(&["vital-signs"], None).codings[0].clone()].into(),
            code: concept(&["85354-9", "2"], Some("Blood pressure")),
            effective: Effective::Instant("2026-11-22T10:00:00.5+01:00".to_owned()),
            components: values()
                .into_iter()
                .flat_map(|value| [component(value.clone(), true), component(value, false)])
                .collect(),
            value,
            body_site: Some(concept(&["3"], None)),
            method: Some(concept(&["4"], Some("m"))),
            extensions: vec![
                ("device-local-time", ExtensionValue::Text("2026-11-22T10:00:00".to_owned())),
                ("time-source", ExtensionValue::Code("device-local".to_owned())),
                ("clock-offset", ExtensionValue::Seconds(number(-120_500, -3))),
                ("probable-duplicate-of", ExtensionValue::Reference("Observation/o1".to_owned())),
                ("reading-context", ExtensionValue::Concept(concept(&["5"], None))),
            ],
        }
    }

    fn check(draft: &Draft, conditions: &[&str], binding: &Binding<'_>) {
        let dispositions = Dispositions::load().unwrap();
        let disposition = dispositions.resolve(Counts::default(), conditions.iter().copied());
        let text = author(draft, &disposition, binding).unwrap();
        assert_eq!(text, typed(draft, &disposition, binding).unwrap());
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{text}");
    }

    #[test]
    fn written_directly_and_by_the_typed_model() {
        let targets = ["Observation/a".to_owned(), "Observation/b".to_owned()];
        let full = Binding {
            id: "0193",
            version: 12,
            last_updated: "2026-11-22T10:00:00.123Z",
            source: Some("urn:uuid:1#decoder=x@1&sha256=00"),
            identifier_system: "urn:uuid:2",
            identifier_value: "abc",
            subject: Some("Patient/p"),
            device: Some("Device/d"),
            device_display: Some("A \"cuff\""),
            has_member: &targets,
            derived_from: &targets[..1],
        };
        let bare = Binding {
            source: None,
            subject: None,
            device: None,
            device_display: None,
            has_member: &[],
            derived_from: &[],
            ..full.clone()
        };
        let table = Dispositions::load().unwrap();
        let every: Vec<&str> = table.rows().iter().map(|row| row.condition.as_str()).collect();
        for value in values() {
            let rich = draft(value.clone());
            let poor = Draft {
                profile: None,
                categories: Arc::from([]),
                components: Vec::new(),
                body_site: None,
                method: None,
                extensions: Vec::new(),
                effective: Effective::Period { start: "2026-11-22".to_owned(), end: "2026-11-23".to_owned() },
                ..draft(value)
            };
            for (draft, binding) in [(&rich, &full), (&rich, &bare), (&poor, &full), (&poor, &bare)] {
                check(draft, &[], binding);
                check(draft, &["demo"], binding);
                for condition in &every {
                    check(draft, &[condition], binding);
                }
            }
        }
        assert!(author(&draft(wave(0)), &table.resolve(Counts::default(), []), &full).is_err());
    }
}
