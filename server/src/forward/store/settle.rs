//! What became of deliveries, written by whoever holds the lane.

use std::time::Duration;

use db::{Constant as _, DeliveryId, EndpointId, TenantId};
use diesel::QueryResult;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::lanes::milliseconds;

/// A delivery that is over.
#[derive(Debug, Clone)]
pub(crate) struct Finished {
    pub(crate) id: DeliveryId,
    /// The version that was sent: a newer one that came meanwhile stays.
    pub(crate) version: i32,
    /// Where it is over there.
    pub(crate) location: Option<String>,
}

/// Deliveries that failed in the same way.
#[derive(Debug, Clone)]
pub(crate) struct Failed {
    /// Ids, with the version that was sent.
    pub(crate) deliveries: Vec<(DeliveryId, i32)>,
    /// Given up; a newer version that came meanwhile still goes out.
    pub(crate) dead: bool,
    /// The endpoint got to see them, or may have.
    pub(crate) counts: bool,
    pub(crate) ambiguous: bool,
    /// Until the next attempt.
    pub(crate) pause: Duration,
    pub(crate) status: Option<u16>,
    pub(crate) reason: String,
    pub(crate) outcome: Option<String>,
}

/// What an exchange says about the endpoint.
#[derive(Debug, Clone)]
pub(crate) enum Health {
    /// It took something.
    Success,
    /// It answers, though it took nothing.
    Answering,
    /// It asked for a pause.
    Pause(Duration),
    /// It failed. The circuit opens for the pause: `at_once`, or after so many failures in a row.
    Failure { reason: String, pause: Duration, at_once: bool },
}

/// Moves deliveries to the log; sorted by resource, like the inserts, so that the two cannot wait for each other.
pub(crate) async fn finish(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    finished: &[Finished],
    outcome: &str,
) -> QueryResult<usize> {
    if finished.is_empty() {
        return Ok(0);
    }
    diesel::sql_query(
        "WITH sent AS (SELECT * FROM unnest($2, $3, $4) AS x(id, version, location)), \
         locked AS (SELECT d.id, s.location FROM delivery d JOIN sent s ON s.id = d.id \
             WHERE d.tenant_id = $1 AND d.version <= s.version \
             ORDER BY d.endpoint_id, d.resource_type, d.resource_id FOR UPDATE OF d), \
         done AS (DELETE FROM delivery d USING locked l WHERE d.tenant_id = $1 AND d.id = l.id \
             RETURNING d.tenant_id, d.id, d.endpoint_id, d.resource_type, d.resource_id, d.version, d.attempts, d.created_at, l.location) \
         INSERT INTO delivery_log (tenant_id, id, finished_at, endpoint_id, resource_type, resource_id, version, attempts, created_at, outcome, location) \
         SELECT tenant_id, id, now(), endpoint_id, resource_type, resource_id, version, attempts + 1, created_at, $5, location FROM done",
    )
    .bind::<SqlUuid, _>(tenant)
    .bind::<Array<SqlUuid>, _>(finished.iter().map(|one| one.id).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(finished.iter().map(|one| one.version).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(finished.iter().map(|one| one.location.as_deref()).collect::<Vec<_>>())
    .bind::<Text, _>(outcome)
    .prepared()
    .execute(conn)
    .await
}

/// Notes a failure with its deliveries.
pub(crate) async fn fail(conn: &mut AsyncPgConnection, tenant: TenantId, failed: &Failed) -> QueryResult<usize> {
    diesel::sql_query(
        "WITH sent AS (SELECT * FROM unnest($2, $3) AS x(id, version)), \
         locked AS (SELECT d.id, d.version <= s.version AS same FROM delivery d JOIN sent s ON s.id = d.id WHERE d.tenant_id = $1 \
             ORDER BY d.endpoint_id, d.resource_type, d.resource_id FOR UPDATE OF d) \
         UPDATE delivery d SET attempts = d.attempts + $10::int, ambiguous = d.ambiguous OR $4, \
             state = CASE WHEN $5 AND l.same THEN 'dead' ELSE 'pending' END, \
             next_attempt_at = now() + $6 * interval '1 millisecond', updated_at = now(), \
             last_status = $7, last_reason = $8, last_outcome = $9 \
         FROM locked l WHERE d.tenant_id = $1 AND d.id = l.id",
    )
    .bind::<SqlUuid, _>(tenant)
    .bind::<Array<SqlUuid>, _>(failed.deliveries.iter().map(|(id, _)| *id).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(failed.deliveries.iter().map(|(_, version)| *version).collect::<Vec<_>>())
    .bind::<Bool, _>(failed.ambiguous)
    .bind::<Bool, _>(failed.dead)
    .bind::<BigInt, _>(milliseconds(failed.pause))
    .bind::<Nullable<Integer>, _>(failed.status.map(i32::from))
    .bind::<Text, _>(&failed.reason)
    .bind::<Nullable<Text>, _>(failed.outcome.as_deref())
    .bind::<Integer, _>(i32::from(failed.counts))
    .prepared()
    .execute(conn)
    .await
}

/// What the circuit breaker learns. A success is written at most every ten seconds: it is the same row for all lanes.
pub(crate) async fn note_health(
    conn: &mut AsyncPgConnection,
    (tenant, endpoint): (TenantId, EndpointId),
    health: &Health,
    threshold: i32,
) -> QueryResult<()> {
    match health {
        Health::Success => {
            diesel::sql_query(
                "UPDATE endpoint SET failures = 0, closed_until = NULL, last_error = NULL, last_success_at = now() \
                 WHERE tenant_id = $1 AND id = $2 \
                   AND (failures > 0 OR closed_until IS NOT NULL OR last_success_at IS NULL OR last_success_at < now() - interval '10 seconds')",
            )
            .bind::<SqlUuid, _>(tenant)
            .bind::<SqlUuid, _>(endpoint)
            .prepared()
            .execute(conn)
            .await?;
        }
        Health::Answering => {
            diesel::sql_query(
                "UPDATE endpoint SET failures = 0, closed_until = NULL WHERE tenant_id = $1 AND id = $2 AND (failures > 0 OR closed_until IS NOT NULL)",
            )
            .bind::<SqlUuid, _>(tenant)
            .bind::<SqlUuid, _>(endpoint)
            .prepared()
            .execute(conn)
            .await?;
        }
        Health::Pause(pause) => {
            diesel::sql_query(
                "UPDATE endpoint SET closed_until = GREATEST(closed_until, now() + $3 * interval '1 millisecond') WHERE tenant_id = $1 AND id = $2",
            )
            .bind::<SqlUuid, _>(tenant)
            .bind::<SqlUuid, _>(endpoint)
            .bind::<BigInt, _>(milliseconds(*pause))
            .prepared()
            .execute(conn)
            .await?;
        }
        Health::Failure { reason, pause, at_once } => {
            diesel::sql_query(
                "UPDATE endpoint SET failures = LEAST(failures + 1, 1000000), last_error = $3, \
                     closed_until = CASE WHEN $4 OR failures + 1 >= $5 THEN GREATEST(closed_until, now() + $6 * interval '1 millisecond') ELSE closed_until END \
                 WHERE tenant_id = $1 AND id = $2",
            )
            .bind::<SqlUuid, _>(tenant)
            .bind::<SqlUuid, _>(endpoint)
            .bind::<Text, _>(reason)
            .bind::<Bool, _>(*at_once)
            .bind::<Integer, _>(threshold)
            .bind::<BigInt, _>(milliseconds(*pause))
            .prepared()
            .execute(conn)
            .await?;
        }
    }
    Ok(())
}
