//! The registry of decoders: who made them, their versions, which of them serves, and who decided that.
//!
//! Owns `plugin`, `plugin_version`, `plugin_event` and `plugin_generation`. Outside tenant security: decoders are the same
//! for every tenant.
//!
//! Invariants: a version's bytes never change; at most one version of a name is active; whatever is activated was examined
//! and is compiled before it serves; every change of what serves is an event with a name and a reason, and is undone by one
//! call. A vendor sees and uploads its own, and decides nothing about what serves.

mod activate_version;
mod examine;
mod http;
mod model;
mod server_start;
mod signature;
mod store;
mod upload_version;
mod visibility;

use db::Db;

use crate::error::Error;

pub use http::routes;
pub use server_start::{register_local, register_models};
pub use store::RegisteredRow;
pub use visibility::{for_trial, visible_plugins};

/// What is to be loaded, when the registry has changed since a count: the count that it belongs to, and the versions that
/// serve, run in shadow, or served lately.
///
/// # Errors
/// The database's error.
pub async fn changed_since(db: &Db, known: i64) -> Result<Option<(i64, Vec<RegisteredRow>)>, Error> {
    let mut transaction = db.begin_platform().await?;
    let generation = store::generation(&mut transaction).await?;
    let rows = match generation == known {
        true => None,
        false => Some((generation, store::registered(&mut transaction).await?)),
    };
    transaction.commit().await?;
    Ok(rows)
}

/// One version, whatever its state.
///
/// # Errors
/// The database's error.
pub async fn find_registered(db: &Db, plugin: &str, version: &str) -> Result<Option<RegisteredRow>, Error> {
    let mut transaction = db.begin_platform().await?;
    let row = store::find_registered(&mut transaction, plugin, version).await?;
    transaction.commit().await?;
    Ok(row)
}

/// The bytes of a version that was uploaded.
///
/// # Errors
/// The database's error.
pub async fn find_component(db: &Db, plugin: &str, version: &str) -> Result<Option<Vec<u8>>, Error> {
    let mut transaction = db.begin_platform().await?;
    let bytes = store::find_component(&mut transaction, plugin, version).await?;
    transaction.commit().await?;
    Ok(bytes)
}
