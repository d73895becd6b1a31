//! Records who wears a device, and when that ends. Periods are half-open and cannot overlap for one device and slot; the
//! database enforces it, so that two people who record at the same time cannot both be right.

use chrono::{DateTime, Utc};
use db::{AssignmentId, DeviceId, TenantId, TenantScope};
use diesel_async::AsyncPgConnection;

use super::store::assignment::AssignmentRow;
use super::{model, store};
use crate::app::App;
use crate::error::Error;
use crate::fhir;

/// Who wears it.
pub struct NewAssignment {
    /// `p1` or `Patient/p1`, of the device's tenant.
    pub patient: String,
    /// From then on,
    pub from: DateTime<Utc>,
    /// until right before then.
    pub until: Option<DateTime<Utc>>,
    /// User slot of a shared device; empty for the only wearer.
    pub slot: String,
}

/// Records it. It may begin in the past: staff record swaps a day late.
///
/// # Errors
/// 404 for the device; 422 for the patient or the period; 409 when someone else wears it then.
pub async fn assign(
    app: &App,
    scope: &TenantScope,
    device: DeviceId,
    wish: NewAssignment,
) -> Result<AssignmentRow, Error> {
    let patient = model::patient_id(&wish.patient)?;
    model::check_period(wish.from, wish.until)?;
    model::check_slot(&wish.slot)?;
    let mut transaction = scope.begin(&app.db).await?;
    // Locked, so that the enrolment cannot end between the check and the insert.
    let found = store::device::lock_device(&mut transaction, &scope.tenants(), device)
        .await?
        .ok_or_else(|| Error::not_found("device"))?;
    if let Some(ended) = found.enrolled_until
        && wish.until.is_none_or(|until| until > ended)
    {
        return Err(Error::field(
            "/until",
            format!("this device left the tenant at {}: the assignment has to end by then", ended.to_rfc3339()),
        ));
    }
    if !fhir::store::patient_exists(&mut transaction, found.tenant_id, patient).await? {
        return Err(Error::field(
            "/patient",
            "the tenant of this device has no such patient; create it first at the tenant's FHIR base",
        ));
    }
    check_sharing(&mut transaction, found.tenant_id, device, &wish.slot, (wish.from, wish.until)).await?;
    let row = AssignmentRow {
        tenant_id: found.tenant_id,
        id: AssignmentId::generate(),
        device_id: device,
        slot: wish.slot,
        patient_id: patient.to_owned(),
        worn_from: wish.from,
        worn_until: wish.until,
        created_at: app.clock.now(),
        identity_id: None,
    };
    store::assignment::insert_assignment(&mut transaction, &row).await?;
    transaction.commit().await?;
    Ok(row)
}

/// A device has one wearer, or slots with a wearer each: never both at a time, for then a reading with a slot that nobody was
/// given would be taken for the one wearer's.
pub(super) async fn check_sharing(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    device: DeviceId,
    slot: &str,
    period: (DateTime<Utc>, Option<DateTime<Utc>>),
) -> Result<(), Error> {
    if !store::assignment::is_shared_otherwise(conn, tenant, device, slot, period).await? {
        return Ok(());
    }
    Err(Error::conflict(
        "assignment.shared",
        if slot.is_empty() {
            "In that period the device is shared: people are recorded for its user slots. Name the slot, or end those assignments first."
        } else {
            "In that period the device has one wearer, without a slot. End that assignment first, then record a wearer for each slot."
        },
    ))
}

/// Sets the end of an assignment. Readings that are stored already keep their subject.
///
/// # Errors
/// 404; 422 when it would end before it began; 409 when the longer period meets another one.
pub async fn end_assignment(
    app: &App,
    scope: &TenantScope,
    device: DeviceId,
    id: AssignmentId,
    until: DateTime<Utc>,
) -> Result<AssignmentRow, Error> {
    let mut transaction = scope.begin(&app.db).await?;
    let tenants = scope.tenants();
    let row = store::assignment::lock_assignment(&mut transaction, &tenants, device, id)
        .await?
        .ok_or_else(|| Error::not_found("assignment"))?;
    model::check_period(row.worn_from, Some(until))?;
    check_sharing(&mut transaction, row.tenant_id, device, &row.slot, (row.worn_from, Some(until))).await?;
    let row = store::assignment::end_assignment(&mut transaction, row.tenant_id, id, until).await?;
    transaction.commit().await?;
    Ok(row)
}
