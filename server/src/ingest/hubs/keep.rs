//! Keeps what has no device: a hub's own payload as it came, and what devices sent that are not paired with the hub.

use std::collections::{BTreeSet, HashMap};

use db::{TenantScope, UplinkId};

use super::item::Content;
use super::split::Parts;
use super::store::{self, Bounds, NewQuarantine, NewUnclaimed, NewUplink};
use crate::app::App;
use crate::error::Error;
use crate::fleet::{find_paired_devices, hold_pairings};
use crate::identity::credential_holds;
use crate::ingest::commit::Failure;
use crate::ingest::model::{Received, digest};
use crate::ingest::sources::{self, KnownHub};

/// What may be open behind one hub: items, bytes, addresses. A scanning gateway hears every device that passes by.
const MOST: Bounds = Bounds { items: 10_000, bytes: 32 << 20, addresses: 500 };
/// Refused items that a quarantine's detail names.
const NAMED: usize = 10;

/// A hub's own payload, as it is kept.
pub(super) struct Payload<'a> {
    hub: &'a KnownHub,
    received: &'a Received,
    decoder: Option<&'a (String, String)>,
    outcome: &'static str,
    reason: Option<String>,
    quarantine: Option<(String, String)>,
}

impl<'a> Payload<'a> {
    /// What became of it as a whole. Where the decoder refused some of its items, it is in quarantine for them.
    pub(super) fn of(
        hub: &'a KnownHub,
        received: &'a Received,
        decoder: Option<&'a (String, String)>,
        parts: &Parts,
    ) -> Self {
        let (outcome, reason, quarantine) = match parts {
            Parts::Nothing(reason) => ("nothing", Some(reason.clone()), None),
            Parts::Undecodable(reason, detail) => {
                ("undecodable", Some(reason.clone()), Some((reason.clone(), detail.clone())))
            }
            Parts::Items(items) => {
                let refused = items.iter().enumerate().filter_map(|(index, item)| match &item.content {
                    Content::Refused(reason, detail) => Some((index, *reason, detail)),
                    _ => None,
                });
                let refused: Vec<_> = refused.collect();
                let told: Vec<String> =
                    refused.iter().take(NAMED).map(|(index, _, detail)| format!("item {index}: {detail}")).collect();
                let quarantine = refused.first().map(|(_, reason, _)| {
                    let more = refused.len().saturating_sub(NAMED);
                    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
                    ((*reason).to_owned(), format!("{}{more}", told.join("; ")))
                });
                ("split", quarantine.as_ref().map(|(reason, _)| reason.clone()), quarantine)
            }
        };
        Self { hub, received, decoder, outcome, reason, quarantine }
    }
}

/// Stores a hub's payload, before anything that it carried.
///
/// # Errors
/// The database's error.
pub(super) async fn keep_payload(app: &App, payload: &Payload<'_>) -> Result<(), Error> {
    let tenant = payload.hub.hub.tenant;
    let uplink = NewUplink {
        received: payload.received,
        outcome: payload.outcome,
        reason: payload.reason.as_deref(),
        decoder: payload.decoder,
    };
    let mut transaction = TenantScope::one(tenant).begin(&app.db).await?;
    let uplinks = std::slice::from_ref(&uplink);
    store::insert_uplinks(&transaction, &app.data_keys, tenant, payload.hub.hub.id, uplinks)
        .await
        .map_err(Failure::into_error)?;
    if let Some((reason, detail)) = &payload.quarantine {
        let row = NewQuarantine { received: payload.received, reason, detail };
        store::quarantine_payload(&mut transaction, tenant, &row).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// An item of a device that is not paired.
pub(super) struct Nobodys {
    pub(super) address: String,
    /// The key that the hub or the request gave it.
    pub(super) key: Option<[u8; 32]>,
    pub(super) device_type: Option<String>,
    pub(super) received: Received,
}

impl Nobodys {
    /// What it is known by when it comes again. Without a key of its own: its bytes, channel and time.
    fn item_key(&self) -> [u8; 32] {
        self.key.unwrap_or_else(|| {
            let received = &self.received;
            let at = received.captured_at.unwrap_or(received.received_at).timestamp_millis();
            let mut text = format!("{}\0{}\0{at}\0", self.address, received.channel).into_bytes();
            text.extend_from_slice(&received.body_hash);
            digest("unclaimed", &text)
        })
    }
}

/// What became of such an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Kept as this uplink, now or when it came first.
    Kept(UplinkId),
    /// Its device was paired meanwhile: it goes the other way.
    Paired,
    /// Too much is kept behind this hub already.
    Full,
}

/// Keeps items until somebody claims them; answers in their order.
///
/// # Errors
/// 401 and 403 when the hub may not send any more; the database's error. Nothing is kept then.
pub(super) async fn keep(app: &App, hub: &KnownHub, items: &[Nobodys]) -> Result<Vec<Fate>, Error> {
    let (tenant, id) = (hub.hub.tenant, hub.hub.id);
    let mut transaction = TenantScope::one(tenant).begin(&app.db).await?;
    // Behind this lock nobody is paired: what is kept now is seen by the next pairing, which claims it.
    let active = hold_pairings(&mut transaction, tenant, id).await?;
    // Nothing here goes through the group commit, which would ask this: what is remembered of the hub may be minutes old.
    if !credential_holds(&mut transaction, hub.identity.credential).await? {
        return Err(sources::unknown());
    }
    if !active {
        return Err(sources::carrier_deactivated(hub.identity.kind));
    }
    let addresses: BTreeSet<String> = items.iter().map(|item| item.address.clone()).collect();
    let addresses: Vec<String> = addresses.into_iter().collect();
    let paired = find_paired_devices(&mut transaction, tenant, id, &addresses).await?;
    let keys: Vec<[u8; 32]> = items.iter().map(Nobodys::item_key).collect();
    let mut known: HashMap<[u8; 32], UplinkId> = store::known_items(&mut transaction, tenant, id, &keys).await?;
    let (mut room, mut open) = store::room(&mut transaction, tenant, id, MOST).await?;
    let (mut fates, mut new) = (Vec::with_capacity(items.len()), Vec::new());
    for (item, key) in items.iter().zip(keys) {
        let size = item.received.body.len();
        if paired.iter().any(|(address, _)| *address == item.address) {
            fates.push(Fate::Paired);
        } else if let Some(uplink) = known.get(&key) {
            fates.push(Fate::Kept(*uplink));
        } else if room.takes(size, !open.contains(&item.address)) {
            room.take(size, open.insert(item.address.clone()));
            known.insert(key, item.received.id);
            new.push(NewUnclaimed {
                address: &item.address,
                key,
                device_type: item.device_type.as_deref(),
                received: &item.received,
            });
            fates.push(Fate::Kept(item.received.id));
        } else {
            fates.push(Fate::Full);
        }
    }
    if !new.is_empty() {
        let uplinks: Vec<NewUplink<'_>> = new
            .iter()
            .map(|item| NewUplink {
                received: item.received,
                outcome: "unclaimed",
                reason: Some("not-paired"),
                decoder: None,
            })
            .collect();
        store::insert_unclaimed(&mut transaction, tenant, id, &new).await?;
        store::insert_uplinks(&transaction, &app.data_keys, tenant, id, &uplinks).await.map_err(Failure::into_error)?;
    }
    transaction.commit().await?;
    Ok(fates)
}
