//! What another server answers to a Bundle or a single create: read tolerantly (servers differ) and within bounds
//! (they may also be broken or hostile). Nothing here fails; what cannot be understood says so.

use serde_json::Value;

use crate::outcome::{Issue, IssueCode, IssueSeverity};
use crate::parse::{Limits, parse_json};
use crate::reference::{Local, Reference};

/// The most entries and issues that are looked at, and the longest text that is kept.
const MOST_ENTRIES: usize = 10_000;
const MOST_ISSUES: usize = 20;
const LONGEST_TEXT: usize = 500;

/// The body of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A Bundle of responses, one per entry that was sent, in the same order.
    Entries(Vec<EntryAnswer>),
    /// An `OperationOutcome` about the whole request.
    Outcome(Vec<Issue>),
    /// A resource, as some servers answer to a create.
    Resource {
        /// Its type.
        resource_type: String,
        /// Its logical id over there.
        id: Option<String>,
    },
    /// No body.
    Empty,
    /// Not FHIR JSON; what it was instead.
    Unreadable(String),
}

/// The answer to one entry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EntryAnswer {
    /// The HTTP status; `None` when there was none that can be read.
    pub status: Option<u16>,
    /// `response.location`, as given.
    pub location: Option<String>,
    /// Type, id and version that the location names.
    pub stored_as: Option<StoredAs>,
    /// `response.etag`, as given.
    pub etag: Option<String>,
    /// The issues of `response.outcome`, or of an `OperationOutcome` in the place of the resource.
    pub issues: Vec<Issue>,
}

/// What a location names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAs {
    /// The resource type.
    pub resource_type: String,
    /// The id that the other server gave.
    pub id: String,
    /// The version there.
    pub version: Option<String>,
}

impl EntryAnswer {
    /// True for 200 to 299.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

/// Reads the body of an answer.
#[must_use]
pub fn read_answer(body: &[u8], limits: &Limits) -> Answer {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Answer::Empty;
    }
    let value = match parse_json(body, limits) {
        Ok(value) => value,
        Err(fault) => return Answer::Unreadable(cut(&fault.message)),
    };
    match text(&value, "resourceType") {
        Some("Bundle") => {
            let entries = value.get("entry").and_then(Value::as_array);
            Answer::Entries(entries.into_iter().flatten().take(MOST_ENTRIES).map(entry).collect())
        }
        Some("OperationOutcome") => Answer::Outcome(issues(&value)),
        Some(resource_type) => Answer::Resource { resource_type: cut(resource_type), id: text(&value, "id").map(cut) },
        None => Answer::Unreadable("JSON without a resourceType".to_owned()),
    }
}

fn entry(entry: &Value) -> EntryAnswer {
    let response = entry.get("response").unwrap_or(&Value::Null);
    let outcome = response.get("outcome").or_else(|| {
        entry.get("resource").filter(|resource| text(resource, "resourceType") == Some("OperationOutcome"))
    });
    let location = text(response, "location");
    EntryAnswer {
        status: response.get("status").and_then(status),
        stored_as: location.and_then(stored_as).or_else(|| entry.get("resource").and_then(resource_stored_as)),
        location: location.map(cut),
        etag: text(response, "etag").map(cut),
        issues: outcome.map(issues).unwrap_or_default(),
    }
}

/// `201 Created`, `201`, or the number 201.
fn status(value: &Value) -> Option<u16> {
    let code = match value {
        Value::String(text) => text.split_whitespace().next()?.parse().ok()?,
        Value::Number(number) => u16::try_from(number.as_u64()?).ok()?,
        _ => return None,
    };
    (100..600).contains(&code).then_some(code)
}

fn stored_as(location: &str) -> Option<StoredAs> {
    let local = match Reference::parse(location.trim_start_matches('/'))? {
        Reference::Relative(local) | Reference::Absolute { local, .. } => local,
        _ => return None,
    };
    let Local { resource_type, id, version } = local;
    Some(StoredAs { resource_type: resource_type.to_owned(), id: id.to_owned(), version: version.map(str::to_owned) })
}

fn resource_stored_as(resource: &Value) -> Option<StoredAs> {
    let (resource_type, id) = (text(resource, "resourceType")?, text(resource, "id")?);
    let version = resource.get("meta").and_then(|meta| text(meta, "versionId"));
    let usable = resource_type != "OperationOutcome"
        && crate::reference::is_id(id)
        && crate::reference::is_type_name(resource_type);
    usable.then(|| StoredAs { resource_type: cut(resource_type), id: id.to_owned(), version: version.map(cut) })
}

