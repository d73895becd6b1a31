//! What the decoder makes of an uplink's frames: which decoder, by which clock, and the verdict on what it says.

use std::sync::Arc;

use chrono::TimeDelta;
use plugin_host::NameValue;

use super::claimed_identity::is_another_device;
use super::clock::{self, Correction};
use super::decoded_body::{DecodedBody, READINGS};
use super::envelope::Frame;
use super::frames;
use super::handle_map;
use super::intake::Ticket;
use super::interpret::{self, InterpretContext};
use super::joining;
use super::model::{Found, Received, Submission, TransportKey, Verdict};
use super::run_decoder::run_decoder;
use super::sources::KnownSource;
use crate::app::App;
use crate::error::Error;
use crate::fleet::{Binding, DeviceSnapshot, Unbound};

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
pub(super) fn undecided(source: &KnownSource, received: Received, frames: &[Frame]) -> Submission {
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
