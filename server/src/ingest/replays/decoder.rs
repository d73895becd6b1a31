//! Which decoder version a replay or a shadow runs: the one place that asks for a version by name.

use std::sync::Arc;

use plugin_host::Decoder;

use super::model::DecoderVersion;
use crate::app::App;
use crate::error::{Error, Kind};
use crate::fleet::Binding;

/// A decoder version of this installation, whether it serves or not; `pointer` is where a request names it.
///
/// # Errors
/// 422 when there is no such version here.
pub async fn version(app: &App, wanted: &DecoderVersion, pointer: &'static str) -> Result<Arc<Decoder>, Error> {
    let found = app.decoders.version(&app.db, &wanted.name, &wanted.version).await;
    found.map_err(|error| match error.kind() {
        Kind::NotFound => Error::field(
            pointer,
            "there is no such decoder version here: GET /api/v1/decoders and /api/v1/plugins list those that are known",
        ),
        _ => error,
    })
}

/// What decodes a model's channel: the version that is wanted, else the one that serves it now. The reason and a sentence
/// when nothing does.
pub fn bind(app: &App, wanted: Option<&Arc<Decoder>>, model: &str, channel: &str) -> Result<Binding, (String, String)> {
    let Some(decoder) = wanted else {
        return app
            .decoders
            .now()
            .for_model(model, channel)
            .map_err(|unbound| (unbound.reason().to_owned(), unbound.to_string()));
    };
    let known = decoder.manifest().models.iter().any(|known| known.name == model);
    if !known {
        let detail = "The wanted decoder version does not know the device's model.".to_owned();
        return Err(("model-without-decoder".to_owned(), detail));
    }
    // The channel as the model declares it is the same in every version that speaks it.
    let channel =
        app.decoders.now().for_model(model, channel).map_or_else(|_unbound| channel.to_owned(), |bound| bound.channel);
    Ok(Binding { decoder: Arc::clone(decoder), model: model.to_owned(), channel })
}
