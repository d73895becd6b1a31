//! Rows of readings that get a new version: locked, kept as they were, written. In the worker's role or in a tenant's.

use chrono::{DateTime, Utc};
use db::{TenantId, UplinkId};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Bytea, Double, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::fhir::readings::NewReading;

/// The current version of an Observation, locked until the transaction ends.
#[derive(Debug, Clone, QueryableByName)]
pub(crate) struct LockedReading {
    /// Whose.
    #[diesel(sql_type = SqlUuid)]
    pub tenant_id: TenantId,
    /// FHIR id.
    #[diesel(sql_type = Text)]
    pub id: String,
    /// `meta.versionId`.
    #[diesel(sql_type = Integer)]
    pub version: i32,
    /// `meta.lastUpdated`.
    #[diesel(sql_type = Timestamptz)]
    pub last_updated: DateTime<Utc>,
    /// `status`.
    #[diesel(sql_type = Text)]
    pub status: String,
    /// The Patient that it is about; none for one that a client wrote about somebody else.
    #[diesel(sql_type = Nullable<Text>)]
    pub patient_id: Option<String>,
    /// Whether `$lastn`, alerts and billing count it.
    #[diesel(sql_type = Bool)]
    pub counted: bool,
    /// The uplink that the version came in; none for an Observation that a client made.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub uplink_id: Option<UplinkId>,
    /// Receipt of that uplink.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub received_at: Option<DateTime<Utc>>,
    /// Hash of the clinical content.
    #[diesel(sql_type = Nullable<Bytea>)]
    pub content_hash: Option<Vec<u8>>,
    /// Exclusive end of the measured time.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub effective_high: Option<DateTime<Utc>>,
    /// Of a record that grows: when its present state was seen.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub observed_at: Option<DateTime<Utc>>,
    /// The exact JSON text.
    #[diesel(sql_type = Text)]
    pub body: String,
    #[diesel(sql_type = Array<Text>)]
    code_systems: Vec<String>,
    #[diesel(sql_type = Array<Text>)]
    code_codes: Vec<String>,
}

impl LockedReading {
    /// `code.coding` as system and code.
    pub fn codings(&self) -> Vec<(String, String)> {
        self.code_systems.iter().cloned().zip(self.code_codes.iter().cloned()).collect()
    }
}

/// Locks the current versions of these Observations, sorted by tenant and id so that two transactions cannot wait for each
/// other; those that do not exist or were deleted are missing in the answer.
///
/// # Errors
/// The database's error.
pub(crate) async fn lock_readings(
    mut conn: &AsyncPgConnection,
    wanted: &[(TenantId, String)],
) -> QueryResult<Vec<LockedReading>> {
    let mut wanted = wanted.to_vec();
    wanted.sort_unstable();
    wanted.dedup();
    // Locked first, by itself: what stands beside a locked row is then that of its newest version.
    diesel::sql_query(
        "WITH locked AS MATERIALIZED (SELECT o.* FROM unnest($1, $2) AS x(t, i) \
             JOIN observation o ON o.tenant_id = x.t AND o.id = x.i AND NOT o.deleted ORDER BY o.tenant_id, o.id FOR NO KEY UPDATE OF o) \
         SELECT o.tenant_id, o.id, o.version, o.last_updated, o.status, o.patient_id, o.counted, o.uplink_id, o.received_at, o.content_hash, \
                o.effective_high, o.observed_at, o.body, \
                ARRAY(SELECT c.system FROM concept_coding c WHERE c.concept_id = o.code_id ORDER BY c.system, c.code) AS code_systems, \
                ARRAY(SELECT c.code FROM concept_coding c WHERE c.concept_id = o.code_id ORDER BY c.system, c.code) AS code_codes \
         FROM locked o ORDER BY o.tenant_id, o.id",
    )
    .bind::<Array<SqlUuid>, _>(wanted.iter().map(|(tenant, _)| *tenant).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(wanted.iter().map(|(_, id)| id.as_str()).collect::<Vec<_>>())
    .load(&mut conn)
    .await
}

/// Copies locked versions to the superseded ones.
///
/// # Errors
/// The database's error.
pub(crate) async fn keep_versions(mut conn: &AsyncPgConnection, locked: &[&LockedReading]) -> QueryResult<usize> {
    diesel::sql_query(
        "INSERT INTO resource_version (tenant_id, type, id, version, last_updated, deleted, body) \
         SELECT o.tenant_id, 'Observation', o.id, o.version, o.last_updated, o.deleted, o.body \
         FROM unnest($1, $2) AS x(t, i) JOIN observation o ON o.tenant_id = x.t AND o.id = x.i",
    )
    .bind::<Array<SqlUuid>, _>(locked.iter().map(|row| row.tenant_id).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(locked.iter().map(|row| row.id.as_str()).collect::<Vec<_>>())
    .execute(&mut conn)
    .await
}

/// What every new version of an Observation has.
#[derive(Debug, Clone)]
pub(crate) struct VersionRow {
    /// Whose.
    pub tenant: TenantId,
    /// FHIR id.
    pub id: String,
    /// The new version.
    pub version: i32,
    /// `meta.lastUpdated`.
    pub last_updated: DateTime<Utc>,
    /// `status`.
    pub status: String,
    /// Whether it is counted.
    pub counted: bool,
    /// The exact JSON text.
    pub body: String,
}

/// Writes the new current versions; everything else of the rows stays.
///
/// # Errors
/// The database's error.
pub(crate) async fn write_versions(mut conn: &AsyncPgConnection, rows: &[VersionRow]) -> QueryResult<usize> {
    diesel::sql_query(
        "UPDATE observation o SET version = x.v, last_updated = x.lu, status = x.st, counted = x.c, body = x.b \
         FROM unnest($1, $2, $3, $4, $5, $6, $7) AS x(t, i, v, lu, st, c, b) WHERE o.tenant_id = x.t AND o.id = x.i",
    )
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.tenant).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(rows.iter().map(|row| row.version).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(rows.iter().map(|row| row.last_updated).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.status.as_str()).collect::<Vec<_>>())
    .bind::<Array<Bool>, _>(rows.iter().map(|row| row.counted).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.body.as_str()).collect::<Vec<_>>())
    .execute(&mut conn)
    .await
}

