//! Decodes a device's waiting uplinks together, and submits what comes out.

use std::sync::Arc;

use chrono::{SecondsFormat, TimeDelta};
use db::{CredentialId, DeviceId, TenantId, TenantScope, UplinkId};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::Part;
use super::bounds::Bounds;
use super::store::{self, WaitingRow};
use crate::app::App;
use crate::error::Error;
use crate::fleet::{DeviceSnapshot, load_device};
use crate::identity::{SourceIdentity, SourceKind};
use crate::ingest::decode_uplink::decode_kept;
use crate::ingest::envelope::{ENVELOPE, Frame};
use crate::ingest::model::{Outcome, Receipt, Received, Submission, Verdict};
use crate::ingest::open_body::open_body;
use crate::ingest::read_upload::frames_again;
use crate::ingest::sources::KnownSource;
use crate::ingest::store::received_uplink;

/// Frames that one joined uplink may have; as many as an envelope.
const MOST_FRAMES: usize = 256;
/// A joined uplink has the receipt time of its last part as long as raw bytes may be stored with it.
const SAME_RECEIPT: TimeDelta = TimeDelta::minutes(9);

/// One waiting uplink with its frames.
struct Waiting {
    row: WaitingRow,
    frames: Vec<Frame>,
}

/// A device with what it has waiting.
struct Pending {
    device: DeviceSnapshot,
    bounds: Bounds,
    waiting: Vec<Waiting>,
}

/// Joins what a device has waiting, where it makes a record; the receipt of the one that `uplink` became part of.
///
/// # Errors
/// The database's error, or what the commit says; everything still waits then, and is tried again.
pub(in crate::ingest) async fn complete(
    app: &Arc<App>,
    tenant: TenantId,
    device: DeviceId,
    uplink: UplinkId,
) -> Result<Option<Receipt>, Error> {
    let mut found = None;
    // Each round joins one record; what is left may hold another.
    for _ in 0..Bounds::MOST_UPLINKS {
        let Some(pending) = load(app, tenant, device).await? else { return Ok(found) };
        let Some(submission) = first_record(app, &pending).await? else {
            mark_tried(app, tenant, device, &pending).await?;
            return Ok(found);
        };
        let is_of = submission.parts.iter().any(|part| part.uplink == uplink);
        let ticket = app.intake.admit(submission.received.body.len()).map_err(|bound| app.intake.refusal(bound))?;
        let receipt = app.intake.submit(submission, ticket).await?;
        let refused = receipt.outcome == Outcome::Quarantined;
        if is_of {
            found = Some(receipt);
        }
        if refused {
            // The database did not take what came out: it is in quarantine, and its parts wait until their time is over.
            mark_tried(app, tenant, device, &pending).await?;
            break;
        }
    }
    Ok(found)
}

/// Whether frames that their decoder refuses alone make a record with what the device has waiting.
///
/// # Errors
/// The database's error.
pub(super) async fn would_complete(app: &Arc<App>, source: &KnownSource, received: &Received) -> Result<bool, Error> {
    let Some(mut pending) = load(app, source.device.tenant, source.device.id).await? else { return Ok(false) };
    let row = WaitingRow { uplink_id: received.id, received_at: received.received_at, tried: false };
    // Those before were tried with each other already.
    for waiting in &mut pending.waiting {
        waiting.row.tried = true;
    }
    pending.waiting.push(Waiting { row, frames: frames_again(received)? });
    Ok(first_record(app, &pending).await?.is_some())
}

/// What a device has waiting, with its frames; nothing when nothing waits, or the device may not send.
async fn load(app: &App, tenant: TenantId, device: DeviceId) -> Result<Option<Pending>, Error> {
    let mut transaction = TenantScope::one(tenant).begin(&app.db).await?;
    let rows = store::waiting(&mut transaction, tenant, device, Bounds::MOST_UPLINKS).await?;
    if rows.is_empty() {
        transaction.commit().await?;
        return Ok(None);
    }
    let snapshot = load_device(&mut transaction, app, tenant, device).await?;
    let mut waiting = Vec::with_capacity(rows.len());
    for row in rows {
        let uplink = received_uplink(&mut transaction, tenant, row.uplink_id, row.received_at).await?;
        let body = open_body(app, &mut transaction, tenant, row.uplink_id, row.received_at).await?;
        if let Some((uplink, body)) = uplink.zip(body) {
            let frames = frames_again(&Received { body, ..uplink.received })?;
            waiting.push(Waiting { row, frames });
        }
    }
    transaction.commit().await?;
    // What arrived at once may have arrived in any order: the phone or hub knows which it got first.
    waiting.sort_by_key(|waiting| {
        let captured_at = waiting.frames.first().and_then(|frame| frame.captured_at);
        (captured_at.unwrap_or(waiting.row.received_at), waiting.row.received_at, waiting.row.uplink_id)
    });
    let Some(device) = snapshot.filter(|device| device.active) else { return Ok(None) };
    let bounds = super::bounds(app, &device.model);
    Ok(Some(Pending { device, bounds, waiting }))
}

