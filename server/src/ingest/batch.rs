//! One transaction of the group commit: who may send, who wore the device, what is new, and every row that follows.
//!
//! The order is: questions (pipelined) → transport keys → Observations authored → Observations inserted, originals of
//! those that were there fetched → everything else (pipelined) → COMMIT. A submission ends in exactly one answer.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::SecondsFormat;
use db::{AssignmentId, HeldReadingId, TenantId};
use fhir_model::observation::Binding;
use futures_util::future::try_join;
use uuid::Uuid;

use super::commit::{Answer, Failure};
use super::interpret::{self, Authored};
use super::model::{Found, HeldReceipt, Outcome, Receipt, Submission, Verdict};
use super::sources;
use super::store::{self, HeldKey, HeldRow, KeyRow, QuarantineRow, Refusal, UplinkFate, Wearer, WearerQuestion};
use crate::app::App;
use crate::error::{Error, Kind};
use crate::fhir::readings::{self, NewReading, StoredReading};
use crate::wiring;

/// What happens to one reading.
enum Plan {
    /// A new Observation, unless its identifier is taken.
    Store(Box<Planned>),
    /// Waits for a person.
    Hold(HeldRow),
    /// Leaves only its uplink, for this reason (a control solution).
    Drop(String),
}

/// A reading that becomes an Observation.
struct Planned {
    row: NewReading,
    codings: Vec<(String, String)>,
    forwarded: bool,
    /// The held row that it becomes when its key is taken by other content.
    conflict: HeldRow,
}

/// Stores a batch in one transaction; answers in the order of the submissions.
pub(super) async fn store(app: &Arc<App>, submissions: &[&Submission]) -> Result<Vec<Answer>, Failure> {
    let codes = intern(app, submissions).await?;
    let mut transaction = app.db.begin_worker().await?;

    let questions = wearer_questions(submissions);
    let (refusals, wearers) = try_join(
        store::refusals(
            &transaction,
            submissions.iter().map(|s| s.source.credential).collect(),
            submissions.iter().map(|s| s.tenant()).collect(),
            submissions.iter().map(|s| s.device).collect(),
        ),
        store::wearers(&transaction, &questions),
    )
    .await?;
    // A source that is turned away must leave no key behind: the same request may come again when it is active.
    let keys = key_rows(submissions, &refusals);
    let taken = store::take_keys(&mut transaction, keys.clone()).await?;
    let conn = &*transaction;

    let mut answers: Vec<Option<Answer>> = early_answers(submissions, &refusals, &taken);
    let mut plans = plan(app, submissions, &answers, wearers, &codes)?;
    let (inserted, known) = insert_observations(app, conn, &mut plans).await?;
    let outcome = settle(submissions, &mut answers, plans, &inserted, &known);

    write_rest(conn, submissions, &answers, &outcome, &keys).await?;
    wiring::readings_stored(conn, &outcome.stored).await?;
    let stored = outcome.stored.len();

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
        Err(error) if is_connection_loss(&error) => Err(Failure::InDoubt(answers)),
        Err(error) => Err(error.into()),
    }
}

fn is_connection_loss(error: &db::DbError) -> bool {
    use diesel::result::{DatabaseErrorKind, Error as DieselError};
    match error {
        db::DbError::Query(DieselError::DatabaseError(kind, information)) => {
            matches!(kind, DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand)
                // An administrator's shutdown (57P01) ends the session as well; nothing else does it at COMMIT.
                || information.message().contains("terminating connection")
        }
        db::DbError::Query(_) => false,
        db::DbError::Unavailable(_) | db::DbError::Roles(_) => true,
    }
}

/// Numbers of the codes, categories and of our identifier system; made outside the transaction and remembered.
struct Codes {
    /// Code and categories of each reading, in order of submissions and readings.
    concepts: Vec<(i64, Vec<i64>)>,
    identifier_system: i64,
}

async fn intern(app: &App, submissions: &[&Submission]) -> Result<Codes, Error> {
    let readings: Vec<&Found> = submissions.iter().flat_map(|submission| submission.readings()).collect();
    let pair = |coding: &fhir_model::vitals::Coding| (coding.system.clone(), coding.code.clone());
    let mut sets = Vec::new();
    for found in &readings {
        let draft = &found.interpreted.draft;
        sets.push(draft.code.codings.iter().map(pair).collect());
        sets.extend(draft.categories.iter().map(|category| vec![pair(category)]));
    }
    let mut ids = app.concepts.ids(&app.db, &sets).await?.into_iter();
    let concepts = readings
        .iter()
        .map(|found| {
            let code = ids.next().unwrap_or_default();
            (code, ids.by_ref().take(found.interpreted.draft.categories.len()).collect())
        })
        .collect();
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
                received_at: submission.received.received_at,
                expires_at: key.expires_at,
            })
        })
        .collect()
}

