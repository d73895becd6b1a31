//! Hubs: batches of many devices, payloads that they decode themselves, and what nobody has claimed.

mod batches;
mod claims;
mod payloads;
mod refusals;

use serde_json::{Value, json};

/// A frame of an envelope.
pub fn frame(device: &str, channel: &str, bytes: &[u8]) -> Value {
    json!({ "device": device, "channel": channel, "hex": hex(bytes) })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Outcome and status of each item.
#[track_caller]
fn outcomes(answer: &Value) -> Vec<(String, u64)> {
    let items = answer["items"].as_array().unwrap_or_else(|| panic!("no items in {answer}"));
    items.iter().map(|item| (item["outcome"].as_str().unwrap().to_owned(), item["status"].as_u64().unwrap())).collect()
}
