//! `OperationOutcome`: how every FHIR answer says what was wrong, where, and what would be right
//! (<https://hl7.org/fhir/R4/operationoutcome.html>).

use std::fmt;

use serde_json::{Map, Value, json};

/// `OperationOutcome.issue.severity` (<http://hl7.org/fhir/ValueSet/issue-severity>), worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IssueSeverity {
    /// The action failed and no further checking was possible.
    Fatal,
    /// The issue is serious enough to make the action fail.
    Error,
    /// The action may go on, but the result may not be what was meant.
    Warning,
    /// For information only.
    Information,
}

impl IssueSeverity {
    /// The code as written in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fatal => "fatal",
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Information => "information",
        }
    }

    /// The severity a code stands for; `None` for a code that R4 does not know.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Fatal, Self::Error, Self::Warning, Self::Information].into_iter().find(|known| known.as_str() == code)
    }
}

macro_rules! issue_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)+) => {
        /// `OperationOutcome.issue.code` (<http://hl7.org/fhir/ValueSet/issue-type>, all 31 codes of R4).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum IssueCode { $($(#[$doc])* $name,)+ }

        impl IssueCode {
            /// Every code, in the order of the value set.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The code as written in JSON.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// The issue type a code stands for; `None` for a code that R4 does not know.
            #[must_use]
            pub fn from_code(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.as_str() == code)
            }
        }
    };
}

issue_codes! {
    /// Content is invalid against the specification.
    Invalid = "invalid",
    /// A structural issue: wrong namespace, unknown element, wrong JSON shape.
    Structure = "structure",
    /// A required element is missing.
    Required = "required",
    /// An element or header value is invalid.
    Value = "value",
    /// A content validation rule failed.
    Invariant = "invariant",
    /// An authentication, authorization or permission issue.
    Security = "security",
    /// The client needs to log in.
    Login = "login",
    /// The user or system was not able to be authenticated.
    Unknown = "unknown",
    /// The session expired.
    Expired = "expired",
    /// The caller may not do this.
    Forbidden = "forbidden",
    /// Some information was withheld.
    Suppressed = "suppressed",
    /// Processing issues that are no fault of the content's form.
    Processing = "processing",
    /// The operation, resource or parameter is not supported.
    NotSupported = "not-supported",
    /// A duplicate record was found.
    Duplicate = "duplicate",
    /// Several matching records were found where one was needed.
    MultipleMatches = "multiple-matches",
    /// The thing referred to does not exist.
    NotFound = "not-found",
    /// The thing referred to was deleted.
    Deleted = "deleted",
    /// Content is too long.
    TooLong = "too-long",
    /// The code or system is not understood or not valid here.
    CodeInvalid = "code-invalid",
    /// An extension was found that is not acceptable.
    Extension = "extension",
    /// The operation was stopped because it would cost too much.
    TooCostly = "too-costly",
    /// A business rule failed.
    BusinessRule = "business-rule",
    /// An edit conflict.
    Conflict = "conflict",
    /// A transient fault; the caller may try again.
    Transient = "transient",
    /// A lock could not be had.
    LockError = "lock-error",
    /// The persistent store is not available.
    NoStore = "no-store",
    /// An unexpected internal error.
    Exception = "exception",
    /// An internal timeout.
    Timeout = "timeout",
    /// Not all data sources answered.
    Incomplete = "incomplete",
    /// The system is under load and is throttling.
    Throttled = "throttled",
    /// A message without further meaning.
    Informational = "informational",
}

/// One thing to say about a request or a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// How bad it is.
    pub severity: IssueSeverity,
    /// What kind of issue it is.
    pub code: IssueCode,
    /// For people: what is wrong and what would be right. Never patient data.
    pub diagnostics: Option<String>,
    /// `FHIRPath` of the elements concerned, such as `Observation.component[1].valueQuantity.value`; for search,
    /// `http.name` of the parameter (the form R4 gives for the older `location`).
    pub expression: Vec<String>,
    /// `details.text`: a stable, short text of ours where there is one.
    pub details: Option<String>,
}

