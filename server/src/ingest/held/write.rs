//! What the group commit writes of held readings: new ones, ones that came again, and ones that became Observations.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use db::{AssignmentId, DeviceId, HeldReadingId, TenantId};
use diesel::QueryResult;
use diesel_async::AsyncPgConnection;

use super::model::{Action, Order};
use super::store::{Again, NewCorrection, Settling, hold_again, insert_corrections, settle};
use crate::ingest::commit::Answer;
use crate::ingest::store::{HeldRow, insert_held};

/// A reading that waits already, and waits on.
#[derive(Debug)]
pub struct HeldAgain {
    /// The row that keeps it.
    pub id: HeldReadingId,
    /// The reading as it is now.
    pub row: HeldRow,
    /// The person who claimed it, where that is why.
    pub order: Option<Order>,
}

/// A held reading that became an Observation.
#[derive(Debug)]
pub struct Taken {
    /// Whose.
    pub tenant: TenantId,
    /// The row that kept it.
    pub held: HeldReadingId,
    /// The device.
    pub device: DeviceId,
    /// FHIR id.
    pub observation: String,
    /// The version before, where it became a new version of one that was there.
    pub changed: bool,
    /// The assignment that gave the subject.
    pub assignment: AssignmentId,
    /// Whose reading it is.
    pub patient: String,
    /// The person who decided; none when it came again and its wearer is known by now.
    pub order: Option<Order>,
}

/// Writes it all. An answer that names a row which another transaction was faster to make gets that row's id.
///
/// # Errors
/// The database's error; the batch is rolled back then.
pub async fn write(
    conn: &AsyncPgConnection,
    held: &[HeldRow],
    again: &[HeldAgain],
    taken: &[Taken],
    answers: &mut [Option<Answer>],
    now: DateTime<Utc>,
) -> QueryResult<()> {
    if !held.is_empty() {
        let kept: HashMap<HeldReadingId, HeldReadingId> = insert_held(conn, held).await?.into_iter().collect();
        for receipt in answers.iter_mut().flatten().flatten() {
            for item in &mut receipt.held {
                item.id = kept.get(&item.id).copied().unwrap_or(item.id);
            }
        }
    }
    let mut corrections = Vec::new();
    for item in again {
        hold_again(conn, &Again { id: item.id, row: &item.row }).await?;
        // A claim was made although something else holds the reading; a taking that took nothing is none.
        if let Some(order) = item.order.as_ref().filter(|order| order.action != Action::Take) {
            corrections.push(correction(order, item.row.tenant, item.row.device, None));
        }
    }
    for item in taken {
        let state = item.order.as_ref().map_or("taken", |order| order.action.state());
        let settling = Settling {
            tenant: item.tenant,
            id: item.held,
            state,
            observation: Some(&item.observation),
            assignment: Some(item.assignment),
            patient: Some(&item.patient),
        };
        if settle(conn, &settling, now).await? == 0 {
            // A twin of the same batch settled it.
            continue;
        }
        corrections.push(match &item.order {
            Some(order) => NewCorrection {
                old_observation: item.changed.then(|| item.observation.clone()),
                ..correction(order, item.tenant, item.device, Some(item.observation.clone()))
            },
            None => NewCorrection {
                tenant: item.tenant,
                action: "take",
                reason: "It came again, and its wearer is known by now.".to_owned(),
                token: None,
                device: item.device,
                held: Some(item.held),
                reassignment: None,
                old_observation: None,
                new_observation: Some(item.observation.clone()),
            },
        });
    }
    insert_corrections(conn, &corrections, now).await?;
    Ok(())
}

fn correction(order: &Order, tenant: TenantId, device: DeviceId, observation: Option<String>) -> NewCorrection {
    NewCorrection {
        tenant,
        action: order.action.word(),
        reason: order.reason.clone(),
        token: Some(order.token),
        device,
        held: Some(order.held),
        reassignment: None,
        old_observation: None,
        new_observation: observation,
    }
}
