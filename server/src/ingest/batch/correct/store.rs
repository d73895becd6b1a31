//! Rows that only a replay reads and writes: held readings of uplinks, aliases of record keys, and the uplinks' new fates.

use chrono::{DateTime, Utc};
use db::{DeviceId, HeldReadingId, ReadingCorrectionId, TenantId, UplinkId};
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Bytea, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::Cause;
use crate::ingest::model::Submission;

/// A held reading of an uplink.
#[derive(Debug, Clone, QueryableByName)]
pub(super) struct HeldBefore {
    #[diesel(sql_type = SqlUuid)]
    pub(super) id: HeldReadingId,
    #[diesel(sql_type = SqlUuid)]
    pub(super) uplink_id: UplinkId,
    #[diesel(sql_type = Text)]
    pub(super) kind: String,
    #[diesel(sql_type = Timestamptz)]
    pub(super) measured_at: DateTime<Utc>,
    #[diesel(sql_type = Text)]
    pub(super) state: String,
    #[diesel(sql_type = Nullable<Bytea>)]
    pub(super) content_hash: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<Text>)]
    pub(super) observation_id: Option<String>,
    #[diesel(sql_type = Text)]
    pub(super) reading_key: String,
}

/// The held readings of these uplinks, locked, in the order of every transaction.
pub(super) async fn held_of_uplinks(
    mut conn: &AsyncPgConnection,
    tenant: TenantId,
    uplinks: &[(UplinkId, DateTime<Utc>)],
) -> QueryResult<Vec<HeldBefore>> {
    let (Some(first), Some(last)) = (uplinks.iter().map(|(_, at)| *at).min(), uplinks.iter().map(|(_, at)| *at).max())
    else {
        return Ok(Vec::new());
    };
    diesel::sql_query(
        "SELECT id, uplink_id, kind, measured_at, state, content_hash, observation_id, reading_key FROM held_reading \
         WHERE tenant_id = $1 AND state IN ('open', 'claimed', 'released', 'taken', 'discarded') \
           AND received_at BETWEEN $2 AND $3 AND uplink_id = ANY($4) ORDER BY tenant_id, id FOR UPDATE",
    )
    .bind::<SqlUuid, _>(tenant)
    .bind::<Timestamptz, _>(first)
    .bind::<Timestamptz, _>(last)
    .bind::<Array<SqlUuid>, _>(uplinks.iter().map(|(id, _)| *id).collect::<Vec<_>>())
    .load(&mut conn)
    .await
}

/// These open rows hold what the bytes do not say.
pub(super) async fn end_held(
    mut conn: &AsyncPgConnection,
    tenant: TenantId,
    rows: &[HeldReadingId],
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    if rows.is_empty() {
        return Ok(0);
    }
    diesel::sql_query(
        "UPDATE held_reading SET state = 'corrected', settled_at = $3 WHERE tenant_id = $1 AND id = ANY($2) AND state = 'open'",
    )
    .bind::<SqlUuid, _>(tenant)
    .bind::<Array<SqlUuid>, _>(rows.to_vec())
    .bind::<Timestamptz, _>(now)
    .execute(&mut conn)
    .await
}

/// A record that comes under another key than the one that it is stored with.
#[derive(Debug, Clone)]
pub(super) struct Alias {
    pub(super) tenant: TenantId,
    pub(super) device: DeviceId,
    pub(super) new_key: String,
    pub(super) stored_key: String,
    pub(super) uplink: UplinkId,
    pub(super) received_at: DateTime<Utc>,
    pub(super) kind: String,
    pub(super) measured_at: DateTime<Utc>,
}

/// Remembers aliases; a key that a held reading has is left to that.
pub(super) async fn insert_aliases(
    mut conn: &AsyncPgConnection,
    rows: &[Alias],
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    if rows.is_empty() {
        return Ok(0);
    }
    let mut rows: Vec<&Alias> = rows.iter().collect();
    rows.sort_by(|a, b| (a.tenant, a.device, &a.new_key).cmp(&(b.tenant, b.device, &b.new_key)));
    diesel::sql_query(
        "INSERT INTO held_reading (tenant_id, id, reading_key, identity_key, uplink_id, received_at, device_id, kind, measured_at, reason, detail, state, settled_at) \
         SELECT t, i, nk, sk, u, r, d, ki, m, 'record-key-changed', 'No reading: the record that comes under this key is stored under another.', 'alias', $10 \
         FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9) AS x(t, i, d, nk, sk, u, r, ki, m) \
         ON CONFLICT (tenant_id, device_id, reading_key) DO NOTHING",
    )
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.tenant).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|_row| HeldReadingId::generate()).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.device).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.new_key.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.stored_key.as_str()).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.uplink).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(rows.iter().map(|row| row.received_at).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.kind.as_str()).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(rows.iter().map(|row| row.measured_at).collect::<Vec<_>>())
    .bind::<Timestamptz, _>(now)
    .execute(&mut conn)
    .await
}

