//! `GET {type}/{id}/_history` (<https://hl7.org/fhir/R4/http.html#history>): every version of a resource, newest first.
//!
//! `_count` and `_since` choose, and what else is asked is an error, as in a search. Pages are continued below the last
//! version shown: a version that is made meanwhile neither repeats nor hides anything.

use chrono::{DateTime, Utc};
use db::TenantId;
use diesel_async::AsyncPgConnection;
use fhir_model::bundle::{self, HistoryEntry};
use fhir_model::datetime::DateRange;
use fhir_model::outcome::{Issue, IssueCode};

use super::model::{Base, ResourceType, Stored, etag, instant};
use super::search::{DEFAULT_COUNT, MOST_COUNT};
use super::store::{self, Wanted};
use crate::error::{Error, Kind};

/// What is asked of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    count: u32,
    since: Option<DateTime<Utc>>,
    /// Ours: where the page before ended.
    before: Option<i32>,
}

/// Answers the Bundle's text.
///
/// # Errors
/// 400 with one issue for every parameter that cannot be used; 404.
pub(crate) async fn history(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    base: &Base,
    (resource_type, id): (ResourceType, &str),
    parameters: &[(String, String)],
) -> Result<String, Error> {
    let asked = understand(parameters)?;
    let name = resource_type.as_str();
    store::read(conn, tenant, resource_type, id).await?.ok_or_else(|| Error::not_found(name))?;
    let total = store::count_history(conn, tenant, resource_type, id, asked.since).await?;
    let limit = if asked.count == 0 { 0 } else { i64::from(asked.count) + 1 };
    let wanted = Wanted { before: asked.before, since: asked.since, limit };
    let mut versions = store::history(conn, tenant, resource_type, id, wanted).await?;
    let size = usize::try_from(asked.count).unwrap_or(usize::MAX);
    let has_more = versions.len() > size;
    versions.truncate(size);

    let full_url = format!("{}/{name}/{id}", base.url);
    let own = link(&full_url, parameters, asked.before);
    let next = versions.last().filter(|_| has_more).map(|last| link(&full_url, parameters, Some(last.version)));
    let mut links = vec![("self", own.as_str())];
    links.extend(next.as_deref().map(|next| ("next", next)));
    let parts: Vec<Parts> = versions.iter().map(|version| Parts::of(name, version)).collect();
    let entries: Vec<HistoryEntry<'_>> =
        parts.iter().zip(&versions).map(|(parts, version)| parts.entry(version)).collect();
    Ok(bundle::history(u64::try_from(total).unwrap_or_default(), &links, &full_url, &entries))
}

fn understand(parameters: &[(String, String)]) -> Result<Asked, Error> {
    let mut asked = Asked { count: DEFAULT_COUNT, since: None, before: None };
    let mut issues = Vec::new();
    for (name, value) in parameters {
        let understood = match name.as_str() {
            "_count" => value.parse().map(|count: u32| asked.count = count.min(MOST_COUNT)).is_ok(),
            "_since" => {
                asked.since = DateRange::parse(value).ok().map(|range| range.low);
                asked.since.is_some()
            }
            "_before" => {
                asked.before = value.parse().ok();
                asked.before.is_some()
            }
            "_format" | "_pretty" => true,
            _ => {
                let shown: String = name.chars().filter(|char| !char.is_control()).take(64).collect();
                let text = format!("{shown} is not supported for a history; supported are _count and _since");
                issues.push(Issue::error(IssueCode::NotSupported, text).at(format!("http.{shown}")));
                continue;
            }
        };
        if !understood {
            let right = match name.as_str() {
                "_count" => "_count is a whole number from 0",
                "_since" => "_since is an instant, such as 2026-11-22T20:52:10.123Z",
                _ => "_before comes from a next link; follow the links as they are",
            };
            issues.push(Issue::error(IssueCode::Value, right).at(format!("http.{name}")));
        }
    }
    if issues.is_empty() {
        return Ok(asked);
    }
    Err(Error::issues(Kind::Invalid, "fhir.history", "The history cannot be answered as asked.", issues))
}

fn link(full_url: &str, parameters: &[(String, String)], before: Option<i32>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parameters.iter().filter(|(name, _)| name != "_before"));
    if let Some(before) = before {
        query.append_pair("_before", &before.to_string());
    }
    let query = query.finish();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{full_url}/_history{mark}{query}")
}

/// The texts of one entry. How the first version came is not kept: it is told as a create.
struct Parts {
    method: &'static str,
    url: String,
    status: &'static str,
    etag: String,
    last_modified: String,
}

impl Parts {
    fn of(name: &str, version: &Stored) -> Self {
        let own = || format!("{name}/{}", version.id);
        let (method, url, status) = match version.version {
            _ if version.deleted => ("DELETE", own(), "204 No Content"),
            1 => ("POST", name.to_owned(), "201 Created"),
            _ => ("PUT", own(), "200 OK"),
        };
        Self { method, url, status, etag: etag(version.version), last_modified: instant(version.last_updated) }
    }

    fn entry<'a>(&'a self, version: &'a Stored) -> HistoryEntry<'a> {
        HistoryEntry {
            resource: (!version.deleted).then_some(version.body.as_str()),
            method: self.method,
            url: &self.url,
            status: self.status,
            etag: &self.etag,
            last_modified: &self.last_modified,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn understood(parameters: &[(&str, &str)]) -> Result<Asked, Error> {
        let parameters: Vec<_> = parameters.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        understand(&parameters)
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        let asked = understood(&[("_count", "9000"), ("_since", "2026-11-22T10:00:00+01:00")]).unwrap();
        assert_eq!((asked.count, asked.since.unwrap().to_rfc3339()), (500, "2026-11-22T09:00:00+00:00".to_owned()));
        for bad in [("_count", "-1"), ("_since", "yesterday"), ("_before", "x"), ("_at", "2026"), ("patient", "1")] {
            assert_eq!(understood(&[bad]).unwrap_err().status(), 400, "{bad:?}");
        }
    }

    #[test]
    fn links_keep_what_was_asked() {
        let asked = [("_count".to_owned(), "2".to_owned()), ("_before".to_owned(), "7".to_owned())];
        assert_eq!(
            link("https://a.example/Patient/1", &asked, Some(5)),
            "https://a.example/Patient/1/_history?_count=2&_before=5"
        );
        assert_eq!(link("https://a.example/Patient/1", &[], None), "https://a.example/Patient/1/_history");
    }
}