fn issues(outcome: &Value) -> Vec<Issue> {
    let issues = outcome.get("issue").and_then(Value::as_array);
    issues.into_iter().flatten().take(MOST_ISSUES).map(issue).collect()
}

/// An unknown severity counts as an error, an unknown code as `processing`: better too loud than lost.
fn issue(issue: &Value) -> Issue {
    let places = ["expression", "location"].into_iter().find_map(|name| issue.get(name)?.as_array());
    let details = issue.get("details");
    let coded = details
        .and_then(|details| details.get("coding")?.get(0))
        .and_then(|coding| text(coding, "display").or(text(coding, "code")));
    Issue {
        severity: text(issue, "severity").and_then(IssueSeverity::from_code).unwrap_or(IssueSeverity::Error),
        code: text(issue, "code").and_then(IssueCode::from_code).unwrap_or(IssueCode::Processing),
        diagnostics: text(issue, "diagnostics").map(cut),
        expression: places.into_iter().flatten().filter_map(Value::as_str).take(MOST_ISSUES).map(cut).collect(),
        details: details.and_then(|details| text(details, "text")).or(coded).map(cut),
    }
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

/// Bounded, and without characters that a text column or a log line cannot hold.
fn cut(text: &str) -> String {
    text.chars().filter(|char| !char.is_control() || *char == '\n').take(LONGEST_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(value: &Value) -> Answer {
        read_answer(value.to_string().as_bytes(), &Limits::default())
    }

    #[test]
    fn reads_what_servers_write() {
        let Answer::Entries(entries) = answer(
            &json!({"resourceType": "Bundle", "type": "transaction-response", "entry": [
                {"response": {"status": "201 Created", "location": "https://ehr.example/fhir/Observation/7/_history/1", "etag": "W/\"1\""}},
                {"response": {"status": 200, "location": "/Observation/8"}},
                {"response": {"status": "422", "outcome": {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "business-rule", "details": {"coding": [{"code": "E1"}]}, "location": ["Observation.code"]}]}}},
                {"resource": {"resourceType": "Observation", "id": "9"}, "response": {"status": "200"}},
                {"response": {"status": "wat"}}, null,
            ]}),
        ) else {
            panic!("not entries")
        };
        assert_eq!(
            entries.iter().map(|entry| entry.status).collect::<Vec<_>>(),
            [Some(201), Some(200), Some(422), Some(200), None, None]
        );
        let stored =
            entries.iter().map(|entry| entry.stored_as.as_ref().map(|stored| stored.id.as_str())).collect::<Vec<_>>();
        assert_eq!(stored, [Some("7"), Some("8"), None, Some("9"), None, None]);
        assert!(entries.first().is_some_and(EntryAnswer::is_success));
        let issue = Issue {
            details: Some("E1".into()),
            diagnostics: None,
            ..Issue::error(IssueCode::BusinessRule, "").at("Observation.code")
        };
        assert_eq!(entries.get(2).map(|entry| entry.issues.as_slice()), Some([issue].as_slice()));
    }

    #[test]
    fn reads_outcomes_and_resources() {
        let outcome = answer(
            &json!({"resourceType": "OperationOutcome", "issue": [{"severity": "odd", "code": "odd", "diagnostics": "x".repeat(9000)}]}),
        );
        let Answer::Outcome(issues) = outcome else { panic!("not an outcome") };
        assert_eq!(issues.len(), 1);
        assert!(
            issues.iter().all(|issue| issue.severity == IssueSeverity::Error && issue.code == IssueCode::Processing)
        );
        assert!(issues.iter().all(|issue| issue.diagnostics.as_ref().is_some_and(|text| text.len() == LONGEST_TEXT)));
        let created = answer(&json!({"resourceType": "Observation", "id": "7"}));
        assert_eq!(created, Answer::Resource { resource_type: "Observation".into(), id: Some("7".into()) });
    }

    #[test]
    fn what_is_not_fhir_is_said_to_be_unreadable() {
        assert_eq!(read_answer(b" \n", &Limits::default()), Answer::Empty);
        assert!(matches!(read_answer(b"<html>", &Limits::default()), Answer::Unreadable(_)));
        assert!(matches!(answer(&json!([1])), Answer::Unreadable(_)));
        assert_eq!(answer(&json!({"resourceType": "Bundle", "entry": 7})), Answer::Entries(Vec::new()));
    }
}
