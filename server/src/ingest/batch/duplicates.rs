//! The same measurement by two routes: a phone app and a hub, or two enrolments of one thing. The record keys differ, so
//! both are stored; the second is flagged (`probable-duplicate` of the dispositions), names the first, and neither counts
//! nor travels. A person can undo it: an update that takes the extension away makes it a reading like any other.
//!
//! Only readings of devices whose wearer has another device too (`DeviceSnapshot::has_rivals`) are looked up, all of a
//! batch in one statement.

use std::collections::HashMap;

use diesel_async::AsyncPgConnection;
use fhir_model::observation::ExtensionValue;

use super::plan::{Plan, Planned, author_as};
use crate::app::App;
use crate::error::Error;
use crate::fhir::readings::{NewReading, find_readings};
use crate::fhir::same_measurement::{are_near, candidates, have_same_values, lock_patients};
use crate::ingest::commit::Failure;
use crate::ingest::model::Submission;

/// The condition, and the row of the table that says what becomes of it.
const CONDITION: &str = "probable-duplicate";

/// Where a plan stands: submission and reading.
type At = (usize, usize);

/// Flags the readings of a batch that are probably known by another route.
pub(super) async fn flag(
    app: &App,
    conn: &AsyncPgConnection,
    submissions: &[&Submission],
    plans: &mut [Vec<Plan>],
) -> Result<(), Failure> {
    let Some(within) = app.tables.dispositions.row(CONDITION).and_then(|row| row.within_seconds) else {
        return Ok(());
    };
    let looked: Vec<(At, &Planned)> = looked_up(submissions, plans);
    if looked.is_empty() {
        return Ok(());
    }
    let rows: Vec<&NewReading> = looked.iter().map(|(_, planned)| &planned.row).collect();
    let patients: Vec<_> = rows.iter().map(|row| (row.tenant, row.patient_id.as_str())).collect();
    lock_patients(conn, &patients).await?;
    let mut found: HashMap<usize, String> = HashMap::new();
    for candidate in candidates(conn, &rows, within).await? {
        let position = usize::try_from(candidate.position - 1).unwrap_or(usize::MAX);
        if let Some(row) = rows.get(position)
            && !found.contains_key(&position)
            && have_same_values(&row.body, &candidate.body)
        {
            found.insert(position, candidate.id);
        }
    }
    within_batch(conn, &rows, within, &mut found).await?;
    let flagged: Vec<(At, String)> =
        found.into_iter().filter_map(|(position, other)| Some((looked.get(position)?.0, other))).collect();
    for ((submission, reading), other) in flagged {
        let (Some(submission), Some(Plan::Store(planned))) =
            (submissions.get(submission), plans.get_mut(submission).and_then(|plans| plans.get_mut(reading)))
        else {
            continue;
        };
        rewrite(app, submission, reading, planned, &other)?;
    }
    Ok(())
}

/// The readings that may have come by another route: whole results of devices whose wearer has another. What a person
/// releases or claims was looked at already.
fn looked_up<'a>(submissions: &[&Submission], plans: &'a [Vec<Plan>]) -> Vec<(At, &'a Planned)> {
    let mut looked = Vec::new();
    for (at, (submission, plans)) in submissions.iter().zip(plans).enumerate() {
        for (place, plan) in plans.iter().enumerate().filter(|_| submission.has_rivals && submission.order.is_none()) {
            if let Plan::Store(planned) = plan
                && planned.row.counted
            {
                looked.push(((at, place), &**planned));
            }
        }
    }
    looked
}

/// Two routes that arrive in the same batch: the later one is flagged. The first may itself be known already.
async fn within_batch(
    conn: &AsyncPgConnection,
    rows: &[&NewReading],
    within: u32,
    found: &mut HashMap<usize, String>,
) -> Result<(), Failure> {
    let mut pairs: Vec<(usize, &NewReading)> = Vec::new();
    for (position, row) in rows.iter().enumerate().skip(1) {
        let mut earlier = rows.iter().enumerate().take(position);
        let first = earlier.find(|(other, first)| {
            !found.contains_key(other)
                && !pairs.iter().any(|(flagged, _)| flagged == other)
                && are_near(first, row, within)
                && have_same_values(&first.body, &row.body)
        });
        if let Some((_, first)) = first
            && !found.contains_key(&position)
        {
            pairs.push((position, first));
        }
    }
    if pairs.is_empty() {
        return Ok(());
    }
    let system = pairs.first().map(|(_, row)| row.identifier_system).unwrap_or_default();
    let wanted: Vec<_> = pairs.iter().map(|(_, row)| (row.tenant, row.identifier_value.clone())).collect();
    let stored: HashMap<_, _> = find_readings(conn, system, &wanted)
        .await?
        .into_iter()
        .map(|known| ((known.tenant_id, known.identifier_value), known.id))
        .collect();
    for (position, first) in pairs {
        let known = stored.get(&(first.tenant, first.identifier_value.clone()));
        found.insert(position, known.unwrap_or(&first.id).clone());
    }
    Ok(())
}

/// Writes the reading again with the flag.
fn rewrite(
    app: &App,
    submission: &Submission,
    reading: usize,
    planned: &mut Planned,
    other: &str,
) -> Result<(), Error> {
    let Some(found) = submission.readings().get(reading) else { return Ok(()) };
    let mut interpreted = found.interpreted.clone();
    let reference = ExtensionValue::Reference(format!("Observation/{other}"));
    interpreted.draft.extensions.push(("probable-duplicate-of", reference));
    let row = &mut planned.row;
    let authored =
        author_as(app, submission, &interpreted, (&row.id, &row.patient_id, &row.identifier_value), &[CONDITION])?;
    row.status = authored.index.status;
    row.counted = authored.disposition.counts.lastn;
    row.body = authored.json;
    planned.forwarded = authored.disposition.forwarded;
    Ok(())
}
