//! Who sees which plugins: a platform admin all, a vendor its own; to others there are none.

use std::sync::Arc;

use db::VendorId;
use plugin_host::Decoder;

use super::store::{self, PluginRow};
use crate::app::AppData;
use crate::error::Error;
use crate::identity::{Caller, Role};

/// Whose plugins somebody sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// All.
    All,
    /// A vendor's.
    Of(VendorId),
    /// None.
    Nothing,
}

impl Sight {
    /// The caller's.
    pub fn of(caller: &Caller) -> Self {
        match (caller.role(), caller.principal.vendor) {
            (Role::PlatformAdmin, _) => Self::All,
            (Role::Vendor, Some(vendor)) => Self::Of(vendor),
            _ => Self::Nothing,
        }
    }

    fn includes(self, plugin: &PluginRow) -> bool {
        match self {
            Self::All => true,
            Self::Of(vendor) => plugin.vendor_id == Some(vendor),
            Self::Nothing => false,
        }
    }
}

/// The plugin, if the caller may see it.
///
/// # Errors
/// 404 when there is none, or it is not the caller's to see.
pub async fn seen(caller: &Caller, app: &AppData, name: &str) -> Result<PluginRow, Error> {
    let mut transaction = app.db.begin_platform().await?;
    let found = store::find_plugin(&mut transaction, name).await?;
    transaction.commit().await?;
    found.filter(|plugin| Sight::of(caller).includes(plugin)).ok_or_else(|| Error::not_found("plugin"))
}

/// The names of the plugins that the caller may see; none told where those are all.
///
/// # Errors
/// The database's error.
pub async fn visible_plugins(caller: &Caller, app: &AppData) -> Result<Option<Vec<String>>, Error> {
    let vendor = match Sight::of(caller) {
        Sight::All => return Ok(None),
        Sight::Of(vendor) => vendor,
        Sight::Nothing => return Ok(Some(Vec::new())),
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
