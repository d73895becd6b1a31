//! Readings that are about the wrong person: each is withdrawn (`entered-in-error`) and becomes a new resource of the right
//! one, inside a running transaction. The texts differ in what a person changes and nothing else: numbers keep every digit.
//!
//! The two do not point at each other: a resource of one person must not lead to another's record, here or at the EHR. Who
//! became what stands in the record of corrections.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use db::{AssignmentId, TenantId};
use diesel::QueryResult;
use diesel::result::Error as DieselError;
use diesel_async::AsyncPgConnection;
use fhir_model::parse::{Limits, Resource};
use serde_json::Value;
use uuid::Uuid;

use super::model::instant;
use super::readings::find_readings;
use super::revise_readings::{Change, ENTERED_IN_ERROR, Fate, Revision, revise_readings};
use super::store::moves::{Copy, Movable, insert_copies};
use crate::wiring::{RevisedReading, StoredReading};

pub(crate) use super::store::moves::movable;

/// An Observation with its right person.
#[derive(Debug, Clone)]
pub(crate) struct Moving {
    /// The Observation as it is.
    pub(crate) from: Movable,
    /// The stable identifier of the new one.
    pub(crate) identifier: String,
    /// The right person's FHIR id.
    pub(crate) patient: String,
    /// The assignment that says so.
    pub(crate) assignment: AssignmentId,
}

/// What was done.
#[derive(Debug, Default)]
pub(crate) struct Moved {
    /// New Observations, for `wiring::readings_stored`.
    pub(crate) stored: Vec<StoredReading>,
    /// Withdrawn ones, for `wiring::readings_revised`.
    pub(crate) revised: Vec<RevisedReading>,
    /// Which became which.
    pub(crate) pairs: Vec<(String, String)>,
}

/// Withdraws and makes anew. One that is withdrawn already, or is the right person's, is left alone.
///
/// # Errors
/// The database's error; a `SerializationError` when one changed while it was being moved: the transaction has to be rolled
/// back and the chunk tried again.
pub(crate) async fn reassign_readings(
    conn: &AsyncPgConnection,
    tenant: TenantId,
    system: &str,
    moving: Vec<Moving>,
    now: DateTime<Utc>,
) -> QueryResult<Moved> {
    let mut moved = Moved::default();
    let mut copies = Vec::with_capacity(moving.len());
    let mut announced = HashMap::new();
    let moving: Vec<Moving> = moving
        .into_iter()
        .filter(|one| one.from.status != ENTERED_IN_ERROR && one.from.patient_id.as_ref() != Some(&one.patient))
        .collect();
    let Some(number) = moving.first().map(|one| one.from.identifier_system) else { return Ok(moved) };
    for one in &moving {
        let (copy, codings) = match copy(one, system, now) {
            Ok(copied) => copied,
            Err(error) => {
                tracing::warn!(%error, tenant.id = %tenant, observation.id = one.from.id, "a reading cannot be moved to another person");
                continue;
            }
        };
        let stored = StoredReading {
            tenant,
            id: copy.id.clone(),
            version: 1,
            patient: one.patient.clone(),
            codings,
            forwarded: one.from.counted,
        };
        announced.insert(copy.id.clone(), stored);
        copies.push(copy);
    }
    // New ones first, then versions of old ones: the order of every transaction that writes readings.
    let inserted = insert_copies(conn, tenant, &copies, now).await?;
    moved.stored = inserted.iter().filter_map(|id| announced.remove(id)).collect();
    // Whoever could not be copied is not withdrawn either: it would be nobody's then.
    let copied: HashSet<&str> = copies.iter().map(|copy| copy.old.as_str()).collect();
    let revisions = moving.iter().filter(|one| copied.contains(one.from.id.as_str())).map(|one| Revision {
        tenant,
        id: one.from.id.clone(),
        expected_version: Some(one.from.version),
        change: Change::EnteredInError,
    });
    for fate in revise_readings(conn, revisions.collect(), now).await? {
        match fate {
            Fate::Revised(reading) => moved.revised.push(reading),
            Fate::Unchanged(_) => {}
            Fate::OtherVersion(_) | Fate::Missing => {
                return Err(DieselError::SerializationError("a reading changed while it was moved".into()));
            }
        }
    }
    // The device may have sent it again meanwhile: then it is there already, under the right person.
    let wanted: Vec<_> = copies.iter().map(|copy| (tenant, copy.identifier_value.clone())).collect();
    let there: HashMap<String, String> = find_readings(conn, number, &wanted)
        .await?
        .into_iter()
        .map(|reading| (reading.identifier_value, reading.id))
        .collect();
    moved.pairs =
        copies.into_iter().filter_map(|copy| Some((copy.old, there.get(&copy.identifier_value)?.clone()))).collect();
    Ok(moved)
}

