//! Changes what a device's readings are read with: zone, variables, identifiers.

use std::collections::BTreeMap;

use db::{DeviceId, TenantScope};

use super::model::{Checks, DeviceIdentifier};
use super::store::device::{DeviceChanges, DeviceRow};
use super::{enrolment_ended, projection, source, store};
use crate::app::App;
use crate::error::Error;

/// What changes; `None` leaves a thing as it is.
#[derive(Debug, Default)]
pub struct DeviceChange {
    /// Another zone; the inner `None` falls back to the tenant's.
    pub time_zone: Option<Option<String>>,
    /// Variables to set, or to remove (`None`); those that are not named stay.
    pub variables: Option<BTreeMap<String, Option<String>>>,
    /// Another list of identifiers.
    pub identifiers: Option<Vec<DeviceIdentifier>>,
}

/// Changes it. Readings that are stored already stay as they are.
///
/// # Errors
/// 404; 409 when its enrolment has ended; 422 for fields that cannot be accepted.
pub async fn change(app: &App, scope: &TenantScope, id: DeviceId, change: DeviceChange) -> Result<DeviceRow, Error> {
    check(&change)?;
    let mut transaction = scope.begin(&app.db).await?;
    let row = store::device::lock_device(&mut transaction, &scope.tenants(), id)
        .await?
        .ok_or_else(|| Error::not_found("device"))?;
    if row.enrolled_until.is_some() {
        return Err(enrolment_ended());
    }
    let mut changes =
        DeviceChanges { time_zone: change.time_zone, updated_at: Some(app.clock.now()), ..DeviceChanges::default() };
    if let Some(named) = change.variables {
        let mut variables = source::open_variables(&app.sealer, &row)?;
        for (name, value) in named {
            match value {
                Some(value) => variables.insert(name, value),
                None => variables.remove(&name),
            };
        }
        let mut checks = Checks::default();
        checks.variables(variables.iter().map(|(name, value)| (name.as_str(), Some(value.as_str()))));
        checks.finish()?;
        changes.variables_sealed = Some(source::seal_variables(&app.sealer, row.tenant_id, id, &variables)?);
        changes.variables_version = Some(row.variables_version.saturating_add(1));
    }
    let is_shown = change.identifiers.is_some();
    if let Some(identifiers) = change.identifiers {
        changes.identifiers = Some(serde_json::to_value(&identifiers).map_err(Error::internal)?);
    }
    let row = store::device::update_device(&mut transaction, row.tenant_id, id, changes).await?;
    if is_shown {
        projection::write(&mut transaction, app, &row).await?;
    }
    transaction.commit().await?;
    Ok(row)
}

fn check(change: &DeviceChange) -> Result<(), Error> {
    let mut checks = Checks::default();
    checks.time_zone(change.time_zone.as_ref().and_then(|zone| zone.as_deref()));
    if let Some(variables) = &change.variables {
        checks.variables(variables.iter().map(|(name, value)| (name.as_str(), value.as_deref())));
    }
    if let Some(identifiers) = &change.identifiers {
        checks.identifiers(identifiers);
    }
    checks.finish()
}
