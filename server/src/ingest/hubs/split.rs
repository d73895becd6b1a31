//! Runs a hub's decoder over its payload: items, or why there are none.

use std::sync::Arc;

use plugin_host::{DecodeFailure, Decoder, HubOutcome, Input, NameValue, Run};

use super::item::{Item, MOST};
use crate::app::App;
use crate::error::Error;
use crate::fleet::HubSnapshot;
use crate::ingest::decode_uplink::error_detail;
use crate::ingest::feeds;
use crate::ingest::intake::Ticket;
use crate::ingest::model::Received;

/// What a hub's payload came to.
pub struct Split {
    /// The decoder that ran: name and version.
    pub decoder: Option<(String, String)>,
    /// The items.
    pub parts: Parts,
}

/// Items, or why there are none.
#[derive(Debug)]
pub enum Parts {
    /// What it carried.
    Items(Vec<Item>),
    /// Well formed, and nothing to store: a heartbeat.
    Nothing(String),
    /// It cannot be read: stable reason and sentence.
    Undecodable(String, String),
}

/// Splits a payload in a fresh sandbox. Without a ticket a place is waited for without end, which is for our own work only.
///
/// # Errors
/// 503 when no sandbox was free in time.
pub async fn split(app: &App, hub: &HubSnapshot, received: &Received, ticket: Option<&Ticket>) -> Result<Split, Error> {
    if hub.is_feed {
        return Ok(Split { decoder: None, parts: feeds::items(app, hub, received).await? });
    }
    let binding = match app.decoders.now().for_hub(&hub.model, &received.channel) {
        Ok(binding) => binding,
        Err(unbound) => {
            let parts = Parts::Undecodable(unbound.reason().to_owned(), unbound.to_string());
            return Ok(Split { decoder: None, parts });
        }
    };
    let run = run_hub_decoder(app, &binding.decoder, hub_input(hub, received), ticket).await?;
    app.metrics.decode_seconds.observe(run.stats.elapsed.as_secs_f64());
    app.metrics.decode_fuel.inc_by(run.stats.fuel_used);
    if let Err(failure) = &run.result {
        tracing::warn!(tenant.id = %hub.tenant, hub.id = %hub.id, reason = failure.kind.as_str(), "a hub's decoder failed; its payload is quarantined");
    }
    let manifest = binding.decoder.manifest();
    let decoder = Some((manifest.name.clone(), manifest.version.clone()));
    Ok(Split { decoder, parts: Parts::of(run.result) })
}

/// Runs a hub's decoder in a fresh sandbox, on a thread that may be kept.
///
/// # Errors
/// 503 when no sandbox was free in time; 500 when the runtime ends.
pub async fn run_hub_decoder(
    app: &App,
    decoder: &Arc<Decoder>,
    input: Input,
    ticket: Option<&Ticket>,
) -> Result<Run<HubOutcome>, Error> {
    let permit = match ticket {
        Some(ticket) => {
            let slot = app.intake.decode_slot(&app.decode_slots, ticket).await;
            slot.map_err(|bound| app.intake.refusal(bound))?
        }
        None => Arc::clone(&app.decode_slots).acquire_owned().await.map_err(Error::internal)?,
    };
    let decoder = Arc::clone(decoder);
    tokio::task::spawn_blocking(move || {
        let run = decoder.run_hub(&input);
        drop(permit);
        run
    })
    .await
    .map_err(Error::internal)
}

impl Parts {
    /// What a decoder's answer means.
    pub fn of(answer: Result<HubOutcome, DecodeFailure>) -> Self {
        match answer {
            Ok(HubOutcome::Items(items)) if items.is_empty() => Self::Nothing("no-measurement".to_owned()),
            Ok(HubOutcome::Items(items)) if items.len() <= MOST => {
                Self::Items(items.into_iter().map(Item::from).collect())
            }
            Ok(HubOutcome::Items(_)) => {
                Self::Undecodable("output-too-large".to_owned(), format!("more than {MOST} items in one payload"))
            }
            Ok(HubOutcome::Nothing(nothing)) => Self::Nothing(nothing.reason),
            Ok(HubOutcome::Incomplete(incomplete)) => Self::Undecodable("incomplete".to_owned(), incomplete.reason),
            Ok(HubOutcome::Error(error)) => Self::Undecodable(error.kind.as_str().to_owned(), error_detail(&error)),
            Err(failure) => Self::Undecodable(failure.kind.as_str().to_owned(), failure.to_string()),
        }
    }
}

/// What a hub's decoder is given.
pub fn hub_input(hub: &HubSnapshot, received: &Received) -> Input {
    let variables = hub.variables.iter();
    Input {
        model: hub.model.clone(),
        frames: vec![plugin_host::Frame {
            channel: received.channel.clone(),
            data: received.body.clone(),
            captured_at_ms: received.captured_at.map(|time| time.timestamp_millis()),
            extra: Vec::new(),
        }],
        content_type: received.content_type.clone(),
        received_at_ms: received.received_at.timestamp_millis(),
        time_zone: Some(hub.time_zone.to_string()),
        variables: variables.map(|(name, value)| NameValue { name: name.clone(), value: value.clone() }).collect(),
        extra: Vec::new(),
    }
}
