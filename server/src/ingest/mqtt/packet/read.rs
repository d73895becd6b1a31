//! Bytes from the broker become packets. What is larger than the limit is skipped as it arrives: memory holds one packet
//! within the limit, or the head of one that is not.

use actix_web::web::{Bytes, BytesMut};

use super::cursor::{Cursor, Value};
use super::{Connected, Incoming, Malformed, Message, Oversize, Version};

/// Takes packets from a stream of bytes.
pub struct Reader {
    version: Version,
    /// What follows the fixed header, at most.
    limit: usize,
    /// Bytes of an oversized message that are still to come.
    skipping: usize,
}

impl Reader {
    /// A reader that takes packets of up to `limit` bytes.
    #[must_use]
    pub fn new(version: Version, limit: usize) -> Self {
        Self { version, limit, skipping: 0 }
    }

    /// The next packet; none when more bytes are needed.
    ///
    /// # Errors
    /// What breaks the protocol; the connection is of no use then.
    pub fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Incoming>, Malformed> {
        loop {
            let skipped = self.skipping.min(buffer.len());
            let _skipped = buffer.split_to(skipped);
            self.skipping -= skipped;
            if self.skipping > 0 {
                return Ok(None);
            }
            let Some((first, head, length)) = fixed_header(buffer)? else { return Ok(None) };
            if length > self.limit {
                if first >> 4 != PUBLISH {
                    return Err(Malformed("a packet that is no message is larger than any can be"));
                }
                return self.oversize(buffer, first, head, length);
            }
            if buffer.len() < head + length {
                // Room for the rest, known to be within the limit.
                buffer.reserve(head + length - buffer.len());
                return Ok(None);
            }
            let _head = buffer.split_to(head);
            let body = buffer.split_to(length).freeze();
            if let Some(packet) = self.packet(first, &body)? {
                return Ok(Some(packet));
            }
        }
    }

    /// The topic and packet identifier of a message that is too large; the rest is skipped.
    fn oversize(
        &mut self,
        buffer: &mut BytesMut,
        first: u8,
        head: usize,
        size: usize,
    ) -> Result<Option<Incoming>, Malformed> {
        let qos = quality(first)?;
        let mut cursor = Cursor(buffer.get(head..).unwrap_or_default());
        let before = cursor.0.len();
        let needed = match cursor.two() {
            Ok(length) => 2 + usize::from(length) + if qos == 0 { 0 } else { 2 },
            Err(_early) => return Ok(None),
        };
        if before < needed {
            return Ok(None);
        }
        let mut cursor = Cursor(buffer.get(head..).unwrap_or_default());
        let topic = cursor.text()?.to_owned();
        let packet_id = if qos == 0 { None } else { Some(packet_id(&mut cursor)?) };
        let _seen = buffer.split_to(head + needed);
        self.skipping = size.checked_sub(needed).ok_or(Malformed("a message is shorter than its topic"))?;
        Ok(Some(Incoming::Oversize(Oversize { topic, packet_id, size })))
    }

    fn packet(&self, first: u8, body: &Bytes) -> Result<Option<Incoming>, Malformed> {
        let mut cursor = Cursor(body);
        let packet = match first >> 4 {
            CONNACK => Incoming::Connected(self.connected(&mut cursor)?),
            PUBLISH => Incoming::Message(self.message(first, body)?),
            SUBACK => self.subscribed(&mut cursor)?,
            UNSUBACK => Incoming::Unsubscribed(packet_id(&mut cursor)?),
            PINGRESP => Incoming::Pong,
            DISCONNECT if self.version == Version::V5 => Incoming::Ending(ending(&mut cursor)?),
            _ => return Err(Malformed("a packet that a broker does not send to a subscriber")),
        };
        Ok(Some(packet))
    }

    fn connected(&self, cursor: &mut Cursor<'_>) -> Result<Connected, Malformed> {
        let session_present = cursor.byte()? & 1 == 1;
        let code = cursor.byte()?;
        let mut connected = Connected { session_present, ..Connected::default() };
        let mut said = None;
        if self.version == Version::V5 && !cursor.0.is_empty() {
            for (identifier, value) in cursor.properties()? {
                match (identifier, value) {
                    (19, Value::Number(seconds)) => connected.keep_alive = u16::try_from(seconds).ok(),
                    (31, Value::Text(text)) => said = Some(text.to_owned()),
                    (36, Value::Number(0)) => connected.lacks = Some("the broker delivers at most once (QoS 0) only"),
                    (40, Value::Number(0)) => connected.lacks = Some("the broker has no wildcard subscriptions"),
                    (42, Value::Number(0)) => connected.lacks = Some("the broker has no shared subscriptions"),
                    _ => {}
                }
            }
        }
        if code != 0 {
            connected.refused = Some(said.unwrap_or_else(|| self.refusal(code).to_owned()));
        }
        Ok(connected)
    }

