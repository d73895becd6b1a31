//! What the demo needs, made once through the front door.

use anyhow::Context;
use db::TenantId;
use reqwest::Method;
use serde_json::{Value, json};

use super::api::Api;
use crate::app::App;
use crate::identity::{Role, issue_token};

/// The zone of the demo's customers.
pub(super) const ZONE: &str = "Europe/Berlin";
/// Identifier system of the made-up patients' record numbers.
const RECORD_NUMBERS: &str = "urn:oid:2.16.840.1.113883.4.642.40.1";

/// Made-up people.
const PATIENTS: [(&str, &str, &str, &str, &str); 4] = [
    ("DEMO-1001", "Amira", "Haddad", "female", "1958-03-14"),
    ("DEMO-1002", "Jonas", "Lindqvist", "male", "1949-11-02"),
    ("DEMO-1003", "Rosa", "Marchetti", "female", "1967-07-29"),
    ("DEMO-1004", "Daniel", "Okafor", "male", "1973-01-18"),
];
/// Model and channel of the devices; every patient gets two of them.
const MODELS: [(&str, &str); 4] =
    [("gatt-2A35", "2A35"), ("gatt-2A9D", "2A9D"), ("gatt-2A5E", "2A5E"), ("gatt-2A1C", "2A1C")];

/// A device that sends.
pub(super) struct DemoDevice {
    pub(super) channel: &'static str,
    pub(super) token: String,
    /// Which of the patients: their values stay around a level of their own.
    pub(super) person: usize,
}

/// What was seeded.
pub(super) struct Demo {
    pub(super) clinic: TenantId,
    pub(super) hospital: TenantId,
    pub(super) platform_token: String,
    pub(super) clinic_token: String,
    pub(super) hospital_token: String,
    pub(super) devices: Vec<DemoDevice>,
}

/// Finds or makes everything.
pub(super) async fn seed(app: &App, api: &Api, platform: &str) -> anyhow::Result<Demo> {
    let distributor = tenant(api, platform, "Demo Distributor", "distributor", None).await?;
    let clinic = tenant(api, platform, "Demo Clinic", "customer", Some(distributor)).await?;
    let hospital = tenant(api, platform, "Demo Hospital (the EHR)", "customer", Some(distributor)).await?;
    let clinic_token = issue_token::issue(&app.db, Role::CustomerAdmin, Some(clinic), "demo").await?;
    let hospital_token = issue_token::issue(&app.db, Role::CustomerAdmin, Some(hospital), "demo").await?;

    let mut devices = Vec::new();
    for (person, entry) in PATIENTS.iter().enumerate() {
        let patient = patient(api, clinic, &clinic_token, entry).await?;
        self::patient(api, hospital, &hospital_token, entry).await?;
        for (model, channel) in [MODELS[person % 4], MODELS[(person + 1) % 4]] {
            let serial = format!("DEMO-{person}-{channel}");
            let token = device(api, clinic, &clinic_token, model, &serial, &patient).await?;
            devices.push(DemoDevice { channel, token, person });
        }
    }
    endpoint(app, api, clinic, &clinic_token, hospital, &hospital_token).await?;
    Ok(Demo { clinic, hospital, platform_token: platform.to_owned(), clinic_token, hospital_token, devices })
}

fn text<'a>(value: &'a Value, field: &str) -> anyhow::Result<&'a str> {
    value.get(field).and_then(Value::as_str).with_context(|| format!("the answer has no {field}"))
}

fn find<'a>(list: &'a Value, field: &str, wanted: &str) -> Option<&'a Value> {
    list.get("items")?.as_array()?.iter().find(|item| item.get(field).and_then(Value::as_str) == Some(wanted))
}

async fn tenant(api: &Api, token: &str, name: &str, kind: &str, parent: Option<TenantId>) -> anyhow::Result<TenantId> {
    let list = api.get("/api/v1/tenants?limit=500", token).await?;
    let found = match find(&list, "name", name) {
        Some(found) => found.clone(),
        None => {
            api.post(
                "/api/v1/tenants",
                token,
                &json!({ "name": name, "kind": kind, "parent": parent, "timeZone": ZONE }),
            )
            .await?
        }
    };
    Ok(text(&found, "id")?.parse()?)
}

async fn patient(
    api: &Api,
    tenant: TenantId,
    token: &str,
    (number, given, family, gender, born): &(&str, &str, &str, &str, &str),
) -> anyhow::Result<String> {
    let resource = json!({
        "resourceType": "Patient",
        "identifier": [{ "system": RECORD_NUMBERS, "value": number }],
        "active": true,
        "name": [{ "use": "official", "family": family, "given": [given] }],
        "gender": gender,
        "birthDate": born,
    });
    // A transaction with a conditional create: the second start finds the first one's patient.
    let bundle = json!({
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [{ "resource": resource, "request": { "method": "POST", "url": "Patient", "ifNoneExist": format!("identifier={RECORD_NUMBERS}|{number}") } }],
    });
    let answer = api.post(&format!("/t/{tenant}/fhir/r4"), token, &bundle).await?;
    let location = answer
        .pointer("/entry/0/response/location")
        .and_then(Value::as_str)
        .context("the transaction names no location")?;
    let mut parts = location.split('/').skip_while(|part| *part != "Patient");
    parts.nth(1).map(str::to_owned).context("the location names no Patient")
}

async fn device(
    api: &Api,
    tenant: TenantId,
    token: &str,
    model: &str,
    serial: &str,
    patient: &str,
) -> anyhow::Result<String> {
    let list = api.get(&format!("/api/v1/devices?tenant={tenant}&limit=500"), token).await?;
    let id = match find(&list, "serial", serial) {
        Some(found) => text(found, "id")?.to_owned(),
        None => {
            let made = api
                .post(
                    "/api/v1/devices",
                    token,
                    &json!({ "tenant": tenant, "model": model, "serial": serial, "active": true }),
                )
                .await?;
            let id = text(&made, "id")?.to_owned();
            let from = json!({ "patient": patient, "from": "2010-01-01T00:00:00Z" });
            api.post(&format!("/api/v1/devices/{id}/assignments"), token, &from).await?;
            id
        }
    };
    let issued = api.call(Method::POST, &format!("/api/v1/devices/{id}/tokens"), token, None).await?;
    Ok(text(&issued, "token")?.to_owned())
}

async fn endpoint(
    app: &App,
    api: &Api,
    clinic: TenantId,
    clinic_token: &str,
    hospital: TenantId,
    hospital_token: &str,
) -> anyhow::Result<()> {
    let wish = json!({
        "tenant": clinic,
        "name": "Demo Hospital's EHR",
        "kind": "fhir",
        "url": app.fhir_base(hospital),
        "auth": { "kind": "bearer", "token": hospital_token },
        "patientIdentifierSystem": RECORD_NUMBERS,
    });
    let list = api.get(&format!("/api/v1/endpoints?tenant={clinic}"), clinic_token).await?;
    match find(&list, "name", "Demo Hospital's EHR") {
        // The address and the token may be others than at the last start.
        Some(found) => {
            let change = json!({ "url": wish["url"], "auth": wish["auth"], "active": true });
            api.call(Method::PATCH, &format!("/api/v1/endpoints/{}", text(found, "id")?), clinic_token, Some(&change))
                .await?;
        }
        None => {
            api.post("/api/v1/endpoints", clinic_token, &wish).await?;
        }
    }
    Ok(())
}
