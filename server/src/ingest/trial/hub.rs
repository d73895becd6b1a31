//! Tries a hub's decoder: what it splits a payload into, and what becomes of each item.

use plugin_host::{HubContent, HubItem, HubOutcome};

use super::{Trial, TriedVerdict, input, previews, try_decoder};
use crate::error::Error;
use crate::fleet::{Binding, Decoders};
use crate::ingest::decode_uplink::error_detail;
use crate::ingest::interpret::{InterpretContext, Tables};

/// What came of a hub's payload.
#[derive(Debug)]
pub enum TriedHub {
    /// Its items: the device as the hub names it, and what became of it.
    Items(Vec<(String, TriedVerdict)>),
    /// It has none.
    Whole(TriedVerdict),
}

/// Runs a hub's decoder over a trial, and the decoder of a device over each frame that it carries: that of the model which
/// is named after the frame's channel, for there is no device that could say its own. Synchronous CPU work.
///
/// # Errors
/// 500 when an Observation cannot be written, which is a defect of ours.
pub fn try_hub(binding: &Binding, trial: &Trial, decoders: &Decoders, tables: &Tables) -> Result<TriedHub, Error> {
    let run = binding.decoder.run_hub(&input(&binding.model, trial));
    let items = match run.result {
        Ok(HubOutcome::Items(items)) => items,
        Ok(HubOutcome::Nothing(nothing)) => return Ok(TriedHub::Whole(nothing.into())),
        Ok(HubOutcome::Incomplete(incomplete)) => {
            return Ok(TriedHub::Whole(incomplete.into()));
        }
        Ok(HubOutcome::Error(error)) => return Ok(TriedHub::Whole((&error).into())),
        Err(failure) => {
            let verdict = TriedVerdict::Failed { reason: failure.kind.as_str(), detail: failure.message };
            return Ok(TriedHub::Whole(verdict));
        }
    };
    let tried = items.into_iter().map(|item| {
        let device = item.device.clone();
        try_item(item, trial, decoders, tables).map(|verdict| (device, verdict))
    });
    Ok(TriedHub::Items(tried.collect::<Result<_, _>>()?))
}

fn try_item(item: HubItem, trial: &Trial, decoders: &Decoders, tables: &Tables) -> Result<TriedVerdict, Error> {
    Ok(match item.content {
        HubContent::Readings(decoded) => {
            let context = InterpretContext::new(trial.received_at, trial.zone);
            TriedVerdict::Readings { previews: previews(&decoded, &context, tables)?, decoded }
        }
        HubContent::Nothing(nothing) => nothing.into(),
        HubContent::Error(error) => (&error).into(),
        HubContent::Frame(frame) => {
            let models = decoders.models_on(std::slice::from_ref(&frame.channel));
            let binding = models.first().map(|model| decoders.for_model(model, &frame.channel));
            match binding {
                Some(Ok(binding)) => {
                    let trial = Trial {
                        frames: vec![frame],
                        content_type: "application/octet-stream".to_owned(),
                        ..trial.clone()
                    };
                    try_decoder(&binding, trial, tables)?.verdict
                }
                Some(Err(_)) | None => TriedVerdict::Refused {
                    reason: "channel-unknown",
                    detail: format!("no model speaks on the channel {}", frame.channel),
                },
            }
        }
    })
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
