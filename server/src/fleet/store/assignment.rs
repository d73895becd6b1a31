//! Who wore a device when.

use chrono::{DateTime, Utc};
use db::schema::assignment;
use db::{AssignmentId, DeviceId, ReassignmentId, TenantId};
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
    /// The assignment that it was split from, whose id the identifiers of its readings are made with.
    pub identity_id: Option<AssignmentId>,
}

impl AssignmentRow {
    /// The id that identifiers of its readings are made with.
    #[must_use]
    pub fn identity(&self) -> AssignmentId {
        self.identity_id.unwrap_or(self.id)
    }
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

/// Assignments of a device and slot that last into a period, in the order of their beginning.
pub async fn assignments_between(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    device: DeviceId,
    slot: &str,
    (from, until): (DateTime<Utc>, Option<DateTime<Utc>>),
) -> QueryResult<Vec<AssignmentRow>> {
    let mut query = assignment::table
        .filter(assignment::tenant_id.eq(tenant))
        .filter(assignment::device_id.eq(device))
        .filter(assignment::slot.eq(slot))
        .filter(assignment::worn_until.is_null().or(assignment::worn_until.gt(from)))
        .order(assignment::worn_from)
        .select(AssignmentRow::as_select())
        .into_boxed();
    if let Some(until) = until {
        query = query.filter(assignment::worn_from.lt(until));
    }
    query.load(conn).await
}

/// Whether, in a period, the device has assignments of the other kind: slots where this one has none, none where it has one.
pub async fn is_shared_otherwise(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    device: DeviceId,
    slot: &str,
    (from, until): (DateTime<Utc>, Option<DateTime<Utc>>),
) -> QueryResult<bool> {
    let mut query = assignment::table
        .filter(assignment::tenant_id.eq(tenant))
        .filter(assignment::device_id.eq(device))
        .filter(assignment::worn_until.is_null().or(assignment::worn_until.gt(from)))
        .select(assignment::id)
        .limit(1)
        .into_boxed();
    query = if slot.is_empty() { query.filter(assignment::slot.ne("")) } else { query.filter(assignment::slot.eq("")) };
    if let Some(until) = until {
        query = query.filter(assignment::worn_from.lt(until));
    }
    let found: Option<AssignmentId> = query.first(conn).await.optional()?;
    Ok(found.is_some())
}

/// Sets both ends of an assignment.
pub async fn set_period(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: AssignmentId,
    from: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
) -> QueryResult<()> {
    diesel::update(assignment::table.find((tenant, id)))
        .set((assignment::worn_from.eq(from), assignment::worn_until.eq(until)))
        .execute(conn)
        .await?;
    Ok(())
}

/// Removes an assignment; its history was kept before.
pub async fn delete_assignment(conn: &mut AsyncPgConnection, tenant: TenantId, id: AssignmentId) -> QueryResult<()> {
    diesel::delete(assignment::table.find((tenant, id))).execute(conn).await?;
    Ok(())
}

/// Keeps an assignment as it is before a reassignment changes it.
pub async fn keep_history(
    conn: &mut AsyncPgConnection,
    row: &AssignmentRow,
    reassignment: ReassignmentId,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    use db::schema::assignment_history as history;
    diesel::insert_into(history::table)
        .values((
            history::tenant_id.eq(row.tenant_id),
            history::id.eq(AssignmentId::generate()),
            history::assignment_id.eq(row.identity()),
            history::device_id.eq(row.device_id),
            history::slot.eq(&row.slot),
            history::patient_id.eq(&row.patient_id),
            history::worn_from.eq(row.worn_from),
            history::worn_until.eq(row.worn_until),
            history::reassignment_id.eq(reassignment),
            history::replaced_at.eq(now),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Whether somebody who wears (or wore) the device has another device in the same time.
pub async fn has_rivals(conn: &mut AsyncPgConnection, tenant: TenantId, device: DeviceId) -> QueryResult<bool> {
    #[derive(QueryableByName)]
    struct Answer {
        #[diesel(sql_type = diesel::sql_types::Bool)]
        rivals: bool,
    }
    let answer: Answer = diesel::sql_query(
        "SELECT EXISTS (SELECT FROM assignment a JOIN assignment b ON b.tenant_id = a.tenant_id AND b.patient_id = a.patient_id \
             AND b.device_id <> a.device_id AND b.worn_from < coalesce(a.worn_until, 'infinity') AND a.worn_from < coalesce(b.worn_until, 'infinity') \
         WHERE a.tenant_id = $1 AND a.device_id = $2) AS rivals",
    )
    .bind::<diesel::sql_types::Uuid, _>(tenant)
    .bind::<diesel::sql_types::Uuid, _>(device)
    .get_result(conn)
    .await?;
    Ok(answer.rivals)
}
