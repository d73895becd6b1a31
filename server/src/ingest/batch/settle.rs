//! Plans and what the database said of them become answers, and the rows that follow.

use std::collections::{HashMap, HashSet};

use db::TenantId;

use super::plan::{Holding, Plan, conflict};
use super::revise::{Changed, Changes};
use crate::error::{Error, Kind};
use crate::fhir::readings::StoredReading;
use crate::ingest::commit::Answer;
use crate::ingest::held::{HeldAgain, Taken};
use crate::ingest::model::{HeldReceipt, Outcome, Receipt, Submission, Verdict};
use crate::ingest::sources;
use crate::ingest::store::{HeldKey, HeldRow, Refusal};
use crate::wiring;

/// Identifier of a reading within its tenant.
pub(super) type ReadingKey = (TenantId, String);

/// What the rest of the transaction writes.
#[derive(Default)]
pub(super) struct Settled {
    pub(super) stored: Vec<wiring::StoredReading>,
    pub(super) held: Vec<HeldRow>,
    pub(super) held_again: Vec<HeldAgain>,
    pub(super) taken: Vec<Taken>,
}

/// Turns plans into answers, and collects what follows.
pub(super) fn settle(
    submissions: &[&Submission],
    answers: &mut [Option<Answer>],
    plans: Vec<Vec<Plan>>,
    inserted: &HashSet<String>,
    known: &HashMap<ReadingKey, StoredReading>,
    changes: &Changes,
) -> Settled {
    let mut settled = Settled::default();
    for ((submission, answer), plans) in submissions.iter().zip(answers).zip(plans) {
        if answer.is_none() {
            *answer = Some(Ok(match &submission.verdict {
                Verdict::Readings(_) => settle_readings(submission, plans, inserted, known, changes, &mut settled),
                Verdict::Nothing { reason } => empty_receipt(submission, Outcome::Nothing, Some(reason.clone())),
                Verdict::Incomplete { reason, .. } => {
                    empty_receipt(submission, Outcome::Incomplete, Some(reason.clone()))
                }
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
    changes: &Changes,
    settled: &mut Settled,
) -> Receipt {
    let mut receipt = empty_receipt(submission, Outcome::Nothing, None);
    let (mut new, mut hold_first, mut superseded, mut known_before) = (0, None, false, false);
    let mut hold = |holding: Holding, receipt: &mut Receipt, settled: &mut Settled| {
        let Holding { row, kept } = holding;
        hold_first.get_or_insert_with(|| row.reason.clone());
        let id = kept.map_or(row.id, |(id, _)| id);
        receipt.held.push(HeldReceipt { id, kind: row.kind.clone(), reason: row.reason.clone() });
        match kept {
            None => settled.held.push(row),
            Some((id, changes)) if changes || submission.order.is_some() => {
                settled.held_again.push(HeldAgain { id, row, order: submission.order.clone() });
            }
            Some(_) => {}
        }
    };
    let take = |planned: &super::plan::Planned, observation: &str, changed: bool, settled: &mut Settled| {
        if let Some(held) = planned.held {
            settled.taken.push(Taken {
                tenant: planned.row.tenant,
                held,
                device: submission.device,
                observation: observation.to_owned(),
                changed,
                assignment: planned.row.assignment,
                patient: planned.row.patient_id.clone(),
                order: submission.order.clone(),
            });
        }
    };
    for (plan, found) in plans.into_iter().zip(submission.readings()) {
        match plan {
            Plan::Drop(reason) => receipt.reason = Some(reason),
            Plan::Hold(holding) => hold(*holding, &mut receipt, settled),
            Plan::Settled(observation) => {
                known_before = true;
                match observation {
                    Some(id) => push_once(&mut receipt.observations, &id),
                    None => receipt.reason = Some("discarded".to_owned()),
                }
            }
            Plan::Store(planned) if inserted.contains(&planned.row.id) => {
                new += 1;
                take(&planned, &planned.row.id, false, settled);
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
            Plan::Store(planned) if let Some(change) = changes.get(&planned.row.id) => match change {
                Changed::Revised(id) => {
                    new += 1;
                    take(&planned, id, true, settled);
                    push_once(&mut receipt.observations, id);
                    push_once(&mut receipt.revised, id);
                }
                Changed::Same(id) => {
                    take(&planned, id, false, settled);
                    push_once(&mut receipt.observations, id);
                }
                Changed::Superseded(id) => {
                    superseded = true;
                    take(&planned, id, false, settled);
                    push_once(&mut receipt.observations, id);
                }
                Changed::Withdrawn => hold(conflict(submission, found, *planned), &mut receipt, settled),
            },
            Plan::Store(planned) => match known.get(&(planned.row.tenant, planned.row.identifier_value.clone())) {
                Some(original)
                    if original.content_hash.as_deref().is_none_or(|hash| hash == planned.row.content_hash) =>
                {
                    take(&planned, &original.id, false, settled);
                    push_once(&mut receipt.observations, &original.id);
                }
                _ => hold(conflict(submission, found, *planned), &mut receipt, settled),
            },
        }
    }
    receipt.outcome = match hold_first {
        _ if new > 0 => Outcome::Stored,
        Some(reason) if reason == "unassigned" => Outcome::Unassigned,
        Some(_) => Outcome::Held,
        None if known_before || !receipt.observations.is_empty() => Outcome::Duplicate,
        None => Outcome::Nothing,
    };
    if superseded && receipt.outcome == Outcome::Duplicate {
        receipt.reason = Some("superseded".to_owned());
    }
    if receipt.reason.is_none() {
        receipt.reason = receipt.held.first().map(|held| held.reason.clone());
    }
    receipt
}

fn push_once(ids: &mut Vec<String>, id: &String) {
    if !ids.contains(id) {
        ids.push(id.clone());
    }
}

fn empty_receipt(submission: &Submission, outcome: Outcome, reason: Option<String>) -> Receipt {
    Receipt {
        uplink: submission.received.id,
        outcome,
        observations: Vec::new(),
        revised: Vec::new(),
        held: Vec::new(),
        reason,
        warnings: submission.warnings.clone(),
    }
}

/// Those that end before anything is stored: refused sources and repeated keys.
pub(super) fn early_answers(
    submissions: &[&Submission],
    refusals: &[Option<Refusal>],
    taken: &[HeldKey],
) -> Vec<Option<Answer>> {
    submissions
        .iter()
        .zip(refusals)
        .map(|(submission, refusal)| match refusal {
            // It was sent when it might be; what a person decides about it now does not ask the device.
            _ if submission.order.is_some() => None,
            Some(Refusal::Revoked) => Some(Err(sources::unknown())),
            Some(Refusal::Inactive) => Some(Err(sources::deactivated())),
            Some(Refusal::Changed) => Some(Err(sources::changed())),
            Some(Refusal::HubInactive) => Some(Err(sources::carrier_deactivated(submission.source.kind))),
            Some(Refusal::HubChanged) => Some(Err(sources::hub_changed())),
            Some(Refusal::NotPaired) => Some(Err(sources::not_paired())),
            None => repeated(submission, taken),
        })
        .collect()
}

/// The first answer again, when a key of the submission is held by an earlier uplink.
fn repeated(submission: &Submission, taken: &[HeldKey]) -> Option<Answer> {
    // What the client says itself comes first: the same key with another body is an error, whatever else is known of it.
    let (chosen, found): (Vec<_>, Vec<_>) = submission.keys.iter().partition(|key| key.chosen);
    chosen.into_iter().chain(found).find_map(|key| {
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
