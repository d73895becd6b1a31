//! A new version of a decoder: examined, and stored as a draft.

use std::sync::Arc;

use plugin_host::Decoder;

use super::model::{Action, State};
use super::store::{self, NewEvent, NewVersion, VersionRow};
use super::{examine, server_start, signature};
use crate::app::App;
use crate::error::{Error, Kind};
use crate::fleet::Origin;
use crate::identity::{Principal, find_vendor};

/// What became of an upload.
#[derive(Debug)]
pub struct Uploaded {
    /// The version.
    pub row: VersionRow,
    /// False when the same bytes were there already.
    pub is_new: bool,
}

/// Examines a component and stores it as a draft.
///
/// # Errors
/// 422 with what is wrong with it; 409 when the version exists with other bytes, or the name or a model is another's.
pub async fn upload(
    app: &App,
    principal: &Principal,
    component: Vec<u8>,
    signed: Option<&str>,
) -> Result<Uploaded, Error> {
    let key = match principal.vendor {
        None => None,
        Some(vendor) => {
            let mut transaction = app.db.begin_platform().await?;
            let found = find_vendor(&mut transaction, vendor).await?;
            transaction.commit().await?;
            found.and_then(|row| row.public_key)
        }
    };
    let signed = signature::check(&component, signed, key.as_deref())?;
    let (component, decoder) = load(app, component).await?;
    let examined = Arc::clone(&decoder);
    let examination =
        tokio::task::spawn_blocking(move || examine::examine(&examined)).await.map_err(Error::internal)??;
    let manifest = decoder.manifest();

    let mut transaction = app.db.begin_platform().await?;
    store::lock(&mut transaction).await?;
    store::insert_plugin(&mut transaction, &manifest.name, principal.vendor).await?;
    let plugin = store::find_plugin(&mut transaction, &manifest.name).await?;
    if plugin.is_none_or(|plugin| principal.vendor.is_some() && plugin.vendor_id != principal.vendor) {
        return Err(Error::conflict(
            "plugin.name",
            "This name is taken by a decoder that is not yours. Give yours another, such as one that begins with your company's.",
        ));
    }
    check_models(&mut transaction, &decoder).await?;
    if let Some(row) = store::find_version(&mut transaction, &manifest.name, &manifest.version).await? {
        if row.content_hash == decoder.content_hash() {
            return Ok(Uploaded { row, is_new: false });
        }
        return Err(Error::conflict(
            "plugin.version",
            format!(
                "{} {} is there already with other bytes, and a version's bytes never change. Give the changed decoder a higher version.",
                manifest.name, manifest.version
            ),
        ));
    }
    let (signature, signed_with) = signed.map(|signed| (signed.signature, signed.key)).unzip();
    let new = NewVersion {
        plugin: &manifest.name,
        version: &manifest.version,
        state: State::Draft,
        origin: Origin::Registry,
        content_hash: decoder.content_hash(),
        component: Some(&component),
        size: i64::try_from(component.len()).unwrap_or(i64::MAX),
        models: manifest.models.iter().map(|model| model.name.as_str()).collect(),
        manifest: server_start::summary(&decoder),
        examination,
        author: &principal.name,
        uploaded_by: Some(principal.token),
        signature,
        signed_with,
    };
    store::upsert_version(&mut transaction, new).await?;
    let event = NewEvent {
        plugin: &manifest.name,
        version: &manifest.version,
        action: Action::Uploaded,
        before: None,
        token: Some(principal.token),
        actor: &principal.name,
        reason: "",
    };
    store::insert_event(&mut transaction, event).await?;
    let row = store::find_version(&mut transaction, &manifest.name, &manifest.version).await?;
    transaction.commit().await?;
    app.decoders.keep(&decoder);
    let row = row.ok_or_else(|| Error::internal(anyhow::anyhow!("an uploaded version is not there")))?;
    Ok(Uploaded { row, is_new: true })
}

/// Compiles it; the bytes come back.
async fn load(app: &App, component: Vec<u8>) -> Result<(Vec<u8>, Arc<Decoder>), Error> {
    if component.is_empty() {
        return Err(Error::new(
            Kind::Unprocessable,
            "plugin.empty",
            "The body is the component itself: the bytes of the .wasm file.",
        ));
    }
    let decoder = app.decoders.examine(component.clone()).await?;
    Ok((component, decoder))
}

/// A model belongs to one decoder, whichever of its versions.
pub(super) async fn check_models(conn: &mut db::Transaction, decoder: &Decoder) -> Result<(), Error> {
    let manifest = decoder.manifest();
    let active = store::active_versions(conn).await?;
    let taken = manifest.models.iter().find_map(|model| {
        active
            .iter()
            .find(|row| row.plugin != manifest.name && row.models.contains(&model.name))
            .map(|_row| &model.name)
    });
    match taken {
        None => Ok(()),
        Some(model) => Err(Error::conflict(
            "plugin.model",
            format!("The model {model} is served by another decoder. Give yours a model name of its own."),
        )),
    }
}
