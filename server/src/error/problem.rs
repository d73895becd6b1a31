//! The REST dialect: RFC 9457 problem details.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use super::{Error, FieldError};

/// What a REST or ingest handler returns.
pub type ApiResult<T> = Result<T, ApiError>;

/// An [`Error`] that answers as `application/problem+json`.
#[derive(Debug)]
pub struct ApiError(pub Error);

/// Problem details (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Kind of problem, a URI reference such as `/problems/not-found`.
    #[serde(rename = "type")]
    pub type_: String,
    /// The kind in words.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What was wrong, where, and what would be right.
    pub detail: String,
    /// Stable code for programs, such as `device.unknown-model`.
    pub code: String,
    /// The fields that are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

/// The error answers that every operation shares.
#[derive(IntoResponses)]
pub enum Problems {
    /// The request is malformed.
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(Problem),
    /// No credential, or one that is not known.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthenticated(Problem),
    /// The role does not allow it.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(Problem),
    /// Not there, or not yours.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(Problem),
    /// It contradicts what is stored.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(Problem),
    /// A field cannot be accepted.
    #[response(status = 422, content_type = "application/problem+json")]
    Unprocessable(Problem),
    /// Too many requests.
    #[response(status = 429, content_type = "application/problem+json")]
    Throttled(Problem),
    /// Come again later.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(Problem),
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        let (status, _, suffix, title) = error.kind.row();
        let mut errors = error.fields.clone();
        errors.extend(error.issues.iter().map(|issue| FieldError {
            pointer: issue.expression.join(", "),
            detail: issue.diagnostics.clone().or_else(|| issue.details.clone()).unwrap_or_default(),
        }));
        Self {
            type_: format!("/problems/{suffix}"),
            title: title.to_owned(),
            status,
            detail: error.public.clone().into_owned(),
            code: error.code.to_owned(),
            errors,
        }
    }
}

impl<E: Into<Error>> From<E> for ApiError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        self.0.log();
        let mut response = HttpResponse::build(self.status_code());
        add_headers(&mut response, &self.0);
        let body = serde_json::to_vec(&Problem::from(&self.0)).unwrap_or_default();
        response.content_type("application/problem+json").body(body)
    }
}

/// Headers that both dialects share.
pub(super) fn add_headers(response: &mut HttpResponseBuilder, error: &Error) {
    if let Some(seconds) = error.kind.retry_after() {
        response.insert_header(("Retry-After", seconds.to_string()));
    }
    if error.status() == 401 {
        response.insert_header(("WWW-Authenticate", "Bearer realm=\"afferent\""));
    }
}
