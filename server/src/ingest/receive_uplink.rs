//! One uplink: who sent it, which frames, what the decoder makes of them, and the wait for the commit.

use std::sync::Arc;

use actix_web::web::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use db::UplinkId;
use plugin_host::NameValue;
use sha2::{Digest, Sha256};

use super::claimed_identity::is_another_device;
use super::clock::{self, Correction};
use super::envelope::{self, Frame};
use super::frames;
use super::intake::Ticket;
use super::interpret::{self, InterpretContext};
use super::model::{Found, Receipt, Received, Submission, TransportKey, Verdict};
use super::run_decoder::run_decoder;
use super::sources::{self, KnownSource};
use crate::app::App;
use crate::error::{Error, Kind};
use crate::fleet::{Binding, DeviceSnapshot, Unbound};
use crate::platform::metrics::OutcomeLabel;

/// A request as it came in.
pub struct Upload {
    /// The bearer token.
    pub token: String,
    /// `?channel=`.
    pub channel: String,
    /// Content-Type.
    pub content_type: String,
    /// Afferent-Captured-At.
    pub captured_at: Option<String>,
    /// Idempotency-Key.
    pub idempotency_key: Option<String>,
}

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
    let outcome = match &result {
        Ok(receipt) => receipt.outcome.as_str(),
        Err(error) => match error.kind() {
            Kind::Unauthenticated => "unauthenticated",
            Kind::Forbidden => "deactivated",
            Kind::Throttled(_) => "throttled",
            Kind::Unavailable(_) => "unavailable",
            Kind::Internal => "failed",
            _ => "refused",
        },
    };
    app.metrics.uplinks.get_or_create(&OutcomeLabel { outcome }).inc();
    result
}

