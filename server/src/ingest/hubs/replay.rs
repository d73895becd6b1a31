//! Replays a hub's payload that is in quarantine: split again by the decoder as it is now. Items that were stored when it
//! came are known by their id, their key, or their place in the payload.

use std::sync::Arc;

use db::TenantScope;

use super::answer::ItemReceipt;
use super::item::Content;
use super::process::{Origin, process};
use super::split::{Parts, split};
use super::store::{self, NewQuarantine};
use crate::app::App;
use crate::error::Error;
use crate::fleet::load_hub;
use crate::ingest::model::{Outcome, Receipt};
use crate::ingest::sources::KnownHub;
use crate::ingest::store::KeptUplink;

/// Splits the kept payload again and takes its items as far as they go; the quarantine is settled when no item of it is
/// refused any more.
///
/// # Errors
/// 404 when the hub is not there any more; the database's error.
pub(in crate::ingest) async fn replay(app: &Arc<App>, kept: KeptUplink) -> Result<Receipt, Error> {
    let KeptUplink { tenant, hub, received, .. } = kept;
    let hub = hub.ok_or_else(|| Error::not_found("hub of this uplink"))?;
    let scope = TenantScope::one(tenant);
    let mut transaction = scope.begin(&app.db).await?;
    let snapshot = load_hub(&mut transaction, app, tenant, hub).await?;
    transaction.commit().await?;
    let hub = KnownHub::of_kept_payload(snapshot.ok_or_else(|| Error::not_found("hub of this uplink"))?);
    let split = split(app, &hub.hub, &received, None).await?;
    let mut receipt = Receipt {
        uplink: received.id,
        outcome: Outcome::Nothing,
        observations: Vec::new(),
        revised: Vec::new(),
        held: Vec::new(),
        reason: None,
        warnings: Vec::new(),
    };
    let mut refused: Option<(String, String)> = None;
    match split.parts {
        Parts::Nothing(reason) => receipt.reason = Some(reason),
        Parts::Undecodable(reason, detail) => refused = Some((reason, detail)),
        Parts::Items(items) => {
            refused = items.iter().find_map(|item| match &item.content {
                Content::Refused(reason, detail) => Some(((*reason).to_owned(), detail.clone())),
                _ => None,
            });
            let mut origin = Origin::live(&hub, app.clock.now(), None);
            origin.is_live = false;
            // What has no time of its own was captured when it was received first, at the latest.
            origin.captured_at = received.captured_at.or(Some(received.received_at));
            origin.decoder = split.decoder;
            origin.payload = Some((received.id, true));
            let answers = process(app, &origin, items).await?;
            sum_up(&mut receipt, answers);
        }
    }
    let mut transaction = scope.begin(&app.db).await?;
    if let Some((reason, detail)) = refused {
        let row = NewQuarantine { received: &received, reason: &reason, detail: &detail };
        store::quarantine_payload(&mut transaction, tenant, &row).await?;
        receipt.outcome = Outcome::Undecodable;
        receipt.reason = Some(format!("{reason}: {detail}"));
    } else {
        store::settle_payload(&mut transaction, tenant, &received, "split").await?;
    }
    transaction.commit().await?;
    Ok(receipt)
}

/// The items' answers as one.
fn sum_up(receipt: &mut Receipt, answers: Vec<ItemReceipt>) {
    let has = |outcome: &str| answers.iter().any(|item| item.outcome == outcome);
    receipt.outcome = if has("stored") {
        Outcome::Stored
    } else if has("duplicate") {
        Outcome::Duplicate
    } else {
        Outcome::Nothing
    };
    for item in answers {
        receipt.observations.extend(item.observations);
        receipt.revised.extend(item.revised);
        receipt.held.extend(item.held);
        receipt.warnings.extend(item.warnings);
    }
}
