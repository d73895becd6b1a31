//! Who sends and who receives: a customer with an EHR endpoint, patients, and cuffs that they wear, all made through the
//! front door.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::client::{Connection, Request};
use crate::app::App;
use crate::identity::{Role, issue_token};

/// The cuffs' model and its only channel.
const MODEL: &str = "gatt-2A35";

/// A cuff that sends.
#[derive(Clone)]
pub(super) struct Cuff {
    pub(super) token: String,
}

/// Makes the customer. Its one endpoint takes everything and is paused: deliveries are born, and nothing is sent while we
/// measure.
pub(super) async fn found(app: &App, connection: &mut Connection, devices: u16) -> anyhow::Result<Vec<Cuff>> {
    let platform = issue_token::issue(&app.db, Role::PlatformAdmin, None, "bench").await?;
    let wish = json!({ "name": "Bench Clinic", "kind": "customer", "timeZone": "Europe/Berlin" });
    let tenant = id(&create(connection, "/api/v1/tenants", &platform, &wish).await?)?;
    let admin = issue_token::issue(&app.db, Role::CustomerAdmin, Some(tenant.parse()?), "bench").await?;
    let endpoint = json!({
        "tenant": tenant, "name": "Paused EHR", "kind": "fhir", "url": "http://127.0.0.1:9/fhir",
        "auth": { "kind": "none" }, "active": false,
    });
    create(connection, "/api/v1/endpoints", &admin, &endpoint).await?;
    let mut cuffs = Vec::new();
    for number in 0..devices {
        let patient = json!({
            "resourceType": "Patient",
            "identifier": [{ "system": "urn:example:record-number", "value": format!("BENCH-{number}") }],
            "name": [{ "family": "Bench", "given": [format!("Number {number}")] }],
        });
        let patient = id(&create(connection, &format!("/t/{tenant}/fhir/r4/Patient"), &admin, &patient).await?)?;
        let device = json!({ "tenant": tenant, "model": MODEL, "serial": format!("BENCH-{number}"), "active": true });
        let device = id(&create(connection, "/api/v1/devices", &admin, &device).await?)?;
        let worn = json!({ "patient": patient, "from": "2020-01-01T00:00:00Z" });
        create(connection, &format!("/api/v1/devices/{device}/assignments"), &admin, &worn).await?;
        let issued = create(connection, &format!("/api/v1/devices/{device}/tokens"), &admin, &json!({})).await?;
        let token = issued.get("token").and_then(Value::as_str).context("the answer has no token")?;
        cuffs.push(Cuff { token: token.to_owned() });
    }
    Ok(cuffs)
}

async fn create(connection: &mut Connection, path: &str, token: &str, body: &Value) -> anyhow::Result<Value> {
    let media_type = if path.contains("/fhir/") { "application/fhir+json" } else { "application/json" };
    let body = body.to_string();
    let answer = connection
        .send(&Request { method: "POST", path, token, media_type, body: body.as_bytes() })
        .await
        .with_context(|| format!("POST {path}"))?;
    ensure!(answer.status == 201, "POST {path} answered {}: {}", answer.status, String::from_utf8_lossy(&answer.body));
    Ok(serde_json::from_slice(&answer.body)?)
}

fn id(created: &Value) -> anyhow::Result<String> {
    created.get("id").and_then(Value::as_str).map(str::to_owned).context("the answer has no id")
}