impl Issue {
    /// An issue with severity `error` and no place.
    #[must_use]
    pub fn error(code: IssueCode, diagnostics: impl Into<String>) -> Self {
        Self {
            severity: IssueSeverity::Error,
            code,
            diagnostics: Some(diagnostics.into()),
            expression: Vec::new(),
            details: None,
        }
    }

    /// An issue with severity `warning` and no place.
    #[must_use]
    pub fn warning(code: IssueCode, diagnostics: impl Into<String>) -> Self {
        Self { severity: IssueSeverity::Warning, ..Self::error(code, diagnostics) }
    }

    /// An issue with severity `information` and no place.
    #[must_use]
    pub fn information(code: IssueCode, diagnostics: impl Into<String>) -> Self {
        Self { severity: IssueSeverity::Information, ..Self::error(code, diagnostics) }
    }

    /// The same issue, at this `FHIRPath` (added to those it already has).
    #[must_use]
    pub fn at(mut self, expression: impl Into<String>) -> Self {
        self.expression.push(expression.into());
        self
    }

    /// The same issue with `details.text`.
    #[must_use]
    pub fn with_details(mut self, text: impl Into<String>) -> Self {
        self.details = Some(text.into());
        self
    }

    /// True when the action cannot go on because of it.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity <= IssueSeverity::Error
    }

    fn to_json(&self) -> Value {
        let mut issue = Map::new();
        issue.insert("severity".into(), self.severity.as_str().into());
        issue.insert("code".into(), self.code.as_str().into());
        // Empty strings are not valid FHIR, so nothing empty is written.
        if let Some(text) = self.details.as_deref().filter(|text| !text.is_empty()) {
            issue.insert("details".into(), json!({ "text": text }));
        }
        if let Some(text) = self.diagnostics.as_deref().filter(|text| !text.is_empty()) {
            issue.insert("diagnostics".into(), text.into());
        }
        if !self.expression.is_empty() {
            issue.insert("expression".into(), self.expression.clone().into());
        }
        Value::Object(issue)
    }
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.severity.as_str(), self.code.as_str())?;
        if !self.expression.is_empty() {
            write!(f, " at {}", self.expression.join(", "))?;
        }
        match self.diagnostics.as_ref().or(self.details.as_ref()) {
            Some(text) => write!(f, ": {text}"),
            None => Ok(()),
        }
    }
}

/// The resource itself. R4 wants at least one issue; an empty list is written as one informational "All OK".
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OperationOutcome {
    /// The issues, in the order found.
    pub issues: Vec<Issue>,
}

impl OperationOutcome {
    /// An outcome with these issues.
    #[must_use]
    pub fn new(issues: Vec<Issue>) -> Self {
        Self { issues }
    }

    /// The resource as a JSON value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let issues: Vec<Value> = if self.issues.is_empty() {
            vec![Issue::information(IssueCode::Informational, "All OK").to_json()]
        } else {
            self.issues.iter().map(Issue::to_json).collect()
        };
        json!({ "resourceType": "OperationOutcome", "issue": issues })
    }

    /// The resource as JSON text.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.to_value().to_string()
    }
}

impl From<Issue> for OperationOutcome {
    fn from(issue: Issue) -> Self {
        Self::new(vec![issue])
    }
}

impl From<Vec<Issue>> for OperationOutcome {
    fn from(issues: Vec<Issue>) -> Self {
        Self::new(issues)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_only_what_is_there() {
        let issue = Issue::error(IssueCode::Required, "Observation.code is missing").at("Observation").with_details("");
        assert_eq!(
            OperationOutcome::from(issue).to_text(),
            r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"required","diagnostics":"Observation.code is missing","expression":["Observation"]}]}"#
        );
    }

    #[test]
    fn no_issue_is_still_a_valid_resource() {
        let text = OperationOutcome::default().to_text();
        assert!(text.contains(r#""severity":"information","code":"informational""#), "{text}");
    }

    #[test]
    fn codes_round_trip() {
        assert_eq!(IssueCode::ALL.len(), 31);
        for code in IssueCode::ALL {
            assert_eq!(IssueCode::from_code(code.as_str()), Some(*code));
        }
        assert_eq!(IssueSeverity::from_code("warning"), Some(IssueSeverity::Warning));
        assert_eq!(IssueCode::from_code("nonsense"), None);
    }
}
