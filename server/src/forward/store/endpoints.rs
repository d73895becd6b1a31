//! Rows of endpoints and of their patients' mappings, for the REST interface and for the birth of deliveries.

use chrono::{DateTime, Utc};
use db::schema::{endpoint, endpoint_patient};
use db::{EndpointId, TenantId};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

/// A customer's EHR.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = endpoint, check_for_backend(diesel::pg::Pg))]
pub(crate) struct EndpointRow {
    pub(crate) tenant_id: TenantId,
    pub(crate) id: EndpointId,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) url: String,
    pub(crate) auth_kind: String,
    pub(crate) auth_sealed: Option<Vec<u8>>,
    pub(crate) active: bool,
    pub(crate) filter_codes: Vec<String>,
    pub(crate) filter_except_codes: Vec<String>,
    pub(crate) filter_patients: Vec<String>,
    pub(crate) patient_identifier_system: Option<String>,
    pub(crate) create_patients: bool,
    pub(crate) failures: i32,
    pub(crate) closed_until: Option<DateTime<Utc>>,
    pub(crate) last_error: Option<String>,
    pub(crate) last_success_at: Option<DateTime<Utc>>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
}

/// What may change; `None` leaves a column as it is.
#[derive(Debug, Default, AsChangeset)]
#[diesel(table_name = endpoint)]
pub(crate) struct EndpointChanges {
    pub(crate) name: Option<String>,
    pub(crate) url: Option<String>,
    pub(crate) auth_kind: Option<String>,
    pub(crate) auth_sealed: Option<Option<Vec<u8>>>,
    pub(crate) active: Option<bool>,
    pub(crate) filter_codes: Option<Vec<String>>,
    pub(crate) filter_except_codes: Option<Vec<String>>,
    pub(crate) filter_patients: Option<Vec<String>>,
    pub(crate) patient_identifier_system: Option<Option<String>>,
    pub(crate) create_patients: Option<bool>,
    pub(crate) failures: Option<i32>,
    pub(crate) closed_until: Option<Option<DateTime<Utc>>>,
    pub(crate) last_error: Option<Option<String>>,
    pub(crate) updated_at: Option<DateTime<Utc>>,
}

/// How one patient is named at one endpoint.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = endpoint_patient, check_for_backend(diesel::pg::Pg))]
pub(crate) struct MappingRow {
    pub(crate) patient_id: String,
    pub(crate) identifier_system: String,
    pub(crate) identifier_value: String,
}

/// How an endpoint is doing.
#[derive(Debug, QueryableByName)]
pub(crate) struct StatusRow {
    #[diesel(sql_type = BigInt)]
    pub(crate) pending: i64,
    #[diesel(sql_type = BigInt)]
    pub(crate) dead: i64,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub(crate) oldest_pending: Option<DateTime<Utc>>,
}

