//! What Afferent says to a broker, as bytes.

use super::{Connect, Malformed, Version};

/// The broker keeps a session for ever (5.0, chapter 3.1.2.11.2); 3.1.1 knows nothing else.
const NEVER_EXPIRES: u32 = u32::MAX;
/// Retained messages are not sent because of a subscription (5.0, chapter 3.8.3.1).
const NO_RETAINED: u8 = 0b10 << 4;

/// CONNECT, with a session that outlives the connection.
///
/// # Errors
/// When a text is longer than 65,535 bytes.
pub fn connect(version: Version, connect: &Connect<'_>) -> Result<Vec<u8>, Malformed> {
    let mut body = Vec::new();
    text(&mut body, "MQTT")?;
    body.push(if version == Version::V5 { 5 } else { 4 });
    // 3.1.1 has no password without a user name.
    let user_name = match (version, connect.user_name, connect.password) {
        (Version::V3, None, Some(_)) => Some(""),
        (_, name, _) => name,
    };
    let mut flags = 0;
    if user_name.is_some() {
        flags |= 0x80;
    }
    if connect.password.is_some() {
        flags |= 0x40;
    }
    body.push(flags);
    body.extend(connect.keep_alive.to_be_bytes());
    if version == Version::V5 {
        let mut properties = vec![17];
        properties.extend(NEVER_EXPIRES.to_be_bytes());
        properties.push(33);
        properties.extend(connect.receive_maximum.max(1).to_be_bytes());
        varying(&mut body, properties.len())?;
        body.extend(properties);
    }
    text(&mut body, connect.client_id)?;
    for part in [user_name, connect.password].into_iter().flatten() {
        text(&mut body, part)?;
    }
    packet(0x10, &body)
}

/// SUBSCRIBE with QoS 1.
///
/// # Errors
/// When it is too long.
pub fn subscribe(version: Version, id: u16, filters: &[String]) -> Result<Vec<u8>, Malformed> {
    let mut body = head(version, id);
    for filter in filters {
        text(&mut body, filter)?;
        body.push(if version == Version::V5 { 1 | NO_RETAINED } else { 1 });
    }
    packet(0x82, &body)
}

/// UNSUBSCRIBE.
///
/// # Errors
/// When it is too long.
pub fn unsubscribe(version: Version, id: u16, filters: &[String]) -> Result<Vec<u8>, Malformed> {
    let mut body = head(version, id);
    for filter in filters {
        text(&mut body, filter)?;
    }
    packet(0xA2, &body)
}

/// PUBACK: success, whatever became of it. In both versions the short form.
#[must_use]
pub fn puback(id: u16) -> [u8; 4] {
    let [high, low] = id.to_be_bytes();
    [0x40, 2, high, low]
}

/// PINGREQ.
#[must_use]
pub fn ping() -> [u8; 2] {
    [0xC0, 0]
}

/// DISCONNECT; the session stays.
#[must_use]
pub fn disconnect() -> [u8; 2] {
    [0xE0, 0]
}

fn head(version: Version, id: u16) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    if version == Version::V5 {
        // No properties.
        body.push(0);
    }
    body
}

fn text(body: &mut Vec<u8>, text: &str) -> Result<(), Malformed> {
    let length = u16::try_from(text.len()).map_err(|_long| Malformed("a text is longer than 65535 bytes"))?;
    body.extend(length.to_be_bytes());
    body.extend(text.as_bytes());
    Ok(())
}

fn varying(body: &mut Vec<u8>, mut number: usize) -> Result<(), Malformed> {
    if number > 268_435_455 {
        return Err(Malformed("longer than a packet can be"));
    }
    loop {
        let low = u8::try_from(number & 0x7F).unwrap_or_default();
        number >>= 7;
        body.push(if number > 0 { low | 0x80 } else { low });
        if number == 0 {
            return Ok(());
        }
    }
}

fn packet(first: u8, body: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut packet = vec![first];
    varying(&mut packet, body.len())?;
    packet.extend(body);
    Ok(packet)
}
