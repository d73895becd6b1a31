//! Who calls: a client with a token, and the clinic that most tests need.

use std::time::Duration;

use afferent::identity::Role;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::TestApp;

/// Somebody who calls the server.
#[derive(Clone)]
pub struct Actor {
    client: Client,
    base: String,
    pub token: Option<String>,
}

/// What the server answered.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.text))
    }

    /// The body, after checking the status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        if self.text.is_empty() { Value::Null } else { self.json() }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Actor {
    pub fn new(base: String, token: Option<String>) -> Self {
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
        Self { client, base, token }
    }

    /// The same caller with another token.
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// Somebody who shows no token.
    pub fn anonymous(&self) -> Self {
        Self { token: None, ..self.clone() }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a request; the server must answer.
    pub async fn send(&self, request: RequestBuilder) -> Answer {
        self.try_send(request).await.expect("the server answers")
    }

    pub async fn try_send(&self, request: RequestBuilder) -> reqwest::Result<Answer> {
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        Ok(Answer { status, headers, text: response.text().await? })
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.with_body(Method::POST, path, body).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.with_body(Method::PUT, path, body).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.with_body(Method::PATCH, path, body).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    async fn with_body(&self, method: Method, path: &str, body: Value) -> Answer {
        let media_type = if path.contains("/fhir/") { "application/fhir+json" } else { "application/json" };
        self.send(self.request(method, path).header("Content-Type", media_type).body(body.to_string())).await
    }

    /// Posts one raw frame, as a device does.
    pub async fn uplink(&self, channel: &str, frame: &[u8]) -> Answer {
        self.try_uplink(channel, frame).await.expect("the server answers")
    }

    pub async fn try_uplink(&self, channel: &str, frame: &[u8]) -> reqwest::Result<Answer> {
        let request = self.request(Method::POST, &format!("/ingest/v1/uplinks?channel={channel}"));
        self.try_send(request.header("Content-Type", "application/octet-stream").body(frame.to_vec())).await
    }
}

/// A customer with everything that a reading needs.
pub struct Clinic {
    pub tenant: String,
    /// Its FHIR base, without host.
    pub fhir: String,
    pub admin: Actor,
    pub patient: String,
    /// The patient's record number: system and value.
    pub record_number: (String, String),
    /// A blood-pressure cuff.
    pub device: String,
    /// The cuff, as it sends.
    pub cuff: Actor,
}

impl Clinic {
    pub(super) async fn found(app: &TestApp, name: &str) -> Self {
        let platform = app.platform_admin().await;
        let wish = json!({ "name": name, "kind": "customer", "timeZone": "Europe/Berlin" });
        let tenant = id(&platform.post("/api/v1/tenants", wish).await.expect(201));
        let admin = app.member(Role::CustomerAdmin, &tenant).await;
        let fhir = format!("/t/{tenant}/fhir/r4");
        let record_number = ("urn:example:record-number".to_owned(), format!("{name}-1"));
        let patient = json!({
            "resourceType": "Patient",
            "identifier": [{ "system": record_number.0, "value": record_number.1 }],
            "name": [{ "family": "Tester", "given": ["Tessa"] }],
            "birthDate": "1960-05-17",
        });
        let patient = id(&admin.post(&format!("{fhir}/Patient"), patient).await.expect(201));
        let mut clinic = Self {
            tenant,
            fhir,
            admin: admin.clone(),
            patient: patient.clone(),
            record_number,
            device: String::new(),
            cuff: admin,
        };
        let (device, cuff) = clinic.device("gatt-2A35", "CUFF-1").await;
        clinic.assign(&device, &patient, "2020-01-01T00:00:00Z", None).await;
        (clinic.device, clinic.cuff) = (device, cuff);
        clinic
    }

    /// An active device with a token: its id, and the device as it sends.
    pub async fn device(&self, model: &str, serial: &str) -> (String, Actor) {
        let wish = json!({ "tenant": self.tenant, "model": model, "serial": format!("{serial}-{}", self.tenant), "active": true });
        let device = id(&self.admin.post("/api/v1/devices", wish).await.expect(201));
        let token = self.admin.post(&format!("/api/v1/devices/{device}/tokens"), json!({})).await.expect(201);
        let actor = self.admin.with_token(token["token"].as_str().unwrap());
        (device, actor)
    }

    /// An active hub with a token.
    pub async fn hub(&self, model: &str, serial: &str) -> Hub {
        let wish = json!({ "tenant": self.tenant, "model": model, "serial": serial, "name": serial, "active": true });
        let id = id(&self.admin.post("/api/v1/hubs", wish).await.expect(201));
        let token = self.admin.post(&format!("/api/v1/hubs/{id}/tokens"), json!({})).await.expect(201);
        let actor = self.admin.with_token(token["token"].as_str().unwrap());
        Hub { path: format!("/api/v1/hubs/{id}"), admin: self.admin.clone(), actor }
    }

    /// Another patient.
    pub async fn patient(&self, family: &str) -> String {
        let patient = json!({
            "resourceType": "Patient",
            "identifier": [{ "system": self.record_number.0, "value": format!("{}-{family}", self.tenant) }],
            "name": [{ "family": family }],
        });
        id(&self.admin.post(&format!("{}/Patient", self.fhir), patient).await.expect(201))
    }

    /// Lets a patient wear a device.
    pub async fn assign(&self, device: &str, patient: &str, from: &str, until: Option<&str>) -> String {
        let mut wish = json!({ "patient": patient, "from": from });
        if let Some(until) = until {
            wish["until"] = json!(until);
        }
        id(&self.admin.post(&format!("/api/v1/devices/{device}/assignments"), wish).await.expect(201))
    }

    /// Reads an Observation.
    pub async fn observation(&self, id: &str) -> Value {
        self.admin.get(&format!("{}/Observation/{id}", self.fhir)).await.expect(200)
    }

    /// How many Observations a search finds.
    pub async fn count(&self, query: &str) -> u64 {
        let bundle = self.admin.get(&format!("{}/Observation?_summary=count&{query}", self.fhir)).await.expect(200);
        bundle["total"].as_u64().unwrap()
    }
}

/// A hub, as it is managed and as it sends.
pub struct Hub {
    /// Its place in the API.
    pub path: String,
    pub admin: Actor,
    /// The hub, as it sends.
    pub actor: Actor,
}

impl Hub {
    /// Pairs a device with it.
    pub async fn pair(&self, device: &str, address: &str) -> Value {
        self.admin.put(&format!("{}/devices/{device}", self.path), json!({ "address": address })).await.expect(200)
    }

    /// Sends frames of many devices.
    pub async fn send(&self, frames: Value) -> Answer {
        self.post("application/vnd.afferent.uplink+json", json!({ "frames": frames }).to_string()).await
    }

    /// Sends a payload in its own words.
    pub async fn payload(&self, payload: &Value) -> Answer {
        self.post("application/json", payload.to_string()).await
    }

    /// Sends a payload of bytes.
    pub async fn bytes(&self, payload: Vec<u8>) -> Answer {
        let request = self.actor.request(Method::POST, "/ingest/v1/hubs/uplinks");
        self.actor.send(request.header("Content-Type", "application/octet-stream").body(payload)).await
    }

    pub async fn post(&self, media_type: &str, body: String) -> Answer {
        let request = self.actor.request(Method::POST, "/ingest/v1/hubs/uplinks");
        self.actor.send(request.header("Content-Type", media_type).body(body)).await
    }

    /// What is unclaimed behind it.
    pub async fn unclaimed(&self) -> Vec<Value> {
        let list = self.admin.get(&format!("{}/unclaimed", self.path)).await.expect(200);
        list["items"].as_array().unwrap().clone()
    }
}

/// The id of what was created.
fn id(created: &Value) -> String {
    created["id"].as_str().unwrap_or_else(|| panic!("no id in {created}")).to_owned()
}
