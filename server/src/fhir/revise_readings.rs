//! A new version of Observations that exist, inside a running transaction (the group commit's, or a tenant's): other
//! content for the same record, or a withdrawal (`entered-in-error`). Nothing is lost: the version before is kept, and
//! every endpoint that was sent one gets the new one.
//!
//! Order within a transaction, the same for everybody, so that two never wait for each other: new Observations are
//! inserted first, existing ones are revised after that, deliveries come last. [`revise_readings`] locks rows in the order
//! of tenant and id.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use db::TenantId;
use diesel::QueryResult;
use diesel::result::Error as DieselError;
use diesel_async::AsyncPgConnection;
use fhir_model::parse::{Limits, Resource};

use super::model::instant;
use super::readings::NewReading;
use super::store::revisions::{self, LockedReading, VersionRow};
use crate::wiring::RevisedReading;

/// A new version that is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Revision {
    /// Whose.
    pub tenant: TenantId,
    /// FHIR id of the Observation.
    pub id: String,
    /// The version that the decision rests on; at any other nothing is written. None: whichever is current.
    pub expected_version: Option<i32>,
    /// What becomes of it.
    pub change: Change,
}

/// What a new version says.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// Other content for the same record. Patient, device, assignment and identifier are the stored ones and have to be
    /// those of the text.
    Content {
        /// The whole new content. Its `id` and `meta.versionId` are set here, in the row and in the text.
        reading: Box<NewReading>,
        /// Why it changes.
        because: Because,
        /// Whether its disposition lets it go to endpoints that had no version yet.
        forwarded: bool,
    },
    /// Withdrawn: `status` becomes `entered-in-error`, everything else stays as it is, and nothing counts it any more.
    EnteredInError,
}

/// Why content changes: what a version that was final becomes (<https://hl7.org/fhir/R4/valueset-observation-status.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Because {
    /// The record grew: `amended`.
    Updated,
    /// What was stored was wrong: `corrected`.
    Corrected,
}

/// What became of a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// There is a new version; this is what [`crate::wiring::readings_revised`] needs.
    Revised(RevisedReading),
    /// It was withdrawn already, at this version.
    Unchanged(i32),
    /// Its current version is another than the expected one: this one.
    OtherVersion(i32),
    /// There is no such Observation.
    Missing,
}

/// Writes new versions, answers in the order of the revisions. No Observation may occur twice. Deliveries are the caller's
/// part: hand the [`Fate::Revised`] to [`crate::wiring::readings_revised`] in the same transaction.
///
/// # Errors
/// The database's error; a `SerializationError` when content is about another patient than the Observation, or a stored text
/// cannot be read. The transaction has to be rolled back.
pub(crate) async fn revise_readings(
    conn: &AsyncPgConnection,
    revisions: Vec<Revision>,
    now: DateTime<Utc>,
) -> QueryResult<Vec<Fate>> {
    if revisions.is_empty() {
        return Ok(Vec::new());
    }
    let wanted: Vec<_> = revisions.iter().map(|revision| (revision.tenant, revision.id.clone())).collect();
    let locked: HashMap<(TenantId, String), LockedReading> = revisions::lock_readings(conn, &wanted)
        .await?
        .into_iter()
        .map(|row| ((row.tenant_id, row.id.clone()), row))
        .collect();
    let (mut fates, mut kept, mut versions, mut contents) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for revision in &revisions {
        let Some(current) = locked.get(&(revision.tenant, revision.id.clone())) else {
            fates.push(Fate::Missing);
            continue;
        };
        if revision.expected_version.is_some_and(|expected| expected != current.version) {
            fates.push(Fate::OtherVersion(current.version));
            continue;
        }
        let row = match &revision.change {
            Change::EnteredInError if current.status == ENTERED_IN_ERROR => {
                fates.push(Fate::Unchanged(current.version));
                continue;
            }
            Change::EnteredInError => withdrawn(current, now)?,
            Change::Content { reading, because, .. } => {
                contents.push((current.id.clone(), &**reading));
                changed(current, reading, *because, now)?
            }
        };
        fates.push(Fate::Revised(announced(current, &revision.change, row.version)));
        kept.push(current);
        versions.push(row);
    }
    if !versions.is_empty() {
        revisions::keep_versions(conn, &kept).await?;
        revisions::write_versions(conn, &versions).await?;
    }
    if !contents.is_empty() {
        revisions::write_contents(conn, &contents).await?;
    }
    Ok(fates)
}

/// FHIR's status of what was withdrawn.
pub(crate) const ENTERED_IN_ERROR: &str = "entered-in-error";

fn withdrawn(current: &LockedReading, now: DateTime<Utc>) -> QueryResult<VersionRow> {
    version(current, &current.body, ENTERED_IN_ERROR, false, now)
}

fn changed(
    current: &LockedReading,
    reading: &NewReading,
    because: Because,
    now: DateTime<Utc>,
) -> QueryResult<VersionRow> {
    if current.patient_id.as_deref() != Some(reading.patient_id.as_str()) {
        return Err(DieselError::SerializationError("a new version of a reading is about another patient".into()));
    }
    let was_complete = matches!(current.status.as_str(), "final" | "amended" | "corrected");
    let status = match because {
        _ if !(was_complete && reading.status == "final") => reading.status,
        Because::Updated => "amended",
        Because::Corrected => "corrected",
    };
    version(current, &reading.body, status, reading.counted, now)
}

/// The text with its place in the history. Numbers keep every digit.
fn version(
    current: &LockedReading,
    text: &str,
    status: &str,
    counted: bool,
    now: DateTime<Utc>,
) -> QueryResult<VersionRow> {
    let mut resource = Resource::from_slice(text.as_bytes(), &Limits::default())
        .map_err(|error| DieselError::SerializationError(error.into()))?;
    let version = current.version + 1;
    // Clocks of two servers differ: a version is never older than the one before.
    let last_updated = now.max(current.last_updated);
    resource.set_code("status", status);
    resource.stamp(&current.id, &version.to_string(), &instant(last_updated));
    Ok(VersionRow {
        tenant: current.tenant_id,
        id: current.id.clone(),
        version,
        last_updated,
        status: status.to_owned(),
        counted,
        body: resource.to_text(),
    })
}

fn announced(current: &LockedReading, change: &Change, version: i32) -> RevisedReading {
    let offered = match change {
        Change::Content { forwarded, .. } => *forwarded,
        // What is counted was forwarded. It may be that the log of that delivery is gone: whoever would get the reading
        // gets its withdrawal.
        Change::EnteredInError => current.uplink_id.is_some() && current.counted,
    };
    RevisedReading {
        tenant: current.tenant_id,
        id: current.id.clone(),
        version,
        patient: current.patient_id.clone().unwrap_or_default(),
        codings: current.codings(),
        offered,
    }
}
