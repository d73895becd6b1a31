//! Which lanes have work, and who may send on them. All times are the database's: several processes share them.

use std::time::Duration;

use db::{Constant as _, EndpointId, TenantId};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, SmallInt, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::forward::model::LANES;

/// A lane of an endpoint that may be sent to, with waiting deliveries.
#[derive(Debug, Clone, QueryableByName)]
pub(crate) struct ReadyLane {
    #[diesel(sql_type = SqlUuid)]
    pub(crate) tenant_id: TenantId,
    #[diesel(sql_type = SqlUuid)]
    pub(crate) endpoint_id: EndpointId,
    #[diesel(sql_type = SmallInt)]
    pub(crate) lane: i16,
    /// Milliseconds until its first delivery is due; 0 or less: it is.
    #[diesel(sql_type = BigInt)]
    pub(crate) due_in_ms: i64,
    /// Lanes of this endpoint that somebody is sending on, in any process.
    #[diesel(sql_type = BigInt)]
    pub(crate) busy: i64,
    /// Failures in a row of the endpoint.
    #[diesel(sql_type = Integer)]
    pub(crate) failures: i32,
}

/// The right to send on a lane.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lease {
    pub(crate) tenant: TenantId,
    pub(crate) endpoint: EndpointId,
    pub(crate) lane: i16,
    /// The fence: whoever comes after has a higher one.
    pub(crate) token: i64,
}

#[derive(QueryableByName)]
struct Claimed {
    #[diesel(sql_type = BigInt)]
    token: i64,
    #[diesel(sql_type = Bool)]
    abandoned: bool,
}

/// Lanes with waiting deliveries that nobody holds, of endpoints that may be sent to: active, circuit not open, tenant
/// active, forwarding not paused. One index probe a lane, however long the queues are.
pub(crate) async fn ready_lanes(conn: &mut AsyncPgConnection) -> QueryResult<Vec<ReadyLane>> {
    diesel::sql_query(
        "SELECT e.tenant_id, e.id AS endpoint_id, lanes.lane, \
                (EXTRACT(EPOCH FROM first.next_attempt_at - now()) * 1000)::bigint AS due_in_ms, busy.busy, e.failures \
         FROM endpoint e JOIN tenant t ON t.id = e.tenant_id \
         CROSS JOIN LATERAL (SELECT count(*) AS busy FROM lane_lease l \
             WHERE l.tenant_id = e.tenant_id AND l.endpoint_id = e.id AND l.leased_until > now()) busy \
         CROSS JOIN (SELECT g::smallint AS lane FROM generate_series(0, $1 - 1) g) lanes \
         CROSS JOIN LATERAL (SELECT d.next_attempt_at FROM delivery d \
             WHERE d.endpoint_id = e.id AND d.lane = lanes.lane AND d.state = 'pending' ORDER BY d.next_attempt_at LIMIT 1) first \
         WHERE e.active AND t.active AND (e.closed_until IS NULL OR e.closed_until <= now()) \
           AND NOT EXISTS (SELECT FROM installation i WHERE i.forwarding_paused) \
           AND NOT EXISTS (SELECT FROM lane_lease l WHERE l.tenant_id = e.tenant_id AND l.endpoint_id = e.id \
               AND l.lane = lanes.lane AND l.leased_until > now()) \
         ORDER BY first.next_attempt_at",
    )
    .bind::<Integer, _>(i32::from(LANES))
    .prepared()
    .load(conn)
    .await
}

