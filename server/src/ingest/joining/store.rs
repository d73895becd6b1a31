//! Rows of uplinks that wait for the rest of their frames.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use db::{Constant as _, DeviceId, TenantId, UplinkId};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::ingest::model::Submission;

/// An uplink that waits.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub(super) struct WaitingRow {
    #[diesel(sql_type = SqlUuid)]
    pub(super) uplink_id: UplinkId,
    #[diesel(sql_type = Timestamptz)]
    pub(super) received_at: DateTime<Utc>,
    #[diesel(sql_type = Bool)]
    pub(super) tried: bool,
}

/// Lets uplinks wait, each for so long.
pub(super) async fn wait(
    mut conn: &AsyncPgConnection,
    rows: &[(&Submission, Duration)],
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    let until = |window: Duration| now + TimeDelta::from_std(window).unwrap_or(TimeDelta::hours(24));
    diesel::sql_query(
        "INSERT INTO waiting_frames (tenant_id, device_id, uplink_id, received_at, expires_at) \
         SELECT * FROM unnest($1, $2, $3, $4, $5) AS x(t, d, u, r, e) \
         ON CONFLICT (tenant_id, device_id, uplink_id) DO UPDATE SET expires_at = excluded.expires_at, tried = false",
    )
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|(submission, _)| submission.tenant()).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|(submission, _)| submission.device).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|(submission, _)| submission.received.id).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(
        rows.iter().map(|(submission, _)| submission.received.received_at).collect::<Vec<_>>(),
    )
    .bind::<Array<Timestamptz>, _>(rows.iter().map(|(_, window)| until(*window)).collect::<Vec<_>>())
    .prepared()
    .execute(&mut conn)
    .await
}

/// Takes a submission's parts from among the waiting; false when one of them is not there any more.
pub(super) async fn take(mut conn: &AsyncPgConnection, submission: &Submission) -> QueryResult<bool> {
    let taken =
        diesel::sql_query("DELETE FROM waiting_frames WHERE tenant_id = $1 AND device_id = $2 AND uplink_id = ANY($3)")
            .bind::<SqlUuid, _>(submission.tenant())
            .bind::<SqlUuid, _>(submission.device)
            .bind::<Array<SqlUuid>, _>(submission.parts.iter().map(|part| part.uplink).collect::<Vec<_>>())
            .execute(&mut conn)
            .await?;
    Ok(taken == submission.parts.len())
}

/// Writes down with which uplink the parts were decoded, and settles what of them was in quarantine.
pub(super) async fn mark_joined(mut conn: &AsyncPgConnection, submission: &Submission) -> QueryResult<()> {
    let uplinks: Vec<UplinkId> = submission.parts.iter().map(|part| part.uplink).collect();
    diesel::sql_query(
        "UPDATE uplink u SET outcome = 'joined', reason = $2 FROM unnest($3, $4) AS x(i, r) \
         WHERE u.tenant_id = $1 AND u.id = x.i AND u.received_at = x.r",
    )
    .bind::<SqlUuid, _>(submission.tenant())
    .bind::<Text, _>(submission.received.id.to_string())
    .bind::<Array<SqlUuid>, _>(&uplinks)
    .bind::<Array<Timestamptz>, _>(submission.parts.iter().map(|part| part.received_at).collect::<Vec<_>>())
    .execute(&mut conn)
    .await?;
    Ok(())
}

/// A device's waiting uplinks in the order in which they came; of too many, the last.
pub(super) async fn waiting(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    device: DeviceId,
    limit: usize,
) -> QueryResult<Vec<WaitingRow>> {
    let mut rows: Vec<WaitingRow> = diesel::sql_query(
        "SELECT uplink_id, received_at, tried FROM waiting_frames WHERE tenant_id = $1 AND device_id = $2 \
         ORDER BY received_at DESC, uplink_id DESC LIMIT $3",
    )
    .bind::<SqlUuid, _>(tenant)
    .bind::<SqlUuid, _>(device)
    .bind::<BigInt, _>(i64::try_from(limit).unwrap_or(i64::MAX))
    .load(conn)
    .await?;
    rows.reverse();
    Ok(rows)
}

/// Writes down that these were tried with everything that waits.
pub(super) async fn mark_tried(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    device: DeviceId,
    rows: &[WaitingRow],
) -> QueryResult<usize> {
    diesel::sql_query(
        "UPDATE waiting_frames SET tried = true WHERE tenant_id = $1 AND device_id = $2 AND uplink_id = ANY($3)",
    )
    .bind::<SqlUuid, _>(tenant)
    .bind::<SqlUuid, _>(device)
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.uplink_id).collect::<Vec<_>>())
    .execute(conn)
    .await
}

/// A device whose waiting uplinks were not tried together yet.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub(super) struct Untried {
    #[diesel(sql_type = SqlUuid)]
    pub(super) tenant_id: TenantId,
    #[diesel(sql_type = SqlUuid)]
    pub(super) device_id: DeviceId,
}

/// Devices that may send, with several waiting uplinks of which one was not tried with the others.
pub(super) async fn untried(conn: &mut AsyncPgConnection) -> QueryResult<Vec<Untried>> {
    diesel::sql_query(
        "SELECT DISTINCT w.tenant_id, w.device_id FROM waiting_frames w \
         JOIN device d ON d.tenant_id = w.tenant_id AND d.id = w.device_id AND d.active AND d.enrolled_until IS NULL \
         WHERE NOT w.tried AND EXISTS (SELECT FROM waiting_frames o WHERE o.tenant_id = w.tenant_id AND o.device_id = w.device_id AND o.uplink_id <> w.uplink_id) \
         LIMIT 200",
    )
    .load(conn)
    .await
}

/// Puts what waited too long into quarantine; answers how many uplinks.
pub(super) async fn expire(conn: &mut AsyncPgConnection, now: DateTime<Utc>, limit: i64) -> QueryResult<usize> {
    diesel::sql_query(
        "WITH gone AS (DELETE FROM waiting_frames WHERE (tenant_id, device_id, uplink_id) IN ( \
                 SELECT tenant_id, device_id, uplink_id FROM waiting_frames WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED) \
                 RETURNING tenant_id, device_id, uplink_id, received_at), \
              passport AS (UPDATE uplink u SET outcome = 'undecodable', reason = 'incomplete' FROM gone g \
                 WHERE u.tenant_id = g.tenant_id AND u.id = g.uplink_id AND u.received_at = g.received_at) \
         INSERT INTO quarantine (tenant_id, uplink_id, received_at, device_id, reason, detail) \
         SELECT tenant_id, uplink_id, received_at, device_id, 'incomplete', 'The rest of the frames of this record did not come in time.' FROM gone \
         ON CONFLICT (tenant_id, uplink_id) DO UPDATE SET state = 'open', reason = excluded.reason, detail = excluded.detail, updated_at = now()",
    )
    .bind::<Timestamptz, _>(now)
    .bind::<BigInt, _>(limit)
    .execute(conn)
    .await
}
