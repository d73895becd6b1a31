//! What the worker reads to send: the endpoint, the due deliveries of a lane with their Observations, and how patients and
//! devices are named.

use std::collections::HashMap;

use db::schema::{endpoint_patient, installation, resource, tenant};
use db::{DeliveryId, EndpointId, TenantId};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, SmallInt, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::lanes::Lease;
use crate::forward::receiver_view::Identified;

/// A due delivery and the newest version of what it delivers.
#[derive(Debug, Clone, QueryableByName)]
pub(crate) struct DueRow {
    #[diesel(sql_type = SqlUuid)]
    pub(crate) id: DeliveryId,
    #[diesel(sql_type = Text)]
    pub(crate) resource_type: String,
    #[diesel(sql_type = Text)]
    pub(crate) resource_id: String,
    #[diesel(sql_type = Integer)]
    pub(crate) attempts: i32,
    #[diesel(sql_type = Bool)]
    pub(crate) ambiguous: bool,
    #[diesel(sql_type = BigInt)]
    pub(crate) age_seconds: i64,
    /// None: there is no such Observation any more, or it was deleted.
    #[diesel(sql_type = Nullable<Integer>)]
    pub(crate) version: Option<i32>,
    #[diesel(sql_type = Nullable<Text>)]
    pub(crate) identifier_system: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub(crate) identifier_value: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub(crate) patient_id: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub(crate) device_id: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub(crate) body: Option<String>,
    /// Version that the delivery was born for.
    #[diesel(sql_type = Integer)]
    pub(crate) wanted_version: i32,
}

/// Bytes of resources after which a Bundle ends: receivers refuse what is too large for them, and a waveform has a megabyte.
/// The one that goes beyond still belongs to it.
const BUNDLE_BYTES: i64 = 2 << 20;

/// The first due deliveries of a lane, in order of their turn: as many as `limit` and [`BUNDLE_BYTES`] allow, the rest comes
/// with the next turn.
pub(crate) async fn due_deliveries(
    conn: &mut AsyncPgConnection,
    lease: &Lease,
    limit: i64,
) -> QueryResult<Vec<DueRow>> {
    diesel::sql_query(
        "SELECT * FROM (SELECT d.id, d.resource_type, d.resource_id, d.attempts, d.ambiguous, d.version AS wanted_version, \
                EXTRACT(EPOCH FROM now() - d.created_at)::bigint AS age_seconds, \
                o.version, s.uri AS identifier_system, o.identifier_value, o.patient_id, o.device_id, o.body, d.next_attempt_at, \
                sum(coalesce(octet_length(o.body), 0)) OVER (ORDER BY d.next_attempt_at, d.id ROWS UNBOUNDED PRECEDING) \
                    - coalesce(octet_length(o.body), 0) AS bytes_before \
         FROM (SELECT * FROM delivery WHERE tenant_id = $1 AND endpoint_id = $2 AND lane = $3 AND state = 'pending' \
                 AND next_attempt_at <= now() ORDER BY next_attempt_at, id LIMIT $4) d \
         LEFT JOIN observation o ON d.resource_type = 'Observation' AND o.tenant_id = d.tenant_id AND o.id = d.resource_id AND NOT o.deleted \
         LEFT JOIN identifier_system s ON s.id = o.identifier_system) due \
         WHERE bytes_before <= $5 ORDER BY next_attempt_at, id",
    )
    .bind::<SqlUuid, _>(lease.tenant)
    .bind::<SqlUuid, _>(lease.endpoint)
    .bind::<SmallInt, _>(lease.lane)
    .bind::<BigInt, _>(limit)
    .bind::<BigInt, _>(BUNDLE_BYTES)
    .load(conn)
    .await
}

/// Texts of the resources of a type, by id.
pub(crate) async fn bodies(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    resource_type: &str,
    ids: &[&str],
) -> QueryResult<HashMap<String, String>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(String, String)> = resource::table
        .filter(resource::tenant_id.eq(tenant).and(resource::type_.eq(resource_type)))
        .filter(resource::id.eq_any(ids))
        .filter(resource::deleted.eq(false))
        .select((resource::id, resource::body))
        .load(conn)
        .await?;
    Ok(rows.into_iter().collect())
}

/// How an endpoint names patients, where that differs from their own identifiers.
pub(crate) async fn mappings(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    endpoint: EndpointId,
    patients: &[&str],
) -> QueryResult<HashMap<String, Identified>> {
    if patients.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(String, String, String)> = endpoint_patient::table
        .filter(endpoint_patient::tenant_id.eq(tenant).and(endpoint_patient::endpoint_id.eq(endpoint)))
        .filter(endpoint_patient::patient_id.eq_any(patients))
        .select((endpoint_patient::patient_id, endpoint_patient::identifier_system, endpoint_patient::identifier_value))
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(|(patient, system, value)| (patient, Identified { system, value })).collect())
}

/// Whether forwarding is stopped for the whole installation, or for a tenant that was deactivated.
pub(crate) async fn is_stopped(conn: &mut AsyncPgConnection, of: TenantId) -> QueryResult<bool> {
    let paused =
        installation::table.select(installation::forwarding_paused).first(conn).await.optional()?.unwrap_or(false);
    let active: bool = tenant::table.find(of).select(tenant::active).first(conn).await?;
    Ok(paused || !active)
}
