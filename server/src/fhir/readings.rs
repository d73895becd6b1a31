//! Observations born from device readings: written in batches by the group commit, in its transaction.

use chrono::{DateTime, Utc};
use db::{AssignmentId, Constant as _, TenantId, UplinkId};
use diesel::QueryableByName;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Bytea, Double, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

/// An Observation as the group commit stores it.
#[derive(Debug, Clone)]
pub(crate) struct NewReading {
    /// Whose.
    pub tenant: TenantId,
    /// FHIR id.
    pub id: String,
    /// `meta.lastUpdated`.
    pub last_updated: DateTime<Utc>,
    /// Interned `identifier.system`.
    pub identifier_system: i64,
    /// `identifier.value`: the same reading has the same value, whichever way it comes.
    pub identifier_value: String,
    /// `status`.
    pub status: &'static str,
    /// Interned `code`.
    pub code_id: i64,
    /// Interned `category`.
    pub category_ids: Vec<i64>,
    /// Who wore the device.
    pub patient_id: String,
    /// The FHIR Device.
    pub device_id: String,
    /// `effective[x]`, from.
    pub effective_low: DateTime<Utc>,
    /// `effective[x]`, before.
    pub effective_high: DateTime<Utc>,
    /// `valueQuantity.value`, for the index only.
    pub value_number: Option<f64>,
    /// `valueQuantity.code`.
    pub value_unit: Option<String>,
    /// Whether `$lastn` counts it.
    pub counted: bool,
    /// The uplink it came in.
    pub uplink: UplinkId,
    /// When that was received.
    pub received_at: DateTime<Utc>,
    /// The assignment that gave the subject.
    pub assignment: AssignmentId,
    /// Hash of the clinical content.
    pub content_hash: [u8; 32],
    /// Of a record that grows (`replace`): when this state was seen, by the capture, else by the receipt.
    pub observed_at: Option<DateTime<Utc>>,
    /// Decoder name and version.
    pub decoder: (String, String),
    /// The JSON that is served.
    pub body: String,
}

#[derive(QueryableByName)]
struct Inserted {
    #[diesel(sql_type = Text)]
    id: String,
}

/// Stores readings that are not there yet and answers the ids of those it stored. Rows must be sorted by tenant and
/// identifier, so that two batches cannot wait for each other; a twin in flight is waited for.
pub(crate) async fn insert_readings(mut conn: &AsyncPgConnection, rows: &[&NewReading]) -> QueryResult<Vec<String>> {
    // Nearly always there is one category. Arrays of arrays cannot be unnested by row, and parsing a text into an array costs
    // more than all other columns together, so that only what is not one goes that way.
    let one_category = |row: &&NewReading| match row.category_ids.as_slice() {
        [one] => Some(*one),
        _ => None,
    };
    let other_categories = |row: &&NewReading| {
        let ids: Vec<String> = row.category_ids.iter().map(ToString::to_string).collect();
        (row.category_ids.len() != 1).then(|| format!("{{{}}}", ids.join(",")))
    };
    let inserted: Vec<Inserted> = diesel::sql_query(
        "INSERT INTO observation (tenant_id, id, version, last_updated, identifier_system, identifier_value, status, code_id, category_ids, \
            patient_id, subject_type, subject_id, device_id, effective_low, effective_high, value_number, value_unit, counted, \
            uplink_id, received_at, assignment_id, content_hash, decoder_name, decoder_version, observed_at, body) \
         SELECT t, i, 1, lu, isy, iv, st, co, coalesce(cs::bigint[], ARRAY[ca]), p, 'Patient', p, d, el, eh, vn, vu, c, u, r, a, ch, dn, dv, oa, b \
         FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24) \
              AS x(t, i, lu, isy, iv, st, co, ca, cs, p, d, el, eh, vn, vu, c, u, r, a, ch, dn, dv, oa, b) \
         ON CONFLICT (tenant_id, identifier_value, identifier_system) DO NOTHING RETURNING id",
    )
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.tenant).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(rows.iter().map(|row| row.last_updated).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(rows.iter().map(|row| row.identifier_system).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.identifier_value.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.status).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(rows.iter().map(|row| row.code_id).collect::<Vec<_>>())
    .bind::<Array<Nullable<BigInt>>, _>(rows.iter().map(one_category).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(rows.iter().map(other_categories).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.patient_id.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.device_id.as_str()).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(rows.iter().map(|row| row.effective_low).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(rows.iter().map(|row| row.effective_high).collect::<Vec<_>>())
    .bind::<Array<Nullable<Double>>, _>(rows.iter().map(|row| row.value_number).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(rows.iter().map(|row| row.value_unit.as_deref()).collect::<Vec<_>>())
    .bind::<Array<Bool>, _>(rows.iter().map(|row| row.counted).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.uplink).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(rows.iter().map(|row| row.received_at).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.assignment).collect::<Vec<_>>())
    .bind::<Array<Bytea>, _>(rows.iter().map(|row| row.content_hash.as_slice()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.decoder.0.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.decoder.1.as_str()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Timestamptz>>, _>(rows.iter().map(|row| row.observed_at).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.body.as_str()).collect::<Vec<_>>())
    .prepared()
    .load(&mut conn)
    .await?;
    Ok(inserted.into_iter().map(|row| row.id).collect())
}

/// A reading that was stored before.
#[derive(Debug, Clone, QueryableByName)]
pub(crate) struct StoredReading {
    /// Whose.
    #[diesel(sql_type = SqlUuid)]
    pub tenant_id: TenantId,
    /// `identifier.value`.
    #[diesel(sql_type = Text)]
    pub identifier_value: String,
    /// FHIR id.
    #[diesel(sql_type = Text)]
    pub id: String,
    /// Hash of the clinical content; none for one that a client wrote.
    #[diesel(sql_type = Nullable<Bytea>)]
    pub content_hash: Option<Vec<u8>>,
}

/// The stored readings that have these identifiers of one system.
pub(crate) async fn find_readings(
    mut conn: &AsyncPgConnection,
    system: i64,
    wanted: &[(TenantId, String)],
) -> QueryResult<Vec<StoredReading>> {
    diesel::sql_query(
        "SELECT o.tenant_id, o.identifier_value, o.id, o.content_hash FROM unnest($1, $2) AS x(t, v) \
         JOIN observation o ON o.tenant_id = x.t AND o.identifier_value = x.v AND o.identifier_system = $3",
    )
    .bind::<Array<SqlUuid>, _>(wanted.iter().map(|(tenant, _)| *tenant).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(wanted.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>())
    .bind::<BigInt, _>(system)
    .prepared()
    .load(&mut conn)
    .await
}
