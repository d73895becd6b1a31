//! `POST [base]` with a `transaction` or `batch` Bundle (<https://hl7.org/fhir/R4/http.html#transaction>).
//!
//! A transaction takes creates and updates, with and without conditions, of the types that clients write; it is all or
//! nothing. A batch takes reads and searches as well, and each entry stands for itself.

use fhir_model::bundle::{BundleKind, Entry, Method, RequestUrl};
use fhir_model::outcome::{Issue, IssueCode};
use fhir_model::parse::Resource;
use fhir_model::validate::Options;

use super::changes::{Change, Criteria, Done, Place, Target, apply};
use super::intake;
use super::model::{ResourceType, Stored};
use super::search::{self, Question};
use super::store;
use crate::error::{Error, FhirError, Kind};

/// Entries of a Bundle at most.
pub(crate) const MOST_ENTRIES: usize = 500;

/// What became of one entry.
#[derive(Debug)]
pub(crate) enum EntryResult {
    /// A change was made.
    Changed(Done),
    /// A resource was read.
    Read(ResourceType, Stored),
    /// A search was answered with this Bundle.
    Found(String),
    /// It failed; only in a batch.
    Failed(FhirError),
}

/// Does what a Bundle says; the results are in the order of its entries.
///
/// # Errors
/// For a transaction everything that is wrong with any entry, named `Bundle.entry[n]…`; for a batch only what is wrong
/// with the Bundle itself.
pub(crate) async fn process(
    place: Place<'_>,
    body: &[u8],
    lenient: bool,
) -> Result<(BundleKind, Vec<EntryResult>), Error> {
    let own = place.base.own.each_ref().map(String::as_str);
    let bundle = intake::parse(body, place.app.config.max_body_bytes)?;
    if bundle.resource_type() == "Bundle" && bundle.string("type") == Some("transaction") {
        // The whole at once: every issue of every entry, each with its place.
        let options = Options { conditional_references: true };
        intake::refuse_errors(place.specification.validate(&bundle, options))?;
    }
    let refuse = |issues| Error::issues(Kind::Invalid, "fhir.bundle", "The Bundle cannot be processed.", issues);
    let incoming = place.specification.read_bundle(bundle, &own, MOST_ENTRIES).map_err(refuse)?;
    if incoming.kind == BundleKind::Transaction {
        let changes: Vec<Change> =
            incoming.entries.into_iter().map(|entry| change(entry, &own)).collect::<Result<_, _>>()?;
        let done = apply(place, &changes).await?;
        return Ok((BundleKind::Transaction, done.into_iter().map(EntryResult::Changed).collect()));
    }
    let mut results: Vec<(usize, EntryResult)> =
        incoming.refused.iter().map(|(at, issues)| (*at, EntryResult::Failed(refuse(issues.clone()).into()))).collect();
    for entry in incoming.in_processing_order() {
        let result = Box::pin(alone(place, entry.clone(), lenient)).await.unwrap_or_else(|error| {
            if error.kind() == Kind::Internal {
                tracing::error!(code = error.code(), cause = ?error, "an entry of a batch failed");
            }
            EntryResult::Failed(error.into())
        });
        results.push((entry.index, result));
    }
    results.sort_by_key(|(at, _)| *at);
    Ok((BundleKind::Batch, results.into_iter().map(|(_, result)| result).collect()))
}

/// One entry of a batch.
async fn alone(place: Place<'_>, entry: Entry, lenient: bool) -> Result<EntryResult, Error> {
    let own = place.base.own.each_ref().map(String::as_str);
    if entry.method == Method::Get {
        return read(place, entry, lenient).await;
    }
    let change = change(entry, &own)?;
    let issues = place.specification.validate(&change.resource, Options::default());
    intake::refuse_errors(issues.into_iter().map(|issue| placed(&change, issue)).collect())?;
    match apply(place, &[change]).await?.pop() {
        Some(done) => Ok(EntryResult::Changed(done)),
        None => Err(Error::internal(anyhow::anyhow!("a change without a result"))),
    }
}

fn placed(change: &Change, mut issue: Issue) -> Issue {
    issue.expression = issue.expression.iter().map(|expression| change.path(expression)).collect();
    issue
}

