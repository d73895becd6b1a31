//! One item of what a hub carried, whichever way it was written.

use plugin_host::{Decoded, HubContent, HubItem};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::{Error, Kind};
use crate::fleet::normal_address;
use crate::ingest::decode_uplink::error_detail;
use crate::ingest::envelope::{self, EnvelopeFrame, Frame};

/// Items of one request at most.
pub const MOST: usize = 5_000;
/// Characters of an item's id and of a device's name.
const MAX_NAME: usize = 200;

/// An item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The device, in the one spelling of addresses; empty where the item does not say.
    pub address: String,
    /// The hub's own id of it.
    pub id: Option<String>,
    /// What the hub calls the kind of device.
    pub device_type: Option<String>,
    /// What it carries.
    pub content: Content,
}

/// What an item carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Bytes for the device's own decoder, and their media type.
    Frame(Frame, &'static str),
    /// What the hub decoded.
    Readings(Box<Decoded>),
    /// Nothing to store, and why.
    Nothing(String),
    /// The hub's decoder refused it: stable reason and sentence.
    Refused(&'static str, String),
    /// It is not written as an item must be; nothing of it is kept.
    Invalid(String),
}

const BYTES: &str = "application/octet-stream";
/// Media type of an item that is JSON.
pub const JSON: &str = "application/json";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HubEnvelope<'a> {
    #[serde(borrow)]
    frames: Vec<&'a RawValue>,
}

/// Reads an envelope frame by frame: one that is wrong is answered, and costs no other.
///
/// # Errors
/// 400 when it is no envelope at all; 422 for an empty one; 413 for too many frames.
pub fn read_envelope(body: &[u8]) -> Result<Vec<Item>, Error> {
    let envelope: HubEnvelope<'_> = serde_json::from_slice(body).map_err(|error| {
        Error::invalid(
            "envelope.json",
            format!(
                "The envelope cannot be read at line {}, column {}. A hub's looks like {{\"frames\":[{{\"device\":\"AA:BB:CC:DD:EE:FF\",\"channel\":\"2A35\",\"hex\":\"…\"}}]}}.",
                error.line(),
                error.column()
            ),
        )
    })?;
    if envelope.frames.is_empty() {
        return Err(Error::field("/frames", "an uplink has at least one frame"));
    }
    if envelope.frames.len() > MOST {
        return Err(Error::new(
            Kind::TooLarge,
            "envelope.frames",
            format!("A hub's uplink has at most {MOST} frames; send the rest in another."),
        ));
    }
    Ok(envelope.frames.iter().enumerate().map(|(index, raw)| read_frame(index, raw)).collect())
}

fn read_frame(index: usize, raw: &RawValue) -> Item {
    let invalid = |address: String, id: Option<String>, detail: String| Item {
        address,
        id,
        device_type: None,
        content: Content::Invalid(detail),
    };
    let frame: EnvelopeFrame<'_> = match serde_json::from_str(raw.get()) {
        Ok(frame) => frame,
        Err(_detail) => {
            let shape = "a frame is an object with device, channel, one of hex, base64 and json, and if need be capturedAt and id";
            return invalid(String::new(), None, shape.to_owned());
        }
    };
    let named =
        |text: &str| !text.trim().is_empty() && text.chars().count() <= MAX_NAME && !text.chars().any(char::is_control);
    let id = frame.id.clone().filter(|id| named(id));
    let Some(address) = frame.device.as_deref().filter(|device| named(device)).map(name) else {
        let detail = format!("`device` names the device that it came from: 1 to {MAX_NAME} printable characters");
        return invalid(String::new(), id, detail);
    };
    if frame.id.is_some() && id.is_none() {
        return invalid(address, None, format!("an id has 1 to {MAX_NAME} printable characters"));
    }
    let media_type = if frame.json.is_some() { JSON } else { BYTES };
    match envelope::read_content(index, frame) {
        Ok(frame) => Item { address, id, device_type: None, content: Content::Frame(frame, media_type) },
        Err(problem) => invalid(address, id, problem.detail),
    }
}

/// A device's name in its one spelling: an address, or the id of a device that is paired without one.
fn name(text: &str) -> String {
    let address = normal_address(text);
    address.parse::<db::DeviceId>().map_or(address, |id| id.to_string())
}

impl From<HubItem> for Item {
    fn from(item: HubItem) -> Self {
        let device_type = item.extra.into_iter().find(|pair| pair.name == "device-type").map(|pair| pair.value);
        Self {
            address: name(&item.device),
            id: item.item_id,
            device_type: device_type.filter(|text| text.chars().count() <= MAX_NAME),
            content: match item.content {
                HubContent::Frame(frame) => Content::Frame(
                    Frame {
                        channel: frame.channel,
                        data: frame.data,
                        captured_at: frame.captured_at_ms.and_then(chrono::DateTime::from_timestamp_millis),
                    },
                    BYTES,
                ),
                HubContent::Readings(decoded) => Content::Readings(Box::new(decoded)),
                HubContent::Nothing(nothing) => Content::Nothing(nothing.reason),
                HubContent::Error(error) => Content::Refused(error.kind.as_str(), error_detail(&error)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

    use super::*;

    #[test]
    fn a_bad_frame_costs_no_other() {
        let items = read_envelope(
            br#"{"frames":[{"device":"aabbccddee0f","channel":"2A35","hex":"0048"},{"device":"x","hex":"0g"},7,{"hex":"00"},{"device":"x","id":"","hex":"00"},{"device":"x","json":{"a":1}}]}"#,
        )
        .unwrap();
        assert_eq!(items[0].address, "AA:BB:CC:DD:EE:0F");
        let kinds: Vec<_> = items
            .iter()
            .map(|item| match &item.content {
                Content::Frame(_, media_type) => *media_type,
                Content::Invalid(_) => "invalid",
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(kinds, [BYTES, "invalid", "invalid", "invalid", "invalid", JSON]);
    }

    #[test]
    fn what_is_no_envelope_is_refused_whole() {
        assert_eq!(read_envelope(b"{}").unwrap_err().status(), 400);
        assert_eq!(read_envelope(br#"{"frames":[]}"#).unwrap_err().status(), 422);
        let many = format!(r#"{{"frames":[{}]}}"#, vec!["1"; MOST + 1].join(","));
        assert_eq!(read_envelope(many.as_bytes()).unwrap_err().status(), 413);
    }
}
