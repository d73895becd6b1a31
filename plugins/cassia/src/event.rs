//! One event of a gateway: a notification of a device, or something about the gateway and its links.
//!
//! Layout: the Cassia SDK's `RESTful` API, "Receive Notification/Indication", "SSE Combination API" and "Scan". The combined
//! stream names the kind in `dataType`; the gateway's own streams do not, and are told apart by their members.

use afferent_plugin_sdk::json::Json;
use afferent_plugin_sdk::registry::nothing_reasons;
use afferent_plugin_sdk::{DecodeError, HubContent, HubItem, Nothing};

use crate::handle_map::HandleMap;

/// What an event comes to.
pub enum Event {
    /// A device's value.
    Item(Box<HubItem>),
    /// Nothing to store.
    Nothing(Nothing),
}

/// Reads an event.
///
/// # Errors
///
/// It is none that a gateway sends.
pub fn read(event: Json<'_>, map: &HandleMap<'_>, captured_at_ms: Option<i64>) -> Result<Event, DecodeError> {
    let kind = event.get("dataType")?;
    let told = kind.map(Json::text).transpose()?;
    let status = |message: &str| Ok(Event::Nothing(Nothing::because(nothing_reasons::STATUS, message)));
    match told {
        Some("notification") => notification(event, map, captured_at_ms),
        Some("scan") => Ok(advertisement()),
        Some("connection_state") => status("the state of a device's link"),
        Some("ap_state" | "state") => status("the state of a gateway"),
        Some(_) => Err(kind.unwrap_or(event).unsupported("a kind of event that is not known")),
        // In a link's event `handle` is the device's address, and there is no value.
        None if event.get("connectionState")?.is_some() => status("the state of a device's link"),
        None if event.get("value")?.is_some() => notification(event, map, captured_at_ms),
        None if event.get("bdaddrs")?.is_some()
            || event.get("adData")?.is_some()
            || event.get("scanData")?.is_some() =>
        {
            Ok(advertisement())
        }
        None => Err(event.unsupported("neither a notification nor a scan nor the state of a link")),
    }
}

/// Advertisements are no measurements here: a gateway hears every device that passes by.
fn advertisement() -> Event {
    Event::Nothing(Nothing::because(nothing_reasons::NO_MEASUREMENT, "an advertisement"))
}

/// `id` or `device`: the address; `handle`: the attribute; `value`: its bytes in hexadecimal. What is wrong with one is said
/// of it alone, once its device is known.
fn notification(event: Json<'_>, map: &HandleMap<'_>, captured_at_ms: Option<i64>) -> Result<Event, DecodeError> {
    let named = match event.get("id")? {
        Some(id) => id,
        None => event.required("device")?,
    };
    let device = named.text()?.trim();
    if device.is_empty() {
        return Err(named.malformed("the device has no address"));
    }
    let item = match value(event, map, device) {
        Ok((channel, data)) => HubItem::frame(device, &channel, data, captured_at_ms),
        Err(error) => HubItem::new(device, HubContent::Error(error)),
    };
    Ok(Event::Item(Box::new(item)))
}

fn value(event: Json<'_>, map: &HandleMap<'_>, device: &str) -> Result<(String, Vec<u8>), DecodeError> {
    let handle = event.required("handle")?.integer()?;
    // Bluetooth Core, Vol 3 Part F 3.2.2: 0x0001 to 0xFFFF.
    let handle = u16::try_from(handle).ok().filter(|handle| *handle > 0);
    let handle = handle.ok_or_else(|| event.malformed("`handle` is no attribute handle: 1 to 65535"))?;
    let member = event.required("value")?;
    let data = bytes(member.text()?).ok_or_else(|| member.malformed("`value` is no hexadecimal: two digits a byte"))?;
    Ok((map.channel(device, handle), data))
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.trim();
    if digits.is_empty() || !digits.len().is_multiple_of(2) || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let pairs = digits.as_bytes().chunks_exact(2);
    pairs.map(|pair| u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
