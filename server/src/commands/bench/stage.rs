//! Everything that a scenario needs: the running server, its database as a superuser sees it, the customer with devices,
//! and which payloads were sent already.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use diesel_async::AsyncPgConnection;
use tokio_util::sync::CancellationToken;

use super::clinic::Clinic;
use super::floor::{self, FloorRun, Template};
use super::load::{self, Driven, Load};
use super::mix::PATTERN;
use super::postgres;
use super::server::Server;
use crate::commands::database::Database;
use crate::config::Config;

/// Connections that the sample and warm-ups are sent over.
const WARM_UP_CONNECTIONS: u32 = 64;

/// See above.
pub(super) struct Stage {
    pub(super) server: Server,
    pub(super) observer: AsyncPgConnection,
    pub(super) clinic: Arc<Clinic>,
    /// Number of the next payload.
    pub(super) next: u32,
    owner: String,
    templates: Arc<[Template]>,
    stop: CancellationToken,
}

impl Stage {
    /// Founds the customer with a multiple of [`PATTERN`] devices, and sends as many payloads, whose receipts are kept: the
    /// floor writes what became of them.
    pub(super) async fn set(
        server: Server,
        config: &Config,
        devices: u32,
        stop: CancellationToken,
    ) -> anyhow::Result<Self> {
        // The server's private Postgres runs already: this attaches to it.
        let database = Database::open(config).await?;
        let owner = database.owner_url.expose().clone();
        let mut observer = postgres::connect(&owner).await?;
        let clinic = {
            let db = database.pool(1).await?;
            Arc::new(Clinic::found(server.address, &db, devices).await?)
        };
        database.close().await;
        floor::prepare(&mut observer).await?;
        let mut stage = Self { server, observer, clinic, next: 0, owner, templates: Arc::new([]), stop };
        stage.templates = stage.sample().await?.into();
        Ok(stage)
    }

    async fn sample(&mut self) -> anyhow::Result<Vec<Template>> {
        let sample = u32::try_from(self.clinic.devices.len())?.next_multiple_of(PATTERN);
        let receipts = self.send(sample, WARM_UP_CONNECTIONS, true).await?.receipts;
        let ids: Vec<String> = receipts.iter().flat_map(|(_, observations)| observations.clone()).collect();
        let mut texts = floor::texts(&mut self.observer, &ids).await?.into_iter();
        let mut templates = Vec::new();
        for (number, observations) in receipts {
            let (device, measurement) = self.clinic.sender(number).context("there are devices")?;
            templates.push(Template {
                channel: device.kind.channel,
                frame: device.kind.frame(measurement),
                texts: texts.by_ref().take(observations.len()).collect(),
            });
        }
        ensure!(templates.iter().all(|template| !template.texts.is_empty()), "a payload became no Observation");
        Ok(templates)
    }

    /// The floor, so many payloads of it.
    pub(super) async fn floor(&mut self, payloads: u32) -> anyhow::Result<FloorRun> {
        let run = floor::measure(&self.owner, &self.templates, payloads, self.server.processes).await?;
        postgres::floor_ended(&mut self.observer).await?;
        Ok(run)
    }

    /// Sends payloads that do not count.
    pub(super) async fn warm_up(&mut self, payloads: u32) -> anyhow::Result<()> {
        self.send(payloads, WARM_UP_CONNECTIONS, false).await?;
        Ok(())
    }

    /// Sends so many payloads from a thread of their own, and says how far it is.
    pub(super) async fn send(&mut self, payloads: u32, connections: u32, receipts: bool) -> anyhow::Result<Driven> {
        let (from, until) = (self.next, self.next + payloads);
        self.next = until;
        let load = Load {
            address: self.server.address,
            clinic: Arc::clone(&self.clinic),
            until,
            connections,
            receipts,
            next: Arc::new(AtomicU32::new(from)),
            stop: self.stop.clone(),
        };
        let next = Arc::clone(&load.next);
        let mut driving = tokio::task::spawn_blocking(move || load::drive(&load));
        loop {
            tokio::select! {
                driven = &mut driving => {
                    progress("");
                    return driven.context("the load ended early")?;
                }
                () = tokio::time::sleep(Duration::from_secs(1)) => {
                    let sent = next.load(Ordering::Relaxed).min(until) - from;
                    progress(&format!("  {sent} of {payloads} payloads, {connections} connections"));
                }
            }
        }
    }
}

/// A line that the next one overwrites, for whoever watches.
pub(super) fn progress(line: &str) {
    let mut out = std::io::stderr();
    if out.is_terminal() {
        // Who does not see it misses nothing.
        let _ = write!(out, "\r{line}\x1b[K").and_then(|()| out.flush());
    }
}
