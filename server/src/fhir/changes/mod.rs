//! The one way in which clients change resources: a create, an update, each in its conditional form, alone or many at
//! once in a transaction Bundle. Whatever is asked, it is all or nothing in one database transaction.
//!
//! Concurrency: a conditional create by identifier rests on the unique index of `observation`; every other condition on
//! an advisory lock that those who use the same criteria share. A change that loses a race starts over and then sees the
//! winner.

mod criteria;
mod identifiers;
mod references;
mod resolve;
mod write;

use chrono::{DateTime, Utc};
use db::{TenantId, TenantScope};
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use fhir_model::outcome::{Issue, IssueCode};
use fhir_model::parse::Resource;

pub(crate) use criteria::Criteria;

use super::model::{Base, ResourceType, Stored};
use super::observation_columns::{ObservationColumns, identifiers as identifiers_of};
use super::specification::Specification;
use crate::app::App;
use crate::error::{Error, Kind};

/// How often a change that lost a race starts over. Each time somebody else's succeeded.
const ATTEMPTS: usize = 8;
/// Bytes of an identifier or coding; an index row has to fit a third of a page.
const LONGEST_TOKEN: usize = 1000;

/// What a client wants done with one resource. It has been validated.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    /// Its type.
    pub(crate) resource_type: ResourceType,
    /// The new content.
    pub(crate) resource: Resource,
    /// Which resource is meant.
    pub(crate) target: Target,
    /// In a Bundle: what other entries call it.
    pub(crate) full_url: Option<String>,
    /// In a Bundle: the position of its entry.
    pub(crate) entry: Option<usize>,
}

/// Which resource a change is about.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// A new one; unless one matches (`If-None-Exist`).
    New(Option<Criteria>),
    /// This one, if it is at this version (`If-Match`).
    Id(String, Option<i32>),
    /// The one that matches, or a new one.
    Matching(Criteria, Option<i32>),
}

/// What became of a change.
#[derive(Debug, Clone)]
pub(crate) struct Done {
    /// What happened.
    pub(crate) what: What,
    /// The resource's type.
    pub(crate) resource_type: ResourceType,
    /// Its current version.
    pub(crate) stored: Stored,
}

/// What happened to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// It is new.
    Created,
    /// It has a new version.
    Updated,
    /// The update said what was there already: no new version.
    Unchanged,
    /// A conditional create found it.
    Existing,
}

/// Where changes happen.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The shared handles.
    pub(crate) app: &'a App,
    /// For index values.
    pub(crate) specification: &'a Specification,
    /// The key to the tenant's rows.
    pub(crate) scope: &'a TenantScope,
    /// The tenant.
    pub(crate) tenant: TenantId,
    /// The base that the client called.
    pub(crate) base: &'a Base,
}

/// Why changes did not happen.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The client has to hear this.
    Refused(Error),
    /// Somebody else was faster: start over.
    LostRace,
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Refused(error.into())
    }
}

/// Makes all changes, or none; answers in their order.
///
/// # Errors
/// 400, 404, 405, 409, 412 or 422 with issues that name the element (and in a Bundle the entry) concerned.
pub(crate) async fn apply(place: Place<'_>, changes: &[Change]) -> Result<Vec<Done>, Error> {
    changes.iter().try_for_each(refuse_too_long)?;
    let interned = write::intern(place, changes).await?;
    for _ in 0..ATTEMPTS {
        let now = place.app.clock.now();
        match attempt(place, changes, &interned, now).await {
            Ok(done) => return Ok(done),
            Err(Stop::Refused(error)) if !is_contention(&error) => return Err(error),
            Err(Stop::Refused(_) | Stop::LostRace) => {}
        }
    }
    Err(Error::conflict(
        "fhir.contended",
        "Others change the same resources at this moment, and this request lost every time. Nothing was stored; try again.",
    ))
}

async fn attempt(
    place: Place<'_>,
    changes: &[Change],
    interned: &write::Interned,
    now: DateTime<Utc>,
) -> Result<Vec<Done>, Stop> {
    let mut transaction = place.scope.begin(&place.app.db).await?;
    let plans = resolve::plan(&mut transaction, place, changes).await?;
    let done = write::write(&mut transaction, place, plans, interned, now).await?;
    transaction.commit().await?;
    if done.iter().any(|done| done.resource_type == ResourceType::Observation && done.what == What::Updated) {
        crate::wiring::readings_committed(place.app);
    }
    Ok(done)
}

/// Whether the database stopped a statement because somebody else was faster: the same request may succeed now.
fn is_contention(error: &Error) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<DieselError>());
    match source {
        Some(DieselError::DatabaseError(kind, information)) => {
            matches!(kind, DatabaseErrorKind::UniqueViolation | DatabaseErrorKind::SerializationFailure)
                || information.message().contains("deadlock detected")
        }
        _ => false,
    }
}

/// Identifiers and codes have to fit an index. Those that are longer would be stored and never found.
fn refuse_too_long(change: &Change) -> Result<(), Error> {
    let name = change.resource_type.as_str();
    let mut checked: Vec<(String, String, &str)> =
        identifiers_of(&change.resource).into_iter().map(|(system, value)| (system, value, "identifier")).collect();
    if change.resource_type == ResourceType::Observation {
        let columns = ObservationColumns::of(&change.resource, &[]);
        checked.extend(columns.code.into_iter().map(|(system, code)| (system, code, "code")));
        checked.extend(columns.categories.into_iter().flatten().map(|(system, code)| (system, code, "category")));
    }
    match checked.into_iter().find(|(system, value, _)| system.len() + value.len() > LONGEST_TOKEN) {
        None => Ok(()),
        Some((_, _, element)) => {
            let text = format!(
                "A system and its value may have {LONGEST_TOKEN} bytes together, so that they can be searched for."
            );
            Err(change.error(Kind::Unprocessable, IssueCode::TooLong, &format!("{name}.{element}"), text))
        }
    }
}

impl Change {
    /// The path of an element of the resource, as the client sees it: below the Bundle's entry, if there is one.
    pub(crate) fn path(&self, element: &str) -> String {
        let name = self.resource_type.as_str();
        match (self.entry, element.strip_prefix(name)) {
            (None, _) => element.to_owned(),
            (Some(entry), Some(rest)) => format!("Bundle.entry[{entry}].resource{rest}"),
            (Some(entry), None) => format!("Bundle.entry[{entry}].{element}"),
        }
    }

    /// An error about the change, at an element of the resource or of the entry's request.
    #[track_caller]
    pub(crate) fn error(&self, kind: Kind, code: IssueCode, element: &str, text: impl Into<String>) -> Error {
        let text = text.into();
        let issue = Issue::error(code, text.clone());
        // Alone, a condition stands in the URL or a header: no element of the resource is to blame.
        let issue = match self.entry {
            None if element.starts_with("request") => issue,
            _ => issue.at(self.path(element)),
        };
        Error::issues(kind, "fhir.change", text, vec![issue])
    }
}