fn wearer_questions(submissions: &[&Submission]) -> Vec<WearerQuestion> {
    submissions
        .iter()
        .flat_map(|submission| {
            submission.readings().iter().map(|found| WearerQuestion {
                tenant: submission.tenant(),
                device: submission.device,
                slot: found.slot.clone(),
                at: found.interpreted.time.start.to_utc(),
                untrusted: is_untrusted(found),
            })
        })
        .collect()
}

fn is_untrusted(found: &Found) -> bool {
    // `time-from-receipt` is said only where the device's own time was lost or unusable, not where there never was one.
    let doubtful = ["device-time-untrusted", "device-time-in-future", "time-from-receipt"];
    found.interpreted.conditions.iter().any(|condition| doubtful.contains(&condition.as_str()))
}

/// Those that end before anything is stored: refused sources and repeated keys.
fn early_answers(submissions: &[&Submission], refusals: &[Option<Refusal>], taken: &[HeldKey]) -> Vec<Option<Answer>> {
    submissions
        .iter()
        .zip(refusals)
        .map(|(submission, refusal)| match refusal {
            Some(Refusal::Revoked) => Some(Err(sources::unknown())),
            Some(Refusal::Inactive) => Some(Err(sources::deactivated())),
            None => repeated(submission, taken),
        })
        .collect()
}

/// The first answer again, when a key of the submission is held by an earlier uplink.
fn repeated(submission: &Submission, taken: &[HeldKey]) -> Option<Answer> {
    submission.keys.iter().find_map(|key| {
        let held = taken.iter().find(|held| held.source_id == submission.source_id() && held.key == key.key)?;
        let same_body = held.answer.get("bodyHash").and_then(serde_json::Value::as_str) == Some(hex::encode(submission.received.body_hash).as_str());
        if key.chosen && !same_body {
            return Some(Err(Error::new(
                Kind::Conflict,
                "idempotency-key.reused",
                "This Idempotency-Key was used for another body within the last day. A new uplink needs a new key; nothing of this one was kept.",
            )));
        }
        let first = held.answer.get("receipt").cloned().and_then(|receipt| serde_json::from_value::<Receipt>(receipt).ok());
        let mut receipt = first.unwrap_or_else(|| empty_receipt(submission, Outcome::Duplicate, None));
        receipt.uplink = held.uplink_id;
        receipt.outcome = Outcome::Duplicate;
        if !key.chosen {
            receipt.reason = Some("repeated-within-window".to_owned());
        }
        Some(Ok(receipt))
    })
}

/// What happens to each reading of those that go on, by submission.
fn plan(
    app: &App,
    submissions: &[&Submission],
    answers: &[Option<Answer>],
    wearers: Vec<Wearer>,
    codes: &Codes,
) -> Result<Vec<Vec<Plan>>, Error> {
    let mut wearers = wearers.into_iter();
    let mut concepts = codes.concepts.iter();
    let mut plans = Vec::with_capacity(submissions.len());
    for (submission, answer) in submissions.iter().zip(answers) {
        let mut planned = Vec::with_capacity(submission.readings().len());
        for found in submission.readings() {
            // Both lists run along with the readings, also past those that are answered already.
            let (wearer, concept) = (wearers.next(), concepts.next());
            if answer.is_none()
                && let (Some(wearer), Some(concept)) = (wearer, concept)
            {
                planned.push(plan_reading(app, submission, found, &wearer, concept, codes.identifier_system)?);
            }
        }
        plans.push(planned);
    }
    Ok(plans)
}

