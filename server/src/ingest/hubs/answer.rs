//! What a hub is told: each item's answer, and what they come to together. Pure.

use db::UplinkId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{Error, Kind};
use crate::ingest::model::{HeldReceipt, Receipt};
use crate::ingest::sources;

/// What became of one item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ItemReceipt {
    /// Its place in the payload, counted from 0.
    pub index: usize,
    /// The device as the hub names it, in one spelling; absent where the item does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The hub's own id of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The status that it would have been answered with alone: 201 stored, 200 known already, 202 kept but not a result
    /// yet, 403 its device is deactivated (not kept), 409 its id was used for other content, 422 not written as an item
    /// must be (not kept), 429 too much is unclaimed behind this hub (not kept), 503 send it again.
    pub status: u16,
    /// `stored`, `duplicate`, `nothing`, `undecodable`, `incomplete`, `unassigned`, `held`, `quarantined` as for any uplink;
    /// `unclaimed` (its device is not paired with this hub: kept until it is), `deactivated`, `invalid`, `conflict`,
    /// `too-many-unclaimed`, `unavailable`.
    pub outcome: &'static str,
    /// The uplink that it became; of the first one for a duplicate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uplink: Option<UplinkId>,
    /// Ids of the FHIR Observations that it led to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub observations: Vec<String>,
    /// Those of them that were there and got a new version.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub revised: Vec<String>,
    /// Readings that wait for a person.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<HeldReceipt>,
    /// Why there is no Observation, or what is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Registered warnings of decoder and host.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// The answer to a hub's uplink.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HubReceipt {
    /// The hub's own payload as it was kept; absent for an envelope, whose items are uplinks of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uplink: Option<UplinkId>,
    /// What the items come to: `stored`, `duplicate`, `nothing`, `undecodable`, `partial` (look at the items), `invalid`,
    /// `deactivated`, `too-many-unclaimed`, `unavailable` (send it again: what was stored is known then).
    pub outcome: &'static str,
    /// Why, where the payload as a whole has no items.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Every item's answer, in the order of the payload.
    pub items: Vec<ItemReceipt>,
}

/// An item's answer without a receipt.
pub fn plain(status: u16, outcome: &'static str, reason: impl Into<Option<String>>) -> ItemReceipt {
    ItemReceipt {
        index: 0,
        device: None,
        id: None,
        status,
        outcome,
        uplink: None,
        observations: Vec::new(),
        revised: Vec::new(),
        held: Vec::new(),
        reason: reason.into(),
        warnings: Vec::new(),
    }
}

impl From<Receipt> for ItemReceipt {
    fn from(receipt: Receipt) -> Self {
        Self {
            uplink: Some(receipt.uplink),
            observations: receipt.observations,
            revised: receipt.revised,
            held: receipt.held,
            warnings: receipt.warnings,
            ..plain(receipt.outcome.status(), receipt.outcome.as_str(), receipt.reason)
        }
    }
}

impl From<&Error> for ItemReceipt {
    fn from(error: &Error) -> Self {
        let outcome = match error.kind() {
            Kind::Forbidden | Kind::Unauthenticated => "deactivated",
            Kind::Conflict => "conflict",
            Kind::Unavailable(_) | Kind::Throttled(_) => "unavailable",
            Kind::TooLarge | Kind::Unprocessable | Kind::Invalid => "invalid",
            _ => "failed",
        };
        plain(error.status(), outcome, Some(error.public().to_owned()))
    }
}

/// Whether it concerns the hub itself, which may not send any more, or was read with old settings: then that is the answer,
/// and not an item's.
pub fn is_of_the_hub(error: &Error) -> bool {
    sources::is_hub_deactivated(error) || sources::is_hub_changed(error) || error.kind() == Kind::Unauthenticated
}

/// Status and outcome of the whole.
///
/// 503 when any item has to be sent again: what was stored of the others is known when it comes. Else 201 when all of it is
/// stored (or was nothing), 200 when all of it was known; 202 when something is kept that is no result, or something was
/// turned away and the rest was taken: look at the items. Where nothing at all was taken, the items' own status.
pub fn together(items: &[ItemReceipt]) -> (u16, &'static str) {
    let has = |wanted: fn(u16) -> bool| items.iter().any(|item| wanted(item.status));
    let all = |wanted: fn(u16) -> bool| items.iter().all(|item| wanted(item.status));
    if has(|status| status >= 500) {
        return (503, "unavailable");
    }
    if all(|status| status == 403) {
        return (403, "deactivated");
    }
    if all(|status| status == 429) {
        return (429, "too-many-unclaimed");
    }
    if all(|status| status >= 400) {
        return (422, "invalid");
    }
    if all(|status| status == 200) {
        return (200, "duplicate");
    }
    if all(|status| matches!(status, 200 | 201)) {
        let outcome = if items.iter().any(|item| item.outcome == "stored") { "stored" } else { "nothing" };
        return (201, outcome);
    }
    (202, "partial")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(statuses: &[u16]) -> u16 {
        let items: Vec<_> = statuses.iter().map(|status| plain(*status, "stored", None)).collect();
        together(&items).0
    }

    #[test]
    fn the_whole_says_whether_to_look_at_the_items() {
        assert_eq!(of(&[201, 201]), 201);
        assert_eq!(of(&[201, 200]), 201);
        assert_eq!(of(&[200, 200]), 200);
        assert_eq!(of(&[201, 202]), 202);
        assert_eq!(of(&[201, 403, 422]), 202);
        assert_eq!(of(&[403, 403]), 403);
        assert_eq!(of(&[422, 403]), 422);
        assert_eq!(of(&[429, 429]), 429);
        assert_eq!(of(&[201, 503, 422]), 503);
    }
}
