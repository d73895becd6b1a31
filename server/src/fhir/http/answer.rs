//! Answers: stored text as it is, with the headers of its version.

use actix_web::http::StatusCode;
use actix_web::http::header::{ETAG, HttpDate, LAST_MODIFIED, LOCATION};
use actix_web::{HttpResponse, HttpResponseBuilder};
use fhir_model::bundle::{BundleKind, ResponseEntry, response};
use fhir_model::outcome::{Issue, IssueCode, OperationOutcome};

use super::wishes::Return;
use crate::fhir::changes::{Done, What};
use crate::fhir::model::{Base, Stored, etag, instant};
use crate::fhir::transaction::EntryResult;

/// What every body is.
pub(super) const FHIR_JSON: &str = "application/fhir+json; charset=utf-8";

/// A version of a resource.
pub(super) fn version(status: StatusCode, stored: &Stored) -> HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    answer.insert_header((ETAG, etag(stored.version)));
    answer.insert_header((LAST_MODIFIED, HttpDate::from(std::time::SystemTime::from(stored.last_updated))));
    answer.content_type(FHIR_JSON);
    answer
}

/// What became of a change.
pub(super) fn changed(base: &Base, done: &Done, warnings: Vec<Issue>, wish: Option<Return>) -> HttpResponse {
    let mut answer = version(status(done.what), &done.stored);
    answer.insert_header((LOCATION, base.version_url(done.resource_type, &done.stored.id, done.stored.version)));
    match wish.unwrap_or(Return::Representation) {
        Return::Minimal => answer.finish(),
        Return::Representation => answer.body(done.stored.body.clone()),
        Return::OperationOutcome => answer.body(said(done.what, warnings).to_text()),
    }
}

fn status(what: What) -> StatusCode {
    match what {
        What::Created => StatusCode::CREATED,
        What::Updated | What::Unchanged | What::Existing => StatusCode::OK,
    }
}

fn said(what: What, warnings: Vec<Issue>) -> OperationOutcome {
    let text = match what {
        What::Created => "created",
        What::Updated => "updated: there is a new version",
        What::Unchanged => "unchanged: this is what was stored already",
        What::Existing => "nothing was created: a resource matches the condition",
    };
    let mut issues = vec![Issue::information(IssueCode::Informational, text)];
    issues.extend(warnings);
    OperationOutcome::new(issues)
}

/// The `transaction-response` or `batch-response`.
pub(super) fn bundle(base: &Base, kind: BundleKind, results: &[EntryResult], wish: Option<Return>) -> HttpResponse {
    let parts: Vec<Parts> = results.iter().map(|result| Parts::new(base, result, wish)).collect();
    let entries: Vec<ResponseEntry<'_>> = parts.iter().map(Parts::entry).collect();
    HttpResponse::Ok().content_type(FHIR_JSON).body(response(kind, &entries))
}

/// The texts of one entry of a response.
#[derive(Default)]
struct Parts {
    status: String,
    location: Option<String>,
    etag: Option<String>,
    last_modified: Option<String>,
    full_url: Option<String>,
    resource: Option<String>,
    outcome: Option<String>,
}

impl Parts {
    fn new(base: &Base, result: &EntryResult, wish: Option<Return>) -> Self {
        match result {
            EntryResult::Changed(done) => {
                let name = done.resource_type.as_str();
                let mut parts = Self::of_version(status(done.what), &done.stored);
                parts.location = Some(format!("{name}/{}/_history/{}", done.stored.id, done.stored.version));
                parts.full_url = Some(format!("{}/{name}/{}", base.url, done.stored.id));
                match wish {
                    Some(Return::Representation) => parts.resource = Some(done.stored.body.clone()),
                    Some(Return::OperationOutcome) => parts.outcome = Some(said(done.what, Vec::new()).to_text()),
                    Some(Return::Minimal) | None => {}
                }
                parts
            }
            EntryResult::Read(resource_type, stored) => {
                let full_url = Some(format!("{}/{}/{}", base.url, resource_type.as_str(), stored.id));
                Self { full_url, resource: Some(stored.body.clone()), ..Self::of_version(StatusCode::OK, stored) }
            }
            EntryResult::Found(bundle) => {
                Self { status: StatusCode::OK.to_string(), resource: Some(bundle.clone()), ..Self::default() }
            }
            EntryResult::Failed(error) => {
                let (status, outcome) = error.outcome();
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                Self { status: status.to_string(), outcome: Some(outcome.to_text()), ..Self::default() }
            }
        }
    }

    fn of_version(status: StatusCode, stored: &Stored) -> Self {
        Self {
            status: status.to_string(),
            etag: Some(etag(stored.version)),
            last_modified: Some(instant(stored.last_updated)),
            ..Self::default()
        }
    }

    fn entry(&self) -> ResponseEntry<'_> {
        ResponseEntry {
            status: &self.status,
            location: self.location.as_deref(),
            etag: self.etag.as_deref(),
            last_modified: self.last_modified.as_deref(),
            full_url: self.full_url.as_deref(),
            resource: self.resource.as_deref(),
            outcome: self.outcome.as_deref(),
        }
    }
}
