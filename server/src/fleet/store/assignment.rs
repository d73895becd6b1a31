//! Who wore a device when.

use chrono::{DateTime, Utc};
use db::schema::assignment;
use db::{AssignmentId, DeviceId, TenantId};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

/// An assignment's row.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = assignment, check_for_backend(diesel::pg::Pg))]
pub struct AssignmentRow {
    /// Whose device and patient.
    pub tenant_id: TenantId,
    /// Its id.
    pub id: AssignmentId,
    /// The device.
    pub device_id: DeviceId,
    /// User slot of a shared device; empty is the device's only wearer.
    pub slot: String,
    /// The Patient's FHIR id.
    pub patient_id: String,
    /// From then on,
    pub worn_from: DateTime<Utc>,
    /// until right before then.
    pub worn_until: Option<DateTime<Utc>>,
    /// When it was recorded.
    pub created_at: DateTime<Utc>,
}

/// Stores a new assignment.
pub async fn insert_assignment(conn: &mut AsyncPgConnection, row: &AssignmentRow) -> QueryResult<()> {
    diesel::insert_into(assignment::table).values(row).execute(conn).await?;
    Ok(())
}

/// One assignment of a device, kept from changing until the transaction ends.
pub async fn lock_assignment(
    conn: &mut AsyncPgConnection,
    tenants: &[TenantId],
    device: DeviceId,
    id: AssignmentId,
) -> QueryResult<Option<AssignmentRow>> {
    assignment::table
        .filter(assignment::tenant_id.eq_any(tenants))
        .filter(assignment::device_id.eq(device))
        .filter(assignment::id.eq(id))
        .select(AssignmentRow::as_select())
        .for_update()
        .first(conn)
        .await
        .optional()
}

/// Sets the end of an assignment.
pub async fn end_assignment(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: AssignmentId,
    until: DateTime<Utc>,
) -> QueryResult<AssignmentRow> {
    diesel::update(assignment::table)
        .filter(assignment::tenant_id.eq(tenant))
        .filter(assignment::id.eq(id))
        .set(assignment::worn_until.eq(until))
        .returning(AssignmentRow::as_returning())
        .get_result(conn)
        .await
}

/// Ends every assignment of a device that would last beyond `at`, and removes those that would begin only then.
pub async fn end_all_assignments(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    device: DeviceId,
    at: DateTime<Utc>,
) -> QueryResult<()> {
    diesel::delete(assignment::table)
        .filter(assignment::tenant_id.eq(tenant))
        .filter(assignment::device_id.eq(device))
        .filter(assignment::worn_from.ge(at))
        .execute(conn)
        .await?;
    diesel::update(assignment::table)
        .filter(assignment::tenant_id.eq(tenant))
        .filter(assignment::device_id.eq(device))
        .filter(assignment::worn_until.is_null().or(assignment::worn_until.gt(at)))
        .set(assignment::worn_until.eq(at))
        .execute(conn)
        .await?;
    Ok(())
}

/// Assignments of a device after an id, in the order in which they were recorded.
pub async fn list_assignments(
    conn: &mut AsyncPgConnection,
    tenants: &[TenantId],
    device: DeviceId,
    after: AssignmentId,
    limit: i64,
) -> QueryResult<Vec<AssignmentRow>> {
    assignment::table
        .filter(assignment::tenant_id.eq_any(tenants))
        .filter(assignment::device_id.eq(device))
        .filter(assignment::id.gt(after))
        .order(assignment::id)
        .limit(limit)
        .select(AssignmentRow::as_select())
        .load(conn)
        .await
}
