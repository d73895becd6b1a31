//! Models and decoders: what this server can decode, and with what. The same for every tenant.

use actix_web::get;
use actix_web::web::Json;
use plugin_host::Surface;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::app::AppData;
use crate::error::{ApiResult, Problems};
use crate::fleet::{LoadedDecoder, Origin, RefusedDecoder, ServedModel};
use crate::identity::Caller;

pub fn routes(config: &mut ServiceConfig) {
    config.service(list_models).service(list_decoders);
}

/// A device model, and what decodes it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeviceModel {
    /// Its name, for `POST /devices`.
    pub name: String,
    /// For people.
    pub title: String,
    /// Channels that it speaks on; empty means any.
    pub channels: Vec<String>,
    /// Variables that a device of it needs.
    pub variables: Vec<String>,
    /// Whether it is a hub, which carries devices, or a device.
    pub hub: bool,
    /// Name of the decoder that it is bound to.
    pub decoder: String,
    /// Version of that decoder.
    pub decoder_version: String,
}

/// All models, by name.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeviceModels {
    /// The models.
    pub items: Vec<DeviceModel>,
}

/// A decoder that was loaded.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DecoderVersion {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Who made it.
    pub vendor: String,
    /// SPDX expression of its licence.
    pub license: String,
    /// What it says of itself.
    pub description: String,
    /// Built in, or from `decoder_dir`.
    pub origin: Origin,
    /// SHA-256 of the component, hexadecimal.
    pub content_hash: String,
    /// False when a newer version of the same decoder serves in its place.
    pub serves: bool,
    /// Names of its models.
    pub models: Vec<String>,
    /// Kinds of vitals that it may name.
    pub kinds: Vec<String>,
}

/// All decoders.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DecoderVersions {
    /// Those that were loaded, in the order of loading.
    pub items: Vec<DecoderVersion>,
    /// Files of `decoder_dir` that were not taken, with the reason.
    pub refused: Vec<RefusedDecoder>,
}

impl From<&ServedModel> for DeviceModel {
    fn from(served: &ServedModel) -> Self {
        let manifest = served.decoder.manifest();
        Self {
            name: served.model.name.clone(),
            title: served.model.title.clone(),
            channels: served.model.channels.clone(),
            variables: served.model.variables.clone(),
            hub: served.decoder.surface() == Surface::Hub,
            decoder: manifest.name.clone(),
            decoder_version: manifest.version.clone(),
        }
    }
}

impl From<&LoadedDecoder> for DecoderVersion {
    fn from(loaded: &LoadedDecoder) -> Self {
        let manifest = loaded.decoder.manifest();
        Self {
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            vendor: manifest.vendor.clone(),
            license: manifest.license.clone(),
            description: manifest.description.clone(),
            origin: loaded.origin,
            content_hash: loaded.decoder.content_hash().to_owned(),
            serves: loaded.serves,
            models: manifest.models.iter().map(|model| model.name.clone()).collect(),
            kinds: manifest.kinds.clone(),
        }
    }
}

/// List device models
///
/// All that this server can decode; there are few, so that the list has no pages.
#[utoipa::path(tag = "fleet", responses((status = 200, body = DeviceModels), Problems))]
#[get("/models")]
async fn list_models(_caller: Caller, app: AppData) -> ApiResult<Json<DeviceModels>> {
    Ok(Json(DeviceModels { items: app.decoders.now().models().map(DeviceModel::from).collect() }))
}

/// List decoders
///
/// Those that were loaded when the server started, and the files that were refused.
#[utoipa::path(tag = "fleet", responses((status = 200, body = DecoderVersions), Problems))]
#[get("/decoders")]
async fn list_decoders(_caller: Caller, app: AppData) -> ApiResult<Json<DecoderVersions>> {
    Ok(Json(DecoderVersions {
        items: app.decoders.now().loaded().iter().map(DecoderVersion::from).collect(),
        refused: app.decoders.now().refused().to_vec(),
    }))
}
