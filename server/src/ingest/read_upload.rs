//! The form of an upload: media type, channel, time of capture, and the frames in its body.

use actix_web::web::Bytes;
use chrono::{DateTime, Utc};
use db::UplinkId;
use sha2::{Digest, Sha256};

use super::decoded_body::READINGS;
use super::envelope::{self, Frame};
use super::model::{Received, TransportKey};
use crate::error::{Error, Kind};

/// A request as it came in.
pub struct Upload {
    /// The bearer token.
    pub token: String,
    /// `?channel=`.
    pub channel: String,
    /// Content-Type.
    pub content_type: String,
    /// Afferent-Captured-At.
    pub captured_at: Option<String>,
    /// Idempotency-Key.
    pub idempotency_key: Option<String>,
    /// Under which a broker's delivery is known when it comes again.
    pub delivery: Option<TransportKey>,
}

/// The media type of a body that may be taken, in lower case and without parameters.
///
/// # Errors
/// 400 for an empty body; 415 for a type that no source may send.
pub(super) fn media_type(upload: &Upload, body: &Bytes) -> Result<String, Error> {
    if body.is_empty() {
        return Err(Error::invalid("body.empty", "The body is empty; send the bytes that the device sent."));
    }
    let media_type = upload.content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if media_type.is_empty()
        || media_type.len() > 127
        || media_type.starts_with("multipart/")
        || media_type == "application/x-www-form-urlencoded"
        || media_type == READINGS
    {
        return Err(Error::new(
            Kind::Unsupported,
            "body.media-type",
            format!(
                "Send one raw frame (application/octet-stream, application/json or text/plain), or several as {}.",
                envelope::ENVELOPE
            ),
        ));
    }
    Ok(media_type)
}

/// The raw side of a request whose body is one frame, or a hub's payload.
///
/// # Errors
/// 422 for a channel or a time of capture that is none.
pub(super) fn received(
    upload: &Upload,
    body: &Bytes,
    media_type: String,
    received_at: DateTime<Utc>,
) -> Result<Received, Error> {
    envelope::check_channel("?channel", &upload.channel)?;
    let captured_at = upload
        .captured_at
        .as_deref()
        .map(|text| envelope::parse_captured_at("Afferent-Captured-At", text))
        .transpose()?;
    Ok(Received {
        id: UplinkId::generate(),
        received_at,
        captured_at,
        channel: upload.channel.clone(),
        content_type: media_type,
        body: body.to_vec(),
        body_hash: Sha256::digest(body).into(),
    })
}

/// The raw side and the frames of a request; everything about its form is checked here.
///
/// # Errors
/// 400, 415 and 422 for what has not that form.
pub(super) fn read(upload: &Upload, body: &Bytes, received_at: DateTime<Utc>) -> Result<(Received, Vec<Frame>), Error> {
    let mut received = received(upload, body, media_type(upload, body)?, received_at)?;
    let frames = if received.content_type == envelope::ENVELOPE {
        if !upload.channel.is_empty() || received.captured_at.is_some() {
            return Err(Error::invalid(
                "envelope.mixed",
                "In an envelope the frames carry channel and capturedAt themselves; leave ?channel and Afferent-Captured-At out.",
            ));
        }
        envelope::parse_envelope(body)?
    } else {
        vec![Frame { channel: upload.channel.clone(), data: body.to_vec(), captured_at: received.captured_at }]
    };
    if let Some(first) = frames.first() {
        received.captured_at = first.captured_at;
        received.channel.clone_from(&first.channel);
    }
    Ok((received, frames))
}

/// Frames of a stored uplink, for a replay: the same bytes read in the same way.
///
/// # Errors
/// 422 for an envelope that is none.
pub(super) fn frames_again(received: &Received) -> Result<Vec<Frame>, Error> {
    if received.content_type == envelope::ENVELOPE {
        return envelope::parse_envelope(&received.body);
    }
    Ok(vec![Frame {
        channel: received.channel.clone(),
        data: received.body.clone(),
        captured_at: received.captured_at,
    }])
}

/// An Idempotency-Key as it may be.
///
/// # Errors
/// 400 for one that is empty, longer than 255 characters, or not of visible ASCII.
pub(super) fn check_key(key: &str) -> Result<&str, Error> {
    if (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(key);
    }
    Err(Error::invalid(
        "idempotency-key",
        "An Idempotency-Key has 1 to 255 visible ASCII characters; a UUID is a good one.",
    ))
}
