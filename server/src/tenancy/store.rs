//! Rows of the tenant tree. It lies outside tenant security: every function says whose tenants it answers.

use chrono::{DateTime, Utc};
use db::TenantId;
use db::schema::tenant;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{TenantKind, TenantRow};

type Columns = (TenantId, Option<TenantId>, String, String, String, bool, Option<i16>, DateTime<Utc>);
const COLUMNS: (
    tenant::id,
    tenant::parent_id,
    tenant::kind,
    tenant::name,
    tenant::time_zone,
    tenant::active,
    tenant::uplink_retention_days,
    tenant::created_at,
) = (
    tenant::id,
    tenant::parent_id,
    tenant::kind,
    tenant::name,
    tenant::time_zone,
    tenant::active,
    tenant::uplink_retention_days,
    tenant::created_at,
);

fn row((id, parent, kind, name, time_zone, active, uplink_retention_days, created_at): Columns) -> TenantRow {
    let kind = if kind == "distributor" { TenantKind::Distributor } else { TenantKind::Customer };
    TenantRow { id, parent, kind, name, time_zone, active, uplink_retention_days, created_at }
}

/// Any tenant by id; the caller has checked that it may be known.
///
/// # Errors
/// The database's error.
pub async fn find_tenant(conn: &mut AsyncPgConnection, id: TenantId) -> QueryResult<Option<TenantRow>> {
    tenant::table.find(id).select(COLUMNS).first::<Columns>(conn).await.optional().map(|found| found.map(row))
}

/// Ids of all tenants: for the platform only.
///
/// # Errors
/// The database's error.
pub async fn all_tenants(conn: &mut AsyncPgConnection) -> QueryResult<Vec<TenantId>> {
    tenant::table.order(tenant::id).select(tenant::id).load(conn).await
}

/// A distributor and its customers.
///
/// # Errors
/// The database's error.
pub async fn tenant_with_customers(conn: &mut AsyncPgConnection, id: TenantId) -> QueryResult<Vec<TenantId>> {
    tenant::table
        .filter(tenant::id.eq(id).or(tenant::parent_id.eq(id)))
        .order(tenant::id)
        .select(tenant::id)
        .load(conn)
        .await
}

/// Some of the given tenants, after an id, in order of creation.
///
/// # Errors
/// The database's error.
pub async fn list_tenants(
    conn: &mut AsyncPgConnection,
    among: &[TenantId],
    after: Uuid,
    limit: i64,
) -> QueryResult<Vec<TenantRow>> {
    let rows: Vec<Columns> = tenant::table
        .filter(tenant::id.eq_any(among))
        .filter(tenant::id.gt(TenantId(after)))
        .order(tenant::id)
        .limit(limit)
        .select(COLUMNS)
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(row).collect())
}

/// Stores a new tenant.
///
/// # Errors
/// The database's error.
pub async fn insert_tenant(conn: &mut AsyncPgConnection, row: &TenantRow) -> QueryResult<()> {
    diesel::insert_into(tenant::table)
        .values((
            tenant::id.eq(row.id),
            tenant::parent_id.eq(row.parent),
            tenant::kind.eq(row.kind.as_str()),
            tenant::name.eq(&row.name),
            tenant::time_zone.eq(&row.time_zone),
            tenant::active.eq(row.active),
            tenant::uplink_retention_days.eq(row.uplink_retention_days),
            tenant::created_at.eq(row.created_at),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// What changes; `None` leaves a column as it is.
#[derive(Debug, Default, AsChangeset)]
#[diesel(table_name = tenant)]
pub struct TenantChanges {
    /// A new name.
    pub name: Option<String>,
    /// Another zone.
    pub time_zone: Option<String>,
    /// Whether anything works.
    pub active: Option<bool>,
    /// Days that raw payloads are kept; `Some(None)`: as configured.
    pub uplink_retention_days: Option<Option<i16>>,
}

/// Changes a tenant.
///
/// # Errors
/// The database's error.
pub async fn update_tenant(conn: &mut AsyncPgConnection, id: TenantId, changes: &TenantChanges) -> QueryResult<()> {
    match diesel::update(tenant::table.find(id)).set(changes).execute(conn).await {
        // Nothing to change is no error.
        Ok(_) | Err(diesel::result::Error::QueryBuilderError(_)) => Ok(()),
        Err(error) => Err(error),
    }
}
