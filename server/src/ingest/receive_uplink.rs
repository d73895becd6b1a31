//! One uplink: who sent it, its frames, what the decoder makes of them, and the wait for the commit.

use std::sync::Arc;

use actix_web::web::Bytes;
use chrono::{DateTime, Utc};
use db::UplinkId;
use sha2::{Digest, Sha256};

use super::decode_uplink::{decode, undecided};
use super::intake::Ticket;
use super::joining;
use super::model::{Outcome, Receipt, Received, TransportKey, Verdict};
use super::read_upload::{Upload, check_key, read};
use super::sources::{self, KnownSource};
use crate::app::App;
use crate::error::{Error, Kind};
use crate::platform::metrics::OutcomeLabel;

/// Takes one uplink all the way: the answer comes after the commit. `body` is read when the source is known.
///
/// # Errors
/// 401, 403, 413, 415, 422, 429, 503 as DESIGN §7 says; nothing is kept then.
pub(super) async fn receive(
    app: &Arc<App>,
    upload: Upload,
    body: impl Future<Output = Result<(Bytes, Ticket), Error>>,
) -> Result<Receipt, Error> {
    let result = receive_counted(app, upload, body).await;
    count(app, &result);
    result
}

/// Counts what became of an uplink.
pub(super) fn count(app: &App, result: &Result<Receipt, Error>) {
    let outcome = match result {
        Ok(receipt) => receipt.outcome.as_str(),
        Err(error) => refused_as(error),
    };
    app.metrics.uplinks.get_or_create(&OutcomeLabel { outcome }).inc();
}

/// What an uplink that is not taken is counted as.
pub(super) fn refused_as(error: &Error) -> &'static str {
    match error.kind() {
        Kind::Unauthenticated => "unauthenticated",
        Kind::Forbidden => "deactivated",
        Kind::Throttled(_) => "throttled",
        Kind::Unavailable(_) => "unavailable",
        Kind::Internal => "failed",
        _ => "refused",
    }
}

/// 503 when the server was told to stop.
pub(super) fn refuse_draining(app: &App) -> Result<(), Error> {
    if !app.is_draining() {
        return Ok(());
    }
    Err(Error::new(Kind::Unavailable(2), "ingest.stopping", "The server is stopping; send this again shortly."))
}

async fn receive_counted(
    app: &Arc<App>,
    upload: Upload,
    body: impl Future<Output = Result<(Bytes, Ticket), Error>>,
) -> Result<Receipt, Error> {
    refuse_draining(app)?;
    let source = app.sources.device(app, &upload.token).await?;
    app.ingest_limits.check(&source.identity.credential.0)?;
    let (body, ticket) = body.await?;
    let received_at = app.clock.now();
    let mut answer = receive_from(app, &source, &upload, &body, received_at, ticket).await;
    if answer.as_ref().is_err_and(sources::is_stale) {
        app.sources.forget(&upload.token).await;
    }
    if answer.as_ref().is_err_and(sources::is_changed) {
        // Nothing was kept of what was read with the old settings: once more with those of now.
        let source = app.sources.device(app, &upload.token).await?;
        let ticket = app.intake.admit(body.len()).map_err(|bound| app.intake.refusal(bound))?;
        answer = receive_from(app, &source, &upload, &body, received_at, ticket).await;
    }
    answer
}

/// Takes an uplink of a source that is known; what is wrong with its form is an error, and nothing is kept then.
pub(super) async fn receive_from(
    app: &Arc<App>,
    source: &KnownSource,
    upload: &Upload,
    body: &Bytes,
    received_at: DateTime<Utc>,
    ticket: Ticket,
) -> Result<Receipt, Error> {
    let (received, frames) = read(upload, body, received_at)?;
    let sample = app.shadows.sample(&source.device, &received);
    let mut submission = decode(app, source, received, frames, &ticket).await?;
    if let Some(key) = &upload.idempotency_key {
        submission.keys.push(TransportKey::idempotency(check_key(key)?, received_at));
    }
    submission.keys.extend(upload.delivery.clone());
    joining::begun_before(app, source, &mut submission).await?;
    let receipt = app.intake.submit(submission, ticket).await?;
    app.shadows.offer(sample);
    Ok(joined(app, source, receipt).await)
}

/// An uplink that asked for more frames may have completed what the device began before: then that is its receipt. It is
/// stored in any case, and is joined later where that did not succeed now.
pub(super) async fn joined(app: &Arc<App>, source: &KnownSource, receipt: Receipt) -> Receipt {
    if receipt.outcome != Outcome::Incomplete {
        return receipt;
    }
    match joining::complete(app, source.device.tenant, source.device.id, receipt.uplink).await {
        Ok(together) => together.unwrap_or(receipt),
        Err(error) => {
            tracing::debug!(device.id = %source.device.id, %error, "waiting frames were not joined at once; it is tried again");
            receipt
        }
    }
}

/// Keeps in quarantine what has not the form of an uplink, for sources that cannot be told so.
pub(super) async fn keep_unreadable(
    app: &Arc<App>,
    source: &KnownSource,
    upload: &Upload,
    body: &Bytes,
    received_at: DateTime<Utc>,
    ticket: Ticket,
    wrong: &Error,
) -> Result<Receipt, Error> {
    let received = Received {
        id: UplinkId::generate(),
        received_at,
        captured_at: None,
        channel: upload.channel.chars().filter(|letter| !letter.is_control()).take(200).collect(),
        content_type: upload.content_type.chars().filter(char::is_ascii_graphic).take(127).collect(),
        body: body.to_vec(),
        body_hash: Sha256::digest(body).into(),
    };
    let mut submission = undecided(source, received, &[]);
    let detail = wrong
        .first_field()
        .map_or_else(|| wrong.public().to_owned(), |field| format!("{}: {}", field.pointer, field.detail));
    submission.verdict = Verdict::Undecodable { reason: "envelope".to_owned(), detail };
    submission.keys.extend(upload.delivery.clone());
    app.intake.submit(submission, ticket).await
}
