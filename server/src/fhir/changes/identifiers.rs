//! Which of an Observation's identifiers stands in its row, under the unique index, when it is updated; and what an
//! update of a device's reading must not touch.

use diesel_async::AsyncPgConnection;
use fhir_model::observation::EXTENSION_BASE;
use fhir_model::outcome::IssueCode;
use fhir_model::parse::{Limits, Resource};
use serde_json::Value;

use super::resolve::{Plan, Step};
use super::{Change, Place};
use crate::error::{Error, Kind};
use crate::fhir::identifier_systems;
use crate::fhir::model::ResourceType;
use crate::fhir::observation_columns::ObservationColumns;
use crate::fhir::store::{self, Standing};

/// Of an Observation that is updated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identifiers {
    /// The one in the row, as (system, value).
    pub(super) unique: Option<(String, String)>,
    /// Whether it may still be counted: what was not counted as a reading does not become so by an update.
    pub(super) may_count: bool,
    /// Whether endpoints that had no version yet get the new one: it is a reading, and was one to be forwarded.
    pub(super) offered: bool,
}

/// Completes the plans that update Observations.
///
/// # Errors
/// 422 for an update that takes a reading's identifier away or gives the reading to somebody else.
pub(super) async fn settle(
    conn: &mut AsyncPgConnection,
    place: Place<'_>,
    plans: &mut [Plan<'_>],
) -> Result<(), Error> {
    let own = place.base.own.each_ref().map(String::as_str);
    let updates: Vec<&mut Plan<'_>> = plans
        .iter_mut()
        .filter(|plan| {
            plan.change.resource_type == ResourceType::Observation && matches!(plan.step, Step::Update { .. })
        })
        .collect();
    if updates.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = updates.iter().map(|plan| plan.id.clone()).collect();
    let standing = store::standing(conn, place.tenant, &ids).await?;
    let columns: Vec<ObservationColumns> =
        updates.iter().map(|plan| ObservationColumns::of(&plan.resource, &own)).collect();
    let mut uris: Vec<String> =
        columns.iter().flat_map(|columns| columns.identifiers.iter().map(|(system, _)| system.clone())).collect();
    uris.sort_unstable();
    uris.dedup();
    let systems = identifier_systems::find(conn, &uris).await?;
    let firsts: Vec<(String, String)> =
        columns.iter().map(|columns| columns.identifiers.first().cloned().unwrap_or_default()).collect();
    let taken = store::identified(conn, place.tenant, ResourceType::Observation, &firsts).await?;
    for (at, (plan, columns)) in updates.into_iter().zip(&columns).enumerate() {
        let Some(standing) = standing.iter().find(|standing| standing.id == plan.id) else { continue };
        let kept = columns.identifiers.iter().find(|(system, value)| {
            standing.identifier_value.as_deref() == Some(value)
                && systems.get(system).copied() == standing.identifier_system
        });
        if standing.uplink_id.is_some() {
            refuse_for_readings(plan.change, standing, columns, kept.is_some())?;
        }
        let is_taken = taken.iter().any(|(position, id)| *position == at && *id != plan.id);
        let unique = kept.or_else(|| columns.identifiers.first().filter(|_| !is_taken)).cloned();
        if let Step::Update { identifiers, current } = &mut plan.step {
            let is_reading = standing.uplink_id.is_some();
            // The one way back: a person says that it is no duplicate.
            let counted = standing.counted || is_cleared(&current.body, &plan.resource);
            *identifiers =
                Some(Identifiers { unique, may_count: !is_reading || counted, offered: is_reading && counted });
        }
    }
    Ok(())
}

/// Whether an update takes the mark of a probable duplicate away.
fn is_cleared(before: &str, after: &Resource) -> bool {
    let url = format!("{EXTENSION_BASE}probable-duplicate-of");
    let is_mark = |extension: &Value| extension.get("url").and_then(Value::as_str) == Some(url.as_str());
    let marked = |resource: &Resource| {
        resource.get("extension").and_then(Value::as_array).is_some_and(|all| all.iter().any(is_mark))
    };
    before.contains(&url)
        && Resource::from_slice(before.as_bytes(), &Limits::default()).is_ok_and(|before| marked(&before))
        && !marked(after)
}

fn refuse_for_readings(
    change: &Change,
    standing: &Standing,
    columns: &ObservationColumns,
    keeps_identifier: bool,
) -> Result<(), Error> {
    if standing.patient_id.as_deref() != columns.patient() {
        let text = "A device's reading does not change its patient by an update: mark it entered-in-error, and create another Observation for the right patient.";
        return Err(change.error(Kind::Unprocessable, IssueCode::BusinessRule, "Observation.subject", text));
    }
    if !keeps_identifier {
        let text = "A device's reading keeps the identifier that this server gave it: it is what tells a repeated reading from a new one.";
        return Err(change.error(Kind::Unprocessable, IssueCode::BusinessRule, "Observation.identifier", text));
    }
    Ok(())
}
