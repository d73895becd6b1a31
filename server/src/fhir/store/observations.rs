//! Writing Observations.

use chrono::{DateTime, Utc};
use db::TenantId;
use db::schema::{observation, observation_identifier_more};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::sql::{Bind, Sql};
use crate::fhir::model::ResourceType;

/// One version of an Observation, with what it is searched by. Provenance of readings is not among it: clients have none
/// to give, and an update leaves it as it is.
#[derive(Debug, Clone, Insertable, AsChangeset)]
#[diesel(table_name = observation, primary_key(tenant_id, id), treat_none_as_null = true, check_for_backend(diesel::pg::Pg))]
pub(crate) struct NewObservation<'a> {
    pub(crate) tenant_id: Uuid,
    pub(crate) id: &'a str,
    pub(crate) version: i32,
    pub(crate) last_updated: DateTime<Utc>,
    pub(crate) deleted: bool,
    pub(crate) identifier_system: Option<i64>,
    pub(crate) identifier_value: Option<&'a str>,
    pub(crate) status: &'a str,
    pub(crate) code_id: Option<i64>,
    pub(crate) category_ids: Vec<i64>,
    pub(crate) patient_id: Option<&'a str>,
    pub(crate) subject_type: Option<&'a str>,
    pub(crate) subject_id: Option<&'a str>,
    pub(crate) device_id: Option<&'a str>,
    pub(crate) effective_low: Option<DateTime<Utc>>,
    pub(crate) effective_high: Option<DateTime<Utc>>,
    pub(crate) value_number: Option<f64>,
    pub(crate) value_unit: Option<&'a str>,
    pub(crate) counted: bool,
    /// A client wrote this version: a replay must not overwrite it.
    pub(crate) edited_at: Option<DateTime<Utc>>,
    pub(crate) body: &'a str,
}

/// An identifier of an Observation that does not stand in its row.
#[derive(Debug, Clone, Copy, Insertable)]
#[diesel(table_name = observation_identifier_more)]
pub(crate) struct FurtherIdentifier<'a> {
    pub(crate) tenant_id: Uuid,
    pub(crate) value: &'a str,
    pub(crate) system: &'a str,
    pub(crate) id: &'a str,
}

/// What an update of an Observation has to respect.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = observation, check_for_backend(diesel::pg::Pg))]
pub(crate) struct Standing {
    pub(crate) id: String,
    /// Set for readings of devices.
    pub(crate) uplink_id: Option<Uuid>,
    pub(crate) identifier_system: Option<i64>,
    pub(crate) identifier_value: Option<String>,
    pub(crate) patient_id: Option<String>,
    pub(crate) counted: bool,
}

/// Inserts new Observations and answers the ids of those that were stored: one whose identifier is taken is not. A twin
/// that is being inserted elsewhere is waited for.
///
/// # Errors
/// The database's error.
pub(crate) async fn insert_observations(
    conn: &mut AsyncPgConnection,
    rows: &[NewObservation<'_>],
) -> QueryResult<Vec<String>> {
    diesel::insert_into(observation::table)
        .values(rows)
        .on_conflict((observation::tenant_id, observation::identifier_value, observation::identifier_system))
        .do_nothing()
        .returning(observation::id)
        .get_results(conn)
        .await
}

/// Replaces the current version; the old one must have been superseded first.
///
/// # Errors
/// The database's error; a unique violation when the identifier was taken meanwhile.
pub(crate) async fn update_observation(conn: &mut AsyncPgConnection, row: &NewObservation<'_>) -> QueryResult<()> {
    diesel::update(observation::table.find((row.tenant_id, row.id))).set(row).execute(conn).await?;
    Ok(())
}

/// What updates of these Observations have to respect.
///
/// # Errors
/// The database's error.
pub(crate) async fn standing(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    ids: &[String],
) -> QueryResult<Vec<Standing>> {
    observation::table
        .filter(observation::tenant_id.eq(tenant.0))
        .filter(observation::id.eq_any(ids))
        .select(Standing::as_select())
        .load(conn)
        .await
}

/// Makes these the only further identifiers of the given Observations.
///
/// # Errors
/// The database's error.
pub(crate) async fn replace_further_identifiers(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    updated: &[String],
    rows: &[FurtherIdentifier<'_>],
) -> QueryResult<()> {
    if !updated.is_empty() {
        let stale = observation_identifier_more::table
            .filter(observation_identifier_more::tenant_id.eq(tenant.0))
            .filter(observation_identifier_more::id.eq_any(updated));
        diesel::delete(stale).execute(conn).await?;
    }
    if !rows.is_empty() {
        diesel::insert_into(observation_identifier_more::table)
            .values(rows)
            .on_conflict_do_nothing()
            .execute(conn)
            .await?;
    }
    Ok(())
}

/// Which resources have which of these (system, value) identifiers: pairs of a position in `identifiers` and an id.
///
/// # Errors
/// The database's error.
pub(crate) async fn identified(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    resource_type: ResourceType,
    identifiers: &[(String, String)],
) -> QueryResult<Vec<(usize, String)>> {
    #[derive(QueryableByName)]
    struct Found {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        position: i64,
        #[diesel(sql_type = diesel::sql_types::Text)]
        id: String,
    }
    if identifiers.is_empty() {
        return Ok(Vec::new());
    }
    let (systems, values): (Vec<String>, Vec<String>) = identifiers.iter().cloned().unzip();
    let mut sql = Sql::default();
    sql.push("WITH q AS MATERIALIZED (SELECT * FROM unnest(").bind(Bind::Texts(systems)).push("::text[], ");
    sql.bind(Bind::Texts(values)).push("::text[]) WITH ORDINALITY AS q(system, value, position)) ");
    match resource_type {
        ResourceType::Observation => {
            sql.push("SELECT q.position, o.id FROM q JOIN identifier_system AS s ON s.uri = q.system ");
            sql.push("JOIN observation AS o ON o.tenant_id = ").bind(Bind::Uuid(tenant.0));
            sql.push(" AND o.identifier_value = q.value AND o.identifier_system = s.id AND NOT o.deleted ");
            sql.push("UNION SELECT q.position, o.id FROM q JOIN observation_identifier_more AS m ON m.tenant_id = ");
            sql.bind(Bind::Uuid(tenant.0)).push(" AND m.value = q.value AND m.system = q.system ");
            sql.push("JOIN observation AS o ON o.tenant_id = m.tenant_id AND o.id = m.id AND NOT o.deleted");
        }
        ResourceType::Patient | ResourceType::Device => {
            sql.push("SELECT DISTINCT q.position, r.id FROM q JOIN resource_token AS t ON t.tenant_id = ")
                .bind(Bind::Uuid(tenant.0));
            sql.push(" AND t.type = ").text(resource_type.as_str()).push(" AND t.parameter = 'identifier'");
            sql.push(" AND t.value = q.value AND t.system = q.system JOIN resource AS r ON r.tenant_id = t.tenant_id");
            sql.push(" AND r.type = t.type AND r.id = t.id AND NOT r.deleted");
        }
    }
    let found: Vec<Found> = sql.load(conn).await?;
    let position = |row: &Found| usize::try_from(row.position - 1).unwrap_or(usize::MAX);
    Ok(found.into_iter().map(|row| (position(&row), row.id)).collect())
}
