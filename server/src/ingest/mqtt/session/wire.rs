//! The bytes of a connection as packets, in both directions.

use std::fmt;
use std::time::Duration;

use actix_web::web::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use crate::ingest::mqtt::model::Connection;
use crate::ingest::mqtt::packet::{self, Connect, Connected, Incoming, Malformed, Reader};
use crate::platform::outbound::{Duplex, Outbound, StreamError};

/// How long the broker may take to answer what it is asked.
const ANSWER: Duration = Duration::from_secs(10);
/// How long it may take to accept what is written.
const WRITE: Duration = Duration::from_secs(10);
/// Seconds after which the broker may take silence for the end; another value where it asks for one.
const KEEP_ALIVE: u16 = 30;
/// Room that a read is given.
const READ_BYTES: usize = 16 * 1024;
/// What a message may have besides its payload: topic and properties.
const ENVELOPE_BYTES: usize = 128 * 1024;

/// Why a connection is not, or no longer.
#[derive(Debug)]
pub enum Failure {
    /// It could not be made.
    Stream(StreamError),
    /// It broke.
    Broken(std::io::Error),
    /// The broker closed it without a word.
    Closed,
    /// The broker was silent for too long.
    Silent,
    /// The broker does not keep to the protocol.
    Protocol(Malformed),
    /// The broker says no.
    Refused(String),
    /// What was to be written down could not be.
    Database(db::DbError),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream(error) => error.fmt(f),
            Self::Broken(error) => write!(f, "the connection broke: {error}"),
            Self::Closed => f.write_str(
                "the broker closed the connection; it does so without a word when another client uses the same client id",
            ),
            Self::Silent => f.write_str("the broker was silent for too long"),
            Self::Protocol(malformed) => malformed.fmt(f),
            Self::Refused(why) => f.write_str(why),
            Self::Database(error) => write!(f, "the database is away: {error}"),
        }
    }
}

impl From<Malformed> for Failure {
    fn from(malformed: Malformed) -> Self {
        Self::Protocol(malformed)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Broken(error)
    }
}

impl From<db::DbError> for Failure {
    fn from(error: db::DbError) -> Self {
        Self::Database(error)
    }
}

/// An open connection.
pub struct Wire {
    stream: Box<dyn Duplex>,
    reader: Reader,
    buffer: BytesMut,
    /// How often something has to be said.
    pub keep_alive: Duration,
    /// When something was heard last.
    pub heard_at: Instant,
}

impl Wire {
    /// Connects, and says hello.
    ///
    /// # Errors
    /// Why not.
    pub async fn open(
        outbound: &Outbound,
        connection: &Connection,
        number: i16,
        largest_payload: usize,
    ) -> Result<(Self, Connected), Failure> {
        let address = &connection.address;
        let stream = outbound.stream(&address.host, address.port, connection.trust.as_ref()).await;
        let mut wire = Self {
            stream: stream.map_err(Failure::Stream)?,
            reader: Reader::new(connection.version, largest_payload + ENVELOPE_BYTES),
            buffer: BytesMut::new(),
            keep_alive: Duration::from_secs(u64::from(KEEP_ALIVE)),
            heard_at: Instant::now(),
        };
        let client_id = format!("{}-{number}", connection.client_id);
        let hello = Connect {
            client_id: &client_id,
            user_name: connection.user_name.as_deref(),
            password: connection.password.as_ref().map(|password| password.expose().as_str()),
            keep_alive: KEEP_ALIVE,
            receive_maximum: u16::try_from(connection.in_flight).unwrap_or(u16::MAX),
        };
        wire.write(&packet::connect(connection.version, &hello)?).await?;
        let connected = match wire.answer().await? {
            Incoming::Connected(connected) => connected,
            Incoming::Ending(why) => return Err(Failure::Refused(why)),
            _ => return Err(Malformed("the broker does not begin with CONNACK").into()),
        };
        if let Some(why) = connected.refused {
            return Err(Failure::Refused(why));
        }
        if let Some(lack) = connected.lacks {
            return Err(Failure::Refused(lack.to_owned()));
        }
        if let Some(seconds) = connected.keep_alive.filter(|seconds| *seconds > 0) {
            wire.keep_alive = Duration::from_secs(u64::from(seconds));
        }
        Ok((wire, connected))
    }

    /// The next packet. May be dropped and called again: nothing is lost.
    ///
    /// # Errors
    /// The end of the connection.
    pub async fn next(&mut self) -> Result<Incoming, Failure> {
        loop {
            if let Some(packet) = self.reader.next(&mut self.buffer)? {
                self.heard_at = Instant::now();
                return Ok(packet);
            }
            self.buffer.reserve(READ_BYTES);
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(Failure::Closed);
            }
        }
    }

    /// The next packet, within the time that an answer may take.
    ///
    /// # Errors
    /// The end of the connection.
    pub async fn answer(&mut self) -> Result<Incoming, Failure> {
        tokio::time::timeout(ANSWER, self.next()).await.map_err(|_elapsed| Failure::Silent)?
    }

    /// Writes bytes, all of them.
    ///
    /// # Errors
    /// The end of the connection.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let writing = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        tokio::time::timeout(WRITE, writing).await.map_err(|_elapsed| Failure::Silent)??;
        Ok(())
    }

    /// Says goodbye; the session stays at the broker.
    pub async fn close(mut self) {
        let closing = async {
            self.write(&packet::disconnect()).await?;
            self.stream.shutdown().await.map_err(Failure::from)
        };
        if let Ok(Err(error)) = tokio::time::timeout(WRITE, closing).await {
            tracing::debug!(%error, "an MQTT connection was gone before its goodbye");
        }
    }
}
