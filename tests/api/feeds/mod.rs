//! Feeds: vendors' clouds, from their authentication to FHIR.

mod authentication;
mod claims;
mod vendors;
mod withings;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{Actor, Answer, Clinic};

/// A feed, as it is managed and as the vendor posts to it.
pub struct Feed {
    pub id: String,
    /// Its place in the API.
    pub path: String,
    pub secret: String,
    pub admin: Actor,
    /// Who shows no token.
    pub vendor: Actor,
}

impl Feed {
    pub async fn create(clinic: &Clinic, format: &str, authentication: Value, challenge: Value) -> Self {
        let wish = json!({
            "tenant": clinic.tenant, "name": format!("{format} of north"), "format": format, "authentication": authentication,
            "challenge": challenge, "active": true,
        });
        let feed = clinic.admin.post("/api/v1/feeds", wish).await.expect(201);
        let id = feed["id"].as_str().unwrap().to_owned();
        assert!(feed["url"].as_str().unwrap().ends_with(&format!("/ingest/v1/feeds/{id}")), "{feed}");
        let vendor = clinic.admin.anonymous();
        Self {
            path: format!("/api/v1/feeds/{id}"),
            id,
            secret: feed["secret"].as_str().unwrap().to_owned(),
            admin: clinic.admin.clone(),
            vendor,
        }
    }

    /// One that shows its secret in a header.
    pub async fn with_header(clinic: &Clinic, format: &str) -> Self {
        Self::create(clinic, format, json!({ "kind": "header", "name": "X-Api-Key" }), json!({ "kind": "none" })).await
    }

    pub fn request(&self, query: &str) -> RequestBuilder {
        self.vendor.request(Method::POST, &format!("/ingest/v1/feeds/{}{query}", self.id))
    }

    /// Posts as the vendor does, with the secret in the header.
    pub async fn post(&self, query: &str, payload: &Value) -> Answer {
        let request = self.request(query).header("X-Api-Key", &self.secret).header("Content-Type", "application/json");
        self.vendor.send(request.body(payload.to_string())).await
    }

    pub async fn unclaimed(&self) -> Vec<Value> {
        let list = self.admin.get(&format!("{}/unclaimed", self.path)).await.expect(200);
        list["items"].as_array().unwrap().clone()
    }

    pub async fn link(&self, external: &str, device: &str) -> Answer {
        self.admin.post(&format!("{}/accounts", self.path), json!({ "externalId": external, "device": device })).await
    }
}

/// A device of a model that the clinic's patient wears, with a serial as it is.
async fn worn(clinic: &Clinic, model: &str, serial: &str, identifiers: Value) -> String {
    let wish = json!({ "tenant": clinic.tenant, "model": model, "serial": serial, "identifiers": identifiers, "active": true });
    let device = clinic.admin.post("/api/v1/devices", wish).await.expect(201)["id"].as_str().unwrap().to_owned();
    clinic.assign(&device, &clinic.patient, "2010-01-01T00:00:00Z", None).await;
    device
}

/// Outcome of each item.
#[track_caller]
fn outcomes(answer: &Value) -> Vec<&str> {
    let items = answer["items"].as_array().unwrap_or_else(|| panic!("no items in {answer}"));
    items.iter().map(|item| item["outcome"].as_str().unwrap()).collect()
}

/// A line of the vectors that a decoder ships: its payload, and the codes that it is expected to become.
fn vector(lines: &str, id: &str) -> (Value, Vec<String>) {
    let line: Value = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .find(|line| line["id"] == id)
        .unwrap_or_else(|| panic!("no vector {id}"));
    let expected = line["expected"]["observations"].as_array().unwrap();
    let codes = expected.iter().map(|one| one["loinc"].as_str().unwrap().to_owned()).collect();
    (line["payload_json"].clone(), codes)
}
