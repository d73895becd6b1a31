//! One uplink: who sent it, which frames, what the decoder makes of them, and the wait for the commit.

use std::sync::Arc;

use actix_web::web::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use db::UplinkId;
use plugin_host::NameValue;
use sha2::{Digest, Sha256};

use super::claimed_identity::is_another_device;
use super::clock::{self, Correction};
use super::decoded_body::{DecodedBody, READINGS};
use super::envelope::{self, Frame};
use super::frames;
use super::handle_map;
use super::intake::Ticket;
use super::interpret::{self, InterpretContext};
use super::joining;
use super::model::{Found, Outcome, Receipt, Received, Submission, TransportKey, Verdict};
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
    /// Under which a broker's delivery is known when it comes again.
    pub delivery: Option<TransportKey>,
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

/// The media type of a body that may be taken, in lower case and without parameters.
///
/// # Errors
/// 400 for an empty body; 415 for a type that no source may send.
pub(super) fn media_type(upload: &Upload, body: &Bytes) -> Result<String, Error> {
    if body.is_empty() {
        return Err(Error::invalid("body.empty", "The body is empty; send the bytes that the device sent."));
    }
    let media_type = upload.content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if media_type.is_empty()
        || media_type.len() > 127
        || media_type.starts_with("multipart/")
        || media_type == "application/x-www-form-urlencoded"
        || media_type == READINGS
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
    Ok(media_type)
}

/// The raw side of a request whose body is one frame, or a hub's payload.
///
/// # Errors
/// 422 for a channel or a time of capture that is none.
pub(super) fn received(
    upload: &Upload,
    body: &Bytes,
    media_type: String,
    received_at: DateTime<Utc>,
) -> Result<Received, Error> {
    envelope::check_channel("?channel", &upload.channel)?;
    let captured_at = upload
        .captured_at
        .as_deref()
        .map(|text| envelope::parse_captured_at("Afferent-Captured-At", text))
        .transpose()?;
    Ok(Received {
        id: UplinkId::generate(),
        received_at,
        captured_at,
        channel: upload.channel.clone(),
        content_type: media_type,
        body: body.to_vec(),
        body_hash: Sha256::digest(body).into(),
    })
}

/// The raw side and the frames of a request; everything about its form is checked here.
fn read(upload: &Upload, body: &Bytes, received_at: DateTime<Utc>) -> Result<(Received, Vec<Frame>), Error> {
    let mut received = received(upload, body, media_type(upload, body)?, received_at)?;
    let frames = if received.content_type == envelope::ENVELOPE {
        if !upload.channel.is_empty() || received.captured_at.is_some() {
            return Err(Error::invalid(
                "envelope.mixed",
                "In an envelope the frames carry channel and capturedAt themselves; leave ?channel and Afferent-Captured-At out.",
            ));
        }
        envelope::parse_envelope(body)?
    } else {
        vec![Frame { channel: upload.channel.clone(), data: body.to_vec(), captured_at: received.captured_at }]
    };
    if let Some(first) = frames.first() {
        received.captured_at = first.captured_at;
        received.channel.clone_from(&first.channel);
    }
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

pub(super) fn check_key(key: &str) -> Result<&str, Error> {
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
    let binding = bind(app, source, &frames);
    decode_with(app, source, received, frames, binding, Clocked::Measured, Some(ticket)).await
}

/// The same for what was kept, in our own time: a sandbox is waited for without end.
pub(super) async fn decode_kept(
    app: &Arc<App>,
    source: &KnownSource,
    received: Received,
    frames: Vec<Frame>,
) -> Result<Submission, Error> {
    let binding = bind(app, source, &frames);
    decode_with(app, source, received, frames, binding, Clocked::Measured, None).await
}

/// What decodes these frames of a device now.
fn bind(app: &App, source: &KnownSource, frames: &[Frame]) -> Result<Binding, Unbound> {
    let channel = frames.first().map(|frame| frame.channel.as_str()).unwrap_or_default();
    let channel = handle_map::characteristic(channel, &source.device.variables);
    app.decoders.now().for_model(&source.device.model, &channel)
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
    let mut submission = undecided(source, received, &frames);
    if submission.received.content_type == READINGS {
        // A hub decoded it: its times are the hub's, and say nothing about the device's clock.
        let decoded = DecodedBody::read(&submission.received.body)?;
        submission.decoder = Some((decoded.decoder.clone(), decoded.version.clone()));
        judge(app, &source.device, &mut submission, None, Ok(decoded.into_outcome()));
        return Ok(submission);
    }
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
        (Ok(plugin_host::Outcome::Readings(_)), Clocked::Known) => {
            app.clocks.correct(app, source.device.tenant, source.device.id, None).await
        }
        (_, Clocked::Known) => None,
        (_, Clocked::By(correction)) => correction,
        (_, Clocked::As(offset_ms)) => {
            offset_ms.map(|offset| Correction { offset: chrono::Duration::milliseconds(offset), since: None })
        }
    };
    judge(app, &source.device, &mut submission, correction, run.result);
    Ok(submission)
}

/// A submission that nothing is known of yet but where it came from.
fn undecided(source: &KnownSource, received: Received, frames: &[Frame]) -> Submission {
    Submission {
        source: source.identity.clone(),
        device: source.device.id,
        carried_by: source.carried_by.clone(),
        received,
        verdict: Verdict::Nothing { reason: String::new() },
        decoder: None,
        warnings: Vec::new(),
        has_rivals: source.device.has_rivals,
        device_updated_at: source.device.updated_at,
        tenant_zone: source.device.tenant_zone.clone(),
        frames: frames::facts(frames),
        keys: Vec::new(),
        replay: false,
        parts: Vec::new(),
        order: None,
        time_zone: source.device.time_zone.to_string(),
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

/// By what the device's times are corrected.
#[derive(Debug, Clone, Copy)]
pub(super) enum Clocked {
    /// By what is measured of its clock now.
    Measured,
    /// By what was applied when it came, in milliseconds.
    As(Option<i64>),
    /// By what is known of its clock, without measuring it anew: these bytes are old.
    Known,
    /// By exactly this.
    By(Option<Correction>),
}

pub(super) fn decoder_input(device: &DeviceSnapshot, received: &Received, frames: Vec<Frame>) -> plugin_host::Input {
    plugin_host::Input {
        model: device.model.clone(),
        frames: frames
            .into_iter()
            .map(|frame| plugin_host::Frame {
                channel: handle_map::characteristic(&frame.channel, &device.variables).into_owned(),
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
        plugin_host::Outcome::Incomplete(incomplete) => {
            let window = joining::bounds(app, &device.model).window;
            Verdict::Incomplete { reason: incomplete.reason, window }
        }
        plugin_host::Outcome::Nothing(nothing) => {
            submission.warnings.extend(nothing.warnings.iter().map(|warning| warning.code.clone()));
            Verdict::Nothing { reason: nothing.reason }
        }
        plugin_host::Outcome::Error(error) => {
            Verdict::Undecodable { reason: error.kind.as_str().to_owned(), detail: error_detail(&error) }
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
    let window = app.decoders.now().repeat_window(&device.model).unwrap_or(device.repeat_window);
    TimeDelta::from_std(window).unwrap_or_else(|_too_long| TimeDelta::seconds(60))
}

pub(super) fn error_detail(error: &plugin_host::DecodeError) -> String {
    match (error.offset, &error.path) {
        (Some(offset), _) => format!("{} (at byte {offset})", error.message),
        (None, Some(path)) => format!("{} (at {path})", error.message),
        (None, None) => error.message.clone(),
    }
}
