//! Observations as a replay sees them: those that an uplink made, and those of other uplinks that may be the same record.

use chrono::{DateTime, Utc};
use db::{AssignmentId, TenantId, UplinkId};
use diesel::QueryableByName;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bytea, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

/// An Observation whose newest content came in one of the uplinks that were asked for.
#[derive(Debug, Clone, QueryableByName)]
pub(crate) struct UplinkReading {
    /// FHIR id.
    #[diesel(sql_type = Text)]
    pub id: String,
    /// Current version.
    #[diesel(sql_type = Integer)]
    pub version: i32,
    /// `status`.
    #[diesel(sql_type = Text)]
    pub status: String,
    /// The stable identifier.
    #[diesel(sql_type = Text)]
    pub identifier_value: String,
    /// The assignment that it was made with.
    #[diesel(sql_type = SqlUuid)]
    pub assignment_id: AssignmentId,
    /// Whose it is.
    #[diesel(sql_type = Nullable<Text>)]
    pub patient_id: Option<String>,
    /// Interned `code`.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub code_id: Option<i64>,
    /// When it was measured.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub effective_low: Option<DateTime<Utc>>,
    /// Hash of the clinical content.
    #[diesel(sql_type = Nullable<Bytea>)]
    pub content_hash: Option<Vec<u8>>,
    /// When a client wrote it last.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub edited_at: Option<DateTime<Utc>>,
    /// The uplink.
    #[diesel(sql_type = SqlUuid)]
    pub uplink_id: UplinkId,
    /// The exact JSON text.
    #[diesel(sql_type = Text)]
    pub body: String,
}

/// The Observations of these uplinks of a tenant, in the order in which they were made. Uplinks that were received near each
/// other are asked for together: the index is by the time of receipt.
///
/// # Errors
/// The database's error.
pub(crate) async fn readings_of_uplinks(
    mut conn: &AsyncPgConnection,
    tenant: TenantId,
    uplinks: &[(UplinkId, DateTime<Utc>)],
) -> QueryResult<Vec<UplinkReading>> {
    let (Some(first), Some(last)) = (uplinks.iter().map(|(_, at)| *at).min(), uplinks.iter().map(|(_, at)| *at).max())
    else {
        return Ok(Vec::new());
    };
    diesel::sql_query(
        "SELECT id, version, status, identifier_value, assignment_id, patient_id, code_id, effective_low, content_hash, edited_at, uplink_id, body \
         FROM observation WHERE tenant_id = $1 AND received_at BETWEEN $2 AND $3 AND uplink_id = ANY($4) AND NOT deleted \
           AND assignment_id IS NOT NULL AND identifier_value IS NOT NULL ORDER BY id",
    )
    .bind::<SqlUuid, _>(tenant)
    .bind::<Timestamptz, _>(first)
    .bind::<Timestamptz, _>(last)
    .bind::<Array<SqlUuid>, _>(uplinks.iter().map(|(id, _)| *id).collect::<Vec<_>>())
    .load(&mut conn)
    .await
}

/// A measurement that may have been stored already, from another uplink.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// Whose.
    pub tenant: TenantId,
    /// The patient.
    pub patient: String,
    /// Interned `code`.
    pub code_id: i64,
    /// When it was measured.
    pub effective_low: DateTime<Utc>,
    /// The FHIR Device.
    pub device: String,
    /// The uplink that it is not from.
    pub uplink: UplinkId,
}

#[derive(QueryableByName)]
struct Elsewhere {
    #[diesel(sql_type = BigInt)]
    place: i64,
    #[diesel(sql_type = Text)]
    id: String,
}

/// Places in `wanted` for which the same device has an Observation of the same patient, code and time from another uplink,
/// with its id.
///
/// # Errors
/// The database's error.
pub(crate) async fn from_other_uplinks(
    mut conn: &AsyncPgConnection,
    wanted: &[Wanted],
) -> QueryResult<Vec<(usize, String)>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Elsewhere> = diesel::sql_query(
        "SELECT x.n AS place, o.id FROM unnest($1, $2, $3, $4, $5, $6) WITH ORDINALITY AS x(t, p, c, e, d, u, n) \
         JOIN observation o ON o.tenant_id = x.t AND o.patient_id = x.p AND o.code_id = x.c AND o.effective_low = x.e \
          AND o.device_id = x.d AND o.uplink_id <> x.u AND o.status <> 'entered-in-error' AND NOT o.deleted ORDER BY x.n, o.id",
    )
    .bind::<Array<SqlUuid>, _>(wanted.iter().map(|row| row.tenant).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(wanted.iter().map(|row| row.patient.as_str()).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(wanted.iter().map(|row| row.code_id).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(wanted.iter().map(|row| row.effective_low).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(wanted.iter().map(|row| row.device.as_str()).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(wanted.iter().map(|row| row.uplink).collect::<Vec<_>>())
    .load(&mut conn)
    .await?;
    Ok(rows.into_iter().filter_map(|row| Some((usize::try_from(row.place - 1).ok()?, row.id))).collect())
}