pub(crate) async fn insert_endpoint(conn: &mut AsyncPgConnection, row: &EndpointRow) -> QueryResult<()> {
    diesel::insert_into(endpoint::table)
        .values((
            endpoint::tenant_id.eq(row.tenant_id),
            endpoint::id.eq(row.id),
            endpoint::name.eq(&row.name),
            endpoint::kind.eq(&row.kind),
            endpoint::url.eq(&row.url),
            endpoint::auth_kind.eq(&row.auth_kind),
            endpoint::auth_sealed.eq(&row.auth_sealed),
            endpoint::active.eq(row.active),
            endpoint::filter_codes.eq(&row.filter_codes),
            endpoint::filter_except_codes.eq(&row.filter_except_codes),
            endpoint::filter_patients.eq(&row.filter_patients),
            endpoint::patient_identifier_system.eq(&row.patient_identifier_system),
            endpoint::create_patients.eq(row.create_patients),
            endpoint::created_at.eq(row.created_at),
            endpoint::updated_at.eq(row.updated_at),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

pub(crate) async fn list_endpoints(
    conn: &mut AsyncPgConnection,
    among: &[TenantId],
    after: Uuid,
    limit: i64,
) -> QueryResult<Vec<EndpointRow>> {
    endpoint::table
        .filter(endpoint::tenant_id.eq_any(among))
        .filter(endpoint::id.gt(EndpointId(after)))
        .order(endpoint::id)
        .limit(limit)
        .select(EndpointRow::as_select())
        .load(conn)
        .await
}

pub(crate) async fn find_endpoint(
    conn: &mut AsyncPgConnection,
    among: &[TenantId],
    id: EndpointId,
) -> QueryResult<Option<EndpointRow>> {
    endpoint::table
        .filter(endpoint::tenant_id.eq_any(among))
        .filter(endpoint::id.eq(id))
        .select(EndpointRow::as_select())
        .first(conn)
        .await
        .optional()
}

/// Tenant, endpoint, and of its filter codes, unwanted codes, and patients.
pub(crate) type FilterRow = (TenantId, EndpointId, Vec<String>, Vec<String>, Vec<String>);

/// The filters of all endpoints of some tenants, paused ones too: what comes while one is paused waits for it.
pub(crate) async fn filters_of(mut conn: &AsyncPgConnection, tenants: &[TenantId]) -> QueryResult<Vec<FilterRow>> {
    endpoint::table
        .filter(endpoint::tenant_id.eq_any(tenants))
        .order(endpoint::id)
        .select((
            endpoint::tenant_id,
            endpoint::id,
            endpoint::filter_codes,
            endpoint::filter_except_codes,
            endpoint::filter_patients,
        ))
        .load(&mut conn)
        .await
}

pub(crate) async fn update_endpoint(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: EndpointId,
    changes: &EndpointChanges,
) -> QueryResult<EndpointRow> {
    diesel::update(endpoint::table.find((tenant, id)))
        .set(changes)
        .returning(EndpointRow::as_returning())
        .get_result(conn)
        .await
}

pub(crate) async fn endpoint_status(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: EndpointId,
) -> QueryResult<StatusRow> {
    diesel::sql_query(
        "SELECT count(*) FILTER (WHERE state = 'pending') AS pending, count(*) FILTER (WHERE state = 'dead') AS dead, \
                min(created_at) FILTER (WHERE state = 'pending') AS oldest_pending \
         FROM delivery WHERE tenant_id = $1 AND endpoint_id = $2",
    )
    .bind::<SqlUuid, _>(tenant)
    .bind::<SqlUuid, _>(id)
    .get_result(conn)
    .await
}

pub(crate) async fn find_mapping(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: EndpointId,
    patient: &str,
) -> QueryResult<Option<MappingRow>> {
    endpoint_patient::table.find((tenant, id, patient)).select(MappingRow::as_select()).first(conn).await.optional()
}

pub(crate) async fn put_mapping(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: EndpointId,
    mapping: &MappingRow,
) -> QueryResult<()> {
    let named = (
        endpoint_patient::identifier_system.eq(&mapping.identifier_system),
        endpoint_patient::identifier_value.eq(&mapping.identifier_value),
    );
    diesel::insert_into(endpoint_patient::table)
        .values((
            endpoint_patient::tenant_id.eq(tenant),
            endpoint_patient::endpoint_id.eq(id),
            endpoint_patient::patient_id.eq(&mapping.patient_id),
            named,
        ))
        .on_conflict((endpoint_patient::tenant_id, endpoint_patient::endpoint_id, endpoint_patient::patient_id))
        .do_update()
        .set(named)
        .execute(conn)
        .await?;
    Ok(())
}

/// Answers whether there was one.
pub(crate) async fn delete_mapping(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: EndpointId,
    patient: &str,
) -> QueryResult<bool> {
    diesel::delete(endpoint_patient::table.find((tenant, id, patient))).execute(conn).await.map(|deleted| deleted > 0)
}
