//! Runs a hub's decoder over its payload: items, or why there are none.

use std::sync::Arc;

use plugin_host::{HubOutcome, Input, NameValue, Run};

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
    let input = input(hub, received);
    let permit = match ticket {
        Some(ticket) => {
            let slot = app.intake.decode_slot(&app.decode_slots, ticket).await;
            slot.map_err(|bound| app.intake.refusal(bound))?
        }
        None => Arc::clone(&app.decode_slots).acquire_owned().await.map_err(Error::internal)?,
    };
    let decoder = Arc::clone(&binding.decoder);
    let run: Run<HubOutcome> = tokio::task::spawn_blocking(move || {
        let run = decoder.run_hub(&input);
        drop(permit);
        run
    })
    .await
    .map_err(Error::internal)?;
    app.metrics.decode_seconds.observe(run.stats.elapsed.as_secs_f64());
    app.metrics.decode_fuel.inc_by(run.stats.fuel_used);
    let manifest = binding.decoder.manifest();
    let decoder = Some((manifest.name.clone(), manifest.version.clone()));
    let parts = match run.result {
        Ok(HubOutcome::Items(items)) if items.is_empty() => Parts::Nothing("no-measurement".to_owned()),
        Ok(HubOutcome::Items(items)) if items.len() <= MOST => {
            Parts::Items(items.into_iter().map(Item::from).collect())
        }
        Ok(HubOutcome::Items(_)) => {
            Parts::Undecodable("output-too-large".to_owned(), format!("more than {MOST} items in one payload"))
        }
        Ok(HubOutcome::Nothing(nothing)) => Parts::Nothing(nothing.reason),
        Ok(HubOutcome::Incomplete(incomplete)) => Parts::Undecodable("incomplete".to_owned(), incomplete.reason),
        Ok(HubOutcome::Error(error)) => Parts::Undecodable(error.kind.as_str().to_owned(), error_detail(&error)),
        Err(failure) => {
            tracing::warn!(tenant.id = %hub.tenant, hub.id = %hub.id, reason = failure.kind.as_str(), "a hub's decoder failed; its payload is quarantined");
            Parts::Undecodable(failure.kind.as_str().to_owned(), failure.to_string())
        }
    };
    Ok(Split { decoder, parts })
}

fn input(hub: &HubSnapshot, received: &Received) -> Input {
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