async fn receive_counted(
    app: &Arc<App>,
    upload: Upload,
    body: impl Future<Output = Result<(Bytes, Ticket), Error>>,
) -> Result<Receipt, Error> {
    if app.is_draining() {
        return Err(Error::new(
            Kind::Unavailable(2),
            "ingest.stopping",
            "The server is stopping; send this again shortly.",
        ));
    }
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

async fn receive_from(
    app: &Arc<App>,
    source: &KnownSource,
    upload: &Upload,
    body: &Bytes,
    received_at: DateTime<Utc>,
    ticket: Ticket,
) -> Result<Receipt, Error> {
    let (received, frames) = read(upload, body, received_at)?;
    let mut submission = decode(app, source, received, frames, &ticket).await?;
    if let Some(key) = &upload.idempotency_key {
        submission.keys.push(TransportKey::idempotency(check_key(key)?, received_at));
    }
    app.intake.submit(submission, ticket).await
}

/// The raw side and the frames of a request; everything about its form is checked here.
fn read(upload: &Upload, body: &Bytes, received_at: DateTime<Utc>) -> Result<(Received, Vec<Frame>), Error> {
    if body.is_empty() {
        return Err(Error::invalid("body.empty", "The body is empty; send the bytes that the device sent."));
    }
    let media_type = upload.content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if media_type.is_empty()
        || media_type.len() > 127
        || media_type.starts_with("multipart/")
        || media_type == "application/x-www-form-urlencoded"
    {
        return Err(Error::new(
            Kind::Unsupported,
            "body.media-type",
            format!(
                "Send one raw frame (application/octet-stream, application/json or text/plain), or several as {}.",
                envelope::ENVELOPE
            ),
        ));
    }
    envelope::check_channel("?channel", &upload.channel)?;
    let captured_at = upload
        .captured_at
        .as_deref()
        .map(|text| envelope::parse_captured_at("Afferent-Captured-At", text))
        .transpose()?;
    let frames = if media_type == envelope::ENVELOPE {
        if !upload.channel.is_empty() || captured_at.is_some() {
            return Err(Error::invalid(
                "envelope.mixed",
                "In an envelope the frames carry channel and capturedAt themselves; leave ?channel and Afferent-Captured-At out.",
            ));
        }
        envelope::parse_envelope(body)?
    } else {
        vec![Frame { channel: upload.channel.clone(), data: body.to_vec(), captured_at }]
    };
    let first = frames.first();
    let received = Received {
        id: UplinkId::generate(),
        received_at,
        captured_at: first.and_then(|frame| frame.captured_at),
        channel: first.map(|frame| frame.channel.clone()).unwrap_or_default(),
        content_type: media_type,
        body: body.to_vec(),
        body_hash: Sha256::digest(body).into(),
    };
    Ok((received, frames))
}

/// Frames of a stored uplink, for a replay: the same bytes read in the same way.
pub(super) fn frames_again(received: &Received) -> Result<Vec<Frame>, Error> {
    if received.content_type == envelope::ENVELOPE {
        return envelope::parse_envelope(&received.body);
    }
    Ok(vec![Frame {
        channel: received.channel.clone(),
        data: received.body.clone(),
        captured_at: received.captured_at,
    }])
}

fn check_key(key: &str) -> Result<&str, Error> {
    if (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(key);
    }
    Err(Error::invalid(
        "idempotency-key",
        "An Idempotency-Key has 1 to 255 visible ASCII characters; a UUID is a good one.",
    ))
}

/// Runs the decoder in its sandbox and turns what it says into a submission.
pub(super) async fn decode(
    app: &Arc<App>,
    source: &KnownSource,
    received: Received,
    frames: Vec<Frame>,
    ticket: &Ticket,
) -> Result<Submission, Error> {
    let channel = frames.first().map(|frame| frame.channel.as_str()).unwrap_or_default();
    let binding = app.decoders.for_model(&source.device.model, channel);
    decode_with(app, source, received, frames, binding, Clocked::Measured, Some(ticket)).await
}

/// The same with that decoder and that offset of the device's clock; without a ticket a sandbox is waited for without end,
/// which is for our own work only.
pub(super) async fn decode_with(
    app: &Arc<App>,
    source: &KnownSource,
    received: Received,
    frames: Vec<Frame>,
    binding: Result<Binding, Unbound>,
    clocked: Clocked,
    ticket: Option<&Ticket>,
) -> Result<Submission, Error> {
    let mut submission = Submission {
        source: source.identity.clone(),
        device: source.device.id,
        received,
        verdict: Verdict::Nothing { reason: String::new() },
        decoder: None,
        warnings: Vec::new(),
        has_rivals: source.device.has_rivals,
        device_updated_at: source.device.updated_at,
        tenant_zone: source.device.tenant_zone.clone(),
        frames: frames::facts(&frames),
        keys: Vec::new(),
        replay: false,
        order: None,
        time_zone: source.device.time_zone.to_string(),
    };
    let binding = match binding {
        Ok(binding) => binding,
        Err(unbound) => {
            submission.verdict =
                Verdict::Undecodable { reason: unbound.reason().to_owned(), detail: unbound.to_string() };
            return Ok(submission);
        }
    };
    let manifest = binding.decoder.manifest();
    submission.decoder = Some((manifest.name.clone(), manifest.version.clone()));
    let input = decoder_input(&source.device, &submission.received, frames);
    let run = run_decoder(app, &binding.decoder, input, ticket).await?;
    app.metrics.decode_seconds.observe(run.stats.elapsed.as_secs_f64());
    app.metrics.decode_fuel.inc_by(run.stats.fuel_used);
    let correction = match (&run.result, clocked) {
        (Ok(plugin_host::Outcome::Readings(decoded)), Clocked::Measured) => {
            let (received, device) = (&submission.received, &source.device);
            let anchor = received.captured_at.filter(|captured| *captured <= received.received_at);
            let sample = clock::sample(decoded, anchor.unwrap_or(received.received_at), device.time_zone);
            app.clocks.correct(app, device.tenant, device.id, sample).await
        }
        (_, Clocked::Measured) => None,
        (_, Clocked::As(offset_ms)) => {
            offset_ms.map(|offset| Correction { offset: chrono::Duration::milliseconds(offset), since: None })
        }
    };
    judge(app, &source.device, &mut submission, correction, run.result);
    Ok(submission)
}

/// By what the device's times are corrected.
#[derive(Debug, Clone, Copy)]
pub(super) enum Clocked {
    /// By what is measured of its clock now.
    Measured,
    /// By what was applied when it came, in milliseconds.
    As(Option<i64>),
}

fn decoder_input(device: &DeviceSnapshot, received: &Received, frames: Vec<Frame>) -> plugin_host::Input {
    plugin_host::Input {
        model: device.model.clone(),
        frames: frames
            .into_iter()
            .map(|frame| plugin_host::Frame {
                channel: frame.channel,
                data: frame.data,
                captured_at_ms: frame.captured_at.map(|time| time.timestamp_millis()),
                extra: Vec::new(),
            })
            .collect(),
        content_type: received.content_type.clone(),
        received_at_ms: received.received_at.timestamp_millis(),
        time_zone: Some(device.time_zone.to_string()),
        variables: device
            .variables
            .iter()
            .map(|(name, value)| NameValue { name: name.clone(), value: value.clone() })
            .collect(),
        extra: Vec::new(),
    }
}

/// What the decoder said, as a verdict.
fn judge(
    app: &App,
    device: &DeviceSnapshot,
    submission: &mut Submission,
    correction: Option<Correction>,
    result: Result<plugin_host::Outcome, plugin_host::DecodeFailure>,
) {
    let outcome = match result {
        Ok(outcome) => outcome,
        Err(failure) => {
            tracing::warn!(
                tenant.id = %submission.source.tenant, device.id = %submission.device, reason = failure.kind.as_str(),
                "a decoder failed; the uplink is quarantined"
            );
            submission.verdict =
                Verdict::Undecodable { reason: failure.kind.as_str().to_owned(), detail: failure.to_string() };
            return;
        }
    };
    submission.verdict = match outcome {
        plugin_host::Outcome::Readings(decoded) => {
            submission.warnings.extend(decoded.warnings.iter().map(|warning| warning.code.clone()));
            readings(app, device, submission, correction, &decoded)
        }
        plugin_host::Outcome::Incomplete(incomplete) => Verdict::Incomplete { reason: incomplete.reason },
        plugin_host::Outcome::Nothing(nothing) => {
            submission.warnings.extend(nothing.warnings.iter().map(|warning| warning.code.clone()));
            Verdict::Nothing { reason: nothing.reason }
        }
        plugin_host::Outcome::Error(error) => {
            Verdict::Undecodable { reason: error_reason(error.kind).to_owned(), detail: error_detail(&error) }
        }
    };
}

fn readings(
    app: &App,
    device: &DeviceSnapshot,
    submission: &mut Submission,
    correction: Option<Correction>,
    decoded: &plugin_host::Decoded,
) -> Verdict {
    let mut context = InterpretContext::new(submission.received.received_at, device.time_zone);
    context.captured_at = submission.received.captured_at;
    context.clock_offset = correction.map(|correction| correction.offset);
    context.clock_offset_since = correction.and_then(|correction| correction.since);
    let repeated = interpret::repeated_hours(&decoded.readings, device.time_zone);
    let mut found: Vec<Found> = decoded
        .readings
        .iter()
        .zip(repeated)
        .map(|(reading, repeated)| {
            let captured_at = frames::captured_at(reading, &submission.frames);
            let context = InterpretContext { captured_at, repeated, ..context };
            let mut interpreted = interpret::interpret(reading, &context, &app.tables);
            if is_another_device(&reading.device_identity, device) {
                interpreted.add_condition("identity-mismatch", &app.tables);
            }
            Found { interpreted, slot: reading.user_slot.clone().unwrap_or_default() }
        })
        .collect();
    let window = repeat_window(device, app);
    frames::settle_repeats(&mut found, &decoded.readings, &submission.frames, submission.received.received_at, window);
    for warning in found.iter().flat_map(|found| found.interpreted.warnings()) {
        if !submission.warnings.contains(warning) {
            submission.warnings.push(warning.clone());
        }
    }
    if window > TimeDelta::zero() && found.iter().any(|found| found.interpreted.identity.key.is_none()) {
        submission.keys.push(TransportKey::repeat(submission.device, &submission.received, window));
    }
    Verdict::Readings(found)
}

/// How long the same bytes of this device are one transmission: as its model's decoder says, else as for all.
fn repeat_window(device: &DeviceSnapshot, app: &App) -> TimeDelta {
    let window = app.decoders.repeat_window(&device.model).unwrap_or(device.repeat_window);
    TimeDelta::from_std(window).unwrap_or_else(|_too_long| TimeDelta::seconds(60))
}

pub(super) fn error_reason(kind: plugin_host::ErrorKind) -> &'static str {
    match kind {
        plugin_host::ErrorKind::Malformed => "malformed",
        plugin_host::ErrorKind::Unsupported => "unsupported",
        plugin_host::ErrorKind::NotForMe => "not-for-me",
    }
}

pub(super) fn error_detail(error: &plugin_host::DecodeError) -> String {
    match (error.offset, &error.path) {
        (Some(offset), _) => format!("{} (at byte {offset})", error.message),
        (None, Some(path)) => format!("{} (at {path})", error.message),
        (None, None) => error.message.clone(),
    }
}
