//! Reads a held reading again: the kept bytes, through the decoder version that read them first, in the zone and with the
//! clock offset of that time.

use std::sync::Arc;

use chrono_tz::Tz;
use db::{CredentialId, TenantScope};

use super::sight::key_of;
use super::store::HeldItem;
use crate::app::App;
use crate::error::{Error, Kind};
use crate::fleet::{DeviceSnapshot, load_device};
use crate::identity::{SourceIdentity, SourceKind};
use crate::ingest::decode_uplink::{Clocked, decode_with};
use crate::ingest::decoded_body::{DecodedBody, READINGS};
use crate::ingest::hubs::{Again, SplitAgain};
use crate::ingest::model::{Found, Received, Submission, Verdict};
use crate::ingest::open_body::open_body;
use crate::ingest::read_upload::frames_again;
use crate::ingest::sources::KnownSource;
use crate::ingest::store::received_uplink;

/// The bytes of a held reading, and the device that sent them.
pub(super) struct Kept {
    received: Received,
    device: DeviceSnapshot,
}

/// Loads what is needed to read it again.
///
/// # Errors
/// 410 when the bytes are gone; 409 when the device is.
pub(super) async fn load(app: &App, item: &HeldItem) -> Result<Kept, Error> {
    let mut transaction = TenantScope::one(item.tenant_id).begin(&app.db).await?;
    let kept = received_uplink(&mut transaction, item.tenant_id, item.uplink_id, item.received_at).await?;
    let body = open_body(app, &mut transaction, item.tenant_id, item.uplink_id, item.received_at).await?;
    let device = load_device(&mut transaction, app, item.tenant_id, item.device_id).await?;
    transaction.commit().await?;
    let mut device = device
        .ok_or_else(|| Error::conflict("held-reading.device", "The device of this reading is not there any more."))?;
    if let Some(zone) = item.time_zone.as_deref().and_then(|zone| zone.parse::<Tz>().ok()) {
        device.time_zone = zone;
    }
    let received = kept.zip(body).map(|(kept, body)| Received { body, ..kept.received }).ok_or_else(|| {
        Error::new(Kind::Gone, "held-reading.bytes", "The bytes of this reading were dropped after their retention.")
    })?;
    Ok(Kept { received, device })
}

/// A submission whose only reading is the held one.
///
/// # Errors
/// 409 when the bytes, read now, hold no such reading.
pub(super) async fn read(app: &Arc<App>, item: &HeldItem, kept: Kept) -> Result<Submission, Error> {
    let frames = frames_again(&kept.received)?;
    let identity = SourceIdentity {
        credential: CredentialId(uuid::Uuid::nil()),
        tenant: item.tenant_id,
        kind: SourceKind::Device,
        source: item.device_id.0,
    };
    let channel = frames.first().map(|frame| frame.channel.as_str()).unwrap_or_default();
    let model = &kept.device.model;
    let binding = match (&item.decoder_name, &item.decoder_version) {
        (Some(name), Some(version)) => app.decoders.now().for_model_by(model, channel, name, version),
        _ => app.decoders.now().for_model(model, channel),
    };
    let source = KnownSource { identity, device: kept.device, carried_by: None };
    let clocked = Clocked::As(item.clock_offset_ms);
    let mut received = kept.received;
    if received.content_type == READINGS {
        received.body = as_it_was_said(app, item, &received).await?.unwrap_or(received.body);
    }
    let mut submission = decode_with(app, &source, received, frames, binding, clocked, None).await?;
    submission.replay = true;
    // Its own keys were taken when it first came; it must not be taken for a repeat of itself.
    submission.keys = Vec::new();
    let found = match std::mem::replace(&mut submission.verdict, Verdict::Nothing { reason: String::new() }) {
        Verdict::Readings(readings) => readings.into_iter().find(|found| is_it(item, found)),
        _ => None,
    };
    let found = found.ok_or_else(|| not_there(item, &submission))?;
    submission.verdict = Verdict::Readings(vec![found]);
    Ok(submission)
}

/// What a hub's decoder said of the item in the version that the held reading is of, where that is another than the one that
/// split it first: a replay corrected it.
async fn as_it_was_said(app: &App, item: &HeldItem, received: &Received) -> Result<Option<Vec<u8>>, Error> {
    let body = DecodedBody::read(&received.body)?;
    let (Some(name), Some(version)) = (&item.decoder_name, &item.decoder_version) else { return Ok(None) };
    if (name, version) == (&body.decoder, &body.version) {
        return Ok(None);
    }
    let Ok(decoder) = app.decoders.version(&app.db, name, version).await else { return Ok(None) };
    match SplitAgain::new(app, item.tenant_id).item(received, item.device_id, Some(&decoder)).await? {
        Again::Readings(body) => Ok(Some(body.write()?)),
        // What is kept holds no such reading, and that is told.
        Again::Left(_) | Again::Refused(_) => Ok(None),
    }
}

fn is_it(item: &HeldItem, found: &Found) -> bool {
    let key = key_of(found, &item.device_id.to_string(), &item.uplink_id.to_string());
    item.reading_key.split(':').next() == Some(key.text().as_str())
        && item.content_hash.as_ref().is_none_or(|hash| hex::encode(hash) == found.interpreted.identity.content_hash)
}

fn not_there(item: &HeldItem, submission: &Submission) -> Error {
    let name = |decoder: Option<(&String, &String)>| {
        decoder.map_or_else(|| "an unknown decoder".to_owned(), |(name, version)| format!("{name} {version}"))
    };
    let first = name(item.decoder_name.as_ref().zip(item.decoder_version.as_ref()));
    let now = name(submission.decoder.as_ref().map(|(name, version)| (name, version)));
    Error::conflict(
        "held-reading.decoded-otherwise",
        format!(
            "The bytes were read by {first} when they came; read again now by {now}, they hold no reading with this key and content. Nothing was changed. Load {first} again, or discard this reading."
        ),
    )
}