/// The text for the right person, and its codes.
fn copy(one: &Moving, system: &str, now: DateTime<Utc>) -> anyhow::Result<(Copy, Vec<(String, String)>)> {
    let id = Uuid::now_v7().to_string();
    // The first version of its resource: it has not been amended.
    let status = match one.from.status.as_str() {
        "amended" | "corrected" => "final",
        other => other,
    };
    let mut text = Resource::from_slice(one.from.body.as_bytes(), &Limits::default())?.into_value();
    let fields = text.as_object_mut().ok_or_else(|| anyhow::anyhow!("not an object"))?;
    fields.insert("status".to_owned(), status.into());
    let subject = fields.get_mut("subject").and_then(Value::as_object_mut);
    let subject = subject.ok_or_else(|| anyhow::anyhow!("a reading without subject"))?;
    subject.clear();
    subject.insert("reference".to_owned(), format!("Patient/{}", one.patient).into());
    let identifiers = fields.get_mut("identifier").and_then(Value::as_array_mut);
    let ours = identifiers
        .and_then(|all| all.iter_mut().find(|one| one.get("system").and_then(Value::as_str) == Some(system)))
        .and_then(Value::as_object_mut)
        .ok_or_else(|| anyhow::anyhow!("a reading without its stable identifier"))?;
    ours.insert("value".to_owned(), one.identifier.as_str().into());
    let codings = codings(fields.get("code"));
    let mut resource = Resource::from_value(text)?;
    resource.stamp(&id, "1", &instant(now));
    let copy = Copy {
        old: one.from.id.clone(),
        id,
        identifier_value: one.identifier.clone(),
        patient: one.patient.clone(),
        assignment: one.assignment,
        status: status.to_owned(),
        body: resource.to_text(),
    };
    Ok((copy, codings))
}

fn codings(code: Option<&Value>) -> Vec<(String, String)> {
    let text = |coding: &Value, name: &str| coding.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let codings = code.and_then(|code| code.get("coding")).and_then(Value::as_array);
    codings.into_iter().flatten().map(|coding| (text(coding, "system"), text(coding, "code"))).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

    use super::*;

    #[test]
    fn only_the_person_changes_and_every_digit_stays() {
        let body = r#"{"resourceType":"Observation","id":"o1","meta":{"versionId":"3","lastUpdated":"2026-01-01T00:00:00.000Z","source":"urn:uuid:u#x"},"identifier":[{"system":"urn:uuid:i","value":"aa"},{"system":"other","value":"aa"}],"status":"amended","code":{"coding":[{"system":"http://loinc.org","code":"29463-7"}]},"subject":{"reference":"Patient/wrong","display":"Wrong"},"valueQuantity":{"value":97.50,"unit":"kg"}}"#;
        let from = Movable {
            id: "o1".to_owned(),
            version: 3,
            status: "amended".to_owned(),
            identifier_value: "aa".to_owned(),
            identifier_system: 2,
            assignment_id: AssignmentId::generate(),
            patient_id: Some("wrong".to_owned()),
            counted: true,
            body: body.to_owned(),
        };
        let moving = Moving {
            from,
            identifier: "bb".to_owned(),
            patient: "right".to_owned(),
            assignment: AssignmentId::generate(),
        };
        let now = "2026-11-22T12:00:00Z".parse().unwrap();
        let (copy, codings) = copy(&moving, "urn:uuid:i", now).unwrap();
        let expected = format!(
            r#"{{"resourceType":"Observation","id":"{}","meta":{{"versionId":"1","lastUpdated":"2026-11-22T12:00:00.000Z","source":"urn:uuid:u#x"}},"identifier":[{{"system":"urn:uuid:i","value":"bb"}},{{"system":"other","value":"aa"}}],"status":"final","code":{{"coding":[{{"system":"http://loinc.org","code":"29463-7"}}]}},"subject":{{"reference":"Patient/right"}},"valueQuantity":{{"value":97.50,"unit":"kg"}}}}"#,
            copy.id
        );
        assert_eq!(copy.body, expected);
        assert_eq!(codings, [("http://loinc.org".to_owned(), "29463-7".to_owned())]);
    }
}
