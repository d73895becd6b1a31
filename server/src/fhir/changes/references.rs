//! References inside a transaction Bundle: to other entries by their `fullUrl`, and conditional ones
//! (<https://hl7.org/fhir/R4/http.html#trules>).

use std::collections::HashMap;

use fhir_model::outcome::IssueCode;
use fhir_model::parse::Resource;
use fhir_model::reference::Reference;
use fhir_model::search::decode_query;

use super::{Change, Criteria};
use crate::error::{Error, Kind};
use crate::fhir::model::ResourceType;
use crate::fhir::specification::Specification;

/// A conditional reference in a change.
pub(super) struct Conditional {
    /// Position of the change.
    pub(super) change: usize,
    /// Path of the reference, from the resource.
    pub(super) path: String,
    /// As written.
    pub(super) text: String,
    /// What has to match.
    pub(super) criteria: Criteria,
}

/// All conditional references of the changes of a Bundle. Outside a Bundle there are none: validation refuses them.
///
/// # Errors
/// 400 for criteria that cannot be used, 422 for a type that is not served here.
pub(super) fn conditional(
    specification: &Specification,
    changes: &[Change],
    own_bases: &[&str],
) -> Result<Vec<Conditional>, Error> {
    let mut found = Vec::new();
    for (at, change) in changes.iter().enumerate().filter(|(_, change)| change.entry.is_some()) {
        for reference in specification.conditional_references(&change.resource) {
            let resource_type = ResourceType::from_name(&reference.resource_type).ok_or_else(|| {
                let right = format!(
                    "{} cannot be searched here, so a conditional reference cannot find one.",
                    reference.resource_type
                );
                change.error(Kind::Unprocessable, IssueCode::NotSupported, &reference.expression, right)
            })?;
            let unusable = |text: String| change.error(Kind::Invalid, IssueCode::Value, &reference.expression, text);
            let query = decode_query(&reference.query).map_err(|text| unusable(format!("The condition {text}.")))?;
            let criteria =
                Criteria::new(resource_type, query, own_bases).map_err(|error| unusable(error.to_string()))?;
            found.push(Conditional { change: at, path: reference.expression, text: reference.text, criteria });
        }
    }
    Ok(found)
}

/// The resource of a change with its references rewritten by `known`, from the text as written.
///
/// # Errors
/// 422 for a `urn:` that no entry has as its `fullUrl`.
pub(super) fn rewritten(
    specification: &Specification,
    change: &Change,
    known: &HashMap<String, String>,
) -> Result<Resource, Error> {
    let mut resource = change.resource.clone();
    if change.entry.is_none() {
        return Ok(resource);
    }
    // A relative reference is relative to the base of the entry that holds it (bundle.html#references).
    let base = match change.full_url.as_deref().and_then(Reference::parse) {
        Some(Reference::Absolute { base, .. }) => Some(base),
        _ => None,
    };
    let left = specification.rewrite_references(&mut resource, |text| {
        let beside = || known.get(&format!("{}/{text}", base?));
        known.get(text).or_else(beside).cloned()
    });
    match left.first() {
        None => Ok(resource),
        Some(left) => Err(change.error(
            Kind::Unprocessable,
            IssueCode::NotFound,
            &left.expression,
            "No entry of the Bundle has this as its fullUrl.",
        )),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use fhir_model::parse::Limits;

    use super::*;
    use crate::fhir::changes::Target;

    fn change(json: &str) -> Change {
        Change {
            resource_type: ResourceType::Observation,
            resource: Resource::from_slice(json.as_bytes(), &Limits::default()).unwrap(),
            target: Target::New(None),
            full_url: Some("https://ehr.example/fhir/Observation/1".into()),
            entry: Some(3),
        }
    }

    #[test]
    fn references_are_rewritten_and_unknown_urns_refused_with_their_place() {
        let specification = Specification::load().unwrap();
        let change = change(
            r#"{"resourceType":"Observation","subject":{"reference":"Patient/1"},"hasMember":[{"reference":"Observation/1"},{"reference":"urn:uuid:0195c3f0-0000-7000-8000-00000000000b"}]}"#,
        );
        let mut known = HashMap::from([("https://ehr.example/fhir/Patient/1".to_owned(), "Patient/7".to_owned())]);
        let error = rewritten(&specification, &change, &known).unwrap_err();
        assert_eq!(error.status(), 422);
        let (_, outcome) = crate::error::FhirError(error).outcome();
        assert_eq!(outcome.issues[0].expression, ["Bundle.entry[3].resource.hasMember[1].reference"]);
        known.insert("urn:uuid:0195c3f0-0000-7000-8000-00000000000b".into(), "Observation/9".into());
        assert_eq!(
            rewritten(&specification, &change, &known).unwrap().to_text(),
            r#"{"resourceType":"Observation","subject":{"reference":"Patient/7"},"hasMember":[{"reference":"Observation/1"},{"reference":"Observation/9"}]}"#
        );
    }

    #[test]
    fn conditional_references_are_found_with_their_place() {
        let specification = Specification::load().unwrap();
        let change = change(r#"{"resourceType":"Observation","subject":{"reference":"Patient?identifier=urn:x|1"}}"#);
        let found = conditional(&specification, &[change], &[]).unwrap();
        assert_eq!(
            (found[0].path.as_str(), found[0].criteria.identifier()),
            ("Observation.subject.reference", Some(("urn:x", "1")))
        );
    }
}
