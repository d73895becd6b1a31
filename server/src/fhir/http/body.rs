//! Bodies: the right media type, and no more bytes than allowed.

use actix_web::HttpRequest;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName};
use actix_web::web::{BytesMut, Payload};
use fhir_model::outcome::IssueCode;
use futures_util::StreamExt as _;

use super::request::outcome;
use crate::error::{Error, Kind};

/// The form of a `POST …/_search`.
pub(super) const FORM: &[&str] = &["application/x-www-form-urlencoded"];
/// A resource.
pub(super) const RESOURCE: &[&str] = &["application/fhir+json", "application/json", "application/json+fhir"];

/// Reads a body of one of these media types.
///
/// # Errors
/// 415 for another one, 413 for too many bytes, 400 when the connection breaks.
pub(super) async fn read(
    request: &HttpRequest,
    mut payload: Payload,
    media_types: &[&str],
    most_bytes: usize,
) -> Result<Vec<u8>, Error> {
    let header =
        |name: HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = header(CONTENT_TYPE);
    let mut parts = media_type.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    let is_utf8 = parts.all(|parameter| match parameter.split_once('=') {
        Some((name, value)) if name.eq_ignore_ascii_case("charset") => {
            value.trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    });
    if !media_types.contains(&name.as_str()) || !is_utf8 {
        let right = media_types.first().copied().unwrap_or_default();
        return Err(outcome(
            Kind::Unsupported,
            IssueCode::NotSupported,
            format!("Send the body as `Content-Type: {right}`, in UTF-8."),
        ));
    }
    if !matches!(header(CONTENT_ENCODING), "" | "identity") {
        return Err(outcome(Kind::Unsupported, IssueCode::NotSupported, "Send the body without Content-Encoding."));
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| {
            Error::invalid("body.unreadable", "The body could not be read to its end.")
                .because(anyhow::anyhow!(error.to_string()))
        })?;
        if body.len() + chunk.len() > most_bytes {
            return Err(outcome(Kind::TooLarge, IssueCode::TooLong, format!("The body may have {most_bytes} bytes.")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.to_vec())
}
