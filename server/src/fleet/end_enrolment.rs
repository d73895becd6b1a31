//! Ends a device's enrolment, so that the unit can be enrolled elsewhere. The readings, the assignments and the FHIR
//! Device stay where they are: what was measured belongs to the tenant that had the device then.

use db::{DeviceId, TenantScope};

use super::store::device::{DeviceChanges, DeviceRow};
use super::{projection, store};
use crate::app::App;
use crate::error::Error;
use crate::identity;

/// Ends it: closes the period of activity, revokes every token, parts it from its hubs, ends its assignments. An enrolment
/// that has ended stays as it is.
///
/// # Errors
/// 404.
pub async fn end(app: &App, scope: &TenantScope, id: DeviceId) -> Result<DeviceRow, Error> {
    let mut transaction = scope.begin(&app.db).await?;
    let row = store::device::lock_device(&mut transaction, &scope.tenants(), id)
        .await?
        .ok_or_else(|| Error::not_found("device"))?;
    if row.enrolled_until.is_some() {
        transaction.commit().await?;
        return Ok(row);
    }
    let tenant = row.tenant_id;
    let now = app.clock.now().max(row.enrolled_from);
    store::activation::close_activation(&mut transaction, tenant, id.0, now).await?;
    for credential in identity::list_credentials(&mut transaction, tenant, id.0).await? {
        identity::revoke_credential(&mut transaction, tenant, id.0, credential.id, now).await?;
    }
    store::hub::delete_pairings_of(&mut transaction, tenant, id).await?;
    store::assignment::end_all_assignments(&mut transaction, tenant, id, now).await?;
    let changes = DeviceChanges {
        active: Some(false),
        enrolled_until: Some(now),
        updated_at: Some(now),
        ..DeviceChanges::default()
    };
    let row = store::device::update_device(&mut transaction, tenant, id, changes).await?;
    projection::write(&mut transaction, app, &row).await?;
    transaction.commit().await?;
    Ok(row)
}