/// Writes what new content is searched by, and where it came from. Tenant, id, identifier, subject, device and assignment
/// are what makes it the same Observation: they stay. `rows` are pairs of the Observation's id and its new content.
///
/// # Errors
/// The database's error.
pub(crate) async fn write_contents(mut conn: &AsyncPgConnection, rows: &[(String, &NewReading)]) -> QueryResult<usize> {
    let of = || rows.iter().map(|(_, row)| *row);
    let category_ids = |row: &NewReading| {
        let ids: Vec<String> = row.category_ids.iter().map(ToString::to_string).collect();
        format!("{{{}}}", ids.join(","))
    };
    diesel::sql_query(
        "UPDATE observation o SET code_id = x.co, category_ids = x.ca::bigint[], effective_low = x.el, effective_high = x.eh, \
             value_number = x.vn, value_unit = x.vu, uplink_id = x.u, received_at = x.r, content_hash = x.ch, decoder_name = x.dn, \
             decoder_version = x.dv, observed_at = coalesce(x.oa, o.observed_at) \
         FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
             AS x(t, i, co, ca, el, eh, vn, vu, u, r, ch, dn, dv, oa) WHERE o.tenant_id = x.t AND o.id = x.i",
    )
    .bind::<Array<SqlUuid>, _>(of().map(|row| row.tenant).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(of().map(|row| row.code_id).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(of().map(category_ids).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(of().map(|row| row.effective_low).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(of().map(|row| row.effective_high).collect::<Vec<_>>())
    .bind::<Array<Nullable<Double>>, _>(of().map(|row| row.value_number).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(of().map(|row| row.value_unit.as_deref()).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(of().map(|row| row.uplink).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(of().map(|row| row.received_at).collect::<Vec<_>>())
    .bind::<Array<Bytea>, _>(of().map(|row| row.content_hash.as_slice()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(of().map(|row| row.decoder.0.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(of().map(|row| row.decoder.1.as_str()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Timestamptz>>, _>(of().map(|row| row.observed_at).collect::<Vec<_>>())
    .execute(&mut conn)
    .await
}

/// The same state of growing records was seen again, and later: their content is known to be that new.
///
/// # Errors
/// The database's error.
pub(crate) async fn note_observed(
    mut conn: &AsyncPgConnection,
    rows: &[(TenantId, String, DateTime<Utc>)],
) -> QueryResult<usize> {
    diesel::sql_query(
        "UPDATE observation o SET observed_at = x.oa FROM unnest($1, $2, $3) AS x(t, i, oa) \
         WHERE o.tenant_id = x.t AND o.id = x.i AND o.observed_at < x.oa",
    )
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|(tenant, _, _)| *tenant).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|(_, id, _)| id.as_str()).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(rows.iter().map(|(_, _, at)| *at).collect::<Vec<_>>())
    .execute(&mut conn)
    .await
}
