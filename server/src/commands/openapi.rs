//! `afferent openapi`: the document that describes the REST interface, as committed in `openapi/openapi.json`.

use crate::routes;

/// The document as indented JSON.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn document() -> anyhow::Result<String> {
    Ok(routes::document().to_pretty_json()?)
}
