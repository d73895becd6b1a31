//! A resource that comes in alone: read, of the type that the URL says, and valid.

use fhir_model::outcome::{Issue, IssueCode};
use fhir_model::parse::{Limits, ParseError, ParseErrorKind, Resource};
use fhir_model::validate::Options;

use super::model::ResourceType;
use super::specification::Specification;
use crate::error::{Error, Kind};

/// A body as JSON.
///
/// # Errors
/// 400 for what is no resource, 413 for what exceeds the limits.
pub(crate) fn parse(body: &[u8], most_bytes: usize) -> Result<Resource, Error> {
    let limits = Limits { size_bytes: most_bytes, ..Limits::default() };
    Resource::from_slice(body, &limits).map_err(unreadable)
}

fn unreadable(error: ParseError) -> Error {
    let kind = if error.kind == ParseErrorKind::TooLarge { Kind::TooLarge } else { Kind::Invalid };
    Error::issues(kind, "fhir.parse", "The body is not a FHIR resource that can be read.", vec![error.to_issue()])
}

/// A valid resource of this type, and what was said about it that is no error.
///
/// # Errors
/// 400, 413, or 422 with every issue.
pub(crate) fn resource(
    specification: &Specification,
    resource_type: ResourceType,
    body: &[u8],
    most_bytes: usize,
) -> Result<(Resource, Vec<Issue>), Error> {
    let resource = parse(body, most_bytes)?;
    if resource.resource_type() != resource_type.as_str() {
        let text = format!("The body is a {}; this URL takes a {}.", resource.resource_type(), resource_type.as_str());
        return Err(Error::issues(
            Kind::Invalid,
            "fhir.type",
            text.clone(),
            vec![Issue::error(IssueCode::Invalid, text).at("resourceType")],
        ));
    }
    let issues = specification.validate(&resource, Options::default());
    Ok((resource, refuse_errors(issues)?))
}

/// The warnings among the issues.
///
/// # Errors
/// 422 with all issues when one of them is an error.
pub(crate) fn refuse_errors(issues: Vec<Issue>) -> Result<Vec<Issue>, Error> {
    if issues.iter().any(Issue::is_error) {
        return Err(Error::issues(
            Kind::Unprocessable,
            "fhir.invalid",
            "The resource is not valid; see the issues.",
            issues,
        ));
    }
    Ok(issues)
}
