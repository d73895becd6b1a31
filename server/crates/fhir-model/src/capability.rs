//! The `CapabilityStatement` (`GET [base]/metadata`), from the same table that the search parser uses, so that it cannot
//! promise what is not there (<https://hl7.org/fhir/R4/capabilitystatement.html>).

use serde_json::{Value, json};

use crate::search::{ParameterType, ResourceTable, SearchParameter, TABLE};

/// What a server says about itself.
#[derive(Debug, Clone, Copy)]
pub struct Statement<'a> {
    /// The base URL of the FHIR endpoint, without a slash at its end.
    pub base_url: &'a str,
    /// When this statement last changed, a dateTime; for example the time of the build.
    pub date: &'a str,
    /// The version of the software.
    pub software_version: &'a str,
    /// What each resource type can do. Types that [`TABLE`] does not have are not searchable.
    pub resources: &'a [ResourceCapability<'a>],
    /// Whether transactions and batches are taken.
    pub transaction: bool,
    /// Extra `rest.security`, an R4 JSON object (the SMART extension); left out when `None`.
    pub security: Option<&'a Value>,
}

/// One resource type.
#[derive(Debug, Clone, Copy)]
pub struct ResourceCapability<'a> {
    /// `Observation`
    pub resource_type: &'a str,
    /// Codes of <http://hl7.org/fhir/ValueSet/type-restful-interaction>: `read`, `vread`, `update`, `create`,
    /// `search-type`, …
    pub interactions: &'a [&'a str],
    /// `If-None-Exist` is honoured.
    pub conditional_create: bool,
    /// A PUT to an id that does not exist creates it.
    pub update_create: bool,
    /// Profiles that resources of this type may say they conform to.
    pub supported_profiles: &'a [&'a str],
}

/// The `CapabilityStatement` as JSON.
#[must_use]
pub fn capability_statement(statement: &Statement<'_>) -> Value {
    let resources: Vec<Value> = statement.resources.iter().map(resource).collect();
    let mut rest = json!({ "mode": "server" });
    if let Some(security) = statement.security {
        rest["security"] = security.clone();
    }
    rest["resource"] = resources.into();
    if statement.transaction {
        rest["interaction"] = json!([{ "code": "transaction" }, { "code": "batch" }]);
    }
    json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": statement.date,
        "kind": "instance",
        "software": { "name": "Afferent", "version": statement.software_version },
        "implementation": { "description": "Afferent remote patient monitoring", "url": statement.base_url },
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "rest": [rest]
    })
}

fn resource(capability: &ResourceCapability<'_>) -> Value {
    let interactions: Vec<Value> = capability.interactions.iter().map(|code| json!({ "code": code })).collect();
    let mut entry = json!({ "type": capability.resource_type });
    if !capability.supported_profiles.is_empty() {
        entry["supportedProfile"] = json!(capability.supported_profiles);
    }
    if !interactions.is_empty() {
        entry["interaction"] = interactions.into();
    }
    entry["versioning"] = "versioned".into();
    entry["readHistory"] = capability.interactions.contains(&"vread").into();
    entry["updateCreate"] = capability.update_create.into();
    entry["conditionalCreate"] = capability.conditional_create.into();
    entry["referencePolicy"] = json!(["literal", "logical"]);
    let table = TABLE.iter().find(|table| table.resource_type == capability.resource_type);
    if let Some(table) = table.filter(|_| capability.interactions.contains(&"search-type")) {
        entry["searchParam"] = search_parameters(table);
    }
    entry
}

fn search_parameters(table: &ResourceTable) -> Value {
    table.parameters.iter().map(search_parameter).collect()
}

fn search_parameter(parameter: &SearchParameter) -> Value {
    let mut documentation = format!(
        "Modifiers: {}.",
        parameter.kind.modifiers().iter().map(|name| format!(":{name}")).collect::<Vec<_>>().join(", ")
    );
    if parameter.kind == ParameterType::Date {
        documentation
            .push_str(" Prefixes: eq, ne, gt, lt, ge, le, sa, eb, ap. Times without an offset are read as UTC.");
    }
    if !parameter.indexed {
        documentation.push_str(" Not indexed: combine it with patient or date.");
    }
    json!({
        "name": parameter.code,
        "definition": parameter.definition,
        "type": parameter.kind.as_str(),
        "documentation": documentation
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::definitions::tests::r4;
    use crate::resource::Resource;
    use crate::validate::{Options, validate};

    #[test]
    fn it_is_a_valid_resource_and_names_every_parameter() {
        let resources = [
            ResourceCapability {
                resource_type: "Observation",
                interactions: &["read", "create", "search-type"],
                conditional_create: true,
                update_create: false,
                supported_profiles: &["http://hl7.org/fhir/StructureDefinition/vitalsigns"],
            },
            ResourceCapability {
                resource_type: "Provenance",
                interactions: &["read"],
                conditional_create: false,
                update_create: false,
                supported_profiles: &[],
            },
        ];
        let security = json!({ "description": "SMART" });
        let statement = Statement {
            base_url: "https://us.example/fhir",
            date: "2026-11-22",
            software_version: "0.1.0",
            resources: &resources,
            transaction: true,
            security: Some(&security),
        };
        let value = capability_statement(&statement);
        let names: Vec<&str> = value["rest"][0]["resource"][0]["searchParam"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|p| p["name"].as_str())
            .collect();
        assert_eq!(
            names,
            ["_id", "_lastUpdated", "identifier", "patient", "subject", "code", "category", "date", "device", "status"]
        );
        assert!(value["rest"][0]["resource"][1].get("searchParam").is_none());
        let issues = validate(r4(), &Resource::from_value(value).unwrap(), Options::default());
        assert_eq!(issues, []);
    }
}