/// The first record that consecutive waiting uplinks make: for each that was not tried yet, with as few before it as are
/// enough. A decoder may leave out frames that belong to nothing: what it does not need must go on waiting.
async fn first_record(app: &Arc<App>, pending: &Pending) -> Result<Option<Submission>, Error> {
    for end in 1..pending.waiting.len() {
        let Some(last) = pending.waiting.get(end).filter(|last| !last.row.tried) else { continue };
        let window = TimeDelta::from_std(pending.bounds.window).unwrap_or(TimeDelta::hours(24));
        let earliest = last.row.received_at - window;
        for start in ((end + 1).saturating_sub(pending.bounds.uplinks)..end).rev() {
            let Some(run) = pending.waiting.get(start..=end) else { continue };
            if run.first().is_none_or(|first| first.row.received_at < earliest) {
                continue;
            }
            if run.iter().map(|waiting| waiting.frames.len()).sum::<usize>() > MOST_FRAMES {
                continue;
            }
            let submission = decode_run(app, &pending.device, run).await?;
            if matches!(submission.verdict, Verdict::Readings(_) | Verdict::Nothing { .. }) {
                return Ok(Some(submission));
            }
        }
    }
    Ok(None)
}

/// The frames of several uplinks as one.
async fn decode_run(app: &Arc<App>, device: &DeviceSnapshot, run: &[Waiting]) -> Result<Submission, Error> {
    let now = app.clock.now();
    let last = run.last().map_or(now, |waiting| waiting.row.received_at);
    let keeps_receipt = now - last < SAME_RECEIPT;
    let mut frames = Vec::new();
    for waiting in run {
        for frame in &waiting.frames {
            let mut frame = frame.clone();
            if !keeps_receipt {
                // Joined long after: the frame was captured when it was received, at the latest, and not now.
                frame.captured_at = frame.captured_at.or(Some(waiting.row.received_at));
            }
            frames.push(frame);
        }
    }
    let body = envelope(&frames)?;
    let received = Received {
        id: UplinkId::generate(),
        received_at: if keeps_receipt { last } else { now },
        captured_at: frames.first().and_then(|frame| frame.captured_at),
        channel: frames.first().map(|frame| frame.channel.clone()).unwrap_or_default(),
        content_type: ENVELOPE.to_owned(),
        body_hash: Sha256::digest(&body).into(),
        body,
    };
    let identity = SourceIdentity {
        credential: CredentialId(uuid::Uuid::nil()),
        tenant: device.tenant,
        kind: SourceKind::Device,
        source: device.id.0,
    };
    let source = KnownSource { identity, device: device.clone(), carried_by: None };
    let mut submission = decode_kept(app, &source, received, frames).await?;
    submission.parts = run
        .iter()
        .map(|waiting| Part { uplink: waiting.row.uplink_id, received_at: waiting.row.received_at })
        .collect();
    Ok(submission)
}

/// Frames as a device would send them together.
fn envelope(frames: &[Frame]) -> Result<Vec<u8>, Error> {
    let written = frames.iter().map(|frame| {
        let mut written = json!({ "channel": frame.channel, "hex": hex::encode(&frame.data) });
        if let (Some(captured_at), Some(object)) = (frame.captured_at, written.as_object_mut()) {
            object.insert("capturedAt".to_owned(), captured_at.to_rfc3339_opts(SecondsFormat::Millis, true).into());
        }
        written
    });
    serde_json::to_vec(&json!({ "frames": written.collect::<Vec<_>>() })).map_err(Error::internal)
}

async fn mark_tried(app: &App, tenant: TenantId, device: DeviceId, pending: &Pending) -> Result<(), Error> {
    let rows: Vec<WaitingRow> = pending.waiting.iter().map(|waiting| waiting.row).filter(|row| !row.tried).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let mut transaction = app.db.begin_worker().await?;
    store::mark_tried(&mut transaction, tenant, device, &rows).await?;
    transaction.commit().await?;
    Ok(())
}
