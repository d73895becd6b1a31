//! What a server tells the registry when it starts: the decoders that came with it.

use db::Db;
use diesel_async::AsyncPgConnection;
use serde_json::{Value, json};

use super::model::{Action, State};
use super::store::{self, NewEvent, NewVersion};
use crate::error::Error;
use crate::fleet::decoders::{Decoders, LoadedDecoder};
use crate::fleet::store::decoder as provenance;

/// Who activates what came with a server.
const SERVER: &str = "server";

/// Records the decoders that came with this server, and activates the newest where nobody has chosen another.
///
/// # Errors
/// The database's error.
pub async fn register_local(db: &Db, local: &Decoders) -> Result<(), Error> {
    let mut transaction = db.begin_platform().await?;
    store::lock(&mut transaction).await?;
    let mut changed = false;
    for entry in local.loaded() {
        record(&mut transaction, entry).await?;
    }
    for entry in local.loaded().iter().filter(|entry| entry.serves) {
        changed |= activate_default(&mut transaction, entry).await?;
    }
    if changed {
        store::count_change(&mut transaction).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Records the models that are served, so that devices can refer to them.
///
/// # Errors
/// The database's error.
pub async fn register_models(db: &Db, decoders: &Decoders) -> Result<(), Error> {
    let mut transaction = db.begin_platform().await?;
    store::lock(&mut transaction).await?;
    for served in decoders.models() {
        provenance::upsert_model(&mut transaction, served).await?;
    }
    transaction.commit().await?;
    Ok(())
}

async fn record(conn: &mut AsyncPgConnection, entry: &LoadedDecoder) -> Result<(), Error> {
    let manifest = entry.decoder.manifest();
    let before = provenance::upsert_decoder(conn, &entry.decoder, entry.origin).await?;
    if before.is_some_and(|hash| hash != entry.decoder.content_hash()) {
        tracing::warn!(
            decoder = manifest.name,
            version = manifest.version,
            "a decoder changed without a new version: replays may differ from what it made before"
        );
    }
    let registered = store::find_registered(conn, &manifest.name, &manifest.version).await?;
    if registered.is_some_and(|row| row.origin() == crate::fleet::Origin::Registry) {
        // Uploaded before it came with the server: the bytes that were examined and activated stay what they are.
        return Ok(());
    }
    store::insert_plugin(conn, &manifest.name, None).await?;
    let new = NewVersion {
        plugin: &manifest.name,
        version: &manifest.version,
        state: State::Draft,
        origin: entry.origin,
        content_hash: entry.decoder.content_hash(),
        component: None,
        size: 0,
        models: manifest.models.iter().map(|model| model.name.as_str()).collect(),
        manifest: summary(&entry.decoder),
        examination: json!({ "examples": manifest.examples.len() }),
        author: SERVER,
        uploaded_by: None,
        signature: None,
        signed_with: None,
    };
    store::upsert_version(conn, new).await?;
    Ok(())
}

/// Whether another version is active now.
async fn activate_default(conn: &mut AsyncPgConnection, entry: &LoadedDecoder) -> Result<bool, Error> {
    let manifest = entry.decoder.manifest();
    let Some(plugin) = store::find_plugin(conn, &manifest.name).await? else { return Ok(false) };
    let active = store::find_in_state(conn, &manifest.name, State::Active).await?;
    if plugin.pinned || active.as_ref().is_some_and(|row| row.version == manifest.version) {
        return Ok(false);
    }
    let Some(version) = store::find_version(conn, &manifest.name, &manifest.version).await? else { return Ok(false) };
    if let Some(active) = &active {
        store::set_state(conn, active.id, State::Retired, 0).await?;
    }
    store::set_state(conn, version.id, State::Active, 0).await?;
    let event = NewEvent {
        plugin: &manifest.name,
        version: &manifest.version,
        action: Action::Activated,
        before: active.as_ref().map(|row| row.version.as_str()),
        token: None,
        actor: SERVER,
        reason: "It came with the server.",
    };
    store::insert_event(conn, event).await?;
    Ok(true)
}

/// What a decoder says of itself, for lists.
pub fn summary(decoder: &plugin_host::Decoder) -> Value {
    let manifest = decoder.manifest();
    let models = manifest.models.iter().map(|model| {
        json!({ "name": model.name, "title": model.title, "channels": model.channels, "variables": model.variables })
    });
    json!({
        "vendor": manifest.vendor,
        "license": manifest.license,
        "description": manifest.description,
        "models": models.collect::<Vec<_>>(),
        "kinds": manifest.kinds,
        "flags": manifest.flags,
        "warnings": manifest.warnings,
    })
}
