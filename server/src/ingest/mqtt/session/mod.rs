//! One persistent session at a broker: connected while it can be, with growing pauses while it cannot.

mod serve;
mod wire;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::serve::{Filters, Serving};
use self::wire::{Failure, Wire};
use super::deliver::Delivery;
use super::status::Status;
use super::store::sessions::{self, SessionKey};
use crate::app::App;

/// The pauses before another attempt to connect.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// A connection that lasted so long starts with the first pause again.
const LASTED: Duration = Duration::from_secs(10);
/// The same failure is logged so often at most.
const LOGGED_EVERY: Duration = Duration::from_secs(60);

/// A session that this process holds.
pub struct Session {
    /// The app.
    pub app: Arc<App>,
    /// Which one.
    pub key: SessionKey,
    /// What takes its messages.
    pub delivery: Arc<Delivery>,
    /// What it is subscribed to at the broker, as far as was written down.
    pub filters: Vec<String>,
    /// Where it says how it is doing.
    pub status: Arc<Status>,
}

impl Session {
    /// Runs until it is told to stop; then what waits for its commit is acknowledged, and the broker told goodbye.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut pause = FIRST_PAUSE;
        let mut logged: HashMap<String, Instant> = HashMap::new();
        loop {
            let started = Instant::now();
            let failure = match self.once(&stop).await {
                Ok(()) => return,
                Err(failure) => failure,
            };
            self.app.metrics.mqtt_failures.inc();
            let why = failure.to_string();
            self.status.failed(why.clone(), self.app.clock.now());
            logged.retain(|_, at| at.elapsed() < LOGGED_EVERY);
            logged.entry(why).or_insert_with_key(|why| {
                tracing::warn!(mqtt.connection = %self.key.1, session = self.key.2, "MQTT: {why}");
                Instant::now()
            });
            if started.elapsed() >= LASTED {
                pause = FIRST_PAUSE;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
            }
        }
    }

    /// One connection, from its first to its last byte. Ok: it was told to stop.
    async fn once(&mut self, stop: &CancellationToken) -> Result<(), Failure> {
        let opening = async {
            let largest = self.app.config.max_body_bytes;
            let connection = &self.delivery.connection;
            let (wire, connected) = Wire::open(&self.app.outbound, connection, self.key.2, largest).await?;
            let wanted = connection.topics.filters(connection.group.as_deref());
            let gone = self.write_down(&wanted).await?;
            Ok::<_, Failure>((wire, connected, Filters { wanted, gone }))
        };
        let (wire, connected, filters) = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            opened = opening => opened?,
        };
        if !connected.session_present {
            tracing::info!(mqtt.connection = %self.key.1, session = self.key.2, "the broker began a new session");
        }
        Serving::new(self, wire, filters).run(stop).await
    }

    /// Writes down what will be subscribed, before it is: whatever happens then, somebody knows what there is to unsubscribe.
    /// Answers what is not wanted any more.
    async fn write_down(&mut self, wanted: &[String]) -> Result<Vec<String>, Failure> {
        let gone: Vec<String> = self.filters.iter().filter(|filter| !wanted.contains(filter)).cloned().collect();
        let all: Vec<String> = wanted.iter().chain(&gone).cloned().collect();
        if self.filters != all {
            self.note(&all).await?;
            self.filters = all;
        }
        Ok(gone)
    }

    async fn note(&self, filters: &[String]) -> Result<(), Failure> {
        let mut transaction = self.app.db.begin_worker().await?;
        sessions::note_filters(&mut transaction, self.key, filters).await.map_err(db::DbError::from)?;
        transaction.commit().await?;
        Ok(())
    }
}
