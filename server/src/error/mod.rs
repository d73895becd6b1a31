//! The only error a room returns, and the only table that turns it into HTTP: RFC 9457 problem+json for REST and ingest
//! ([`ApiError`]), OperationOutcome for FHIR ([`FhirError`]). A handler's return type chooses the dialect.

mod outcome;
mod problem;
mod sources;

use std::borrow::Cow;
use std::fmt;
use std::panic::Location;

use fhir_model::outcome::{Issue, IssueCode};

pub use outcome::{FhirError, FhirResult};
pub use problem::{ApiError, ApiResult, Problem, Problems};
pub(crate) use sources::passes;

/// Why a request failed, in our words, free of transport. Nothing in it but `source` comes from below, and `source` is
/// logged once at the edge and never sent.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    code: &'static str,
    public: Cow<'static, str>,
    fields: Vec<FieldError>,
    issues: Vec<Issue>,
    source: Option<anyhow::Error>,
    at: &'static Location<'static>,
}

/// What kind of failure, which decides the status in both dialects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Syntax or structure of the request.
    Invalid,
    /// No credential, or one that is not known.
    Unauthenticated,
    /// Known and not allowed; only where existence may be known.
    Forbidden,
    /// Not there, or not yours.
    NotFound,
    /// Deleted.
    Gone,
    /// The method is not offered here.
    MethodNotAllowed,
    /// Contradicts what is stored.
    Conflict,
    /// A precondition (If-Match, If-None-Exist) does not hold.
    Precondition,
    /// Well formed, and its content cannot be accepted.
    Unprocessable,
    /// Over a size limit.
    TooLarge,
    /// A media type that is not understood.
    Unsupported,
    /// Too many requests; come again after so many seconds.
    Throttled(u64),
    /// We are not able now; come again after so many seconds.
    Unavailable(u64),
    /// It took too long.
    Timeout,
    /// Our fault.
    Internal,
}

/// What is wrong with one field of a request.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// JSON pointer of the field (RFC 6901), such as `/timeZone`; or `?limit` for a query parameter.
    pub pointer: String,
    /// What is wrong, and what would be right.
    pub detail: String,
}

impl Kind {
    /// Status, R4 issue type, and the last part of the problem type.
    fn row(self) -> (u16, IssueCode, &'static str, &'static str) {
        match self {
            Self::Invalid => (400, IssueCode::Invalid, "invalid", "Invalid request"),
            Self::Unauthenticated => (401, IssueCode::Login, "unauthenticated", "Authentication required"),
            Self::Forbidden => (403, IssueCode::Forbidden, "forbidden", "Forbidden"),
            Self::NotFound => (404, IssueCode::NotFound, "not-found", "Not found"),
            Self::Gone => (410, IssueCode::Deleted, "gone", "Gone"),
            Self::MethodNotAllowed => (405, IssueCode::NotSupported, "method-not-allowed", "Method not allowed"),
            Self::Conflict => (409, IssueCode::Conflict, "conflict", "Conflict"),
            Self::Precondition => (412, IssueCode::Conflict, "precondition-failed", "Precondition failed"),
            Self::Unprocessable => (422, IssueCode::Processing, "unprocessable", "Unprocessable content"),
            Self::TooLarge => (413, IssueCode::TooLong, "too-large", "Content too large"),
            Self::Unsupported => (415, IssueCode::NotSupported, "unsupported-media-type", "Unsupported media type"),
            Self::Throttled(_) => (429, IssueCode::Throttled, "throttled", "Too many requests"),
            Self::Unavailable(_) => (503, IssueCode::Transient, "unavailable", "Temporarily unavailable"),
            Self::Timeout => (504, IssueCode::Timeout, "timeout", "Timed out"),
            Self::Internal => (500, IssueCode::Exception, "internal", "Internal error"),
        }
    }

