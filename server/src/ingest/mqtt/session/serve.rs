//! The traffic of a connection: messages in, acknowledgements out, and never more under way than there may be.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Session;
use super::wire::{Failure, Wire};
use crate::ingest::mqtt::deliver::{Delivery, Fate};
use crate::ingest::mqtt::packet::{self, Incoming, Malformed, Message};
use crate::ingest::mqtt::status::Status;

/// Bytes of payloads of one session that wait for their commit, beyond which no more is read: one more message may be on top.
const IN_FLIGHT_BYTES: usize = 8 * 1024 * 1024;
/// Acknowledgements that are written at once.
const ACKNOWLEDGED_AT_ONCE: usize = 256;
/// The same refusal is logged so often at most.
const LOGGED_EVERY: Duration = Duration::from_secs(60);

/// How long a broker may take to answer a subscription, while it is listened to.
const ANSWER: Duration = Duration::from_secs(20);
/// Packet identifiers of what is asked.
const SUBSCRIBE: u16 = 1;
const UNSUBSCRIBE: u16 = 2;

/// What a session is to be subscribed to, and what not any more.
pub struct Filters {
    pub wanted: Vec<String>,
    pub gone: Vec<String>,
}

/// An open connection. What the broker has for the session comes at once, before it answers anything.
pub struct Serving<'a> {
    session: &'a mut Session,
    wire: Wire,
    deliveries: Deliveries,
    filters: Filters,
    /// What is asked and not answered, since when.
    asked: Option<(u16, Instant)>,
    pinged_at: Instant,
}

/// Messages that wait for their commit.
struct Deliveries {
    tasks: JoinSet<(Option<u16>, usize, Fate)>,
    bytes: usize,
    /// Ends the waits that no acknowledgement can come from any more.
    gone: CancellationToken,
    refusals: HashMap<&'static str, Instant>,
}

impl<'a> Serving<'a> {
    pub fn new(session: &'a mut Session, wire: Wire, filters: Filters) -> Self {
        let gone = CancellationToken::new();
        let deliveries = Deliveries { tasks: JoinSet::new(), bytes: 0, gone, refusals: HashMap::new() };
        Self { session, wire, deliveries, filters, asked: None, pinged_at: Instant::now() }
    }

    /// Until it is told to stop (Ok) or the connection ends. In both cases nothing is under way afterwards: what was committed
    /// and not acknowledged comes again, and is known then.
    pub async fn run(mut self, stop: &CancellationToken) -> Result<(), Failure> {
        let result = self.traffic(stop).await;
        self.deliveries.gone.cancel();
        let gauge = &self.session.app.metrics.mqtt_in_flight;
        while self.deliveries.tasks.join_next().await.is_some() {
            gauge.dec();
        }
        match result {
            Ok(()) => {
                self.wire.close().await;
                Ok(())
            }
            Err(failure) => Err(failure),
        }
    }

    async fn traffic(&mut self, stop: &CancellationToken) -> Result<(), Failure> {
        let version = self.session.delivery.connection.version;
        self.wire.write(&packet::subscribe(version, SUBSCRIBE, &self.filters.wanted)?).await?;
        self.asked = Some((SUBSCRIBE, Instant::now()));
        let in_flight = self.session.delivery.connection.in_flight;
        while !stop.is_cancelled() {
            let room = self.deliveries.tasks.len() < in_flight && self.deliveries.bytes < IN_FLIGHT_BYTES;
            if !room {
                // Who does not listen cannot say that the other is silent.
                self.wire.heard_at = Instant::now();
                self.asked = self.asked.map(|(asked, _)| (asked, Instant::now()));
            }
            let ping_at = self.pinged_at + self.wire.keep_alive / 2;
            tokio::select! {
                () = stop.cancelled() => {}
                Some(done) = self.deliveries.tasks.join_next() => self.acknowledge(done).await?,
                packet = self.wire.next(), if room => self.take(packet?).await?,
                () = tokio::time::sleep_until(ping_at) => self.ping().await?,
            }
        }
        self.drain().await
    }

    /// Nothing new is read; what waits for its commit is acknowledged when that comes in time.
    async fn drain(&mut self) -> Result<(), Failure> {
        self.deliveries.gone.cancel();
        let until = Instant::now() + self.session.app.config.shutdown_grace / 2;
        while !self.deliveries.tasks.is_empty() {
            match tokio::time::timeout_at(until, self.deliveries.tasks.join_next()).await {
                Ok(Some(done)) => self.acknowledge(done).await?,
                Ok(None) | Err(_) => break,
            }
        }
        Ok(())
    }

    async fn ping(&mut self) -> Result<(), Failure> {
        if self.wire.heard_at.elapsed() > self.wire.keep_alive
            || self.asked.is_some_and(|(_, since)| since.elapsed() > ANSWER)
        {
            return Err(Failure::Silent);
        }
        self.pinged_at = Instant::now();
        self.wire.write(&packet::ping()).await
    }

