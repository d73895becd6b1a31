//! Single resources: a read is a lookup and a copy.

use chrono::{DateTime, Utc};
use db::TenantId;
use db::schema::{observation, resource, resource_version};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::fhir::model::{ResourceType, Stored};

type Columns = (String, i32, DateTime<Utc>, bool, String);

fn stored((id, version, last_updated, deleted, body): Columns) -> Stored {
    Stored { id, version, last_updated, deleted, body }
}

/// The current version, deleted or not.
///
/// # Errors
/// The database's error.
pub(crate) async fn read(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    resource_type: ResourceType,
    id: &str,
) -> QueryResult<Option<Stored>> {
    let found: Option<Columns> = match resource_type {
        ResourceType::Observation => {
            let columns = (
                observation::id,
                observation::version,
                observation::last_updated,
                observation::deleted,
                observation::body,
            );
            observation::table.find((tenant.0, id)).select(columns).first(conn).await.optional()?
        }
        ResourceType::Patient | ResourceType::Device => {
            let columns = (resource::id, resource::version, resource::last_updated, resource::deleted, resource::body);
            resource::table.find((tenant.0, resource_type.as_str(), id)).select(columns).first(conn).await.optional()?
        }
    };
    Ok(found.map(stored))
}

/// One version, current or superseded.
///
/// # Errors
/// The database's error.
pub(crate) async fn read_version(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    resource_type: ResourceType,
    id: &str,
    version: i32,
) -> QueryResult<Option<Stored>> {
    let current = read(conn, tenant, resource_type, id).await?;
    match current {
        None => Ok(None),
        Some(current) if current.version == version => Ok(Some(current)),
        Some(_) => {
            use resource_version as old;
            let columns = (old::id, old::version, old::last_updated, old::deleted, old::body);
            let key = (tenant.0, resource_type.as_str(), id, version);
            Ok(old::table.find(key).select(columns).first(conn).await.optional()?.map(stored))
        }
    }
}

/// The current versions of some resources, locked until the transaction ends, in the order of their ids.
///
/// # Errors
/// The database's error.
pub(crate) async fn lock_current(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    resource_type: ResourceType,
    ids: &[String],
) -> QueryResult<Vec<Stored>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let found: Vec<Columns> = match resource_type {
        ResourceType::Observation => {
            use observation as table;
            let columns = (table::id, table::version, table::last_updated, table::deleted, table::body);
            let query = table::table.filter(table::tenant_id.eq(tenant.0)).filter(table::id.eq_any(ids));
            query.order(table::id).select(columns).for_update().load(conn).await?
        }
        ResourceType::Patient | ResourceType::Device => {
            use resource as table;
            let columns = (table::id, table::version, table::last_updated, table::deleted, table::body);
            let query =
                table::table.filter(table::tenant_id.eq(tenant.0)).filter(table::type_.eq(resource_type.as_str()));
            query.filter(table::id.eq_any(ids)).order(table::id).select(columns).for_update().load(conn).await?
        }
    };
    Ok(found.into_iter().map(stored).collect())
}

/// The current versions of some resources.
///
/// # Errors
/// The database's error.
pub(crate) async fn read_many(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    resource_type: ResourceType,
    ids: &[String],
) -> QueryResult<Vec<Stored>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let found: Vec<Columns> = match resource_type {
        ResourceType::Observation => {
            use observation as table;
            let columns = (table::id, table::version, table::last_updated, table::deleted, table::body);
            let query = table::table.filter(table::tenant_id.eq(tenant.0)).filter(table::id.eq_any(ids));
            query.select(columns).load(conn).await?
        }
        ResourceType::Patient | ResourceType::Device => {
            use resource as table;
            let columns = (table::id, table::version, table::last_updated, table::deleted, table::body);
            let query =
                table::table.filter(table::tenant_id.eq(tenant.0)).filter(table::type_.eq(resource_type.as_str()));
            query.filter(table::id.eq_any(ids)).select(columns).load(conn).await?
        }
    };
    Ok(found.into_iter().map(stored).collect())
}

/// Waits until nobody else works on the same criteria; held until the transaction ends. Keys are taken in their order.
///
/// # Errors
/// The database's error.
pub(crate) async fn lock_criteria(conn: &mut AsyncPgConnection, mut keys: Vec<i64>) -> QueryResult<()> {
    keys.sort_unstable();
    keys.dedup();
    if keys.is_empty() {
        return Ok(());
    }
    diesel::sql_query("SELECT pg_advisory_xact_lock(key) FROM unnest($1) AS key")
        .bind::<Array<BigInt>, _>(keys)
        .execute(conn)
        .await?;
    Ok(())
}

/// Whether the tenant has this Patient.
///
/// # Errors
/// The database's error.
pub(crate) async fn patient_exists(conn: &mut AsyncPgConnection, tenant: TenantId, id: &str) -> QueryResult<bool> {
    Ok(!existing_patients(conn, tenant, &[id.to_owned()]).await?.is_empty())
}

/// Which of these Patients the tenant has.
///
/// # Errors
/// The database's error.
pub(crate) async fn existing_patients(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    ids: &[String],
) -> QueryResult<Vec<String>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    resource::table
        .filter(resource::tenant_id.eq(tenant.0))
        .filter(resource::type_.eq(ResourceType::Patient.as_str()))
        .filter(resource::id.eq_any(ids))
        .filter(resource::deleted.eq(false))
        .select(resource::id)
        .load(conn)
        .await
}