fn plan_reading(
    app: &App,
    submission: &Submission,
    found: &Found,
    wearer: &Wearer,
    concept: &(i64, Vec<i64>),
    system: i64,
) -> Result<Plan, Error> {
    let reading = &found.interpreted;
    let device = submission.device.to_string();
    let record_key = reading.identity.record_key(&submission.received.id.to_string());
    let held = |reason: &str, detail: String| HeldRow {
        id: HeldReadingId::generate(),
        tenant: submission.tenant(),
        reading_key: interpret::stable_identifier(&device, &record_key, &reading.identity_kind, None),
        uplink: submission.received.id,
        received_at: submission.received.received_at,
        device: submission.device,
        kind: reading.kind.clone(),
        slot: found.slot.clone(),
        measured_at: reading.time.start.to_utc(),
        reason: reason.to_owned(),
        detail,
    };
    if !reading.disposition.stored {
        return Ok(Plan::Drop(
            reading.disposition.conditions.first().cloned().unwrap_or_else(|| "not-stored".to_owned()),
        ));
    }
    let several = is_untrusted(found) && wearer.wearers > 1;
    let (Some(assignment), Some(patient), false) = (wearer.assignment, &wearer.patient, several) else {
        let detail = if several {
            "The device's clock is not to be trusted and several people have worn it: whose reading this is, a person has to say."
        } else {
            "Nobody wore the device (in this slot) when this was measured."
        };
        return Ok(Plan::Hold(held("unassigned", detail.to_owned())));
    };
    if reading.disposition.held {
        let condition = reading.disposition.conditions.first().map_or("held", String::as_str);
        return Ok(Plan::Hold(held(condition, reading.disposition.reason.clone().unwrap_or_default())));
    }
    let identifier =
        interpret::stable_identifier(&device, &record_key, &reading.identity_kind, Some(&assignment.to_string()));
    let conflict = HeldRow {
        reading_key: format!("{identifier}:{}", reading.identity.content_hash),
        ..held("record-changed", "A record with this key was stored before with other content.".to_owned())
    };
    let (id, authored) = author(app, submission, found, patient, &identifier)?;
    Ok(Plan::Store(Box::new(Planned {
        codings: authored.index.codes.iter().map(|coding| (coding.system.clone(), coding.code.clone())).collect(),
        forwarded: authored.disposition.forwarded,
        conflict,
        row: new_reading(submission, found, assignment, patient, concept, system, identifier, id, authored)?,
    })))
}

fn author(
    app: &App,
    submission: &Submission,
    found: &Found,
    patient: &str,
    identifier: &str,
) -> Result<(String, Authored), Error> {
    let id = Uuid::now_v7().to_string();
    let (decoder, version) = submission.decoder.as_ref().map_or(("", ""), |(name, version)| (name, version));
    let source =
        interpret::source_uri(&submission.received.id.0, decoder, version, &hex::encode(submission.received.body_hash));
    let binding = Binding {
        id: &id,
        version: 1,
        last_updated: &submission.received.received_at.to_rfc3339_opts(SecondsFormat::Millis, true),
        source: Some(&source),
        identifier_system: &app.identifier_system(),
        identifier_value: identifier,
        subject: Some(&format!("Patient/{patient}")),
        device: Some(&format!("Device/{}", submission.device)),
        device_display: None,
        has_member: &[],
        derived_from: &[],
    };
    let authored = interpret::author(&found.interpreted, &binding, &[], &app.tables).map_err(Error::internal)?;
    Ok((id, authored))
}

#[expect(clippy::too_many_arguments, reason = "a row has many columns, and each comes from another place")]
fn new_reading(
    submission: &Submission,
    found: &Found,
    assignment: AssignmentId,
    patient: &str,
    (code_id, category_ids): &(i64, Vec<i64>),
    identifier_system: i64,
    identifier_value: String,
    id: String,
    authored: Authored,
) -> Result<NewReading, Error> {
    let mut content_hash = [0u8; 32];
    hex::decode_to_slice(&found.interpreted.identity.content_hash, &mut content_hash).map_err(Error::internal)?;
    let value = authored.index.value;
    Ok(NewReading {
        tenant: submission.tenant(),
        id,
        last_updated: submission.received.received_at,
        identifier_system,
        identifier_value,
        status: authored.index.status,
        code_id: *code_id,
        category_ids: category_ids.clone(),
        patient_id: patient.to_owned(),
        device_id: submission.device.to_string(),
        effective_low: authored.index.effective.low,
        effective_high: authored.index.effective.high,
        value_number: value.as_ref().map(|value| value.value),
        value_unit: value.map(|value| value.unit),
        counted: authored.disposition.counts.lastn,
        uplink: submission.received.id,
        received_at: submission.received.received_at,
        assignment,
        content_hash,
        decoder: submission.decoder.clone().unwrap_or_default(),
        body: authored.json,
    })
}

/// Identifier of a reading within its tenant.
type ReadingKey = (TenantId, String);

