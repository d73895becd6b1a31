//! The FHIR Device that stands for a device of the fleet: the same id, written in the same transaction.

use chrono::SecondsFormat;
use diesel_async::AsyncPgConnection;
use fhir_model::device::{self, FleetDevice};

use super::model::DeviceIdentifier;
use super::store::device::DeviceRow;
use crate::app::App;
use crate::error::Error;
use crate::fhir::ResourceType;
use crate::fhir::store::{Projection, next_version, write_projection};

/// Writes the device's projection as it is now: its first version, or the next one.
///
/// # Errors
/// The database's error, or the resource cannot be written.
pub async fn write(conn: &mut AsyncPgConnection, app: &App, row: &DeviceRow) -> Result<(), Error> {
    let identifiers: Vec<DeviceIdentifier> =
        serde_json::from_value(row.identifiers.clone()).map_err(Error::internal)?;
    let identifiers: Vec<_> = identifiers.into_iter().map(|identifier| (identifier.system, identifier.value)).collect();
    let decoders = app.decoders.now();
    let served = decoders.model(&row.model);
    let id = row.id.to_string();
    let version = next_version(conn, row.tenant_id, ResourceType::Device, &id).await?;
    let last_updated = row.updated_at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let body = device::author(&FleetDevice {
        id: &id,
        version: u32::try_from(version).map_err(Error::internal)?,
        last_updated: &last_updated,
        active: row.active,
        model: served.map_or(row.model.as_str(), |served| served.model.title.as_str()),
        model_number: Some(&row.model),
        serial: Some(&row.serial),
        identifiers: &identifiers,
        ..FleetDevice::default()
    })
    .map_err(Error::internal)?;
    let status = if row.active { "active" } else { "inactive" };
    let mut tokens = vec![("status", "http://hl7.org/fhir/device-status", status)];
    tokens.extend(identifiers.iter().map(|(system, value)| ("identifier", system.as_str(), value.as_str())));
    let projection =
        Projection { id: &id, version, last_updated: row.updated_at, body: &body, tokens: &tokens, references: &[] };
    write_projection(conn, row.tenant_id, ResourceType::Device, &projection).await?;
    Ok(())
}
