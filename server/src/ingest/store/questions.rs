//! What the commit asks before it writes: may the sources send, and who wore the devices.

use chrono::{DateTime, Utc};
use db::{AssignmentId, Constant as _, DeviceId, TenantId};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::ingest::model::{CarriedBy, Submission};

/// Why a source may not send, asked inside the commit transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Its token was revoked.
    Revoked,
    /// It, or its tenant, was deactivated.
    Inactive,
    /// Its settings are no longer those that it was decoded with.
    Changed,
    /// The hub that carried it was deactivated.
    HubInactive,
    /// The hub's settings are no longer those that its payload was read with.
    HubChanged,
    /// It is not paired with the hub that carried it.
    NotPaired,
}

#[derive(QueryableByName)]
struct RefusalRow {
    #[diesel(sql_type = Nullable<Text>)]
    refusal: Option<String>,
}

/// For each source in order: whether it may send now.
pub async fn refusals(mut conn: &AsyncPgConnection, submissions: &[&Submission]) -> QueryResult<Vec<Option<Refusal>>> {
    let rows: Vec<RefusalRow> = diesel::sql_query(
        "SELECT CASE WHEN s.credential <> '00000000-0000-0000-0000-000000000000' AND (c.id IS NULL OR c.revoked_at IS NOT NULL) THEN 'revoked' \
                     WHEN NOT coalesce(t.active, false) OR NOT coalesce(d.active, false) OR d.enrolled_until <= now() THEN 'inactive' \
                     WHEN d.updated_at <> s.updated_at OR t.time_zone <> s.zone THEN 'changed' END AS refusal \
         FROM unnest($1, $2, $3, $4, $5) WITH ORDINALITY AS s(credential, tenant, device, updated_at, zone, n) \
         LEFT JOIN source_credential c ON c.id = s.credential \
         LEFT JOIN tenant t ON t.id = s.tenant \
         LEFT JOIN device d ON d.tenant_id = s.tenant AND d.id = s.device \
         ORDER BY s.n",
    )
    .bind::<Array<SqlUuid>, _>(submissions.iter().map(|s| s.source.credential).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(submissions.iter().map(|s| s.tenant()).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(submissions.iter().map(|s| s.device).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(submissions.iter().map(|s| s.device_updated_at).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(submissions.iter().map(|s| s.tenant_zone.as_str()).collect::<Vec<_>>())
    .prepared()
    .load(&mut conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| match row.refusal.as_deref() {
            Some("revoked") => Some(Refusal::Revoked),
            Some("changed") => Some(Refusal::Changed),
            Some(_) => Some(Refusal::Inactive),
            None => None,
        })
        .collect())
}

/// The same for the hubs that carried them, where one did: what is wrong with a hub is said before what is wrong with its
/// device, but for a revoked token.
pub async fn refuse_carried(
    mut conn: &AsyncPgConnection,
    submissions: &[&Submission],
    refusals: &mut [Option<Refusal>],
) -> QueryResult<()> {
    let carried: Vec<(usize, TenantId, DeviceId, &CarriedBy)> = submissions
        .iter()
        .enumerate()
        .filter_map(|(place, submission)| {
            Some((place, submission.tenant(), submission.device, submission.carried_by.as_ref()?))
        })
        .collect();
    if carried.is_empty() {
        return Ok(());
    }
    let rows: Vec<RefusalRow> = diesel::sql_query(
        "SELECT CASE WHEN NOT coalesce(h.active, false) THEN 'hub-inactive' \
                     WHEN h.updated_at <> s.updated_at THEN 'hub-changed' \
                     WHEN p.device_id IS NULL OR coalesce(p.address, p.device_id::text) <> s.address THEN 'not-paired' END AS refusal \
         FROM unnest($1, $2, $3, $4, $5) WITH ORDINALITY AS s(tenant, hub, device, updated_at, address, n) \
         LEFT JOIN hub h ON h.tenant_id = s.tenant AND h.id = s.hub \
         LEFT JOIN hub_device p ON p.tenant_id = s.tenant AND p.hub_id = s.hub AND p.device_id = s.device \
         ORDER BY s.n",
    )
    .bind::<Array<SqlUuid>, _>(carried.iter().map(|(_, tenant, _, _)| *tenant).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(carried.iter().map(|(_, _, _, by)| by.hub).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(carried.iter().map(|(_, _, device, _)| *device).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(carried.iter().map(|(_, _, _, by)| by.updated_at).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(carried.iter().map(|(_, _, _, by)| by.address.as_str()).collect::<Vec<_>>())
    .prepared()
    .load(&mut conn)
    .await?;
    for ((place, ..), row) in carried.into_iter().zip(rows) {
        let refusal = match row.refusal.as_deref() {
            Some("hub-inactive") => Refusal::HubInactive,
            Some("not-paired") => Refusal::NotPaired,
            Some(_) => Refusal::HubChanged,
            None => continue,
        };
        if let Some(known) = refusals.get_mut(place).filter(|known| **known != Some(Refusal::Revoked)) {
            *known = Some(refusal);
        }
    }
    Ok(())
}

/// What a reading needs in order to find its wearer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WearerQuestion {
    /// Whose device.
    pub tenant: TenantId,
    /// Which device.
    pub device: DeviceId,
    /// User slot; empty when the payload names none.
    pub slot: String,
    /// When it was measured.
    pub at: DateTime<Utc>,
    /// The time is a guess: whether there were several wearers matters.
    pub untrusted: bool,
}

/// Who wore a device at a time.
#[derive(Debug, Clone, QueryableByName)]
pub struct Wearer {
    /// The assignment that identifiers are made with, if there was one.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub assignment: Option<AssignmentId>,
    /// Its patient.
    #[diesel(sql_type = Nullable<Text>)]
    pub patient: Option<String>,
    /// How many different people ever wore it in that slot; 0 when it was not asked.
    #[diesel(sql_type = BigInt)]
    pub wearers: i64,
}

/// For each question in order: who wore it. A slot of its own wins over the device's only wearer. The readings of one payload
/// mostly ask the same; neighbours that do are asked once.
pub async fn wearers(conn: &AsyncPgConnection, questions: &[WearerQuestion]) -> QueryResult<Vec<Wearer>> {
    let mut distinct: Vec<&WearerQuestion> = Vec::with_capacity(questions.len());
    let mut places = Vec::with_capacity(questions.len());
    for question in questions {
        if distinct.last().is_none_or(|last| *last != question) {
            distinct.push(question);
        }
        places.push(distinct.len() - 1);
    }
    let found = ask_wearers(conn, &distinct).await?;
    places.into_iter().map(|place| found.get(place).cloned().ok_or(diesel::result::Error::NotFound)).collect()
}

async fn ask_wearers(mut conn: &AsyncPgConnection, questions: &[&WearerQuestion]) -> QueryResult<Vec<Wearer>> {
    diesel::sql_query(
        "SELECT coalesce(a.identity_id, a.id) AS assignment, a.patient_id AS patient, coalesce(w.wearers, 0) AS wearers \
         FROM unnest($1, $2, $3, $4, $5) WITH ORDINALITY AS r(tenant, device, slot, at, untrusted, n) \
         LEFT JOIN LATERAL (SELECT a.id, a.identity_id, a.patient_id FROM assignment a \
             WHERE a.tenant_id = r.tenant AND a.device_id = r.device AND a.slot IN (r.slot, '') \
               AND a.worn_from <= r.at AND (a.worn_until IS NULL OR r.at < a.worn_until) \
             ORDER BY a.slot DESC LIMIT 1) a ON true \
         LEFT JOIN LATERAL (SELECT count(DISTINCT w.patient_id) AS wearers FROM assignment w \
             WHERE r.untrusted AND w.tenant_id = r.tenant AND w.device_id = r.device AND w.slot IN (r.slot, '')) w ON true \
         ORDER BY r.n",
    )
    .bind::<Array<SqlUuid>, _>(questions.iter().map(|q| q.tenant).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(questions.iter().map(|q| q.device).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(questions.iter().map(|q| q.slot.as_str()).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(questions.iter().map(|q| q.at).collect::<Vec<_>>())
    .bind::<Array<Bool>, _>(questions.iter().map(|q| q.untrusted).collect::<Vec<_>>())
    .prepared()
    .load(&mut conn)
    .await
}

#[derive(QueryableByName)]
struct There {
    #[diesel(sql_type = Bool)]
    there: bool,
}

/// Whether any of these uplinks was committed, asked after a COMMIT that was not answered.
pub async fn any_committed(conn: &mut AsyncPgConnection, uplinks: &[&Submission]) -> QueryResult<bool> {
    let row: There = diesel::sql_query(
        "SELECT EXISTS (SELECT FROM unnest($1, $2, $3) AS x(t, i, r) \
         JOIN uplink u ON u.tenant_id = x.t AND u.id = x.i AND u.received_at = x.r) AS there",
    )
    .bind::<Array<SqlUuid>, _>(uplinks.iter().map(|uplink| uplink.tenant()).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(uplinks.iter().map(|uplink| uplink.received.id).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(uplinks.iter().map(|uplink| uplink.received.received_at).collect::<Vec<_>>())
    .get_result(conn)
    .await?;
    Ok(row.there)
}
