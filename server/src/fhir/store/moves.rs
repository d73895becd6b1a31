//! Observations that are about the wrong person: what a correction reads of them, and their copies for the right one.

use chrono::{DateTime, Utc};
use db::{AssignmentId, TenantId};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

/// An Observation of a device, as a correction sees it.
#[derive(Debug, Clone, QueryableByName)]
pub(crate) struct Movable {
    /// FHIR id.
    #[diesel(sql_type = Text)]
    pub(crate) id: String,
    /// Current version.
    #[diesel(sql_type = Integer)]
    pub(crate) version: i32,
    /// `status`.
    #[diesel(sql_type = Text)]
    pub(crate) status: String,
    /// `identifier.value` of the stable identifier.
    #[diesel(sql_type = Text)]
    pub(crate) identifier_value: String,
    /// Its system's number.
    #[diesel(sql_type = BigInt)]
    pub(crate) identifier_system: i64,
    /// The assignment that the identifier was made with.
    #[diesel(sql_type = SqlUuid)]
    pub(crate) assignment_id: AssignmentId,
    /// Whose it is said to be.
    #[diesel(sql_type = Nullable<Text>)]
    pub(crate) patient_id: Option<String>,
    /// Whether `$lastn` counts it: what is counted was forwarded.
    #[diesel(sql_type = Bool)]
    pub(crate) counted: bool,
    /// The text.
    #[diesel(sql_type = Text)]
    pub(crate) body: String,
}

/// Those of the Observations that devices brought.
pub(crate) async fn movable(
    mut conn: &AsyncPgConnection,
    tenant: TenantId,
    ids: &[String],
) -> QueryResult<Vec<Movable>> {
    diesel::sql_query(
        "SELECT id, version, status, identifier_value, identifier_system, assignment_id, patient_id, counted, body FROM observation \
         WHERE tenant_id = $1 AND id = ANY($2) AND uplink_id IS NOT NULL AND assignment_id IS NOT NULL AND identifier_value IS NOT NULL \
         ORDER BY id",
    )
    .bind::<SqlUuid, _>(tenant)
    .bind::<Array<Text>, _>(ids.to_vec())
    .load(&mut conn)
    .await
}

/// The copy of an Observation for another person.
#[derive(Debug, Clone)]
pub(crate) struct Copy {
    /// The Observation that is copied.
    pub(crate) old: String,
    /// Id of the new one.
    pub(crate) id: String,
    /// Its stable identifier.
    pub(crate) identifier_value: String,
    /// The right person.
    pub(crate) patient: String,
    /// The assignment that says so.
    pub(crate) assignment: AssignmentId,
    /// `status`.
    pub(crate) status: String,
    /// The text.
    pub(crate) body: String,
}

#[derive(QueryableByName)]
struct Inserted {
    #[diesel(sql_type = Text)]
    id: String,
}

/// Inserts copies that are not there yet, with everything that they are searched by and where they came from; answers the
/// ids of those it inserted. Sorted by identifier, like every insert of readings.
pub(crate) async fn insert_copies(
    mut conn: &AsyncPgConnection,
    tenant: TenantId,
    copies: &[Copy],
    now: DateTime<Utc>,
) -> QueryResult<Vec<String>> {
    let mut copies: Vec<&Copy> = copies.iter().collect();
    copies.sort_by(|a, b| a.identifier_value.cmp(&b.identifier_value));
    let inserted: Vec<Inserted> = diesel::sql_query(
        "INSERT INTO observation (tenant_id, id, version, last_updated, identifier_system, identifier_value, status, code_id, category_ids, \
            patient_id, subject_type, subject_id, device_id, effective_low, effective_high, value_number, value_unit, counted, \
            uplink_id, received_at, assignment_id, content_hash, decoder_name, decoder_version, observed_at, body) \
         SELECT o.tenant_id, x.i, 1, $8, o.identifier_system, x.v, x.s, o.code_id, o.category_ids, x.p, 'Patient', x.p, o.device_id, \
            o.effective_low, o.effective_high, o.value_number, o.value_unit, o.counted, o.uplink_id, o.received_at, x.a, o.content_hash, \
            o.decoder_name, o.decoder_version, o.observed_at, x.b \
         FROM unnest($2, $3, $4, $5, $6, $7, $9) AS x(o, i, v, p, a, s, b) JOIN observation o ON o.tenant_id = $1 AND o.id = x.o \
         ORDER BY x.v ON CONFLICT (tenant_id, identifier_value, identifier_system) DO NOTHING RETURNING id",
    )
    .bind::<SqlUuid, _>(tenant)
    .bind::<Array<Text>, _>(copies.iter().map(|copy| copy.old.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(copies.iter().map(|copy| copy.id.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(copies.iter().map(|copy| copy.identifier_value.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(copies.iter().map(|copy| copy.patient.as_str()).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(copies.iter().map(|copy| copy.assignment).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(copies.iter().map(|copy| copy.status.as_str()).collect::<Vec<_>>())
    .bind::<Timestamptz, _>(now)
    .bind::<Array<Text>, _>(copies.iter().map(|copy| copy.body.as_str()).collect::<Vec<_>>())
    .load(&mut conn)
    .await?;
    Ok(inserted.into_iter().map(|row| row.id).collect())
}