async fn read(place: Place<'_>, entry: Entry, lenient: bool) -> Result<EntryResult, Error> {
    let mut transaction = place.scope.begin(&place.app.db).await?;
    let result = match entry.url {
        RequestUrl::Instance { resource_type, id, version } => {
            let resource_type = served(entry.index, &resource_type)?;
            let version =
                version.map(|version| version.parse().map_err(|_not_ours| Error::not_found("version"))).transpose()?;
            let found = match version {
                None => store::read(&mut transaction, place.tenant, resource_type, &id).await?,
                Some(version) => {
                    store::read_version(&mut transaction, place.tenant, resource_type, &id, version).await?
                }
            };
            let stored = found.ok_or_else(|| Error::not_found(resource_type.as_str()))?;
            if stored.deleted {
                return Err(Error::new(Kind::Gone, "fhir.deleted", "The resource was deleted."));
            }
            EntryResult::Read(resource_type, stored)
        }
        RequestUrl::Type(name) => {
            let question = Question { resource_type: served(entry.index, &name)?, parameters: Vec::new(), lenient };
            EntryResult::Found(search::search(&mut transaction, place.tenant, place.base, &question).await?)
        }
        RequestUrl::Query { resource_type, query } => {
            let question = Question { resource_type: served(entry.index, &resource_type)?, parameters: query, lenient };
            EntryResult::Found(search::search(&mut transaction, place.tenant, place.base, &question).await?)
        }
        RequestUrl::Other(_) => {
            return Err(unsupported(
                entry.index,
                "url",
                "Inside a Bundle only reads and searches of a type can be asked.",
            ));
        }
    };
    transaction.commit().await?;
    Ok(result)
}

/// The change that an entry asks for.
fn change(entry: Entry, own_bases: &[&str]) -> Result<Change, Error> {
    let at = entry.index;
    let name = match &entry.url {
        RequestUrl::Type(name)
        | RequestUrl::Instance { resource_type: name, .. }
        | RequestUrl::Query { resource_type: name, .. } => name,
        RequestUrl::Other(_) => {
            return Err(unsupported(at, "url", "Only creates and updates of a type can be part of a transaction."));
        }
    };
    let resource_type = served(at, name)?;
    if !matches!(entry.method, Method::Post | Method::Put) {
        return Err(unsupported(
            at,
            "method",
            "A transaction takes POST and PUT here; reads and searches (GET) go into a batch, and nothing can be deleted or patched.",
        ));
    }
    if !resource_type.is_written_by_clients() {
        return Err(unsupported(
            at,
            "url",
            "Devices are written by the fleet, through /api/v1/devices; here they can only be read.",
        ));
    }
    let if_match =
        entry.if_match.as_deref().map(|version| version.parse().map_err(|_not_ours| stale(at))).transpose()?;
    let criteria = |query: Vec<(String, String)>, part: &'static str| {
        Criteria::new(resource_type, query, own_bases)
            .map_err(|error| refused(at, Kind::Invalid, IssueCode::Value, part, error.to_string()))
    };
    let target = match (entry.url, entry.if_none_exist) {
        (RequestUrl::Type(_), condition) => {
            Target::New(condition.map(|query| criteria(query, "ifNoneExist")).transpose()?)
        }
        (RequestUrl::Instance { id, .. }, _) => Target::Id(id, if_match),
        (RequestUrl::Query { query, .. }, _) => Target::Matching(criteria(query, "url")?, if_match),
        (RequestUrl::Other(_), _) => {
            return Err(unsupported(at, "url", "Only creates and updates of a type can be part of a transaction."));
        }
    };
    let resource: Resource = entry
        .resource
        .ok_or_else(|| refused(at, Kind::Invalid, IssueCode::Required, "method", "This method needs a resource."))?;
    Ok(Change { resource_type, resource, target, full_url: entry.full_url, entry: Some(at) })
}

fn served(entry: usize, name: &str) -> Result<ResourceType, Error> {
    ResourceType::from_name(name).ok_or_else(|| {
        let known = ResourceType::ALL.map(ResourceType::as_str).join(", ");
        unsupported(entry, "url", format!("{name} is not served here; {known} are."))
    })
}

fn unsupported(entry: usize, part: &str, text: impl Into<String>) -> Error {
    refused(entry, Kind::Invalid, IssueCode::NotSupported, part, text)
}

fn stale(entry: usize) -> Error {
    refused(entry, Kind::Precondition, IssueCode::Conflict, "ifMatch", "No resource here has such a version.")
}

fn refused(entry: usize, kind: Kind, code: IssueCode, part: &str, text: impl Into<String>) -> Error {
    let text = text.into();
    let issue = Issue::error(code, text.clone()).at(format!("Bundle.entry[{entry}].request.{part}"));
    Error::issues(kind, "fhir.bundle.entry", text, vec![issue])
}