    /// Seconds after which a client should come again.
    fn retry_after(self) -> Option<u64> {
        match self {
            Self::Throttled(seconds) | Self::Unavailable(seconds) => Some(seconds),
            _ => None,
        }
    }
}

impl Error {
    /// An error with a stable, documented code (`device.unknown-model`) and a sentence that says what was wrong and what
    /// would be right. The sentence must carry no patient data.
    #[track_caller]
    pub fn new(kind: Kind, code: &'static str, public: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            code,
            public: public.into(),
            fields: Vec::new(),
            issues: Vec::new(),
            source: None,
            at: Location::caller(),
        }
    }

    /// 400.
    #[track_caller]
    pub fn invalid(code: &'static str, public: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Invalid, code, public)
    }

    /// 404; also for "not yours".
    #[track_caller]
    pub fn not_found(what: &str) -> Self {
        Self::new(Kind::NotFound, "not-found", format!("There is no such {what} here."))
    }

    /// 403.
    #[track_caller]
    pub fn forbidden(code: &'static str, public: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Forbidden, code, public)
    }

    /// 409.
    #[track_caller]
    pub fn conflict(code: &'static str, public: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Conflict, code, public)
    }

    /// 422 with the fields that are wrong.
    #[track_caller]
    pub fn fields(fields: Vec<FieldError>) -> Self {
        let mut error = Self::new(Kind::Unprocessable, "fields", "Some fields cannot be accepted; see errors.");
        error.fields = fields;
        error
    }

    /// 422 for one field.
    #[track_caller]
    pub fn field(pointer: &str, detail: impl Into<String>) -> Self {
        Self::fields(vec![FieldError { pointer: pointer.to_owned(), detail: detail.into() }])
    }

    /// An error that carries a validator's issues unflattened.
    #[track_caller]
    pub fn issues(kind: Kind, code: &'static str, public: impl Into<Cow<'static, str>>, issues: Vec<Issue>) -> Self {
        let mut error = Self::new(kind, code, public);
        error.issues = issues;
        error
    }

    /// 500: our fault; the cause is logged, never sent.
    #[track_caller]
    pub fn internal(source: impl Into<anyhow::Error>) -> Self {
        Self::new(Kind::Internal, "internal", "Something went wrong on our side; it has been logged.").because(source)
    }

    /// Attaches the cause, for the log.
    #[must_use]
    pub fn because(mut self, source: impl Into<anyhow::Error>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same error for another waiter; the cause stays with the first, which has logged it.
    #[must_use]
    pub fn again(&self) -> Self {
        Self {
            kind: self.kind,
            code: self.code,
            public: self.public.clone(),
            fields: self.fields.clone(),
            issues: self.issues.clone(),
            source: self.source.as_ref().map(|source| anyhow::anyhow!("{source:#}")),
            at: self.at,
        }
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The sentence that may be shown.
    #[must_use]
    pub fn public(&self) -> &str {
        &self.public
    }

    /// The fields that are wrong.
    #[must_use]
    pub fn field_errors(&self) -> &[FieldError] {
        &self.fields
    }

    /// The first field that is wrong.
    #[must_use]
    pub fn first_field(&self) -> Option<&FieldError> {
        self.fields.first()
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.kind.row().0
    }

    /// Logs what must not be sent: once, at the edge, and only for failures that are ours.
    pub(crate) fn log(&self) {
        if let Some(source) = &self.source {
            match self.kind {
                Kind::Internal => {
                    tracing::error!(code = self.code, at = %self.at, cause = %format!("{source:#}"), "request failed")
                }
                Kind::Unavailable(_) | Kind::Timeout => {
                    tracing::warn!(code = self.code, at = %self.at, cause = %format!("{source:#}"), "request turned away");
                }
                _ => {
                    tracing::debug!(code = self.code, at = %self.at, cause = %format!("{source:#}"), "request refused")
                }
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.public)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(AsRef::as_ref)
    }
}
