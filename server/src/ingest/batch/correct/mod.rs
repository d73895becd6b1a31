//! A replay inside its transaction: what the uplinks' bytes say now is compared with what is stored of them, and becomes new
//! versions, new Observations or withdrawals (docs/decisions/0026).
//!
//! The questions, the plan and the writing are those of the group commit. Between plan and writing stands the comparison:
//! a reading that has an Observation of the same uplink corrects that one, whatever identifier its new content would have.

mod judge;
mod pair;
mod store;

use std::collections::HashMap;
use std::sync::Arc;

use db::{ApiTokenId, ReplayId, TenantId, UplinkId};
use diesel_async::AsyncPgConnection;

use self::judge::{Judged, Judging};
use self::store::{HeldBefore, NewCorrection, ReplayedUplink};
use super::plan::{Plan, plan, wearer_questions};
use super::settle::settle;
use super::{duplicates, insert_observations, intern, periods, revise};
use crate::app::App;
use crate::fhir::readings;
use crate::fhir::revise_readings::{Fate, Revision, revise_readings};
use crate::fhir::uplink_readings::{UplinkReading, Wanted, from_other_uplinks, readings_of_uplinks};
use crate::ingest::commit::{Failure, Remedy};
use crate::ingest::held;
use crate::ingest::interpret::ReadingKey;
use crate::ingest::model::{Outcome, Receipt, Submission, Verdict};
use crate::ingest::replays::{Action, Finding};
use crate::ingest::store::{QuarantineRow, insert_quarantine, wearers};
use crate::{error::Error, wiring};

/// An uplink that was decoded again.
pub(in crate::ingest) struct Retaken {
    /// What came out.
    pub(in crate::ingest) submission: Submission,
    /// What the uplink had come to.
    pub(in crate::ingest) outcome: String,
    /// Whether it is in quarantine.
    pub(in crate::ingest) quarantined: bool,
}

/// Who wants it, and why.
pub(in crate::ingest) struct Cause {
    pub(in crate::ingest) replay: ReplayId,
    pub(in crate::ingest) token: ApiTokenId,
    pub(in crate::ingest) reason: String,
}

/// What was found and done.
#[derive(Default)]
pub(in crate::ingest) struct Corrected {
    /// One for each reading that was looked at.
    pub(in crate::ingest) findings: Vec<Finding>,
    /// Uplinks that left the quarantine.
    pub(in crate::ingest) settled: u64,
    /// Observations that were written.
    pub(in crate::ingest) written: u64,
}

/// Compares and corrects the uplinks of one tenant, inside a transaction that the caller ends: a dry run rolls it back.
///
/// # Errors
/// The database's error, or that something changed meanwhile: the caller rolls back and tries again.
pub(in crate::ingest) async fn correct(
    app: &Arc<App>,
    conn: &AsyncPgConnection,
    tenant: TenantId,
    items: &[Retaken],
    cause: &Cause,
) -> Result<Corrected, Failure> {
    let submissions: Vec<&Submission> = items.iter().map(|item| &item.submission).collect();
    let codes = intern(app, &submissions).await?;
    let questions = wearer_questions(&submissions);
    let natural = held::keys(&submissions);
    let mut keys = natural.clone();
    let mut wearers = wearers(conn, &questions).await?;
    let seen = held::look(conn, &submissions, &keys).await?;
    let seen = held::follow_aliases(conn, &submissions, &mut keys, seen).await?;
    periods::count_wearers(conn, &submissions, &mut wearers).await?;
    let mut before = before(conn, tenant, &submissions).await?;
    let mut held_before = held_before(conn, tenant, &submissions).await?;
    let stored_keys = keys.clone();
    let mut answers = submissions.iter().map(|_| None).collect::<Vec<_>>();
    let sights = held::sights(&submissions, keys, seen, &mut wearers, &mut answers);
    let mut plans = plan(app, &submissions, &answers, wearers, sights, &codes)?;
    duplicates::flag(app, conn, &submissions, &mut plans).await?;

    let elsewhere = elsewhere(conn, &submissions, &plans).await?;
    let mut keys = natural.into_iter().zip(stored_keys).zip(codes.concepts.iter().map(|(code, _)| *code));
    let mut judged = Judged::default();
    for (place, (submission, plans)) in submissions.iter().zip(&mut plans).enumerate() {
        let facts: Vec<((ReadingKey, ReadingKey), i64)> = keys.by_ref().take(submission.readings().len()).collect();
        let judging = Judging {
            app,
            submission,
            facts,
            before: before.remove(&submission.received.id).unwrap_or_default(),
            held: held_before.remove(&submission.received.id).unwrap_or_default(),
            elsewhere: elsewhere.get(&place),
        };
        judging.judge(plans, &mut judged)?;
    }
    write(app, conn, tenant, items, plans, judged, cause).await
}

