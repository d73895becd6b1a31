//! The search behind a conditional create, update or reference.

use fhir_model::outcome::{Issue, IssueCode};
use fhir_model::search::{self, Controls, Criterion, Filter, TokenSystem};
use sha2::{Digest, Sha256};

use crate::error::{Error, Kind};
use crate::fhir::model::ResourceType;
use crate::fhir::search::unanswerable;

/// Conditions that one resource at most should satisfy.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Criteria {
    /// Of which type.
    pub(crate) resource_type: ResourceType,
    /// All must hold; at least one.
    pub(crate) filters: Vec<Filter>,
    text: String,
}

impl Criteria {
    /// Reads the part of a conditional URL after the question mark, or an `If-None-Exist` header.
    ///
    /// # Errors
    /// As [`Criteria::new`]; also for broken escapes.
    pub(crate) fn parse(resource_type: ResourceType, query: &str, own_bases: &[&str]) -> Result<Self, Error> {
        // `If-None-Exist: Patient?identifier=…` is wrong by the letter and common in the field.
        let query = query.split_once('?').map_or(query, |(_, query)| query);
        let parameters = search::decode_query(query)
            .map_err(|text| refused(vec![Issue::error(IssueCode::Value, format!("the condition {text}"))]))?;
        Self::new(resource_type, parameters, own_bases)
    }

    /// Takes decoded parameters.
    ///
    /// # Errors
    /// 400 for a query without conditions, and for anything the server does not understand: a condition that is ignored
    /// would find the wrong resource, so there is no lenient handling here.
    pub(crate) fn new(
        resource_type: ResourceType,
        mut parameters: Vec<(String, String)>,
        own_bases: &[&str],
    ) -> Result<Self, Error> {
        let parsed = search::parse(resource_type.as_str(), &parameters, own_bases).map_err(refused)?;
        let mut issues = parsed.unsupported;
        if parsed.controls != Controls::default() {
            issues.push(Issue::error(
                IssueCode::NotSupported,
                "_count, _sort, _summary and the like shape an answer; they are no conditions",
            ));
        }
        issues.extend(unanswerable(&parsed.filters));
        if parameters.iter().any(|(_, value)| value.contains('\0')) {
            issues.push(Issue::error(IssueCode::Value, "a value has a NUL character"));
        }
        if parsed.filters.is_empty() {
            let right = "a condition needs at least one search parameter with a value, such as identifier=system|value";
            issues.push(Issue::error(IssueCode::Required, right));
        }
        if !issues.is_empty() {
            return Err(refused(issues));
        }
        parameters.sort_unstable();
        let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&parameters).finish();
        Ok(Self { resource_type, filters: parsed.filters, text })
    }

    /// The one identifier with system and value that is asked for, when that is all.
    pub(crate) fn identifier(&self) -> Option<(&str, &str)> {
        let [Filter { code: "identifier", criterion: Criterion::Token(tokens) }] = self.filters.as_slice() else {
            return None;
        };
        let [token] = tokens.as_slice() else { return None };
        match (&token.system, &token.code) {
            (TokenSystem::Is(system), Some(value)) => Some((system, value)),
            (TokenSystem::None, Some(value)) => Some(("", value)),
            _ => None,
        }
    }

    /// The key of the lock that all who use the same criteria on a tenant share.
    pub(crate) fn lock_key(&self, tenant: db::TenantId) -> i64 {
        let mut hasher = Sha256::new();
        hasher.update(tenant.0.as_bytes());
        hasher.update(self.resource_type.as_str());
        hasher.update([0]);
        hasher.update(&self.text);
        let digest: [u8; 32] = hasher.finalize().into();
        let (first, _) = digest.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
        i64::from_be_bytes(*first)
    }
}

fn refused(issues: Vec<Issue>) -> Error {
    let texts: Vec<&str> = issues.iter().filter_map(|issue| issue.diagnostics.as_deref()).collect();
    let text = format!("The condition cannot be used: {}.", texts.join("; "));
    Error::issues(Kind::Invalid, "fhir.condition", text, issues)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn parse(query: &str) -> Result<Criteria, Error> {
        Criteria::parse(ResourceType::Patient, query, &[])
    }

    #[test]
    fn an_identifier_alone_is_recognised() {
        assert_eq!(parse("identifier=urn%3Ax%7C1").unwrap().identifier(), Some(("urn:x", "1")));
        assert_eq!(parse("Patient?identifier=urn:x|1").unwrap().identifier(), Some(("urn:x", "1")));
        assert_eq!(parse("identifier=|1").unwrap().identifier(), Some(("", "1")));
        for other in ["identifier=1", "identifier=urn:x|1,urn:x|2", "identifier=urn:x|1&family=a", "identifier=urn:x|"]
        {
            assert_eq!(parse(other).unwrap().identifier(), None, "{other}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for bad in [
            "",
            "unknown=1",
            "identifier=",
            "_count=1",
            "identifier=a&_sort=_id",
            "identifier=%00",
            "identifier=urn:x|1&_summary=count",
        ] {
            assert_eq!(parse(bad).map(|_| ()).unwrap_err().status(), 400, "{bad}");
        }
    }

    #[test]
    fn equal_criteria_share_a_lock() {
        let tenant = db::TenantId(uuid::Uuid::from_u128(1));
        let key = |query: &str| parse(query).unwrap().lock_key(tenant);
        assert_eq!(key("family=a&identifier=urn:x|1"), key("identifier=urn%3Ax|1&family=a"));
        assert_ne!(key("identifier=urn:x|1"), key("identifier=urn:x|2"));
        assert_ne!(
            key("identifier=urn:x|1"),
            parse("identifier=urn:x|1").unwrap().lock_key(db::TenantId(uuid::Uuid::from_u128(2)))
        );
    }
}
