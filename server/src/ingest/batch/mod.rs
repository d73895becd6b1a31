//! One transaction of the group commit: who may send, who wore the device, what is new, and every row that follows.
//!
//! The order is: questions (pipelined) → transport keys → Observations authored → Observations inserted, originals of
//! those that were there fetched → everything else (pipelined) → COMMIT. A submission ends in exactly one answer.

mod correct;
mod duplicates;
mod keys;
mod periods;
mod plan;
mod revise;
mod settle;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use fhir_model::vitals::Coding;
use futures_util::future::try_join3;

pub(super) use self::correct::{Cause, Corrected, Retaken, correct};
use self::plan::{Codes, Plan, plan, wearer_questions};
use self::settle::{ReadingKey, early_answers, settle};
use super::commit::{Answer, Failure};
use super::held;
use super::joining;
use super::model::{Outcome, Submission, Verdict};
use super::store::{self, HeldKey, KeyRow, QuarantineRow, Refusal, UplinkFate};
use crate::app::App;
use crate::error::Error;
use crate::fhir::readings::{self, NewReading, StoredReading};
use crate::wiring;

/// Stores a batch in one transaction; answers in the order of the submissions.
pub(super) async fn store(app: &Arc<App>, submissions: &[&Submission]) -> Result<Vec<Answer>, Failure> {
    let codes = intern(app, submissions).await?;
    let (mut transaction, fence) = app.db.begin_fenced_worker().await?;

    let questions = wearer_questions(submissions);
    let mut reading_keys = held::keys(submissions);
    let (mut refusals, mut wearers, seen) = try_join3(
        store::refusals(&transaction, submissions),
        store::wearers(&transaction, &questions),
        held::look(&transaction, submissions, &reading_keys),
    )
    .await?;
    let seen = held::follow_aliases(&transaction, submissions, &mut reading_keys, seen).await?;
    periods::count_wearers(&transaction, submissions, &mut wearers).await?;
    store::refuse_carried(&transaction, submissions, &mut refusals).await?;
    // A source that is turned away must leave no key behind: the same request may come again when it is active.
    let keys = key_rows(submissions, &refusals);
    let taken = store::take_keys(&mut transaction, keys.clone()).await?;
    let conn = &*transaction;

    let mut answers: Vec<Option<Answer>> = early_answers(submissions, &refusals, &taken);
    let sights = held::sights(submissions, reading_keys, seen, &mut wearers, &mut answers);
    joining::take_parts(conn, submissions, &mut answers).await?;
    keys::release_refused(conn, submissions, &answers, &taken).await?;
    let mut plans = plan(app, submissions, &answers, wearers, sights, &codes)?;
    duplicates::flag(app, conn, submissions, &mut plans).await?;
    let (inserted, known) = insert_observations(app, conn, &plans).await?;
    let (changes, revised) = revise::revise(app, conn, &plans, &inserted, &known).await?;
    let outcome = settle(submissions, &mut answers, plans, &inserted, &known, &changes);

    let (waiting, again, settled) = (&outcome.held, &outcome.held_again, &outcome.taken);
    held::write(conn, waiting, again, settled, &mut answers, app.clock.now()).await?;
    write_rest(app, conn, submissions, &answers, &keys, &taken).await?;
    joining::settle_parts(app, conn, submissions, &answers).await?;
    wiring::readings_stored(conn, &outcome.stored).await?;
    wiring::readings_revised(conn, &revised).await?;
    let stored = outcome.stored.len() + revised.len();

    let answers: Vec<Answer> = answers
        .into_iter()
        .map(|answer| {
            answer.unwrap_or_else(|| Err(Error::internal(anyhow::anyhow!("an uplink of a batch was not settled"))))
        })
        .collect();
    match transaction.commit().await {
        Ok(()) => {
            app.metrics.observations.inc_by(u64::try_from(stored).unwrap_or_default());
            if stored > 0 {
                wiring::readings_committed(app);
            }
            Ok(answers)
        }
        Err(error) => Err(Failure::in_doubt(fence, answers, error)),
    }
}

async fn intern(app: &App, submissions: &[&Submission]) -> Result<Codes, Error> {
    // A batch has a handful of kinds: comparing their codings is cheaper than hashing those of each reading.
    let mut distinct: Vec<(&[Coding], &[Coding])> = Vec::new();
    let mut places = Vec::new();
    for found in submissions.iter().flat_map(|submission| submission.readings()) {
        let draft = &found.interpreted.draft;
        let parts = (&draft.code.codings[..], &draft.categories[..]);
        let place = distinct.iter().position(|known| *known == parts).unwrap_or_else(|| {
            distinct.push(parts);
            distinct.len() - 1
        });
        places.push(place);
    }
    let pair = |coding: &Coding| (coding.system.clone(), coding.code.clone());
    let mut sets = Vec::new();
    for (code, categories) in &distinct {
        sets.push(code.iter().map(pair).collect());
        sets.extend(categories.iter().map(|category| vec![pair(category)]));
    }
    let mut ids = app.concepts.ids(&app.db, &sets).await?.into_iter();
    let numbered: Vec<(i64, Vec<i64>)> = distinct
        .iter()
        .map(|(_, categories)| (ids.next().unwrap_or_default(), ids.by_ref().take(categories.len()).collect()))
        .collect();
    let concepts = places.into_iter().filter_map(|place| numbered.get(place).cloned()).collect();
    let system = app.identifier_system();
    let systems = app.identifier_systems.ids(&app.db, std::slice::from_ref(&system)).await?;
    let identifier_system = systems
        .get(&system)
        .copied()
        .ok_or_else(|| Error::internal(anyhow::anyhow!("the identifier system has no number")))?;
    Ok(Codes { concepts, identifier_system })
}

