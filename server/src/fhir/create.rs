//! `POST {type}` (<https://hl7.org/fhir/R4/http.html#create>), with `If-None-Exist` as a conditional create.

use fhir_model::outcome::Issue;

use super::changes::{Change, Criteria, Done, Place, Target, apply};
use super::intake;
use super::model::ResourceType;
use crate::error::Error;

/// Creates a resource, unless one matches `if_none_exist`. An id in the body is ignored: the server gives it.
///
/// # Errors
/// 400, 412 when several match, 413, 422 with every issue.
pub(crate) async fn create(
    place: Place<'_>,
    resource_type: ResourceType,
    body: &[u8],
    if_none_exist: Option<&str>,
) -> Result<(Done, Vec<Issue>), Error> {
    let own = place.base.own.each_ref().map(String::as_str);
    let criteria = if_none_exist.map(|query| Criteria::parse(resource_type, query, &own)).transpose()?;
    let (resource, warnings) =
        intake::resource(place.specification, resource_type, body, place.app.config.max_body_bytes)?;
    let change = Change { resource_type, resource, target: Target::New(criteria), full_url: None, entry: None };
    let mut done = apply(place, &[change]).await?;
    let done = done.pop().ok_or_else(|| Error::internal(anyhow::anyhow!("a change without a result")))?;
    Ok((done, warnings))
}
