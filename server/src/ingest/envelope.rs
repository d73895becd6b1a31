//! What a source may post: one raw frame, or several in the JSON envelope `application/vnd.afferent.uplink+json`. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::{Error, FieldError, Kind};

/// Media type of the envelope.
pub const ENVELOPE: &str = "application/vnd.afferent.uplink+json";
/// Frames in one uplink at most.
const MAX_FRAMES: usize = 256;
/// Characters of a channel's name at most.
const MAX_CHANNEL: usize = 200;

/// One frame, as the decoder will get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Characteristic, port or topic; empty when unknown.
    pub channel: String,
    /// The bytes.
    pub data: Vec<u8>,
    /// When the phone or hub got it.
    pub captured_at: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Envelope<'a> {
    #[serde(borrow)]
    frames: Vec<EnvelopeFrame<'a>>,
}

/// One frame as it is written, of one device or of a hub's many.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct EnvelopeFrame<'a> {
    channel: Option<String>,
    hex: Option<String>,
    base64: Option<String>,
    #[serde(borrow)]
    pub(super) json: Option<&'a RawValue>,
    captured_at: Option<String>,
    /// The device that it came from, as the hub names it.
    pub(super) device: Option<String>,
    /// The hub's own id of it.
    pub(super) id: Option<String>,
}

/// Checks the name of a channel: printable, 200 characters at most.
pub fn check_channel(pointer: &str, channel: &str) -> Result<(), Error> {
    if channel.chars().count() <= MAX_CHANNEL && !channel.chars().any(char::is_control) {
        return Ok(());
    }
    Err(Error::field(pointer, format!("a channel has at most {MAX_CHANNEL} printable characters, such as `2A35`")))
}

/// Reads a time of capture: RFC 3339 with an offset.
pub fn parse_captured_at(pointer: &str, text: &str) -> Result<DateTime<Utc>, Error> {
    DateTime::parse_from_rfc3339(text.trim()).map(|time| time.with_timezone(&Utc)).map_err(|_bad| {
        Error::field(pointer, "write the time as RFC 3339 with an offset, such as 2026-03-01T08:30:00+01:00")
    })
}

/// Reads an envelope of one device's frames.
///
/// # Errors
/// 400 when it is not the JSON that it must be; 422 with every frame that is wrong; 413 for too many frames.
pub fn parse_envelope(body: &[u8]) -> Result<Vec<Frame>, Error> {
    let envelope: Envelope<'_> = serde_json::from_slice(body).map_err(|error| {
        Error::invalid(
            "envelope.json",
            format!(
                "The envelope cannot be read at line {}, column {}. It looks like {{\"frames\":[{{\"channel\":\"2A35\",\"hex\":\"…\"}}]}}.",
                error.line(),
                error.column()
            ),
        )
    })?;
    if envelope.frames.is_empty() {
        return Err(Error::field("/frames", "an uplink has at least one frame"));
    }
    if envelope.frames.len() > MAX_FRAMES {
        return Err(Error::new(
            Kind::TooLarge,
            "envelope.frames",
            format!("An uplink has at most {MAX_FRAMES} frames; send the rest in another."),
        ));
    }
    let mut frames = Vec::with_capacity(envelope.frames.len());
    let mut problems = Vec::new();
    for (index, frame) in envelope.frames.into_iter().enumerate() {
        match read_frame(index, frame) {
            Ok(frame) => frames.push(frame),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(frames) } else { Err(Error::fields(problems)) }
}

fn read_frame(index: usize, frame: EnvelopeFrame<'_>) -> Result<Frame, FieldError> {
    let problem = |field: &str, detail: &str| FieldError {
        pointer: format!("/frames/{index}{field}"),
        detail: detail.to_owned(),
    };
    if frame.device.is_some() {
        return Err(problem(
            "/device",
            "a device's own token speaks for that device only; frames of many devices go to /ingest/v1/hubs/uplinks",
        ));
    }
    if frame.id.is_some() {
        return Err(problem("/id", "ids are for a hub's items; one uplink is known again by its Idempotency-Key"));
    }
    read_content(index, frame)
}

/// Bytes, channel and capture of a frame.
pub(super) fn read_content(index: usize, frame: EnvelopeFrame<'_>) -> Result<Frame, FieldError> {
    let problem = |field: &str, detail: &str| FieldError {
        pointer: format!("/frames/{index}{field}"),
        detail: detail.to_owned(),
    };
    let data = match (&frame.hex, &frame.base64, frame.json) {
        (Some(text), None, None) => hex::decode(text.trim())
            .map_err(|_bad| problem("/hex", "this is not hexadecimal: two digits a byte, without separators"))?,
        (None, Some(text), None) => STANDARD
            .decode(text.trim())
            .map_err(|_bad| problem("/base64", "this is not base64 (RFC 4648, with padding)"))?,
        (None, None, Some(raw)) => raw.get().as_bytes().to_vec(),
        _ => return Err(problem("", "a frame has exactly one of hex, base64 and json")),
    };
    if data.is_empty() {
        return Err(problem("", "the frame is empty"));
    }
    let channel = frame.channel.unwrap_or_default();
    check_channel("", &channel).map_err(|error| problem("/channel", &error_detail(&error)))?;
    let captured_at = match frame.captured_at.as_deref() {
        None => None,
        Some(text) => Some(parse_captured_at("", text).map_err(|error| problem("/capturedAt", &error_detail(&error)))?),
    };
    Ok(Frame { channel, data, captured_at })
}

/// The sentence of a one-field error.
fn error_detail(error: &Error) -> String {
    error.first_field().map_or_else(|| error.public().to_owned(), |field| field.detail.clone())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn reads_the_three_ways_to_write_bytes() {
        let body = br#"{"frames":[{"channel":"2A35","hex":"0048"},{"base64":"AEg="},{"json":{"a":  1.50},"capturedAt":"2026-03-01T08:30:00+01:00"}]}"#;
        let frames = parse_envelope(body).unwrap();
        assert_eq!(frames[0], Frame { channel: "2A35".into(), data: vec![0, 0x48], captured_at: None });
        assert_eq!(frames[1].data, vec![0, 0x48]);
        assert_eq!(frames[2].data, br#"{"a":  1.50}"#, "JSON keeps every byte");
        assert_eq!(frames[2].captured_at.unwrap().to_rfc3339(), "2026-03-01T07:30:00+00:00");
    }

    #[test]
    fn names_every_bad_frame() {
        let error = parse_envelope(br#"{"frames":[{"hex":"0x"},{"hex":"00","base64":"AA=="},{"hex":""},{"hex":"00","capturedAt":"yesterday"}]}"#).unwrap_err();
        let pointers: Vec<_> = error.field_errors().iter().map(|field| field.pointer.as_str()).collect();
        assert_eq!(pointers, ["/frames/0/hex", "/frames/1", "/frames/2", "/frames/3/capturedAt"]);
        assert_eq!(error.status(), 422);
    }

    #[test]
    fn refuses_what_is_no_envelope() {
        for body in [&b"nonsense"[..], b"{}", b"[]", br#"{"frames":[],"more":1}"#] {
            assert_eq!(parse_envelope(body).unwrap_err().status(), 400, "{}", String::from_utf8_lossy(body));
        }
        assert_eq!(parse_envelope(br#"{"frames":[]}"#).unwrap_err().status(), 422);
    }
}