/// Inserts what is new; answers the ids that were stored, and the originals of those that were there.
async fn insert_observations(
    app: &App,
    conn: &diesel_async::AsyncPgConnection,
    plans: &mut [Vec<Plan>],
) -> Result<(HashSet<String>, HashMap<ReadingKey, StoredReading>), Failure> {
    let mut rows: Vec<NewReading> = plans
        .iter()
        .flatten()
        .filter_map(|plan| match plan {
            Plan::Store(planned) => Some(planned.row.clone()),
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

/// What the rest of the transaction writes.
#[derive(Default)]
struct Settled {
    stored: Vec<wiring::StoredReading>,
    held: Vec<HeldRow>,
}

/// Turns plans into answers, and collects what follows.
fn settle(
    submissions: &[&Submission],
    answers: &mut [Option<Answer>],
    plans: Vec<Vec<Plan>>,
    inserted: &HashSet<String>,
    known: &HashMap<ReadingKey, StoredReading>,
) -> Settled {
    let mut settled = Settled::default();
    for ((submission, answer), plans) in submissions.iter().zip(answers).zip(plans) {
        if answer.is_none() {
            *answer = Some(Ok(match &submission.verdict {
                Verdict::Readings(_) => settle_readings(submission, plans, inserted, known, &mut settled),
                Verdict::Nothing { reason } => empty_receipt(submission, Outcome::Nothing, Some(reason.clone())),
                Verdict::Incomplete { reason } => empty_receipt(submission, Outcome::Incomplete, Some(reason.clone())),
                Verdict::Undecodable { reason, detail } => {
                    empty_receipt(submission, Outcome::Undecodable, Some(format!("{reason}: {detail}")))
                }
            }));
        }
    }
    settled
}

fn settle_readings(
    submission: &Submission,
    plans: Vec<Plan>,
    inserted: &HashSet<String>,
    known: &HashMap<ReadingKey, StoredReading>,
    settled: &mut Settled,
) -> Receipt {
    let mut receipt = empty_receipt(submission, Outcome::Nothing, None);
    let (mut new, mut hold_first) = (0, None);
    let mut hold = |row: HeldRow, receipt: &mut Receipt, settled: &mut Settled| {
        hold_first.get_or_insert_with(|| row.reason.clone());
        receipt.held.push(HeldReceipt { id: row.id, kind: row.kind.clone(), reason: row.reason.clone() });
        settled.held.push(row);
    };
    for plan in plans {
        match plan {
            Plan::Drop(reason) => receipt.reason = Some(reason),
            Plan::Hold(row) => hold(row, &mut receipt, settled),
            Plan::Store(planned) if inserted.contains(&planned.row.id) => {
                new += 1;
                receipt.observations.push(planned.row.id.clone());
                settled.stored.push(wiring::StoredReading {
                    tenant: planned.row.tenant,
                    id: planned.row.id,
                    version: 1,
                    patient: planned.row.patient_id,
                    codings: planned.codings,
                    forwarded: planned.forwarded,
                });
            }
            Plan::Store(planned) => match known.get(&(planned.row.tenant, planned.row.identifier_value.clone())) {
                Some(original)
                    if original.content_hash.as_deref().is_none_or(|hash| hash == planned.row.content_hash) =>
                {
                    if !receipt.observations.contains(&original.id) {
                        receipt.observations.push(original.id.clone());
                    }
                }
                _ => hold(planned.conflict, &mut receipt, settled),
            },
        }
    }
    receipt.outcome = match hold_first {
        _ if new > 0 => Outcome::Stored,
        Some(reason) if reason == "unassigned" => Outcome::Unassigned,
        Some(_) => Outcome::Held,
        None if !receipt.observations.is_empty() => Outcome::Duplicate,
        None => Outcome::Nothing,
    };
    if receipt.reason.is_none() {
        receipt.reason = receipt.held.first().map(|held| held.reason.clone());
    }
    receipt
}

fn empty_receipt(submission: &Submission, outcome: Outcome, reason: Option<String>) -> Receipt {
    Receipt {
        uplink: submission.received.id,
        outcome,
        observations: Vec::new(),
        held: Vec::new(),
        reason,
        warnings: submission.warnings.clone(),
    }
}

/// Uplinks, quarantine, held readings and the answers under the keys.
async fn write_rest(
    conn: &diesel_async::AsyncPgConnection,
    submissions: &[&Submission],
    answers: &[Option<Answer>],
    settled: &Settled,
    keys: &[KeyRow],
) -> Result<(), Failure> {
    let mut fates = Vec::new();
    let mut quarantined = Vec::new();
    let mut answered: Vec<(KeyRow, serde_json::Value)> = Vec::new();
    for (submission, answer) in submissions.iter().zip(answers) {
        let Some(Ok(receipt)) = answer else { continue };
        let repeated = receipt.uplink != submission.received.id;
        if repeated && submission.keys.iter().any(|key| key.chosen) {
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
    }
    if !quarantined.is_empty() {
        store::insert_quarantine(conn, &quarantined).await?;
    }
    if !settled.held.is_empty() {
        store::insert_held(conn, &settled.held).await?;
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
