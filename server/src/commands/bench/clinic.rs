//! Who sends and who receives: a customer with an EHR endpoint, patients, and devices that they wear, all made through the
//! front door.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, ensure};
use db::Db;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::client::{Connection, head};
use super::mix::{self, Kind};
use crate::identity::{Role, issue_token};

/// Devices that are enrolled at the same time.
const AT_ONCE: u32 = 8;

/// A device that sends.
pub(super) struct Device {
    pub(super) kind: &'static Kind,
    /// Everything of its requests but the payload, whose length never changes.
    pub(super) head: Vec<u8>,
}

/// The customer's devices.
pub(super) struct Clinic {
    pub(super) devices: Vec<Device>,
    /// Token of a platform admin.
    pub(super) platform: String,
}

impl Clinic {
    /// Makes the customer. Its one endpoint takes everything and is paused: deliveries are born, and nothing is sent while
    /// we measure.
    pub(super) async fn found(address: SocketAddr, db: &Db, devices: u32) -> anyhow::Result<Self> {
        let mut connection = Connection::open(address).await?;
        let platform = issue_token::issue(db, Role::PlatformAdmin, None, "bench").await?;
        let wish = json!({ "name": "Bench Clinic", "kind": "customer", "timeZone": "Europe/Berlin" });
        let tenant = id(&create(&mut connection, "/api/v1/tenants", &platform, &wish).await?)?;
        let admin = issue_token::issue(db, Role::CustomerAdmin, Some(tenant.parse()?), "bench").await?;
        let endpoint = json!({
            "tenant": tenant, "name": "Paused EHR", "kind": "fhir", "url": "http://127.0.0.1:9/fhir",
            "auth": { "kind": "none" }, "active": false,
        });
        create(&mut connection, "/api/v1/endpoints", &admin, &endpoint).await?;
        let (who, next) = (Arc::new((tenant, admin)), Arc::new(AtomicU32::new(0)));
        let mut enrolling = JoinSet::new();
        for _ in 0..AT_ONCE {
            enrolling.spawn(enrol_until(devices, Arc::clone(&next), address, Arc::clone(&who)));
        }
        let mut all = Vec::new();
        while let Some(enrolled) = enrolling.join_next().await {
            all.extend(enrolled??);
        }
        all.sort_unstable_by_key(|(number, _)| *number);
        Ok(Self { devices: all.into_iter().map(|(_, device)| device).collect(), platform })
    }

    /// Which device sends payload `number`, and which of its own it is.
    pub(super) fn sender(&self, number: u32) -> Option<(&Device, u32)> {
        let devices = u32::try_from(self.devices.len()).ok()?;
        let device = self.devices.get(usize::try_from(number.checked_rem(devices)?).ok()?)?;
        Some((device, number / devices))
    }

    /// Writes the whole request with payload `number`.
    pub(super) fn request(&self, number: u32, request: &mut Vec<u8>) {
        request.clear();
        if let Some((device, measurement)) = self.sender(number) {
            request.extend_from_slice(&device.head);
            device.kind.write(measurement, request);
        }
    }
}

async fn enrol_until(
    devices: u32,
    next: Arc<AtomicU32>,
    address: SocketAddr,
    who: Arc<(String, String)>,
) -> anyhow::Result<Vec<(u32, Device)>> {
    let mut connection = Connection::open(address).await?;
    let mut enrolled = Vec::new();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= devices {
            return Ok(enrolled);
        }
        enrolled.push((number, enrol(&mut connection, number, &who.0, &who.1).await?));
    }
}

/// A patient, a device that the patient wears, and its token.
async fn enrol(connection: &mut Connection, number: u32, tenant: &str, admin: &str) -> anyhow::Result<Device> {
    let kind = mix::kind_of(number);
    let patient = json!({
        "resourceType": "Patient",
        "identifier": [{ "system": "urn:example:record-number", "value": format!("BENCH-{number}") }],
        "name": [{ "family": "Bench", "given": [format!("Number {number}")] }],
    });
    let patient = id(&create(connection, &format!("/t/{tenant}/fhir/r4/Patient"), admin, &patient).await?)?;
    let device = json!({ "tenant": tenant, "model": kind.model, "serial": format!("BENCH-{number}"), "active": true });
    let device = id(&create(connection, "/api/v1/devices", admin, &device).await?)?;
    let worn = json!({ "patient": patient, "from": "2020-01-01T00:00:00Z" });
    create(connection, &format!("/api/v1/devices/{device}/assignments"), admin, &worn).await?;
    let issued = create(connection, &format!("/api/v1/devices/{device}/tokens"), admin, &json!({})).await?;
    let token = issued.get("token").and_then(Value::as_str).context("the answer has no token")?;
    let path = format!("/ingest/v1/uplinks?channel={}", kind.channel);
    let head = head("POST", &path, token, "application/octet-stream", kind.frame(0).len());
    Ok(Device { kind, head })
}

async fn create(connection: &mut Connection, path: &str, token: &str, body: &Value) -> anyhow::Result<Value> {
    let media_type = if path.contains("/fhir/") { "application/fhir+json" } else { "application/json" };
    let body = body.to_string();
    let mut request = head("POST", path, token, media_type, body.len());
    request.extend_from_slice(body.as_bytes());
    let answer = connection.exchange(&request).await.with_context(|| format!("POST {path}"))?;
    ensure!(answer.status == 201, "POST {path} answered {}: {}", answer.status, answer.text());
    Ok(serde_json::from_slice(answer.body)?)
}

fn id(created: &Value) -> anyhow::Result<String> {
    created.get("id").and_then(Value::as_str).map(str::to_owned).context("the answer has no id")
}
