//! One message on its way: whom it is from, what it holds, and the wait for its commit. There is nobody to answer: what HTTP
//! would refuse is kept in quarantine where the source is known, else counted; what HTTP would tell to come again waits here.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use super::model::Connection;
use super::packet::Message;
use super::sources::{NamedSources, Reach};
use super::topics::{Named, Route};
use crate::app::App;
use crate::error::{Error, Kind};
use crate::ingest::envelope::ENVELOPE;
use crate::ingest::hubs;
use crate::ingest::model::{Receipt, TransportKey};
use crate::ingest::read_upload::Upload;
use crate::ingest::receive_uplink;
use crate::ingest::sources;

/// The pauses before a message is tried again.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What became of a message.
#[derive(Debug)]
pub enum Fate {
    /// It is committed: stored, known, or in quarantine. To be acknowledged.
    Taken,
    /// Nothing of it was kept, for a reason that will not go away. To be acknowledged.
    Refused(Error),
    /// It may or may not be committed; the broker delivers it again. Not to be acknowledged.
    Abandoned,
}

/// What deliveries of a session share.
pub struct Delivery {
    /// The app.
    pub app: Arc<App>,
    /// The connection.
    pub connection: Connection,
    /// Which of its sessions.
    pub number: i16,
    /// Sources that topics name.
    pub sources: Arc<NamedSources>,
}

impl Delivery {
    /// Takes a message to its commit, however long that needs; `gone` ends the wait.
    pub async fn deliver(&self, message: Message, gone: CancellationToken) -> Fate {
        let mut pause = FIRST_PAUSE;
        // Whether an earlier attempt was committed may not be known.
        let mut again = message.duplicate;
        loop {
            let result = self.attempt(&message, again).await;
            let error = match result {
                Ok(_) => return Fate::Taken,
                Err(error) => error,
            };
            match error.kind() {
                Kind::Unavailable(_) | Kind::Throttled(_) | Kind::Timeout => {
                    tracing::debug!(mqtt.connection = %self.connection.id, code = error.code(), "a message waits");
                }
                // Our fault is no reason to lose it: it waits until somebody has mended that.
                Kind::Internal => {
                    tracing::error!(mqtt.connection = %self.connection.id, cause = %format!("{error:?}"), "a message could not be taken; it is tried again");
                }
                _ => return Fate::Refused(error),
            }
            again = true;
            self.app.metrics.mqtt_retries.inc();
            tokio::select! {
                () = gone.cancelled() => return Fate::Abandoned,
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
            }
        }
    }

    async fn attempt(&self, message: &Message, again: bool) -> Result<(), Error> {
        let Some(route) = self.connection.topics.route(&message.topic) else {
            return Err(Error::new(
                Kind::NotFound,
                "mqtt.unknown-topic",
                "No topic of the connection is like that of the message: nothing was kept.",
            ));
        };
        match &route.source {
            Named::Device(_) | Named::DeviceSerial(_) => {
                let result = self.take_from_device(message, &route, again).await;
                receive_uplink::count(&self.app, &result);
                result.map(|_receipt| ())
            }
            Named::Hub(_) | Named::HubSerial(_) => self.take_from_hub(message, &route, again).await,
        }
    }

    /// A hub's message goes as a whole: where one of its items has to come again, all do, and the others are known then.
    async fn take_from_hub(&self, message: &Message, route: &Route, again: bool) -> Result<(), Error> {
        let app = &self.app;
        let reach = Reach { tenant: self.connection.tenant, with_customers: self.connection.include_customers };
        let hub = self.sources.hub(app, reach, &route.source).await?;
        let ticket = app.intake.admit(message.payload.len()).map_err(|bound| app.intake.refusal(bound))?;
        let upload = self.upload(message, route, app.clock.now(), again);
        let (status, _receipt) = hubs::receive_known(app, &hub, &upload, &message.payload, &ticket).await?;
        if status >= 500 {
            return Err(Error::new(
                Kind::Unavailable(app.intake.retry_after()),
                "mqtt.hub-items",
                "Items of a hub's message were not taken; it is tried again.",
            ));
        }
        Ok(())
    }

    /// Once more where what was remembered of the source is not so any more.
    async fn take_from_device(&self, message: &Message, route: &Route, again: bool) -> Result<Receipt, Error> {
        let reach = Reach { tenant: self.connection.tenant, with_customers: self.connection.include_customers };
        let first = self.take_from_device_once(message, route, reach, again).await;
        if !first.as_ref().is_err_and(sources::is_stale) {
            return first;
        }
        self.sources.forget(reach, &route.source).await;
        self.take_from_device_once(message, route, reach, again).await
    }

    async fn take_from_device_once(
        &self,
        message: &Message,
        route: &Route,
        reach: Reach,
        again: bool,
    ) -> Result<Receipt, Error> {
        let app = &self.app;
        let source = self.sources.device(app, reach, &route.source).await?;
        if message.payload.is_empty() {
            return Err(Error::invalid("body.empty", "The message has no payload: nothing was kept."));
        }
        let admit = || app.intake.admit(message.payload.len()).map_err(|bound| app.intake.refusal(bound));
        let ticket = admit()?;
        let received_at = app.clock.now();
        let upload = self.upload(message, route, received_at, again);
        match receive_uplink::receive_from(app, &source, &upload, &message.payload, received_at, ticket).await {
            Err(error) if is_form(&error) => {
                let body = &message.payload;
                receive_uplink::keep_unreadable(app, &source, &upload, body, received_at, admit()?, &error).await
            }
            other => other,
        }
    }

    /// The message as HTTP would have brought it.
    fn upload(&self, message: &Message, route: &Route, received_at: DateTime<Utc>, again: bool) -> Upload {
        let property = |name: &str| {
            let found = message.properties.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.clone())
        };
        let is_envelope =
            |media_type: &str| media_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(ENVELOPE);
        let content_type = message.content_type.clone().filter(|text| !text.trim().is_empty());
        let content_type = match content_type {
            _ if route.envelope => ENVELOPE.to_owned(),
            Some(media_type) => media_type,
            None => "application/octet-stream".to_owned(),
        };
        // The frames of an envelope say their channels and times themselves.
        let envelope = is_envelope(&content_type);
        Upload {
            token: String::new(),
            channel: if envelope { String::new() } else { route.channel.clone() },
            captured_at: property("captured-at").filter(|_| !envelope),
            content_type,
            idempotency_key: property("idempotency-key"),
            delivery: message.packet_id.map(|packet| self.key(message, packet, received_at, again)),
        }
    }

    fn key(&self, message: &Message, packet: u16, received_at: DateTime<Utc>, again: bool) -> TransportKey {
        let mut place = self.connection.id.0.as_bytes().to_vec();
        place.extend(self.number.to_be_bytes());
        place.extend(packet.to_be_bytes());
        place.extend(message.topic.as_bytes());
        TransportKey::delivery(&place, &message.payload, received_at, again)
    }
}

/// Whether it is the message that has not the form of an uplink: HTTP would say so to whoever sent it.
fn is_form(error: &Error) -> bool {
    matches!(error.kind(), Kind::Invalid | Kind::Unprocessable | Kind::Unsupported | Kind::TooLarge)
}