/// What a replayed uplink came to.
pub(super) struct ReplayedUplink<'a> {
    pub(super) submission: &'a Submission,
    pub(super) outcome: String,
    pub(super) reason: Option<String>,
    /// Whether it leaves the quarantine, if it is there.
    pub(super) settled: bool,
}

/// Writes the uplinks' fates, and what that means for the quarantine.
pub(super) async fn update_uplinks(
    mut conn: &AsyncPgConnection,
    rows: &[ReplayedUplink<'_>],
    now: DateTime<Utc>,
) -> QueryResult<()> {
    let of = || rows.iter().map(|row| row.submission);
    let decoder = |row: &Submission| row.decoder.clone().unzip();
    diesel::sql_query(
        "UPDATE uplink u SET outcome = x.o, reason = x.re, decoder_name = coalesce(x.dn, u.decoder_name), decoder_version = coalesce(x.dv, u.decoder_version) \
         FROM unnest($1, $2, $3, $4, $5, $6, $7) AS x(t, i, r, o, re, dn, dv) WHERE u.tenant_id = x.t AND u.id = x.i AND u.received_at = x.r",
    )
    .bind::<Array<SqlUuid>, _>(of().map(Submission::tenant).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(of().map(|one| one.received.id).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(of().map(|one| one.received.received_at).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.outcome.as_str()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(rows.iter().map(|row| row.reason.as_deref()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(of().map(|one| decoder(one).0).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(of().map(|one| decoder(one).1).collect::<Vec<_>>())
    .execute(&mut conn)
    .await?;
    diesel::sql_query(
        "UPDATE quarantine q SET state = CASE WHEN x.s THEN 'settled' ELSE q.state END, attempts = q.attempts + 1, updated_at = $4 \
         FROM unnest($1, $2, $3) AS x(t, i, s) WHERE q.tenant_id = x.t AND q.uplink_id = x.i AND q.state = 'open'",
    )
    .bind::<Array<SqlUuid>, _>(of().map(Submission::tenant).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(of().map(|one| one.received.id).collect::<Vec<_>>())
    .bind::<Array<Bool>, _>(rows.iter().map(|row| row.settled).collect::<Vec<_>>())
    .bind::<Timestamptz, _>(now)
    .execute(&mut conn)
    .await?;
    Ok(())
}

/// An entry of the record of corrections.
#[derive(Debug, Clone)]
pub(super) struct NewCorrection {
    pub(super) tenant: TenantId,
    pub(super) device: DeviceId,
    pub(super) old: Option<String>,
    pub(super) new: Option<String>,
}

/// Writes the record of corrections.
pub(super) async fn insert_corrections(
    mut conn: &AsyncPgConnection,
    rows: &[NewCorrection],
    cause: &Cause,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    if rows.is_empty() {
        return Ok(0);
    }
    diesel::sql_query(
        "INSERT INTO reading_correction (tenant_id, id, at, action, reason, token_id, device_id, replay_id, old_observation, new_observation) \
         SELECT t, i, $6, 'replay', $7, $8, d, $9, o, n FROM unnest($1, $2, $3, $4, $5) AS x(t, i, d, o, n)",
    )
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.tenant).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|_row| ReadingCorrectionId::generate()).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.device).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(rows.iter().map(|row| row.old.as_deref()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(rows.iter().map(|row| row.new.as_deref()).collect::<Vec<_>>())
    .bind::<Timestamptz, _>(now)
    .bind::<Text, _>(&cause.reason)
    .bind::<SqlUuid, _>(cause.token)
    .bind::<SqlUuid, _>(cause.replay)
    .execute(&mut conn)
    .await
}
