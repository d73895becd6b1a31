//! One hub's uplink: who sent it, what it is made of, and every item's way.

use std::sync::Arc;

use actix_web::web::Bytes;
use chrono::{DateTime, Utc};

use super::answer::{HubReceipt, ItemReceipt, together};
use super::item::{self, Content, Item};
use super::keep::{self, Payload};
use super::process::{Origin, process};
use super::split::{Parts, Split, split};
use crate::app::App;
use crate::error::{Error, Kind};
use crate::identity::SourceKind;
use crate::ingest::apps;
use crate::ingest::envelope::ENVELOPE;
use crate::ingest::intake::Ticket;
use crate::ingest::model::{Received, TransportKey};
use crate::ingest::read_upload::{Upload, check_key, media_type, received};
use crate::ingest::receive_uplink::{refuse_draining, refused_as};
use crate::ingest::sources::{self, KnownHub};
use crate::platform::metrics::OutcomeLabel;

/// Takes a hub's uplink all the way: the answer comes after the last commit, with its status.
///
/// # Errors
/// 401, 403, 413, 415, 422, 429, 503 as DESIGN §7 says; nothing is kept then.
pub(super) async fn receive(
    app: &Arc<App>,
    upload: Upload,
    body: impl Future<Output = Result<(Bytes, Ticket), Error>>,
) -> Result<(u16, HubReceipt), Error> {
    let result = receive_from(app, &upload, body).await;
    if result.as_ref().is_err_and(sources::is_stale) {
        app.sources.forget(&upload.token).await;
    }
    count(app, &result);
    result
}

/// The same for a hub that something else than a token vouches for: the topic of a broker. The answer has its status.
pub async fn receive_known(
    app: &Arc<App>,
    hub: &KnownHub,
    upload: &Upload,
    body: &Bytes,
    ticket: &Ticket,
) -> Result<(u16, HubReceipt), Error> {
    let result = read_as(app, hub, upload, body, app.clock.now(), ticket).await;
    count(app, &result);
    result
}

fn count(app: &App, result: &Result<(u16, HubReceipt), Error>) {
    match result {
        Ok((_, receipt)) => {
            for item in &receipt.items {
                app.metrics.uplinks.get_or_create(&OutcomeLabel { outcome: item.outcome }).inc();
            }
        }
        Err(error) => {
            app.metrics.uplinks.get_or_create(&OutcomeLabel { outcome: refused_as(error) }).inc();
        }
    }
}

async fn receive_from(
    app: &Arc<App>,
    upload: &Upload,
    body: impl Future<Output = Result<(Bytes, Ticket), Error>>,
) -> Result<(u16, HubReceipt), Error> {
    refuse_draining(app)?;
    let hub = app.sources.hub(app, &upload.token).await?;
    app.ingest_limits.check(&hub.identity.credential.0)?;
    let (body, ticket) = body.await?;
    let received_at = app.clock.now();
    let answer = read_as(app, &hub, upload, &body, received_at, &ticket).await;
    apps::saw(app, &hub.identity).await;
    if answer.as_ref().is_err_and(sources::is_hub_changed) {
        // Nothing holds of what was read with the old settings: once more with those of now.
        app.sources.forget(&upload.token).await;
        let hub = app.sources.hub(app, &upload.token).await?;
        return read_as(app, &hub, upload, &body, received_at, &ticket).await;
    }
    answer
}