    /// Why a broker refuses a connection (3.1.1: table 3.1; 5.0: table 3-1).
    fn refusal(&self, code: u8) -> &'static str {
        match (self.version, code) {
            (Version::V3, 1) | (Version::V5, 0x84) => "the broker does not speak this version of MQTT",
            (Version::V3, 2) | (Version::V5, 0x85) => "the broker does not take this client id",
            (Version::V3, 3) | (Version::V5, 0x88) => "the broker is not available",
            (Version::V3, 4) | (Version::V5, 0x86) => "the user name or password is wrong",
            (Version::V3, 5) | (Version::V5, 0x87) => "the broker does not authorise this client",
            (Version::V5, 0x89) => "the broker is busy",
            (Version::V5, 0x8A) => "the broker has banned this client",
            (Version::V5, 0x97) => "a quota of the broker is exceeded",
            (Version::V5, 0x9C | 0x9D) => "the broker names another server",
            (Version::V5, 0x9F) => "connections come too often for the broker",
            _ => "the broker refuses the connection",
        }
    }

    fn subscribed(&self, cursor: &mut Cursor<'_>) -> Result<Incoming, Malformed> {
        let packet = packet_id(cursor)?;
        if self.version == Version::V5 {
            cursor.properties()?;
        }
        if cursor.0.is_empty() {
            return Err(Malformed("a SUBACK without reasons"));
        }
        let refused = cursor.0.iter().find(|code| **code != 1).map(|code| match code {
            0 => "the broker grants QoS 0 only",
            0x87 => "the broker does not allow the subscription",
            0x8F => "the broker does not take the filter",
            0x97 => "a quota of the broker is exceeded",
            0x9E => "the broker has no shared subscriptions",
            0xA2 => "the broker has no wildcard subscriptions",
            _ => "the broker refuses the subscription",
        });
        Ok(Incoming::Subscribed(packet, refused))
    }

    fn message(&self, first: u8, body: &Bytes) -> Result<Message, Malformed> {
        let qos = quality(first)?;
        let mut cursor = Cursor(body);
        let topic = cursor.text()?.to_owned();
        if topic.is_empty() || topic.contains(['+', '#']) {
            return Err(Malformed("a message has no topic of its own"));
        }
        let packet_id = if qos == 0 { None } else { Some(packet_id(&mut cursor)?) };
        let mut message = Message {
            topic,
            payload: Bytes::new(),
            packet_id,
            duplicate: first & 0b1000 != 0,
            retained: first & 1 != 0,
            content_type: None,
            properties: Vec::new(),
        };
        if self.version == Version::V5 {
            for (identifier, value) in cursor.properties()? {
                match (identifier, value) {
                    (3, Value::Text(text)) => message.content_type = Some(text.to_owned()),
                    (38, Value::Pair(name, value)) => message.properties.push((name.to_owned(), value.to_owned())),
                    _ => {}
                }
            }
        }
        message.payload = body.slice(body.len() - cursor.0.len()..);
        Ok(message)
    }
}

const CONNACK: u8 = 2;
const PUBLISH: u8 = 3;
const SUBACK: u8 = 9;
const UNSUBACK: u8 = 11;
const PINGRESP: u8 = 13;
const DISCONNECT: u8 = 14;

/// First byte, bytes of the fixed header, and how many follow.
fn fixed_header(buffer: &[u8]) -> Result<Option<(u8, usize, usize)>, Malformed> {
    let mut cursor = Cursor(buffer);
    let Ok(first) = cursor.byte() else { return Ok(None) };
    let before = cursor.0.len();
    match cursor.varying() {
        Ok(length) => {
            let length = usize::try_from(length).map_err(|_huge| Malformed("a packet's length"))?;
            Ok(Some((first, 1 + before - cursor.0.len(), length)))
        }
        Err(_early) if before < 4 => Ok(None),
        Err(malformed) => Err(malformed),
    }
}

/// 0 or 1: Afferent subscribes with 1, and brokers send no more than that.
fn quality(first: u8) -> Result<u8, Malformed> {
    match first >> 1 & 0b11 {
        qos @ (0 | 1) => Ok(qos),
        _ => Err(Malformed("a message with a quality of service that was not subscribed for")),
    }
}

fn packet_id(cursor: &mut Cursor<'_>) -> Result<u16, Malformed> {
    match cursor.two()? {
        0 => Err(Malformed("the packet identifier 0")),
        id => Ok(id),
    }
}

/// Why a broker ends the connection (5.0: table 3-10), in words.
fn ending(cursor: &mut Cursor<'_>) -> Result<String, Malformed> {
    if cursor.0.is_empty() {
        return Ok("the broker ended the connection".to_owned());
    }
    let code = cursor.byte()?;
    if !cursor.0.is_empty() {
        for (identifier, value) in cursor.properties()? {
            if let (31, Value::Text(text)) = (identifier, value) {
                return Ok(text.to_owned());
            }
        }
    }
    Ok(match code {
        0x87 => "the broker ended the connection: not authorised".to_owned(),
        0x89 => "the broker ended the connection: busy".to_owned(),
        0x8B => "the broker is shutting down".to_owned(),
        0x8D => "the broker heard nothing for too long".to_owned(),
        0x8E => "another client took the session over".to_owned(),
        0x93 => "the broker sent more than it may".to_owned(),
        0x98 => "the broker's operator ended the connection".to_owned(),
        _ => format!("the broker ended the connection, reason 0x{code:02X}"),
    })
}
