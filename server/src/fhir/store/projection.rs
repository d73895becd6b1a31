//! Resources that stand for something another room owns: written by that room, in its own transaction.

use chrono::{DateTime, Utc};
use db::TenantId;
use db::schema::resource;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use fhir_model::parameters::{IndexEntry, IndexValue};

use super::index_rows::IndexRows;
use super::resources::{NewResource, insert_resources, supersede, update_resource};
use crate::fhir::model::ResourceType;

/// One version of a projection, and what it is found by. The search parameters are those of
/// `fhir_model::search::TABLE`: for a Device `identifier`, `status`, `type` and `patient`.
#[derive(Debug, Clone)]
pub(crate) struct Projection<'a> {
    /// The same id as the thing it stands for.
    pub(crate) id: &'a str,
    /// From [`next_version`]; the body says the same.
    pub(crate) version: i32,
    /// `meta.lastUpdated`, to the millisecond; the body says the same.
    pub(crate) last_updated: DateTime<Utc>,
    /// The exact JSON text.
    pub(crate) body: &'a str,
    /// (parameter, system, value); the system is empty where there is none.
    pub(crate) tokens: &'a [(&'a str, &'a str, &'a str)],
    /// (parameter, target type, target id)
    pub(crate) references: &'a [(&'a str, &'a str, &'a str)],
}

/// The version that a projection's next write has: 1 for a new one. The row stays locked until the transaction ends.
///
/// # Errors
/// The database's error.
pub(crate) async fn next_version(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    resource_type: ResourceType,
    id: &str,
) -> QueryResult<i32> {
    let key = (tenant.0, resource_type.as_str(), id);
    let current: Option<i32> =
        resource::table.find(key).select(resource::version).for_update().first(conn).await.optional()?;
    Ok(current.unwrap_or(0) + 1)
}

/// Writes a new projection, or a new version of one.
///
/// # Errors
/// The database's error; [`diesel::result::Error::NotFound`] when the version is not the next one.
pub(crate) async fn write_projection(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    resource_type: ResourceType,
    projection: &Projection<'_>,
) -> QueryResult<()> {
    let Projection { id, version, last_updated, body, .. } = *projection;
    let row = NewResource {
        tenant_id: tenant.0,
        type_: resource_type.as_str(),
        id,
        version,
        last_updated,
        deleted: false,
        body,
    };
    let mut updated = Vec::new();
    if version == 1 {
        if insert_resources(conn, &[row]).await?.is_empty() {
            return Err(diesel::result::Error::NotFound);
        }
    } else {
        updated.push(id.to_owned());
        supersede(conn, tenant, resource_type, &updated).await?;
        update_resource(conn, &row).await?;
    }
    let mut index = IndexRows::default();
    index.add(tenant, resource_type, id, entries(projection));
    index.store(conn, tenant, resource_type, &updated).await
}

fn entries<'a>(projection: &Projection<'a>) -> Vec<IndexEntry<'a>> {
    let tokens = projection.tokens.iter().map(|(code, system, value)| {
        let system = (!system.is_empty()).then(|| (*system).to_owned());
        IndexEntry { code, value: IndexValue::Token { system, code: Some((*value).to_owned()) } }
    });
    let references = projection.references.iter().map(|(code, resource_type, id)| IndexEntry {
        code,
        value: IndexValue::Reference { resource_type: (*resource_type).to_owned(), id: (*id).to_owned() },
    });
    tokens.chain(references).collect()
}
