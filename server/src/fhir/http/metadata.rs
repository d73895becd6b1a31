//! `GET metadata`: what this interface can do (<https://hl7.org/fhir/R4/http.html#capabilities>). Needs no credential.

use actix_web::{HttpRequest, HttpResponse};
use db::TenantId;
use fhir_model::capability::{ResourceCapability, Statement, capability_statement};
use serde_json::{Value, json};

use super::answer::FHIR_JSON;
use super::request::Asked;
use super::wishes::Wishes;
use crate::app::AppData;
use crate::error::FhirResult;
use crate::fhir::model::ResourceType;

/// When the interface last changed; an answer that is the same every time can be compared.
const DATE: &str = "2026-11-22";

/// The CapabilityStatement. A base of a tenant that does not exist answers the same: nobody learns from it which do.
pub(super) async fn metadata(_wishes: Wishes, app: AppData, request: HttpRequest) -> FhirResult<HttpResponse> {
    let tenant = request.match_info().get("tenant").map(|text| text.parse::<TenantId>());
    let tenant = match tenant {
        Some(Err(_not_an_id)) => return Err(crate::error::Error::not_found("tenant").into()),
        Some(Ok(tenant)) => tenant,
        None => TenantId(uuid::Uuid::nil()),
    };
    let asked = Asked::new(&app, &request, tenant);
    Ok(HttpResponse::Ok().content_type(FHIR_JSON).body(statement(&asked.base.url).to_string()))
}

fn statement(base_url: &str) -> Value {
    let resources = ResourceType::ALL.map(|resource_type| {
        let written = resource_type.is_written_by_clients();
        ResourceCapability {
            resource_type: resource_type.as_str(),
            interactions: if written {
                &["read", "vread", "history-instance", "search-type", "create", "update"]
            } else {
                &["read", "vread", "history-instance", "search-type"]
            },
            conditional_create: written,
            update_create: resource_type.is_created_by_update(),
            supported_profiles: &[],
        }
    });
    let security = json!({
        "cors": false,
        "description": "Bearer tokens (RFC 6750), issued by an administrator and bound to one tenant. Another tenant's data is not found (404)."
    });
    let mut statement = capability_statement(&Statement {
        base_url,
        date: DATE,
        software_version: env!("CARGO_PKG_VERSION"),
        resources: &resources,
        transaction: true,
        security: Some(&security),
    });
    // What the table of parameters does not know: conditions on reads and updates.
    let entries = statement.pointer_mut("/rest/0/resource").and_then(Value::as_array_mut).into_iter().flatten();
    for (entry, resource_type) in entries.zip(ResourceType::ALL) {
        if let Some(entry) = entry.as_object_mut() {
            entry.insert("conditionalUpdate".to_owned(), resource_type.is_written_by_clients().into());
            entry.insert("conditionalRead".to_owned(), "not-match".into());
        }
    }
    statement
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use fhir_model::parse::Resource;
    use fhir_model::validate::Options;

    use super::*;
    use crate::fhir::specification::Specification;

    #[test]
    fn it_is_valid_and_says_what_each_type_can() {
        let value = statement("https://a.example/fhir/r4");
        let specification = Specification::load().unwrap();
        assert_eq!(specification.validate(&Resource::from_value(value.clone()).unwrap(), Options::default()), []);
        let device = value.pointer("/rest/0/resource/0").unwrap();
        assert_eq!((device["type"].as_str(), device["conditionalUpdate"].as_bool()), (Some("Device"), Some(false)));
        assert!(!device["interaction"].to_string().contains("create"));
        assert_eq!(value.pointer("/rest/0/resource/2/updateCreate").unwrap(), &json!(true));
    }
}
