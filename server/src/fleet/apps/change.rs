//! Changes an installation: name, zone, whose phone it is; whether its uplinks are taken; and cuts it off for good. Every
//! change is seen by the next commit, so that what is on its way is judged by what holds then.

use db::{AppInstallationId, HubId, TenantScope};
use diesel_async::AsyncPgConnection;

use super::create_pairing::known_patient;
use super::store::{self, InstallationRow};
use crate::app::App;
use crate::error::Error;
use crate::fleet::model::Checks;
use crate::fleet::store::activation::{close_activation, open_activation};
use crate::fleet::store::hub::{HubChanges, HubRow, lock_carrier, set_hub_active, update_hub};
use crate::identity::{self, SourceKind};

/// What changes; `None` leaves a thing as it is.
#[derive(Default)]
pub struct AppChange {
    /// What people call it.
    pub name: Option<String>,
    /// Another zone; the inner `None` falls back to the tenant's.
    pub time_zone: Option<Option<String>>,
    /// Whose phone it is; the inner `None` for nobody's.
    pub patient: Option<Option<String>>,
}

/// Changes it. What was stored already stays as it is.
///
/// # Errors
/// 404; 422 for fields that cannot be accepted.
pub async fn change(
    app: &App,
    scope: &TenantScope,
    id: AppInstallationId,
    change: AppChange,
) -> Result<(InstallationRow, HubRow), Error> {
    let mut checks = Checks::default();
    if let Some(name) = &change.name {
        checks.name("/name", name);
    }
    checks.time_zone(change.time_zone.as_ref().and_then(|zone| zone.as_deref()));
    checks.finish()?;
    let mut transaction = scope.begin(&app.db).await?;
    let (row, _) = lock(&mut transaction, scope, id).await?;
    if let Some(patient) = change.patient {
        let patient = known_patient(&mut transaction, row.tenant_id, patient.as_deref()).await?;
        store::set_patient(&mut transaction, row.tenant_id, id, patient.as_deref()).await?;
    }
    let changes = HubChanges {
        name: change.name,
        time_zone: change.time_zone,
        updated_at: Some(app.clock.now()),
        ..HubChanges::default()
    };
    update_hub(&mut transaction, row.tenant_id, HubId::from(id), changes).await?;
    let changed = find(&mut transaction, scope, id).await?;
    transaction.commit().await?;
    Ok(changed)
}

/// Sets whether its uplinks are taken. Asking for what is already so changes nothing.
///
/// # Errors
/// 404; 409 for activating one that was revoked.
pub async fn set_active(
    app: &App,
    scope: &TenantScope,
    id: AppInstallationId,
    active: bool,
) -> Result<(InstallationRow, HubRow), Error> {
    let mut transaction = scope.begin(&app.db).await?;
    let (row, hub) = lock(&mut transaction, scope, id).await?;
    if active && row.revoked_at.is_some() {
        return Err(Error::conflict(
            "app.revoked",
            "This installation was revoked and has no token any more. Pair the phone anew (POST /api/v1/app-pairings).",
        ));
    }
    let hub = switch(app, &mut transaction, &row, hub, active).await?;
    transaction.commit().await?;
    Ok((row, hub))
}

/// Cuts it off for good: its token stops within a second in every process, its period of activity ends. What it brought
/// stays. Revoking it again changes nothing.
///
/// # Errors
/// 404.
pub async fn revoke(app: &App, scope: &TenantScope, id: AppInstallationId) -> Result<(InstallationRow, HubRow), Error> {
    let mut transaction = scope.begin(&app.db).await?;
    let (row, hub) = lock(&mut transaction, scope, id).await?;
    if row.revoked_at.is_none() {
        let now = app.clock.now();
        for credential in identity::list_credentials(&mut transaction, row.tenant_id, id.0).await? {
            identity::revoke_credential(&mut transaction, row.tenant_id, id.0, credential.id, now).await?;
        }
        store::set_revoked(&mut transaction, row.tenant_id, id, now).await?;
        switch(app, &mut transaction, &row, hub, false).await?;
        tracing::info!(tenant.id = %row.tenant_id, app.id = %id, "a phone was revoked");
    }
    let changed = find(&mut transaction, scope, id).await?;
    transaction.commit().await?;
    Ok(changed)
}

async fn switch(
    app: &App,
    conn: &mut AsyncPgConnection,
    row: &InstallationRow,
    hub: HubRow,
    active: bool,
) -> Result<HubRow, Error> {
    if hub.active == active {
        return Ok(hub);
    }
    let now = app.clock.now();
    if active {
        open_activation(conn, row.tenant_id, SourceKind::App, row.id.0, now).await?;
    } else {
        close_activation(conn, row.tenant_id, row.id.0, now).await?;
    }
    Ok(set_hub_active(conn, row.tenant_id, hub.id, active, now).await?)
}

async fn find(
    conn: &mut AsyncPgConnection,
    scope: &TenantScope,
    id: AppInstallationId,
) -> Result<(InstallationRow, HubRow), Error> {
    store::find_installation(conn, &scope.tenants(), id).await?.ok_or_else(|| Error::not_found("app"))
}

/// An installation, kept from changing until the transaction ends.
async fn lock(
    conn: &mut AsyncPgConnection,
    scope: &TenantScope,
    id: AppInstallationId,
) -> Result<(InstallationRow, HubRow), Error> {
    lock_carrier(conn, &scope.tenants(), HubId::from(id)).await?;
    find(conn, scope, id).await
}
