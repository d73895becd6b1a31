//! Claims, releases and takings: a person's decision goes through the same transaction as a device's payload.
//!
//! The bytes are read again before the transaction; inside, the held row is locked, the wearer is found as always (what a
//! person says wins where nobody is recorded), and the Observation, its deliveries, the row's end and the entry in the
//! record of corrections are written together.

use std::sync::Arc;

use db::{ApiTokenId, HeldReadingId, TenantId, TenantScope};

use super::model::{Action, Order};
use super::store::HeldItem;
use super::{again, store};
use crate::app::App;
use crate::error::{Error, Kind};
use crate::fhir;
use crate::ingest::batch;
use crate::ingest::commit::{Answer, Failure};
use crate::ingest::model::{Receipt, Submission};

/// Readings that share a transaction.
const CHUNK: usize = 50;

/// Who decides, and why.
#[derive(Debug, Clone)]
pub(super) struct Decision {
    /// What.
    pub(super) action: Action,
    /// Who.
    pub(super) token: ApiTokenId,
    /// Why.
    pub(super) reason: String,
}

/// Decides about one reading.
///
/// # Errors
/// 404; 409 when it is settled already, when somebody else wore the device then, when the bytes cannot be read as they
/// were, or when something else still holds it; 410 when the bytes are gone.
pub(super) async fn one(app: &Arc<App>, item: &HeldItem, decision: &Decision) -> Result<(), Error> {
    let submission = prepare(app, item, decision).await?;
    let answers = commit(app, &[&submission]).await?;
    match answers.into_iter().next() {
        Some(answer) => judge(item, answer),
        None => Err(Error::internal(anyhow::anyhow!("a decision was not answered"))),
    }
}

/// Decides about several readings of one tenant; each has an answer of its own.
pub(super) async fn several(
    app: &Arc<App>,
    items: &[HeldItem],
    decision: &Decision,
) -> Vec<(HeldReadingId, Result<(), Error>)> {
    let mut results = Vec::with_capacity(items.len());
    for chunk in items.chunks(CHUNK) {
        let mut prepared = Vec::with_capacity(chunk.len());
        for item in chunk {
            match prepare(app, item, decision).await {
                Ok(submission) => prepared.push((item, submission)),
                Err(error) => results.push((item.id, Err(error))),
            }
        }
        let submissions: Vec<&Submission> = prepared.iter().map(|(_, submission)| submission).collect();
        match commit(app, &submissions).await {
            Ok(answers) => {
                let judged = prepared.iter().zip(answers);
                results.extend(judged.map(|((item, _), answer)| (item.id, judge(item, answer))));
            }
            // One of them may be the cause: each by itself.
            Err(_rolled_back) => {
                for (item, submission) in &prepared {
                    let answer = commit(app, &[submission]).await.map(|answers| answers.into_iter().next());
                    let result = answer.and_then(|answer| answer.map_or(Ok(()), |answer| judge(item, answer)));
                    results.push((item.id, result));
                }
            }
        }
    }
    results
}

/// Whether a patient is one of the tenant's.
///
/// # Errors
/// 422 when there is no such patient.
pub(super) async fn check_patient(app: &App, tenant: TenantId, text: &str) -> Result<String, Error> {
    let id = text.strip_prefix("Patient/").unwrap_or(text);
    let wrong = || Error::field("/patient", "the tenant of this reading has no such patient");
    if !fhir_model::reference::is_id(id) {
        return Err(wrong());
    }
    let mut transaction = TenantScope::one(tenant).begin(&app.db).await?;
    let exists = fhir::store::patient_exists(&mut transaction, tenant, id).await?;
    transaction.commit().await?;
    if exists { Ok(id.to_owned()) } else { Err(wrong()) }
}