/// Takes a lane for `lease`, unless somebody holds it.
///
/// A lease that ran out without being given back belonged to a process that died, perhaps with a request in flight: the
/// deliveries that can have been in it, the first ones of the lane, are marked as ambiguous. `at_most` must not be smaller
/// than any process's batch.
pub(crate) async fn claim_lane(
    conn: &mut AsyncPgConnection,
    (tenant, endpoint, lane): (TenantId, EndpointId, i16),
    holder: Uuid,
    lease: Duration,
    at_most: i64,
) -> QueryResult<Option<Lease>> {
    let claimed: Option<Claimed> = diesel::sql_query(
        "WITH before AS MATERIALIZED (SELECT leased_until > '-infinity' AS kept FROM lane_lease \
             WHERE tenant_id = $1 AND endpoint_id = $2 AND lane = $3) \
         INSERT INTO lane_lease AS l (tenant_id, endpoint_id, lane, token, holder, leased_until) \
         VALUES ($1, $2, $3, 1, $4, now() + $5 * interval '1 millisecond') \
         ON CONFLICT (tenant_id, endpoint_id, lane) DO UPDATE \
             SET token = l.token + 1, holder = excluded.holder, leased_until = excluded.leased_until \
             WHERE l.leased_until <= now() \
         RETURNING token, COALESCE((SELECT kept FROM before), false) AS abandoned",
    )
    .bind::<SqlUuid, _>(tenant)
    .bind::<SqlUuid, _>(endpoint)
    .bind::<SmallInt, _>(lane)
    .bind::<SqlUuid, _>(holder)
    .bind::<BigInt, _>(milliseconds(lease))
    .prepared()
    .get_result(conn)
    .await
    .optional()?;
    let Some(claimed) = claimed else { return Ok(None) };
    if claimed.abandoned {
        diesel::sql_query(
            "UPDATE delivery SET ambiguous = true WHERE tenant_id = $1 AND id IN (SELECT id FROM delivery \
                 WHERE tenant_id = $1 AND endpoint_id = $2 AND lane = $3 AND state = 'pending' ORDER BY next_attempt_at, id LIMIT $4)",
        )
        .bind::<SqlUuid, _>(tenant)
        .bind::<SqlUuid, _>(endpoint)
        .bind::<SmallInt, _>(lane)
        .bind::<BigInt, _>(at_most)
        .prepared()
        .execute(conn)
        .await?;
    }
    Ok(Some(Lease { tenant, endpoint, lane, token: claimed.token }))
}

/// Holds the lane for another `lease` from now. False: somebody else has it.
pub(crate) async fn renew_lane(conn: &mut AsyncPgConnection, lease: &Lease, duration: Duration) -> QueryResult<bool> {
    set_lease(conn, lease, Some(duration)).await
}

/// Gives the lane back: nothing is in flight.
pub(crate) async fn release_lane(conn: &mut AsyncPgConnection, lease: &Lease) -> QueryResult<bool> {
    set_lease(conn, lease, None).await
}

async fn set_lease(conn: &mut AsyncPgConnection, lease: &Lease, duration: Option<Duration>) -> QueryResult<bool> {
    let updated = diesel::sql_query(
        "UPDATE lane_lease SET leased_until = COALESCE(now() + $5 * interval '1 millisecond', '-infinity') \
         WHERE tenant_id = $1 AND endpoint_id = $2 AND lane = $3 AND token = $4",
    )
    .bind::<SqlUuid, _>(lease.tenant)
    .bind::<SqlUuid, _>(lease.endpoint)
    .bind::<SmallInt, _>(lease.lane)
    .bind::<BigInt, _>(lease.token)
    .bind::<Nullable<BigInt>, _>(duration.map(milliseconds))
    .prepared()
    .execute(conn)
    .await?;
    Ok(updated == 1)
}

/// Locks the lease's row, so that nobody can take the lane before this transaction ends. False: somebody has.
pub(crate) async fn fence(conn: &mut AsyncPgConnection, lease: &Lease) -> QueryResult<bool> {
    #[derive(QueryableByName)]
    struct Token {
        #[diesel(sql_type = BigInt)]
        token: i64,
    }
    let found: Option<Token> = diesel::sql_query(
        "SELECT token FROM lane_lease WHERE tenant_id = $1 AND endpoint_id = $2 AND lane = $3 FOR UPDATE",
    )
    .bind::<SqlUuid, _>(lease.tenant)
    .bind::<SqlUuid, _>(lease.endpoint)
    .bind::<SmallInt, _>(lease.lane)
    .prepared()
    .get_result(conn)
    .await
    .optional()?;
    Ok(found.is_some_and(|found| found.token == lease.token))
}

pub(crate) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 1_000_000)
}
