//! Changes what people call a hub and what its decoder is told: name, zone, variables.

use std::collections::BTreeMap;

use db::{HubId, TenantScope};

use super::model::{self, Checks};
use super::store::hub::{HubChanges, HubRow};
use super::{source, store};
use crate::app::App;
use crate::error::Error;

/// What changes; `None` leaves a thing as it is.
#[derive(Default)]
pub struct HubChange {
    /// What people call it.
    pub name: Option<String>,
    /// Another zone; the inner `None` falls back to the tenant's.
    pub time_zone: Option<Option<String>>,
    /// Variables to set, or to remove (`None`); those that are not named stay.
    pub variables: Option<BTreeMap<String, Option<String>>>,
}

/// Changes it. What was stored already stays as it is.
///
/// # Errors
/// 404; 422 for fields that cannot be accepted.
pub async fn change(app: &App, scope: &TenantScope, id: HubId, change: HubChange) -> Result<HubRow, Error> {
    let mut checks = Checks::default();
    if let Some(name) = &change.name {
        checks.name("/name", name);
    }
    checks.time_zone(change.time_zone.as_ref().and_then(|zone| zone.as_deref()));
    if let Some(variables) = &change.variables {
        checks.variables(variables.iter().map(|(name, value)| (name.as_str(), value.as_deref())));
    }
    checks.finish()?;
    let mut transaction = scope.begin(&app.db).await?;
    let row =
        store::hub::lock_hub(&mut transaction, &scope.tenants(), id).await?.ok_or_else(|| Error::not_found("hub"))?;
    let mut changes = HubChanges {
        name: change.name,
        time_zone: change.time_zone,
        updated_at: Some(app.clock.now()),
        ..HubChanges::default()
    };
    if let Some(named) = change.variables {
        let place = model::hub_variables_place(row.tenant_id, id);
        let mut variables = source::open_sealed(&app.sealer, &place, row.variables_sealed.as_deref())?;
        for (name, value) in named {
            match value {
                Some(value) => variables.insert(name, value),
                None => variables.remove(&name),
            };
        }
        let mut checks = Checks::default();
        checks.variables(variables.iter().map(|(name, value)| (name.as_str(), Some(value.as_str()))));
        checks.finish()?;
        changes.variables_sealed = Some(source::seal_for(&app.sealer, &place, &variables)?);
        changes.variables_version = Some(row.variables_version.saturating_add(1));
    }
    let row = store::hub::update_hub(&mut transaction, row.tenant_id, id, changes).await?;
    transaction.commit().await?;
    Ok(row)
}