/// An envelope or a payload, read with the settings that the hub is known to have.
async fn read_as(
    app: &Arc<App>,
    hub: &KnownHub,
    upload: &Upload,
    body: &Bytes,
    received_at: DateTime<Utc>,
    ticket: &Ticket,
) -> Result<(u16, HubReceipt), Error> {
    let media_type = media_type(upload, body)?;
    let key = upload.idempotency_key.as_deref().map(check_key).transpose()?;
    if media_type == ENVELOPE {
        if !upload.channel.is_empty() || upload.captured_at.is_some() {
            return Err(Error::invalid(
                "envelope.mixed",
                "In an envelope the frames carry channel and capturedAt themselves; leave ?channel and Afferent-Captured-At out.",
            ));
        }
        return take_envelope(app, hub, body, received_at, key).await;
    }
    if hub.identity.kind == SourceKind::App {
        return Err(Error::new(
            Kind::Unsupported,
            "app.media-type",
            format!("An app sends frames of its devices as {ENVELOPE}."),
        ));
    }
    let received = received(upload, body, media_type, received_at)?;
    take_payload(app, hub, &received, key, ticket).await
}

/// An envelope of many devices' frames, item by item.
pub(in crate::ingest) async fn take_envelope(
    app: &Arc<App>,
    hub: &KnownHub,
    body: &[u8],
    received_at: DateTime<Utc>,
    key: Option<&str>,
) -> Result<(u16, HubReceipt), Error> {
    let items = item::read_envelope(body)?;
    let origin = Origin::live(hub, received_at, key);
    let items = process(app, &origin, items).await?;
    Ok(answer(None, None, items))
}

/// A payload in the hub's own words: split, kept as it came, and then item by item.
pub(in crate::ingest) async fn take_payload(
    app: &Arc<App>,
    hub: &KnownHub,
    received: &Received,
    key: Option<&str>,
    ticket: &Ticket,
) -> Result<(u16, HubReceipt), Error> {
    let Split { decoder, parts } = split(app, &hub.hub, received, Some(ticket)).await?;
    let payload = Payload::of(hub, received, decoder.as_ref(), &parts);
    keep::keep_payload(app, &payload).await?;
    let items = match parts {
        Parts::Items(items) => items,
        Parts::Nothing(reason) => return Ok((201, whole(received, "nothing", reason))),
        Parts::Undecodable(reason, detail) => {
            return Ok((202, whole(received, "undecodable", format!("{reason}: {detail}"))));
        }
    };
    let mut origin = Origin::live(hub, received.received_at, key);
    origin.captured_at = received.captured_at;
    origin.decoder = decoder;
    // A payload that is in quarantine for one item may be replayed: then the others are known by their place.
    origin.payload = Some((received.id, items.iter().any(|item| matches!(item.content, Content::Refused(..)))));
    let items = process(app, &origin, items).await?;
    Ok(answer(Some(received), None, items))
}

fn whole(received: &Received, outcome: &'static str, reason: String) -> HubReceipt {
    HubReceipt { uplink: Some(received.id), outcome, reason: Some(reason), items: Vec::new() }
}

fn answer(received: Option<&Received>, reason: Option<String>, items: Vec<ItemReceipt>) -> (u16, HubReceipt) {
    let (status, outcome) = together(&items);
    (status, HubReceipt { uplink: received.map(|received| received.id), outcome, reason, items })
}

/// The key under which an item is known again: the hub's own id, else the request's key with the item's place, else, where
/// the payload may be replayed, its place in that.
pub(super) fn item_key(origin: &Origin<'_>, index: usize, item: &Item) -> Option<TransportKey> {
    let at: DateTime<Utc> = origin.received_at;
    if let Some(id) = &item.id {
        let is_app = origin.hub.identity.kind == SourceKind::App;
        return Some(if is_app { TransportKey::app_item(id, at) } else { TransportKey::hub_item(id, at) });
    }
    if let Some(key) = origin.idempotency_key {
        return Some(TransportKey::idempotency(&format!("{key}#{index}"), at));
    }
    match origin.payload {
        Some((payload, true)) => Some(TransportKey::payload_item(payload, index, at)),
        _ => None,
    }
}

/// 503: the item was not taken, because those before it were not.
pub(super) fn not_taken(app: &App) -> Error {
    Error::new(
        Kind::Unavailable(app.intake.retry_after()),
        "hub.not-taken",
        "This was not taken; send the whole uplink again: what was stored of it is known then.",
    )
}