fn key_rows(submissions: &[&Submission], refusals: &[Option<Refusal>]) -> Vec<KeyRow> {
    submissions
        .iter()
        .zip(refusals)
        .filter(|(_, refusal)| refusal.is_none())
        .flat_map(|(submission, _)| {
            submission.keys.iter().map(|key| KeyRow {
                tenant: submission.tenant(),
                source: submission.source_id(),
                key: key.key,
                uplink: submission.received.id,
                received_at: key.sent_at,
                expires_at: key.expires_at,
            })
        })
        .collect()
}

/// Inserts what is new; answers the ids that were stored, and the originals of those that were there.
async fn insert_observations(
    app: &App,
    conn: &diesel_async::AsyncPgConnection,
    plans: &[Vec<Plan>],
) -> Result<(HashSet<String>, HashMap<ReadingKey, StoredReading>), Failure> {
    let mut rows: Vec<&NewReading> = plans
        .iter()
        .flatten()
        .filter_map(|plan| match plan {
            Plan::Store(planned) => Some(&planned.row),
            _ => None,
        })
        .collect();
    if rows.is_empty() {
        return Ok((HashSet::new(), HashMap::new()));
    }
    // One order in every process, and each identifier once: of two equal readings in one batch the first is stored.
    rows.sort_by(|a, b| (a.tenant, &a.identifier_value, &a.id).cmp(&(b.tenant, &b.identifier_value, &b.id)));
    rows.dedup_by(|later, first| later.tenant == first.tenant && later.identifier_value == first.identifier_value);
    let inserted: HashSet<String> = readings::insert_readings(conn, &rows).await?.into_iter().collect();

    let absent: Vec<ReadingKey> = plans
        .iter()
        .flatten()
        .filter_map(|plan| match plan {
            Plan::Store(planned) if !inserted.contains(&planned.row.id) => {
                Some((planned.row.tenant, planned.row.identifier_value.clone()))
            }
            _ => None,
        })
        .collect();
    let mut known = HashMap::new();
    if !absent.is_empty() {
        let system = rows.first().map(|row| row.identifier_system).unwrap_or_default();
        for stored in readings::find_readings(conn, system, &absent).await? {
            known.insert((stored.tenant_id, stored.identifier_value.clone()), stored);
        }
        tracing::debug!(readings = absent.len(), installation = %app.installation, "readings were stored before");
    }
    Ok((inserted, known))
}

/// Uplinks, quarantine and the answers under the keys.
async fn write_rest(
    app: &App,
    conn: &diesel_async::AsyncPgConnection,
    submissions: &[&Submission],
    answers: &[Option<Answer>],
    keys: &[KeyRow],
    taken: &[HeldKey],
) -> Result<(), Failure> {
    let mut fates = Vec::new();
    let mut quarantined = Vec::new();
    let mut answered: Vec<(KeyRow, serde_json::Value)> = Vec::new();
    for (submission, answer) in submissions.iter().zip(answers) {
        let Some(Ok(receipt)) = answer else { continue };
        let repeated = receipt.uplink != submission.received.id;
        if repeated && keys::is_same_request(submission, taken) {
            // The client said itself that this is the same request: nothing new happened.
            continue;
        }
        let fate = UplinkFate {
            submission,
            outcome: receipt.outcome.as_str(),
            reason: receipt.reason.as_deref().map(stable_part),
        };
        if let Verdict::Undecodable { reason, detail } = &submission.verdict
            && !repeated
        {
            quarantined.push(QuarantineRow { submission, reason: reason.clone(), detail: detail.clone() });
        }
        if submission.replay {
            let settled = !matches!(receipt.outcome, Outcome::Undecodable | Outcome::Quarantined);
            store::update_replayed(conn, &fate, settled).await?;
        } else {
            fates.push(fate);
        }
        let answer = serde_json::json!({ "receipt": receipt, "bodyHash": hex::encode(submission.received.body_hash) });
        answered.extend(
            keys.iter().filter(|key| key.uplink == submission.received.id).map(|key| (key.clone(), answer.clone())),
        );
    }
    if !fates.is_empty() {
        store::insert_uplinks(conn, &fates).await?;
        store::insert_bodies(conn, &app.data_keys, &fates).await?;
    }
    if !quarantined.is_empty() {
        store::insert_quarantine(conn, &quarantined).await?;
    }
    if !answered.is_empty() {
        let (rows, answers): (Vec<KeyRow>, Vec<serde_json::Value>) = answered.into_iter().unzip();
        store::answer_keys(conn, &rows, answers).await?;
    }
    Ok(())
}

/// The stable word in front of a reason's sentence: the sentence stands in the quarantine.
fn stable_part(reason: &str) -> String {
    reason.split(':').next().unwrap_or(reason).to_owned()
}
