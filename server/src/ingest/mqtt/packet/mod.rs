//! MQTT control packets of a client that subscribes: 3.1.1 (OASIS, 29 October 2014) and 5.0 (OASIS, 7 March 2019). Pure.
//!
//! Only what Afferent says and hears. QoS 2 is never asked for, topic aliases and enhanced authentication are never
//! announced: a broker that sends them anyway breaks the protocol, and is told so by the end of the connection.

mod cursor;
mod read;
#[cfg(test)]
mod tests;
mod write;

use actix_web::web::Bytes;

pub use read::Reader;
pub use write::{connect, disconnect, ping, puback, subscribe, unsubscribe};

/// Which version is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 3.1.1, protocol level 4.
    V3,
    /// 5.0.
    V5,
}

impl Version {
    /// As stored and as written in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V3 => "3.1.1",
            Self::V5 => "5",
        }
    }
}

/// What a client says first.
#[derive(Debug)]
pub struct Connect<'a> {
    /// Names the session at the broker.
    pub client_id: &'a str,
    /// User name, if there is one.
    pub user_name: Option<&'a str>,
    /// Password, if there is one; 3.1.1 allows none without a user name.
    pub password: Option<&'a str>,
    /// Seconds after which the broker may take silence for the end of the connection.
    pub keep_alive: u16,
    /// Messages that the broker may send without acknowledgement (5.0; 3.1.1 leaves that to the broker).
    pub receive_maximum: u16,
}

/// What the broker says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// CONNACK.
    Connected(Connected),
    /// SUBACK: the packet, and why filters were refused.
    Subscribed(u16, Option<&'static str>),
    /// UNSUBACK.
    Unsubscribed(u16),
    /// PUBLISH.
    Message(Message),
    /// PUBLISH of more bytes than are taken; they were skipped.
    Oversize(Oversize),
    /// PINGRESP.
    Pong,
    /// DISCONNECT (5.0), with the reason in words.
    Ending(String),
}

/// CONNACK.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Connected {
    /// Why not, in words.
    pub refused: Option<String>,
    /// Whether the broker still had the session.
    pub session_present: bool,
    /// Another keep-alive that the broker wants, seconds.
    pub keep_alive: Option<u16>,
    /// What Afferent needs and the broker says it does not have.
    pub lacks: Option<&'static str>,
}

/// A message that was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The topic.
    pub topic: String,
    /// The payload.
    pub payload: Bytes,
    /// Under which it is acknowledged; none for QoS 0.
    pub packet_id: Option<u16>,
    /// The broker says that it may have sent it before.
    pub duplicate: bool,
    /// It was kept by the broker and sent because of a new subscription.
    pub retained: bool,
    /// Media type (5.0).
    pub content_type: Option<String>,
    /// User properties (5.0).
    pub properties: Vec<(String, String)>,
}

/// A message that was skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oversize {
    /// The topic.
    pub topic: String,
    /// Under which it is acknowledged.
    pub packet_id: Option<u16>,
    /// What follows the fixed header, bytes.
    pub size: usize,
}

/// A packet that is not what the specification says, or that cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a packet breaks the protocol: {}", self.0)
    }
}

impl std::error::Error for Malformed {}
