//! The FHIR dialect: OperationOutcome, for HTTP answers and for the entries of a Bundle alike.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use fhir_model::outcome::{Issue, IssueSeverity, OperationOutcome};

use super::problem::add_headers;
use super::{Error, Kind};

/// What a FHIR handler returns.
pub type FhirResult<T> = Result<T, FhirError>;

/// An [`Error`] that answers as an OperationOutcome.
#[derive(Debug)]
pub struct FhirError(pub Error);

impl FhirError {
    /// Status and OperationOutcome: the only place where an error becomes one.
    #[must_use]
    pub fn outcome(&self) -> (u16, OperationOutcome) {
        let (status, code, _, _) = self.0.kind.row();
        let mut issues = self.0.issues.clone();
        issues.extend(
            self.0.fields.iter().map(|field| Issue::error(code, field.detail.clone()).at(field.pointer.clone())),
        );
        if issues.is_empty() {
            let mut issue = Issue::error(code, self.0.public.clone().into_owned());
            if self.0.kind == Kind::Internal {
                issue.severity = IssueSeverity::Fatal;
            }
            issues.push(issue);
        }
        (status, OperationOutcome::new(issues))
    }
}

impl<E: Into<Error>> From<E> for FhirError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl fmt::Display for FhirError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ResponseError for FhirError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        self.0.log();
        let (_, outcome) = self.outcome();
        let mut response = HttpResponse::build(self.status_code());
        add_headers(&mut response, &self.0);
        response.content_type("application/fhir+json; charset=utf-8").body(outcome.to_text())
    }
}
