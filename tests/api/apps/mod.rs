//! Phone apps: codes, installations, what they relay, and the reference app in a real browser.

mod browser;
mod pairing;
mod relaying;
mod stopping;

use serde_json::{Value, json};

use crate::support::{Answer, Clinic, Hub};

/// A phone that was paired: an installation, as it is managed and as it sends.
pub struct Phone {
    pub id: String,
    /// Its place in the API, its clinic's admin, and itself: a phone does what a hub does.
    pub hub: Hub,
}

impl Phone {
    pub async fn pair(clinic: &Clinic) -> Self {
        let pairing = clinic.admin.post("/api/v1/app-pairings", json!({ "tenant": clinic.tenant })).await.expect(201);
        let paired = redeem(clinic, pairing["code"].as_str().unwrap()).await.expect(201);
        Self::of(clinic, &paired)
    }

    fn of(clinic: &Clinic, paired: &Value) -> Self {
        let id = paired["id"].as_str().unwrap().to_owned();
        let actor = clinic.admin.with_token(paired["token"].as_str().unwrap());
        let hub = Hub { path: format!("/api/v1/apps/{id}"), admin: clinic.admin.clone(), actor };
        Self { id, hub }
    }

    /// What staff see of it.
    pub async fn seen_by_staff(&self) -> Value {
        self.hub.admin.get(&self.hub.path).await.expect(200)
    }

    /// What it may know of itself.
    pub async fn me(&self) -> Answer {
        self.hub.actor.get("/ingest/v1/apps/me").await
    }
}

/// Shows a code, as an app does.
async fn redeem(clinic: &Clinic, code: &str) -> Answer {
    let body = json!({ "code": code, "installation": { "name": "Test app", "version": "1.2", "platform": "Tests 7" } });
    clinic.admin.anonymous().post("/ingest/v1/apps/pair", body).await
}

/// An item as an app queues it.
fn item(id: &str, device: &str, channel: &str, bytes: &[u8], captured_at: &str) -> Value {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    json!({ "id": id, "device": device, "channel": channel, "hex": hex, "capturedAt": captured_at })
}

/// Outcome of each item.
#[track_caller]
fn outcomes(answer: &Value) -> Vec<&str> {
    let items = answer["items"].as_array().unwrap_or_else(|| panic!("no items in {answer}"));
    items.iter().map(|item| item["outcome"].as_str().unwrap()).collect()
}
