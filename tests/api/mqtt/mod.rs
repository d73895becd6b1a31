//! MQTT as a way in, with a real broker (Mosquitto).

mod connections;
mod documented;
mod faults;
mod publisher;
mod readings;
mod sessions;
mod tls;

use serde_json::{Value, json};

use crate::support::{Clinic, Mosquitto, TestApp, eventually};

/// Connects a clinic with a broker; answers the connection's id when all its sessions are subscribed.
async fn connect(app: &TestApp, clinic: &Clinic, broker: &Mosquitto, more: Value) -> String {
    let id = create(app, clinic, broker, more).await;
    connected(app, &id).await;
    id
}

async fn create(app: &TestApp, clinic: &Clinic, broker: &Mosquitto, more: Value) -> String {
    let mut wish = json!({ "tenant": clinic.tenant, "name": "broker", "url": broker.url() });
    wish.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let created = app.platform_admin().await.post("/api/v1/mqtt-connections", wish).await.expect(201);
    created["id"].as_str().unwrap().to_owned()
}

async fn connected(app: &TestApp, id: &str) {
    eventually("all sessions to be connected", || async {
        let sessions = sessions(app, id).await;
        sessions.iter().all(|session| session["state"] == "connected").then_some(())
    })
    .await;
}

/// How the sessions of a connection are doing.
async fn sessions(app: &TestApp, id: &str) -> Vec<Value> {
    let path = format!("/api/v1/mqtt-connections/{id}/status");
    let status = app.platform_admin().await.get(&path).await.expect(200);
    status["sessions"].as_array().unwrap().clone()
}

/// A count over all sessions.
async fn total(app: &TestApp, id: &str, what: &str) -> u64 {
    sessions(app, id).await.iter().map(|session| session[what].as_u64().unwrap()).sum()
}

/// Waits until so many messages were acknowledged.
async fn acknowledged(app: &TestApp, id: &str, count: u64) {
    eventually(&format!("{count} messages to be acknowledged"), || async {
        (total(app, id, "acknowledged").await >= count).then_some(())
    })
    .await;
}

fn device_topic(device: &str, channel: &str) -> String {
    format!("afferent/devices/{device}/{channel}")
}
