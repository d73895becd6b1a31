//! Pulls as operators see and steer them.

use chrono::{DateTime, Utc};
use db::{FeedId, TenantId};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

/// Lets a pull that waits or was given up be tried at once; 0 when it is not there.
pub async fn retry(
    conn: &mut AsyncPgConnection,
    tenants: &[TenantId],
    feed: FeedId,
    id: Uuid,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    diesel::sql_query(
        "UPDATE feed_pull SET state = CASE state WHEN 'pulling' THEN state ELSE 'waiting' END, \
             next_at = CASE state WHEN 'pulling' THEN next_at ELSE $4 END, attempts = 0 \
         WHERE tenant_id = ANY($1) AND feed_id = $2 AND id = $3",
    )
    .bind::<Array<SqlUuid>, _>(tenants)
    .bind::<SqlUuid, _>(feed)
    .bind::<SqlUuid, _>(id)
    .bind::<Timestamptz, _>(now)
    .execute(conn)
    .await
}

/// Forgets a pull; 0 when it is not there.
pub async fn discard(conn: &mut AsyncPgConnection, tenants: &[TenantId], feed: FeedId, id: Uuid) -> QueryResult<usize> {
    diesel::sql_query("DELETE FROM feed_pull WHERE tenant_id = ANY($1) AND feed_id = $2 AND id = $3")
        .bind::<Array<SqlUuid>, _>(tenants)
        .bind::<SqlUuid, _>(feed)
        .bind::<SqlUuid, _>(id)
        .execute(conn)
        .await
}

/// A pull as operators see it.
#[derive(Debug, QueryableByName)]
pub struct PullRow {
    /// Its id.
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    /// The vendor's id of the account.
    #[diesel(sql_type = Text)]
    pub external_id: String,
    /// `measurements`, `activity` or `subscription`.
    #[diesel(sql_type = Text)]
    pub kind: String,
    /// From when.
    #[diesel(sql_type = Timestamptz)]
    pub range_from: DateTime<Utc>,
    /// Until when.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub range_until: Option<DateTime<Utc>>,
    /// `waiting`, `pulling`, `unauthorized` or `dead`.
    #[diesel(sql_type = Text)]
    pub state: String,
    /// How often it was tried.
    #[diesel(sql_type = Integer)]
    pub attempts: i32,
    /// When it is tried next.
    #[diesel(sql_type = Timestamptz)]
    pub next_at: DateTime<Utc>,
    /// Why it did not succeed.
    #[diesel(sql_type = Nullable<Text>)]
    pub last_error: Option<String>,
    /// When it was announced.
    #[diesel(sql_type = Timestamptz)]
    pub notified_at: DateTime<Utc>,
}

/// What a feed still has to fetch, after an id.
pub async fn list(
    conn: &mut AsyncPgConnection,
    tenants: &[TenantId],
    feed: FeedId,
    after: Uuid,
    limit: i64,
) -> QueryResult<Vec<PullRow>> {
    diesel::sql_query(
        "SELECT id, external_id, kind, range_from, range_until, state, attempts, next_at, last_error, notified_at FROM feed_pull \
         WHERE tenant_id = ANY($1) AND feed_id = $2 AND id > $3 ORDER BY id LIMIT $4",
    )
    .bind::<Array<SqlUuid>, _>(tenants)
    .bind::<SqlUuid, _>(feed)
    .bind::<SqlUuid, _>(after)
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await
}
