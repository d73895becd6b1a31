//! Runs the version that serves and the one beside it over one kept uplink.

use std::sync::Arc;

use db::{DeviceId, TenantId, UplinkId};
use plugin_host::{Decoder, Outcome};

use super::compare::compare;
use super::model::Compared;
use crate::app::App;
use crate::error::Error;
use crate::fleet::DeviceSnapshot;
use crate::ingest::decode_uplink::decoder_input;
use crate::ingest::decoded_body::READINGS;
use crate::ingest::handle_map;
use crate::ingest::interpret::{InterpretContext, ReadingKey, interpret};
use crate::ingest::model::Received;
use crate::ingest::read_upload::frames_again;
use crate::ingest::replays::bind;
use crate::ingest::run_decoder::run_decoder;

/// A record that is known under another key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedKey {
    /// Whose.
    pub tenant: TenantId,
    /// Which device's.
    pub device: DeviceId,
    /// The key so far, as it is stored.
    pub old_key: String,
    /// The key to come.
    pub new_key: String,
    /// Where it was seen.
    pub uplink: UplinkId,
    /// When that came.
    pub received_at: chrono::DateTime<chrono::Utc>,
    /// Kind of the reading.
    pub kind: String,
    /// When it was measured.
    pub measured_at: chrono::DateTime<chrono::Utc>,
}

/// What came of an uplink.
pub enum Ran {
    /// Both ran.
    Compared(Box<Compared>, Vec<ChangedKey>),
    /// It cannot be compared, for this reason.
    Skipped(&'static str),
}

/// Decodes with both and compares. Deterministic: the stored frames, times, zone and variables are the input of both.
///
/// # Errors
/// 500 when the runtime ends.
pub async fn run_both(
    app: &App,
    device: &DeviceSnapshot,
    received: &Received,
    version: &Arc<Decoder>,
) -> Result<Ran, Error> {
    if received.content_type == READINGS {
        return Ok(Ran::Skipped("decoded-by-hub"));
    }
    let Ok(frames) = frames_again(received) else { return Ok(Ran::Skipped("envelope")) };
    let channel = frames.first().map(|frame| frame.channel.as_str()).unwrap_or_default();
    let channel = handle_map::characteristic(channel, &device.variables).into_owned();
    if bind(app, Some(version), &device.model, &channel).is_err() {
        return Ok(Ran::Skipped("model-unknown"));
    }
    let input = decoder_input(device, received, frames);
    let active = match bind(app, None, &device.model, &channel) {
        Ok(binding) => Some(run_decoder(app, &binding.decoder, input.clone(), None).await?),
        Err(_) => None,
    };
    let beside = run_decoder(app, version, input, None).await?;
    let (compared, pairs) = compare(&device.model, active.as_ref(), &beside);
    let mut keys = Vec::new();
    if let (Some(Ok(Outcome::Readings(before))), Ok(Outcome::Readings(after))) =
        (active.as_ref().map(|run| &run.result), &beside.result)
    {
        let seen = Seen { app, device, received };
        let readings =
            pairs.into_iter().filter_map(|(old, new)| Some((before.readings.get(old)?, after.readings.get(new)?)));
        keys.extend(readings.filter_map(|(old, new)| seen.changed_key(old, new)));
    }
    Ok(Ran::Compared(Box::new(compared), keys))
}

/// Where readings were seen.
pub(super) struct Seen<'a> {
    pub(super) app: &'a App,
    pub(super) device: &'a DeviceSnapshot,
    pub(super) received: &'a Received,
}

impl Seen<'_> {
    /// The keys of a record in both versions; nothing where the uplink is the identity.
    pub(super) fn changed_key(&self, old: &plugin_host::Reading, new: &plugin_host::Reading) -> Option<ChangedKey> {
        old.record_key.as_ref().and(new.record_key.as_ref())?;
        let mut context = InterpretContext::new(self.received.received_at, self.device.time_zone);
        context.captured_at = self.received.captured_at;
        let (device, uplink) = (self.device.id.to_string(), self.received.id.to_string());
        let key = |reading| {
            let interpreted = interpret(reading, &context, &self.app.tables);
            let key = ReadingKey::new(&device, &interpreted.identity.record_key(&uplink), &interpreted.identity_kind);
            (key, interpreted)
        };
        let ((old_key, before), (new_key, _)) = (key(old), key(new));
        (old_key != new_key).then(|| ChangedKey {
            tenant: self.device.tenant,
            device: self.device.id,
            old_key: old_key.text(),
            new_key: new_key.text(),
            uplink: self.received.id,
            received_at: self.received.received_at,
            measured_at: before.time.start.to_utc(),
            kind: before.kind,
        })
    }
}