/// Everything that follows.
async fn write(
    app: &Arc<App>,
    conn: &AsyncPgConnection,
    tenant: TenantId,
    items: &[Retaken],
    plans: Vec<Vec<Plan>>,
    judged: Judged,
    cause: &Cause,
) -> Result<Corrected, Failure> {
    let now = app.clock.now();
    let submissions: Vec<&Submission> = items.iter().map(|item| &item.submission).collect();
    let (inserted, known) = insert_observations(app, conn, &plans).await?;
    let (changes, mut revised) = revise::revise(app, conn, &plans, &inserted, &known).await?;
    revised.extend(revise_all(conn, judged.revisions, now).await?);
    let mut answers = submissions.iter().map(|_| None).collect::<Vec<_>>();
    let outcome = settle(&submissions, &mut answers, plans, &inserted, &known, &changes);
    held::write(conn, &outcome.held, &outcome.held_again, &outcome.taken, &mut answers, now).await?;
    let mut findings = judged.findings;
    for (id, mut finding) in judged.created {
        finding.action = if inserted.contains(&id) { Action::Created } else { Action::Same };
        if finding.action == Action::Same {
            finding.observation = None;
        }
        findings.push(finding);
    }
    store::end_held(conn, tenant, &judged.corrected_held, now).await?;
    store::insert_aliases(conn, &judged.aliases, now).await?;
    let receipts: Vec<Receipt> = answers.into_iter().flatten().flatten().collect();
    let settled = write_fates(conn, items, &receipts, now).await?;
    store::insert_corrections(conn, &corrections(tenant, &findings), cause, now).await?;
    wiring::readings_stored(conn, &outcome.stored).await?;
    wiring::readings_revised(conn, &revised).await?;
    let written = u64::try_from(outcome.stored.len() + revised.len()).unwrap_or_default();
    Ok(Corrected { findings, settled, written })
}