    async fn take(&mut self, packet: Incoming) -> Result<(), Failure> {
        let (app, status) = (&self.session.app, &self.session.status);
        match packet {
            Incoming::Message(message) if message.retained => {
                // It was kept by the broker, who knows how long ago, and came when it was published if we were there.
                status.received();
                app.metrics.mqtt_message("retained");
                if let Some(packet) = message.packet_id {
                    self.wire.write(&packet::puback(packet)).await?;
                    status.acknowledged();
                }
                Ok(())
            }
            Incoming::Message(message) => {
                status.received();
                app.metrics.mqtt_in_flight.inc();
                self.deliveries.begin(&self.session.delivery, message);
                Ok(())
            }
            Incoming::Oversize(message) => {
                status.received();
                let limit = app.config.max_body_bytes;
                let why = format!("a message has {} bytes; {limit} may be sent at most", message.size);
                self.deliveries.refuse(self.session, "body.too-large", why);
                if let Some(packet) = message.packet_id {
                    self.wire.write(&packet::puback(packet)).await?;
                    status.acknowledged();
                }
                Ok(())
            }
            Incoming::Pong => Ok(()),
            Incoming::Ending(why) => Err(Failure::Refused(why)),
            Incoming::Subscribed(id, refused) => self.subscribed(id, refused).await,
            Incoming::Unsubscribed(id) => self.unsubscribed(id).await,
            Incoming::Connected(_) => Err(UNASKED.into()),
        }
    }

    async fn subscribed(&mut self, id: u16, refused: Option<&'static str>) -> Result<(), Failure> {
        if self.asked.take().is_none_or(|(asked, _)| asked != SUBSCRIBE || asked != id) {
            return Err(UNASKED.into());
        }
        if let Some(why) = refused {
            return Err(Failure::Refused(why.to_owned()));
        }
        let session = &*self.session;
        session.status.connected(session.app.clock.now());
        tracing::info!(mqtt.connection = %session.key.1, session = session.key.2, "subscribed at the MQTT broker");
        if !self.filters.gone.is_empty() {
            let version = session.delivery.connection.version;
            self.wire.write(&packet::unsubscribe(version, UNSUBSCRIBE, &self.filters.gone)?).await?;
            self.asked = Some((UNSUBSCRIBE, Instant::now()));
        }
        Ok(())
    }

    async fn unsubscribed(&mut self, id: u16) -> Result<(), Failure> {
        if self.asked.take().is_none_or(|(asked, _)| asked != UNSUBSCRIBE || asked != id) {
            return Err(UNASKED.into());
        }
        let wanted = std::mem::take(&mut self.filters.wanted);
        self.session.note(&wanted).await?;
        self.session.filters = wanted;
        Ok(())
    }

    /// Acknowledges what is done, and whatever else is by now, with one write.
    async fn acknowledge(&mut self, first: Joined) -> Result<(), Failure> {
        let (mut bytes, mut count) = (Vec::new(), 0);
        let mut next = Some(first);
        while let Some(done) = next {
            self.session.app.metrics.mqtt_in_flight.dec();
            if let Some(packet) = self.deliveries.end(self.session, done)? {
                bytes.extend(packet::puback(packet));
                count += 1;
            }
            next = if count < ACKNOWLEDGED_AT_ONCE { self.deliveries.tasks.try_join_next() } else { None };
        }
        if !bytes.is_empty() {
            self.wire.write(&bytes).await?;
            (0..count).for_each(|_| self.session.status.acknowledged());
        }
        Ok(())
    }
}

const UNASKED: Malformed = Malformed("an answer that nobody asked for");

type Joined = Result<(Option<u16>, usize, Fate), tokio::task::JoinError>;

impl Deliveries {
    fn begin(&mut self, delivery: &Arc<Delivery>, message: Message) {
        let (delivery, gone) = (Arc::clone(delivery), self.gone.clone());
        let (packet, size) = (message.packet_id, message.payload.len());
        self.bytes += size;
        self.tasks.spawn(async move { (packet, size, delivery.deliver(message, gone).await) });
    }

    /// Which packet is to be acknowledged.
    fn end(&mut self, session: &Session, done: Joined) -> Result<Option<u16>, Failure> {
        // A panic costs the connection, so that the message comes again: to acknowledge it would lose it.
        let (packet, size, fate) = done.map_err(|error| Failure::Broken(std::io::Error::other(error)))?;
        self.bytes = self.bytes.saturating_sub(size);
        match fate {
            Fate::Taken => session.app.metrics.mqtt_message("taken"),
            Fate::Refused(error) => self.refuse(session, error.code(), error.public().to_owned()),
            Fate::Abandoned => return Ok(None),
        }
        Ok(packet)
    }

    fn refuse(&mut self, session: &Session, code: &'static str, why: String) {
        session.app.metrics.mqtt_message("refused");
        let status: &Status = &session.status;
        self.refusals.retain(|_, at| at.elapsed() < LOGGED_EVERY);
        self.refusals.entry(code).or_insert_with(|| {
            tracing::warn!(mqtt.connection = %session.key.1, code, "an MQTT message was refused: {why}");
            Instant::now()
        });
        status.refused(why, session.app.clock.now());
    }
}
