//! Who sees which plugins: a platform admin all, a vendor its own; to others there are none.

use std::sync::Arc;

use plugin_host::Decoder;

use super::store::{self, PluginRow};
use crate::app::AppData;
use crate::error::Error;
use crate::identity::{Caller, Role};

/// The plugin, if the caller may see it.
///
/// # Errors
/// 404 when there is none, or it is not the caller's to see.
pub async fn seen(caller: &Caller, app: &AppData, name: &str) -> Result<PluginRow, Error> {
    let mut transaction = app.db.begin_platform().await?;
    let found = store::find_plugin(&mut transaction, name).await?;
    transaction.commit().await?;
    let own = |row: &PluginRow| row.vendor_id.is_some() && row.vendor_id == caller.principal.vendor;
    found
        .filter(|row| caller.role() == Role::PlatformAdmin || (caller.role() == Role::Vendor && own(row)))
        .ok_or_else(|| Error::not_found("plugin"))
}

/// The plugins that the caller may see: all (none told) for a platform admin, a vendor's own.
///
/// # Errors
/// The database's error.
pub async fn visible_plugins(caller: &Caller, app: &AppData) -> Result<Option<Vec<String>>, Error> {
    let vendor = match (caller.role(), caller.principal.vendor) {
        (Role::PlatformAdmin, _) => return Ok(None),
        (Role::Vendor, Some(vendor)) => vendor,
        _ => return Ok(Some(Vec::new())),
    };
    let mut transaction = app.db.begin_platform().await?;
    let rows = store::list_plugins(&mut transaction, Some(vendor)).await?;
    transaction.commit().await?;
    Ok(Some(rows.into_iter().map(|row| row.name).collect()))
}

/// A version that the caller may try, whatever its state.
///
/// # Errors
/// 404 when there is none that the caller sees.
pub async fn for_trial(caller: &Caller, app: &AppData, name: &str, version: &str) -> Result<Arc<Decoder>, Error> {
    seen(caller, app, name).await?;
    app.decoders.version(&app.db, name, version).await
}
