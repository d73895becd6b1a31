//! Runs the version of a hub's decoder that serves and the one beside it over one kept payload.

use std::collections::BTreeSet;
use std::sync::Arc;

use plugin_host::{Decoder, Surface};

use super::compare_items::{SplitRun, compare_payloads};
use super::run_both::{Ran, Seen};
use crate::app::App;
use crate::error::Error;
use crate::fleet::HubSnapshot;
use crate::ingest::hubs::{hub_input, run_hub_decoder};
use crate::ingest::model::Received;
use crate::ingest::sources::KnownHub;

/// Splits a payload with both and compares the items. What devices' own decoders make of frames is not asked: the same bytes
/// are the same to them.
///
/// # Errors
/// 500 when the runtime ends; the database's error.
pub async fn split_both(
    app: &App,
    hub: &HubSnapshot,
    received: &Received,
    version: &Arc<Decoder>,
) -> Result<Ran, Error> {
    let knows = version.manifest().models.iter().any(|known| known.name == hub.model);
    if hub.is_feed || version.surface() != Surface::Hub || !knows {
        return Ok(Ran::Skipped("model-unknown"));
    }
    let input = hub_input(hub, received);
    let active = match app.decoders.now().for_hub(&hub.model, &received.channel) {
        Ok(binding) => Some(SplitRun::of(run_hub_decoder(app, &binding.decoder, input.clone(), None).await?)),
        Err(_) => None,
    };
    let beside = SplitRun::of(run_hub_decoder(app, version, input, None).await?);
    let (compared, pairs) = compare_payloads(&hub.model, active.as_ref(), &beside);
    let mut keys = Vec::new();
    if !pairs.is_empty() {
        let addresses: BTreeSet<String> = pairs.iter().map(|pair| pair.address.clone()).collect();
        let devices = app.sources.carried(app, &KnownHub::of_kept_payload(hub.clone()), addresses).await?;
        for pair in pairs {
            // What is of nobody's device is not stored under any key.
            let Some(device) = devices.get(&pair.address) else { continue };
            keys.extend(Seen { app, device, received }.changed_key(&pair.before, &pair.after));
        }
    }
    Ok(Ran::Compared(Box::new(compared), keys))
}
