//! Enrols a device with a tenant: unit, enrolment, first period of activity and FHIR Device in one transaction.

use db::{DeviceId, TenantId, TenantScope};

use super::model::{Checks, DeviceIdentifier, Variables};
use super::store::device::DeviceRow;
use super::{projection, source, store};
use crate::app::App;
use crate::error::Error;
use crate::identity::SourceKind;

/// What a new device is to be.
pub struct NewDevice {
    /// Name of a model that GET /models lists.
    pub model: String,
    /// The maker's serial.
    pub serial: String,
    /// Identifiers of the thing.
    pub identifiers: Vec<DeviceIdentifier>,
    /// The decoder's settings.
    pub variables: Variables,
    /// IANA zone, when it differs from the tenant's.
    pub time_zone: Option<String>,
    /// Whether its uplinks are taken at once.
    pub active: bool,
}

/// Enrols it.
///
/// # Errors
/// 422 for fields that cannot be accepted; 409 when the unit is enrolled somewhere already.
pub async fn enrol(app: &App, scope: &TenantScope, tenant: TenantId, wish: NewDevice) -> Result<DeviceRow, Error> {
    let mut checks = Checks::default();
    checks.name("/serial", &wish.serial);
    checks.time_zone(wish.time_zone.as_deref());
    checks.identifiers(&wish.identifiers);
    checks.variables(wish.variables.iter().map(|(name, value)| (name.as_str(), Some(value.as_str()))));
    checks.finish()?;
    // A model of a hub's decoder is that of a device which only such a hub speaks for: the hub decodes it.
    if app.decoders.now().model(&wish.model).is_none() {
        return Err(Error::field("/model", "no decoder serves that model; GET /api/v1/models lists the models"));
    }
    let id = DeviceId::generate();
    let now = app.clock.now();
    let variables_sealed = source::seal_variables(&app.sealer, tenant, id, &wish.variables)?;
    let identifiers = serde_json::to_value(&wish.identifiers).map_err(Error::internal)?;

    let mut transaction = scope.begin(&app.db).await?;
    let unit_id = store::device::take_unit(&mut transaction, &wish.model, &wish.serial).await?;
    let row = DeviceRow {
        tenant_id: tenant,
        id,
        unit_id,
        model: wish.model,
        serial: wish.serial,
        identifiers,
        variables_sealed,
        variables_version: 1,
        time_zone: wish.time_zone,
        active: wish.active,
        enrolled_from: now,
        enrolled_until: None,
        created_at: now,
        updated_at: now,
    };
    store::device::insert_device(&mut transaction, &row).await?;
    if row.active {
        store::activation::open_activation(&mut transaction, tenant, SourceKind::Device, id.0, now).await?;
    }
    projection::write(&mut transaction, app, &row).await?;
    transaction.commit().await?;
    Ok(row)
}
