//! Activates and deactivates devices and hubs. Asking for what is already so changes nothing, so that a retry is safe; the
//! period of activity and the state change in one transaction.

use db::{DeviceId, HubId, TenantScope};

use super::store::device::{DeviceChanges, DeviceRow};
use super::store::hub::HubRow;
use super::{enrolment_ended, projection, store};
use crate::app::App;
use crate::error::Error;
use crate::identity::SourceKind;

/// Sets whether a device's uplinks are taken.
///
/// # Errors
/// 404; 409 for activating a device whose enrolment has ended.
pub async fn set_device_active(app: &App, scope: &TenantScope, id: DeviceId, active: bool) -> Result<DeviceRow, Error> {
    let mut transaction = scope.begin(&app.db).await?;
    let row = store::device::lock_device(&mut transaction, &scope.tenants(), id)
        .await?
        .ok_or_else(|| Error::not_found("device"))?;
    if row.enrolled_until.is_some() && active {
        return Err(enrolment_ended());
    }
    if row.active == active {
        transaction.commit().await?;
        return Ok(row);
    }
    let now = app.clock.now();
    if active {
        store::activation::open_activation(&mut transaction, row.tenant_id, SourceKind::Device, id.0, now).await?;
    } else {
        store::activation::close_activation(&mut transaction, row.tenant_id, id.0, now).await?;
    }
    let changes = DeviceChanges { active: Some(active), updated_at: Some(now), ..DeviceChanges::default() };
    let row = store::device::update_device(&mut transaction, row.tenant_id, id, changes).await?;
    projection::write(&mut transaction, app, &row).await?;
    transaction.commit().await?;
    Ok(row)
}

/// Sets whether a hub's uplinks are taken.
///
/// # Errors
/// 404.
pub async fn set_hub_active(app: &App, scope: &TenantScope, id: HubId, active: bool) -> Result<HubRow, Error> {
    let mut transaction = scope.begin(&app.db).await?;
    let row =
        store::hub::lock_hub(&mut transaction, &scope.tenants(), id).await?.ok_or_else(|| Error::not_found("hub"))?;
    if row.active == active {
        transaction.commit().await?;
        return Ok(row);
    }
    let now = app.clock.now();
    if active {
        store::activation::open_activation(&mut transaction, row.tenant_id, SourceKind::Hub, id.0, now).await?;
    } else {
        store::activation::close_activation(&mut transaction, row.tenant_id, id.0, now).await?;
    }
    let row = store::hub::set_hub_active(&mut transaction, row.tenant_id, id, active, now).await?;
    transaction.commit().await?;
    Ok(row)
}
