//! Hub decoder for Cassia Bluetooth gateways (`cassia-sse`): the events of their `RESTful` API and of their Access
//! Controller, one by one, in a list, or as the event stream itself. A gateway carries the notifications of connected
//! devices as they are, so that each item is a frame for the device's own decoder.
//!
//! A notification names its value by attribute handle. What a handle means is set up once for each model of device: in the
//! hub's variable `handle_map`, `{"52": "2A37"}` for all devices or `{"63:B4:C5:46:5C:A2": {"52": "2A37"}}` for one; or in
//! the device's own variable of that name, which the host looks up for a channel `handle:52`.

mod event;
mod handle_map;
mod manifest;

use afferent_plugin_sdk::json::{Document, Json};
use afferent_plugin_sdk::registry::nothing_reasons;
use afferent_plugin_sdk::{DecodeError, HubDecoder, HubItem, HubOutcome, Input, Manifest, Nothing};

use event::Event;
use handle_map::HandleMap;

/// The decoder; a pure function over one payload.
pub struct Cassia;

afferent_plugin_sdk::export_hub_decoder!(Cassia);

impl HubDecoder for Cassia {
    fn describe() -> Manifest {
        manifest::describe()
    }

    fn split(input: &Input) -> Result<HubOutcome, DecodeError> {
        if input.model != manifest::CASSIA {
            return Err(DecodeError::not_for_me("the model is none of this decoder's"));
        }
        let data = input.only_frame()?;
        let captured_at_ms = input.frames.first().and_then(|frame| frame.captured_at_ms);
        let map_text = input.variable("handle_map");
        let map_document = map_text.map(|text| Document::parse(text.as_bytes())).transpose();
        let map_document = map_document.map_err(|_detail| handle_map::broken())?;
        let map = HandleMap::new(map_document.as_ref().map(Document::root))?;
        let mut split = Split { map, captured_at_ms, items: Vec::new(), nothing: None };
        if is_stream(data) {
            let text =
                core::str::from_utf8(data).map_err(|_bytes| DecodeError::malformed("the stream is not UTF-8"))?;
            for event in stream_events(text) {
                split.event(Document::parse(event.as_bytes())?.root())?;
            }
        } else {
            let document = Document::parse(data)?;
            let root = document.root();
            if root.is_list() {
                root.items()?.try_for_each(|event| split.event(event))?;
            } else {
                split.event(root)?;
            }
        }
        Ok(split.outcome())
    }
}

/// What came of the events so far.
struct Split<'m> {
    map: HandleMap<'m>,
    captured_at_ms: Option<i64>,
    items: Vec<HubItem>,
    nothing: Option<Nothing>,
}

impl Split<'_> {
    /// One event: a notification is an item, everything else says something about the gateway.
    fn event(&mut self, event: Json<'_>) -> Result<(), DecodeError> {
        match event::read(event, &self.map, self.captured_at_ms)? {
            Event::Item(item) => self.items.push(*item),
            Event::Nothing(nothing) => {
                self.nothing.get_or_insert(nothing);
            }
        }
        Ok(())
    }

    fn outcome(self) -> HubOutcome {
        if !self.items.is_empty() {
            return self.items.into();
        }
        let alive = || Nothing::because(nothing_reasons::HEARTBEAT, "the stream says that it is alive");
        self.nothing.unwrap_or_else(alive).into()
    }
}

/// Is it an event stream (WHATWG HTML, 9.2.6) and not JSON? A stream begins with a field's name or a comment.
fn is_stream(data: &[u8]) -> bool {
    let begins = data.iter().find(|byte| !byte.is_ascii_whitespace());
    matches!(begins, Some(byte) if !matches!(byte, b'{' | b'[') && *byte != 0xEF)
        && data.contains(&b':')
        && [&b"data:"[..], b":", b"event:", b"id:", b"retry:"]
            .iter()
            .any(|field| data.trim_ascii_start().starts_with(field))
}

/// The data of the stream's events: `data:` lines in a row are one event, and comments (`:keep-alive`) are none.
fn stream_events(text: &str) -> Vec<String> {
    let mut events = Vec::new();
    let mut data = String::new();
    for line in text.lines().chain([""]) {
        if let Some(more) = line.strip_prefix("data:") {
            if !data.is_empty() {
                data.push('\n');
            }
            data.push_str(more.strip_prefix(' ').unwrap_or(more));
        } else if line.is_empty() && !data.trim().is_empty() {
            // The gateway repeats `data: keep-alive` as some firmware's heartbeat.
            if data.trim() != "keep-alive" {
                events.push(core::mem::take(&mut data));
            }
            data.clear();
        }
    }
    events
}
