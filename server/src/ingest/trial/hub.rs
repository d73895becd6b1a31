//! Tries a hub's decoder: what it splits a payload into, and what becomes of each item.

use plugin_host::{Frame, HubContent, HubItem, HubOutcome, RunStats};

use super::{Trial, TriedVerdict, input, previews, try_decoder};
use crate::error::Error;
use crate::fleet::{Binding, Decoders};
use crate::ingest::decode_uplink::error_detail;
use crate::ingest::interpret::{InterpretContext, Tables};

/// What came of a hub's payload.
#[derive(Debug)]
pub struct TriedHub {
    /// The answer.
    pub parts: TriedParts,
    /// What it cost the hub's decoder.
    pub stats: RunStats,
}

/// A hub's decoder's answer.
#[derive(Debug)]
pub enum TriedParts {
    /// What the payload carries.
    Items(Vec<TriedItem>),
    /// It carries nothing.
    Whole(TriedVerdict),
}

/// One item of a payload.
#[derive(Debug)]
pub struct TriedItem {
    /// The device as the hub names it.
    pub device: String,
    /// The hub's own id of the item.
    pub id: Option<String>,
    /// What the hub calls the kind of device.
    pub device_type: Option<String>,
    /// Bytes that go on to the device's own decoder.
    pub frame: Option<Frame>,
    /// Whose decoder read the frame here.
    pub model: Option<String>,
    /// What became of it; none for a frame that nothing here reads.
    pub verdict: Option<TriedVerdict>,
}

/// Runs a hub's decoder over a trial, and the decoder of a device over each frame that it carries: that of the model which
/// is named after the frame's channel, for there is no device that could say its own. Without decoders frames are only shown.
/// Synchronous CPU work.
///
/// # Errors
/// 500 when an Observation cannot be written, which is a defect of ours.
pub fn try_hub(
    binding: &Binding,
    trial: &Trial,
    decoders: Option<&Decoders>,
    tables: &Tables,
) -> Result<TriedHub, Error> {
    let run = binding.decoder.run_hub(&input(&binding.model, trial));
    let parts = match run.result {
        Ok(HubOutcome::Items(items)) => {
            let tried = items.into_iter().map(|item| try_item(item, trial, decoders, tables));
            TriedParts::Items(tried.collect::<Result<_, _>>()?)
        }
        Ok(HubOutcome::Nothing(nothing)) => TriedParts::Whole(nothing.into()),
        Ok(HubOutcome::Incomplete(incomplete)) => TriedParts::Whole(incomplete.into()),
        Ok(HubOutcome::Error(error)) => TriedParts::Whole((&error).into()),
        Err(failure) => {
            TriedParts::Whole(TriedVerdict::Failed { reason: failure.kind.as_str(), detail: failure.message })
        }
    };
    Ok(TriedHub { parts, stats: run.stats })
}

fn try_item(item: HubItem, trial: &Trial, decoders: Option<&Decoders>, tables: &Tables) -> Result<TriedItem, Error> {
    let device_type = item.extra.into_iter().find(|pair| pair.name == "device-type").map(|pair| pair.value);
    let mut tried =
        TriedItem { device: item.device, id: item.item_id, device_type, frame: None, model: None, verdict: None };
    match item.content {
        HubContent::Readings(decoded) => {
            let context = InterpretContext::new(trial.received_at, trial.zone);
            tried.verdict = Some(TriedVerdict::Readings { previews: previews(&decoded, &context, tables)?, decoded });
        }
        HubContent::Nothing(nothing) => tried.verdict = Some(nothing.into()),
        HubContent::Error(error) => tried.verdict = Some((&error).into()),
        HubContent::Frame(frame) => {
            let model = decoders
                .and_then(|decoders| decoders.models_on(std::slice::from_ref(&frame.channel)).into_iter().next());
            if let (Some(decoders), Some(model)) = (decoders, model)
                && let Ok(binding) = decoders.for_model(&model, &frame.channel)
            {
                let trial = Trial {
                    frames: vec![frame.clone()],
                    content_type: "application/octet-stream".to_owned(),
                    ..trial.clone()
                };
                tried.verdict = Some(try_decoder(&binding, trial, tables)?.verdict);
                tried.model = Some(model);
            }
            tried.frame = Some(frame);
        }
    }
    Ok(tried)
}

impl From<plugin_host::Incomplete> for TriedVerdict {
    fn from(incomplete: plugin_host::Incomplete) -> Self {
        let told = incomplete.extra.into_iter().find(|extra| extra.name == "decoded");
        Self::Incomplete { reason: incomplete.reason, decoded: told.map(|told| told.value) }
    }
}

impl From<plugin_host::Nothing> for TriedVerdict {
    fn from(nothing: plugin_host::Nothing) -> Self {
        Self::Nothing {
            reason: nothing.reason,
            message: nothing.message,
            facts: nothing.facts,
            warnings: nothing.warnings,
        }
    }
}

impl From<&plugin_host::DecodeError> for TriedVerdict {
    fn from(error: &plugin_host::DecodeError) -> Self {
        Self::Refused { reason: error.kind.as_str(), detail: error_detail(error) }
    }
}
