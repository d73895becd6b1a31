//! What a client wants back: format and `Prefer`. An extractor, so that a handler runs only for a client that can read
//! the answer (<https://hl7.org/fhir/R4/http.html#mime-type>).

use std::fmt;
use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::ACCEPT;
use actix_web::{FromRequest, HttpRequest, HttpResponse, ResponseError};
use fhir_model::outcome::{Issue, IssueCode, OperationOutcome};
use fhir_model::search::decode_query;

use super::answer::FHIR_JSON;

/// `Prefer: return=…`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Return {
    /// Headers only.
    Minimal,
    /// The resource.
    Representation,
    /// An OperationOutcome.
    OperationOutcome,
}

/// What a client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wishes {
    /// What changes are answered with, if it was said.
    pub(super) answer: Option<Return>,
    /// `Prefer: handling=lenient`: ignore search parameters that are not understood.
    pub(super) lenient: bool,
}

/// 406: the client reads nothing that is written here.
#[derive(Debug)]
pub(super) struct NotAcceptable;

impl FromRequest for Wishes {
    type Error = NotAcceptable;
    type Future = Ready<Result<Self, NotAcceptable>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let headers = |name: &str| -> String {
            let values = request.headers().get_all(name).filter_map(|value| value.to_str().ok());
            values.collect::<Vec<_>>().join(",")
        };
        let format = decode_query(request.query_string())
            .ok()
            .and_then(|query| query.into_iter().find(|(name, _)| name == "_format").map(|(_, value)| value));
        // `_format` is for clients that cannot set headers, and overrides them.
        let readable = match &format {
            Some(format) => is_json(&format.replace(' ', "+")),
            None => accepts(&headers(ACCEPT.as_str())),
        };
        ready(if readable { Ok(prefer(&headers("Prefer"))) } else { Err(NotAcceptable) })
    }
}

fn accepts(header: &str) -> bool {
    header.trim().is_empty()
        || header.split(',').any(|range| {
            let refused = range.split(';').skip(1).any(|parameter| {
                matches!(parameter.trim().split_once('='), Some(("q", quality)) if quality.trim().parse() == Ok(0.0_f32))
            });
            !refused && is_json(range)
        })
}

/// Whether a media range covers FHIR JSON of R4.
fn is_json(media_type: &str) -> bool {
    let mut parts = media_type.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    let known = matches!(
        name.as_str(),
        "json"
            | "application/fhir+json"
            | "application/json"
            | "application/json+fhir"
            | "text/json"
            | "application/*"
            | "*/*"
            | "*"
    );
    let other_version = |parameter: &str| {
        parameter.split_once('=').is_some_and(|(name, version)| {
            name.trim().eq_ignore_ascii_case("fhirversion") && !version.trim().trim_matches('"').starts_with("4.0")
        })
    };
    known && !parts.any(other_version)
}

fn prefer(header: &str) -> Wishes {
    let mut wishes = Wishes { answer: None, lenient: false };
    for preference in header.split([',', ';']) {
        let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
        match (name.trim().to_ascii_lowercase().as_str(), value.trim().trim_matches('"')) {
            ("return", "minimal") => wishes.answer = Some(Return::Minimal),
            ("return", "representation") => wishes.answer = Some(Return::Representation),
            ("return", "OperationOutcome") => wishes.answer = Some(Return::OperationOutcome),
            ("handling", value) => wishes.lenient = value == "lenient",
            // A server may ignore preferences it does not know (RFC 7240).
            _ => {}
        }
    }
    wishes
}

impl fmt::Display for NotAcceptable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "This server writes FHIR R4 as application/fhir+json only; ask for that, or for nothing in particular.",
        )
    }
}

impl ResponseError for NotAcceptable {
    fn status_code(&self) -> StatusCode {
        StatusCode::NOT_ACCEPTABLE
    }

    fn error_response(&self) -> HttpResponse {
        let outcome = OperationOutcome::from(Issue::error(IssueCode::NotSupported, self.to_string()));
        HttpResponse::NotAcceptable().content_type(FHIR_JSON).body(outcome.to_text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_what_there_is() {
        for good in [
            "",
            "*/*",
            "application/fhir+json",
            "application/json;q=0.5, text/html",
            "application/fhir+json; fhirVersion=4.0",
            "application/fhir+xml, */*;q=0.1",
        ] {
            assert!(accepts(good), "{good}");
        }
        for bad in
            ["application/fhir+xml", "text/html", "application/json;q=0", "application/fhir+json; fhirVersion=5.0"]
        {
            assert!(!accepts(bad), "{bad}");
        }
    }

    #[test]
    fn preferences_are_read_and_unknown_ones_ignored() {
        assert_eq!(prefer(""), Wishes { answer: None, lenient: false });
        assert_eq!(prefer("return=minimal; handling=lenient"), Wishes { answer: Some(Return::Minimal), lenient: true });
        assert_eq!(
            prefer("respond-async, return=OperationOutcome"),
            Wishes { answer: Some(Return::OperationOutcome), lenient: false }
        );
        assert_eq!(
            prefer("handling=strict,return=representation"),
            Wishes { answer: Some(Return::Representation), lenient: false }
        );
    }
}
