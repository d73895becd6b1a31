//! `PUT {type}/{id}` and `PUT {type}?{condition}` (<https://hl7.org/fhir/R4/http.html#update>), with `If-Match`.
//!
//! An update that says what is stored already makes no new version. A Patient that is not there is created with the id of
//! the URL; the ids of Observations are given by the server.

use fhir_model::outcome::{Issue, IssueCode};

use super::changes::{Change, Criteria, Done, Place, Target, apply};
use super::intake;
use super::model::ResourceType;
use crate::error::{Error, Kind};

/// Which resource the URL names.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Which<'a> {
    /// `{type}/{id}`
    Id(&'a str),
    /// `{type}?{query}`
    Matching(&'a str),
}

/// Updates a resource.
///
/// # Errors
/// 400, 405 for an unknown id that cannot be created, 412 for another version or several matches, 413, 422.
pub(crate) async fn update(
    place: Place<'_>,
    resource_type: ResourceType,
    which: Which<'_>,
    body: &[u8],
    if_match: Option<i32>,
) -> Result<(Done, Vec<Issue>), Error> {
    let own = place.base.own.each_ref().map(String::as_str);
    let target = match which {
        Which::Id(id) => Target::Id(id.to_owned(), if_match),
        Which::Matching(query) => Target::Matching(Criteria::parse(resource_type, query, &own)?, if_match),
    };
    let (resource, warnings) =
        intake::resource(place.specification, resource_type, body, place.app.config.max_body_bytes)?;
    if let Which::Id(id) = which
        && resource.id() != Some(id)
    {
        let text = "The resource's id has to be there, and to be that of the URL.";
        let issue = Issue::error(IssueCode::Value, text).at(format!("{}.id", resource_type.as_str()));
        return Err(Error::issues(Kind::Invalid, "fhir.id", text, vec![issue]));
    }
    let change = Change { resource_type, resource, target, full_url: None, entry: None };
    let mut done = apply(place, &[change]).await?;
    let done = done.pop().ok_or_else(|| Error::internal(anyhow::anyhow!("a change without a result")))?;
    Ok((done, warnings))
}