async fn revise_all(
    conn: &AsyncPgConnection,
    revisions: Vec<Revision>,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<Vec<wiring::RevisedReading>, Failure> {
    let mut revised = Vec::new();
    for fate in revise_readings(conn, revisions, now).await? {
        match fate {
            Fate::Revised(reading) => revised.push(reading),
            Fate::Unchanged(_) => {}
            Fate::OtherVersion(_) | Fate::Missing => {
                let error = Error::internal(anyhow::anyhow!("a reading changed while its uplink was replayed"));
                return Err(Failure::RolledBack(error, Remedy::TryAgain));
            }
        }
    }
    Ok(revised)
}

/// The uplinks' own rows: what they came to, and the quarantine.
async fn write_fates(
    conn: &AsyncPgConnection,
    items: &[Retaken],
    receipts: &[Receipt],
    now: chrono::DateTime<chrono::Utc>,
) -> Result<u64, Failure> {
    let mut rows = Vec::new();
    let mut quarantined = Vec::new();
    let mut settled = 0;
    for (item, receipt) in items.iter().zip(receipts) {
        let is_open = matches!(receipt.outcome, Outcome::Undecodable | Outcome::Incomplete | Outcome::Quarantined);
        if let Verdict::Undecodable { reason, detail } = &item.submission.verdict {
            let (reason, detail) = (reason.clone(), detail.clone());
            quarantined.push(QuarantineRow { submission: &item.submission, reason, detail });
        }
        settled += u64::from(item.quarantined && !is_open);
        // What says the same as before leaves the uplink what it was.
        let outcome = match receipt.outcome {
            Outcome::Duplicate if item.quarantined => Outcome::Stored.as_str(),
            Outcome::Duplicate => item.outcome.as_str(),
            other => other.as_str(),
        };
        rows.push(ReplayedUplink {
            submission: &item.submission,
            outcome: outcome.to_owned(),
            reason: receipt.reason.as_deref().map(super::stable_part),
            settled: !is_open,
        });
    }
    store::update_uplinks(conn, &rows, now).await?;
    if !quarantined.is_empty() {
        insert_quarantine(conn, &quarantined).await?;
    }
    Ok(settled)
}

fn corrections(tenant: TenantId, findings: &[Finding]) -> Vec<NewCorrection> {
    let written = findings.iter().filter(|finding| {
        matches!(finding.action, Action::Corrected | Action::Withdrawn | Action::Created)
            && finding.observation.is_some()
    });
    written
        .filter_map(|finding| {
            let observation = finding.observation.clone();
            Some(NewCorrection {
                tenant,
                device: finding.device?,
                old: observation.clone().filter(|_| finding.action != Action::Created),
                new: observation.filter(|_| finding.action != Action::Withdrawn),
            })
        })
        .collect()
}

async fn before(
    conn: &AsyncPgConnection,
    tenant: TenantId,
    submissions: &[&Submission],
) -> Result<HashMap<UplinkId, Vec<UplinkReading>>, Failure> {
    let uplinks: Vec<_> = submissions.iter().map(|one| (one.received.id, one.received.received_at)).collect();
    let mut found: HashMap<UplinkId, Vec<UplinkReading>> = HashMap::new();
    for reading in readings_of_uplinks(conn, tenant, &uplinks).await? {
        found.entry(reading.uplink_id).or_default().push(reading);
    }
    Ok(found)
}

async fn held_before(
    conn: &AsyncPgConnection,
    tenant: TenantId,
    submissions: &[&Submission],
) -> Result<HashMap<UplinkId, Vec<HeldBefore>>, Failure> {
    let uplinks: Vec<_> = submissions.iter().map(|one| (one.received.id, one.received.received_at)).collect();
    let mut found: HashMap<UplinkId, Vec<HeldBefore>> = HashMap::new();
    for row in store::held_of_uplinks(conn, tenant, &uplinks).await? {
        found.entry(row.uplink_id).or_default().push(row);
    }
    Ok(found)
}

/// What other uplinks have stored of the same records: by submission and reading, the Observation.
pub(super) type Elsewhere = HashMap<usize, HashMap<usize, String>>;

/// Looks up readings whose identifier is taken by other content, and those of `distinct` records that the same device has
/// an Observation of from another uplink: their identifier holds their content, so it does not tell.
async fn elsewhere(
    conn: &AsyncPgConnection,
    submissions: &[&Submission],
    plans: &[Vec<Plan>],
) -> Result<Elsewhere, Failure> {
    let (mut identifiers, mut wanted, mut places) = (Vec::new(), Vec::new(), Vec::new());
    let mut system = None;
    for (at, (submission, plans)) in submissions.iter().zip(plans).enumerate() {
        for (reading, (plan, found)) in plans.iter().zip(submission.readings()).enumerate() {
            let Plan::Store(planned) = plan else { continue };
            let row = &planned.row;
            system = Some(row.identifier_system);
            let identity = &found.interpreted.identity;
            let grows = row.observed_at.is_some();
            identifiers.push(((at, reading), (row.tenant, row.identifier_value.clone()), row.content_hash, grows));
            if identity.key.is_some() && identity.on_change == plugin_host::OnChange::Distinct {
                places.push((at, reading));
                wanted.push(Wanted {
                    tenant: row.tenant,
                    patient: row.patient_id.clone(),
                    code_id: row.code_id,
                    effective_low: row.effective_low,
                    device: row.device_id.clone(),
                    uplink: row.uplink,
                });
            }
        }
    }
    let mut found = Elsewhere::new();
    let Some(system) = system else { return Ok(found) };
    let asked: Vec<_> = identifiers.iter().map(|(_, identifier, ..)| identifier.clone()).collect();
    let known: HashMap<_, _> = readings::find_readings(conn, system, &asked)
        .await?
        .into_iter()
        .map(|reading| ((reading.tenant_id, reading.identifier_value.clone()), reading))
        .collect();
    for ((at, reading), identifier, hash, grows) in identifiers {
        if let Some(stored) = known.get(&identifier)
            && !grows
            && stored.content_hash.as_deref().is_some_and(|stored| stored != hash)
        {
            found.entry(at).or_default().insert(reading, stored.id.clone());
        }
    }
    for (place, id) in from_other_uplinks(conn, &wanted).await? {
        if let Some((at, reading)) = places.get(place) {
            found.entry(*at).or_default().entry(*reading).or_insert(id);
        }
    }
    Ok(found)
}
