//! Decodes what was claimed, once and in the order in which it came: each item becomes the uplink that it was kept as. The
//! rows are the job: any process goes on with what is left, and an item is settled in the transaction that stores it.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use db::{CredentialId, TenantScope};
use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::error::Error;
use crate::fleet::{DeviceSnapshot, load_device};
use crate::identity::{SourceIdentity, SourceKind};
use crate::ingest::decode_uplink::decode_kept;
use crate::ingest::decoded_body::READINGS;
use crate::ingest::hubs::split_again::{Again, SplitAgain};
use crate::ingest::hubs::store::{self, Claimant, ClaimedRow};
use crate::ingest::joining;
use crate::ingest::model::{Received, Submission, TransportKey, Verdict};
use crate::ingest::open_body::open_body;
use crate::ingest::read_upload::frames_again;
use crate::ingest::sources::KnownSource;
use crate::ingest::store::received_uplink;

/// How often it is looked whether anything was claimed.
const PAUSE: Duration = Duration::from_secs(1);
/// Items of one turn.
const CHUNK: i64 = 64;

/// Goes on with what was claimed, in this process or another, until it is told to stop.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
        let claimants = match claimants(&app).await {
            Ok(claimants) => claimants,
            Err(error) => {
                tracing::debug!(%error, "claimed items could not be looked up; they are asked for again");
                continue;
            }
        };
        for claimant in claimants {
            while !stop.is_cancelled() {
                match turn(&app, claimant).await {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        tracing::warn!(
                            tenant.id = %claimant.tenant_id, device.id = %claimant.device_id, cause = %format!("{error:?}"),
                            "claimed items could not be decoded; they are tried again"
                        );
                        break;
                    }
                }
            }
        }
    }
}

async fn claimants(app: &App) -> Result<Vec<Claimant>, Error> {
    let mut transaction = app.db.begin_worker().await?;
    let found = store::claimants(&mut transaction).await?;
    transaction.commit().await?;
    Ok(found)
}

/// One turn at a device's items; true when there may be more. The lock is held meanwhile: no other process decodes items of
/// this device, and they are stored in their order.
async fn turn(app: &Arc<App>, claimant: Claimant) -> Result<bool, Error> {
    let mut lock = app.db.begin_worker().await?;
    if !store::take_turn(&mut lock, claimant.device_id).await? {
        return Ok(false);
    }
    let rows = store::next_claimed(&mut lock, claimant, CHUNK).await?;
    let full = i64::try_from(rows.len()).unwrap_or(i64::MAX) == CHUNK;
    let settled = decode_rows(app, claimant, &rows).await?;
    lock.commit().await?;
    // What is left of a chunk waits for the next look: its device was changed or deactivated meanwhile.
    Ok(full && settled)
}

/// Decodes items and commits them together; true when all of them are settled.
async fn decode_rows(app: &Arc<App>, claimant: Claimant, rows: &[ClaimedRow]) -> Result<bool, Error> {
    let mut transaction = TenantScope::one(claimant.tenant_id).begin(&app.db).await?;
    let device = load_device(&mut transaction, app, claimant.tenant_id, claimant.device_id).await?;
    let mut kept = Vec::with_capacity(rows.len());
    for row in rows {
        let uplink = received_uplink(&mut transaction, claimant.tenant_id, row.uplink_id, row.received_at).await?;
        let body = open_body(app, &mut transaction, claimant.tenant_id, row.uplink_id, row.received_at).await?;
        match uplink.zip(body) {
            Some((uplink, body)) => kept.push((row, Received { body, ..uplink.received })),
            None => {
                store::expire(&mut transaction, claimant.tenant_id, row.uplink_id).await?;
            }
        }
    }
    transaction.commit().await?;
    let Some(device) = device.filter(|device| device.active) else { return Ok(false) };
    let (mut all, mut window) = (true, Vec::new());
    let mut split = SplitAgain::new(app, device.tenant);
    for (row, mut received) in kept {
        if received.content_type == READINGS {
            // As with a frame: what the decoder of now says. Where that cannot be had, what was said when it came.
            if let Again::Readings(body) = split.item(&received, device.id, None).await? {
                received.body = body.write()?;
            }
        }
        let submission = submission(app, &device, row, received).await?;
        // The device's next frames may complete these: then they have to be there.
        let waits = matches!(submission.verdict, Verdict::Incomplete { .. });
        window.push(submission);
        if waits {
            all &= commit(app, &mut window).await?;
            joining::complete(app, device.tenant, device.id, row.uplink_id).await?;
        }
    }
    Ok(commit(app, &mut window).await? && all)
}

async fn submission(
    app: &Arc<App>,
    device: &DeviceSnapshot,
    row: &ClaimedRow,
    received: Received,
) -> Result<Submission, Error> {
    let identity = SourceIdentity {
        credential: CredentialId(uuid::Uuid::nil()),
        tenant: device.tenant,
        kind: SourceKind::Hub,
        source: row.hub_id.0,
    };
    let source = KnownSource { identity, device: device.clone(), carried_by: None };
    let frames = frames_again(&received)?;
    let mut submission = decode_kept(app, &source, received, frames).await?;
    submission.replay = true;
    joining::begun_before(app, &source, &mut submission).await?;
    // Should the hub send it again, it is known by the key that it was kept under.
    if let Ok(key) = <[u8; 32]>::try_from(row.item_key.as_slice()) {
        // As long as an app's: a hub's keeps for a week, and may keep for longer.
        let expires_at = row.received_at + TimeDelta::days(90);
        submission.keys.push(TransportKey { key, sent_at: row.received_at, expires_at, chosen: true });
    }
    Ok(submission)
}

/// Commits in order; true when everything is settled.
async fn commit(app: &Arc<App>, window: &mut Vec<Submission>) -> Result<bool, Error> {
    let mut waiting = Vec::with_capacity(window.len());
    for submission in window.drain(..) {
        let ticket = app.intake.admit(submission.received.body.len()).map_err(|bound| app.intake.refusal(bound))?;
        waiting.push(app.intake.submit(submission, ticket));
    }
    Ok(join_all(waiting).await.into_iter().all(|answer| answer.is_ok()))
}
