//! The registry of decoders: uploads, states, what serves, and who may do what.

mod lifecycle;
mod uploads;
mod vendors;
mod walk;

use serde_json::{Value, json};

use crate::support::{Actor, Answer};

/// Uploads a component.
async fn upload(actor: &Actor, component: Vec<u8>) -> Answer {
    let request = actor.request(reqwest::Method::POST, "/api/v1/plugins");
    actor.send(request.header("Content-Type", "application/wasm").body(component)).await
}

/// Something that is done to a version of the tests' decoder.
async fn act(actor: &Actor, version: &str, what: &str, mut more: Value) -> Answer {
    more["reason"] = json!("a test");
    actor.post(&format!("/api/v1/plugins/versioned-scale/versions/{version}/{what}"), more).await
}

/// Lets it serve, whatever it would change.
async fn activate(actor: &Actor, version: &str) -> Value {
    act(actor, version, "activate", json!({ "withoutComparison": true })).await.expect(200)
}

/// Version and state of each version, the last uploaded first.
async fn states(actor: &Actor) -> Vec<(String, String)> {
    let list = actor.get("/api/v1/plugins/versioned-scale/versions").await.expect(200);
    let items = list["items"].as_array().unwrap().iter();
    items.map(|item| (text(&item["version"]), text(&item["state"]))).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