/// Takes in the open unassigned readings that an assignment of this patient covers by now. What is still doubtful stays open.
///
/// # Errors
/// The database's error.
pub(crate) async fn take_in(
    app: &Arc<App>,
    tenant: TenantId,
    patient: &str,
    (device, from, until): (db::DeviceId, chrono::DateTime<chrono::Utc>, Option<chrono::DateTime<chrono::Utc>>),
    token: ApiTokenId,
    reason: &str,
) -> Result<usize, Error> {
    let decision = Decision { action: Action::Take, token, reason: reason.to_owned() };
    let scope = TenantScope::one(tenant);
    let (mut after, mut taken) = (HeldReadingId(uuid::Uuid::nil()), 0);
    loop {
        let mut transaction = scope.begin(&app.db).await?;
        let limit = i64::try_from(CHUNK).unwrap_or(i64::MAX);
        let items = store::open_unassigned(&mut transaction, tenant, device, (from, until), after, limit).await?;
        transaction.commit().await?;
        let Some(last) = items.last() else { return Ok(taken) };
        after = last.id;
        let wearable: Vec<HeldItem> =
            items.into_iter().filter(|item| item.suggested_patient.as_deref() == Some(patient)).collect();
        taken += several(app, &wearable, &decision).await.iter().filter(|(_, result)| result.is_ok()).count();
    }
}

async fn prepare(app: &Arc<App>, item: &HeldItem, decision: &Decision) -> Result<Submission, Error> {
    if item.state != "open" {
        return Err(super::model::settled_already(&item.state));
    }
    let kept = again::load(app, item).await?;
    let mut submission = again::read(app, item, kept).await?;
    if decision.action == Action::Release {
        release(app, &mut submission)?;
    }
    submission.order = Some(Order {
        held: item.id,
        action: decision.action.clone(),
        token: decision.token,
        reason: decision.reason.clone(),
    });
    Ok(submission)
}

/// What held the reading counts no longer.
fn release(app: &App, submission: &mut Submission) -> Result<(), Error> {
    let crate::ingest::model::Verdict::Readings(readings) = &mut submission.verdict else { return Ok(()) };
    for found in readings {
        let reading = &mut found.interpreted;
        let conditions = reading.conditions.iter().map(String::as_str);
        reading.disposition = app.tables.dispositions.release(reading.counts, conditions).map_err(|row| {
            Error::conflict(
                "held-reading.not-releasable",
                format!("This cannot be released: {} ({}) There is no number that could be shown; discard it, or mend what reads it and send it again.", row.condition, row.reason),
            )
        })?;
    }
    Ok(())
}

async fn commit(app: &Arc<App>, submissions: &[&Submission]) -> Result<Vec<Answer>, Error> {
    if submissions.is_empty() {
        return Ok(Vec::new());
    }
    match batch::store(app, submissions).await {
        Ok(answers) => Ok(answers),
        Err(Failure::RolledBack(error, _)) => Err(error),
        Err(Failure::InDoubt { .. } | Failure::Silent) => Err(Error::new(
            Kind::Unavailable(2),
            "database.in-doubt",
            "The database went away while this was stored. GET the reading to see whether it was; doing it again is safe.",
        )),
    }
}

/// An order is done when its reading is an Observation.
fn judge(item: &HeldItem, answer: Answer) -> Result<(), Error> {
    let Receipt { observations, held, .. } = answer?;
    if !observations.is_empty() {
        return Ok(());
    }
    let reason = held.first().map_or("held", |held| held.reason.as_str());
    let text = match reason {
        "unassigned" => {
            "Whose reading this is, is still not known: nobody is recorded as wearing the device then. Claim it for a patient."
        }
        "record-changed" => {
            "Another content of this record is stored already. Whose it is was noted; release it to make it the new version, or discard it."
        }
        _ => {
            "Whose it is was noted, and it is held for another reason now (see `reason` and `detail`): release it if it is right, or discard it."
        }
    };
    tracing::debug!(held.id = %item.id, reason, "a decision did not make an Observation");
    Err(Error::conflict("held-reading.still-held", text))
}
