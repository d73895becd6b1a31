//! Writing resources of every type but Observation, and keeping superseded versions of all.

use chrono::{DateTime, Utc};
use db::TenantId;
use db::schema::{observation, resource, resource_version};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::fhir::model::ResourceType;

/// One version of a resource.
#[derive(Debug, Clone, Copy, Insertable, AsChangeset)]
#[diesel(table_name = resource, primary_key(tenant_id, type_, id))]
pub(crate) struct NewResource<'a> {
    pub(crate) tenant_id: Uuid,
    pub(crate) type_: &'a str,
    pub(crate) id: &'a str,
    pub(crate) version: i32,
    pub(crate) last_updated: DateTime<Utc>,
    pub(crate) deleted: bool,
    pub(crate) body: &'a str,
}

/// Inserts new resources and answers the ids of those that were stored: one whose id is taken is not.
///
/// # Errors
/// The database's error.
pub(crate) async fn insert_resources(
    conn: &mut AsyncPgConnection,
    rows: &[NewResource<'_>],
) -> QueryResult<Vec<String>> {
    diesel::insert_into(resource::table)
        .values(rows)
        .on_conflict((resource::tenant_id, resource::type_, resource::id))
        .do_nothing()
        .returning(resource::id)
        .get_results(conn)
        .await
}

/// Replaces the current version; the old one must have been superseded first.
///
/// # Errors
/// The database's error.
pub(crate) async fn update_resource(conn: &mut AsyncPgConnection, row: &NewResource<'_>) -> QueryResult<()> {
    diesel::update(resource::table.find((row.tenant_id, row.type_, row.id))).set(row).execute(conn).await?;
    Ok(())
}

/// Copies the current versions of these resources to the superseded ones.
///
/// # Errors
/// The database's error.
pub(crate) async fn supersede(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    resource_type: ResourceType,
    ids: &[String],
) -> QueryResult<()> {
    use resource_version as old;
    if ids.is_empty() {
        return Ok(());
    }
    let columns = (old::tenant_id, old::type_, old::id, old::version, old::last_updated, old::deleted, old::body);
    match resource_type {
        ResourceType::Observation => {
            use observation as now;
            let current = now::table.filter(now::tenant_id.eq(tenant.0)).filter(now::id.eq_any(ids)).select((
                now::tenant_id,
                sql::<Text>("'Observation'"),
                now::id,
                now::version,
                now::last_updated,
                now::deleted,
                now::body,
            ));
            current.insert_into(old::table).into_columns(columns).execute(conn).await?;
        }
        ResourceType::Patient | ResourceType::Device => {
            use resource as now;
            let current = now::table
                .filter(now::tenant_id.eq(tenant.0))
                .filter(now::type_.eq(resource_type.as_str()))
                .filter(now::id.eq_any(ids))
                .select((
                    now::tenant_id,
                    now::type_,
                    now::id,
                    now::version,
                    now::last_updated,
                    now::deleted,
                    now::body,
                ));
            current.insert_into(old::table).into_columns(columns).execute(conn).await?;
        }
    }
    Ok(())
}
