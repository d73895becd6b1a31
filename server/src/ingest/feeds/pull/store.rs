//! Rows of `feed_pull`.

use chrono::{DateTime, TimeDelta, Utc};
use db::{FeedId, TenantId};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::error::{Error, Kind as ErrorKind};
use crate::fleet::Account;

/// Ranges of one account that wait beside each other; more are merged, whatever lies between them.
const MOST_OF_ACCOUNT: i64 = 32;
/// Pulls of one feed: a vendor that announces for so many accounts that nobody authorized is told to come again.
const MOST_OF_FEED: i64 = 20_000;

/// What is fetched of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Measurements of devices.
    Measurements,
    /// Days of activity: ranges are midnights (UTC) that stand for dates.
    Activity,
    /// Nothing: the vendor is asked to announce.
    Subscription,
}

impl Kind {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Measurements => "measurements",
            Self::Activity => "activity",
            Self::Subscription => "subscription",
        }
    }
}

/// What is to be fetched.
pub struct NewPull {
    /// Of which kind.
    pub kind: Kind,
    /// From when.
    pub from: DateTime<Utc>,
    /// Until when; none: whatever was made or changed since `from`.
    pub until: Option<DateTime<Utc>>,
    /// When it is tried first.
    pub due: DateTime<Utc>,
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    of_account: i64,
    #[diesel(sql_type = BigInt)]
    of_feed: i64,
}

/// Adds a pull, or makes one that waits already cover it: ranges that touch, or are less than a day apart. One that is being
/// pulled is left alone: what is announced now may have come after it looked.
///
/// # Errors
/// 503 when too much waits already; the database's error.
pub async fn add(
    conn: &mut AsyncPgConnection,
    of: Account<'_>,
    pull: &NewPull,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    // Two notifications of an account at the same time: the second one finds what the first one stored.
    diesel::sql_query("SELECT pg_advisory_xact_lock(hashtextextended($1, 20))")
        .bind::<Text, _>(format!("{}/{}/{}", of.feed, of.external, pull.kind.as_str()))
        .execute(conn)
        .await?;
    if merge(conn, of, pull, true).await? > 0 {
        return Ok(());
    }
    let waiting: Counted = diesel::sql_query(
        "SELECT count(*) FILTER (WHERE external_id = $3 AND kind = $4 AND state IN ('waiting', 'unauthorized')) AS of_account, \
                count(*) AS of_feed FROM feed_pull WHERE tenant_id = $1 AND feed_id = $2",
    )
    .bind::<SqlUuid, _>(of.tenant)
    .bind::<SqlUuid, _>(of.feed)
    .bind::<Text, _>(of.external)
    .bind::<Text, _>(pull.kind.as_str())
    .get_result(conn)
    .await?;
    if waiting.of_account >= MOST_OF_ACCOUNT && merge(conn, of, pull, false).await? > 0 {
        return Ok(());
    }
    if waiting.of_feed >= MOST_OF_FEED {
        return Err(Error::new(
            ErrorKind::Unavailable(300),
            "feed.too-many-pulls",
            format!(
                "This feed has {MOST_OF_FEED} announcements to fetch already. Authorize their accounts, or discard them."
            ),
        ));
    }
    insert(conn, of, pull, now).await?;
    Ok(())
}

async fn insert(
    conn: &mut AsyncPgConnection,
    of: Account<'_>,
    pull: &NewPull,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    diesel::sql_query(
        "INSERT INTO feed_pull (tenant_id, id, feed_id, external_id, kind, range_from, range_until, next_at, notified_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind::<SqlUuid, _>(of.tenant)
    .bind::<SqlUuid, _>(Uuid::now_v7())
    .bind::<SqlUuid, _>(of.feed)
    .bind::<Text, _>(of.external)
    .bind::<Text, _>(pull.kind.as_str())
    .bind::<Timestamptz, _>(pull.from)
    .bind::<Nullable<Timestamptz>, _>(pull.until)
    .bind::<Timestamptz, _>(pull.due)
    .bind::<Timestamptz, _>(now)
    .execute(conn)
    .await
}

/// Widens one that waits so that it covers this one; 0 when there is none. One without an end covers all that is announced.
async fn merge(conn: &mut AsyncPgConnection, of: Account<'_>, pull: &NewPull, near: bool) -> QueryResult<usize> {
    diesel::sql_query(
        "UPDATE feed_pull SET \
             range_from = CASE WHEN range_until IS NULL AND $6 IS NOT NULL THEN range_from ELSE LEAST(range_from, $5) END, \
             range_until = GREATEST(range_until, CASE WHEN range_until IS NULL THEN NULL ELSE $6 END) \
         WHERE tenant_id = $1 AND id = (\
             SELECT id FROM feed_pull WHERE tenant_id = $1 AND feed_id = $2 AND external_id = $3 AND kind = $4 \
               AND state IN ('waiting', 'unauthorized') \
               AND (range_until IS NULL OR ($6 IS NOT NULL AND \
                    (NOT $7 OR (range_from <= $6 + interval '1 day' AND range_until >= $5 - interval '1 day')))) \
             ORDER BY range_until DESC NULLS FIRST, id LIMIT 1)",
    )
    .bind::<SqlUuid, _>(of.tenant)
    .bind::<SqlUuid, _>(of.feed)
    .bind::<Text, _>(of.external)
    .bind::<Text, _>(pull.kind.as_str())
    .bind::<Timestamptz, _>(pull.from)
    .bind::<Nullable<Timestamptz>, _>(pull.until)
    .bind::<diesel::sql_types::Bool, _>(near)
    .execute(conn)
    .await
}

/// A pull that is this process's until its lease ends.
#[derive(Debug, Clone, QueryableByName)]
pub struct Pull {
    /// Whose.
    #[diesel(sql_type = SqlUuid)]
    pub tenant_id: TenantId,
    /// Its id.
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    /// The feed.
    #[diesel(sql_type = SqlUuid)]
    pub feed_id: FeedId,
    /// The vendor's id of the account.
    #[diesel(sql_type = Text)]
    pub external_id: String,
    /// `measurements`, `activity` or `subscription`.
    #[diesel(sql_type = Text)]
    pub kind: String,
    /// Start.
    #[diesel(sql_type = Timestamptz)]
    pub range_from: DateTime<Utc>,
    /// End.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub range_until: Option<DateTime<Utc>>,
    /// How often it was tried, this time included.
    #[diesel(sql_type = Integer)]
    pub attempts: i32,
    /// This process's lease.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub lease: Option<Uuid>,
}

impl Pull {
    /// The account.
    pub fn account(&self) -> Account<'_> {
        Account { tenant: self.tenant_id, feed: self.feed_id, external: &self.external_id }
    }
}

/// Takes pulls that are due, of feeds that are active and one of an account, as the worker. A lease that ended is taken over.
pub async fn claim(
    conn: &mut AsyncPgConnection,
    now: DateTime<Utc>,
    lease: TimeDelta,
    limit: i64,
) -> QueryResult<Vec<Pull>> {
    diesel::sql_query(
        "UPDATE feed_pull p SET state = 'pulling', lease = gen_random_uuid(), next_at = $2, attempts = attempts + 1 \
         FROM (SELECT c.tenant_id, c.id FROM feed_pull c \
               JOIN hub h ON h.tenant_id = c.tenant_id AND h.id = c.feed_id AND h.active \
               JOIN tenant t ON t.id = c.tenant_id AND t.active \
               WHERE c.state IN ('waiting', 'pulling') AND c.next_at <= $1 \
                 AND NOT EXISTS (SELECT FROM feed_pull o \
                     WHERE o.tenant_id = c.tenant_id AND o.feed_id = c.feed_id AND o.external_id = c.external_id AND o.id <> c.id \
                       AND (o.state = 'pulling' AND o.next_at > $1 \
                         OR o.state IN ('waiting', 'pulling') AND o.next_at <= $1 AND (o.next_at, o.id) < (c.next_at, c.id))) \
               ORDER BY c.next_at LIMIT $3 FOR UPDATE OF c SKIP LOCKED) AS due \
         WHERE p.tenant_id = due.tenant_id AND p.id = due.id \
         RETURNING p.tenant_id, p.id, p.feed_id, p.external_id, p.kind, p.range_from, p.range_until, p.attempts, p.lease",
    )
    .bind::<Timestamptz, _>(now)
    .bind::<Timestamptz, _>(now + lease)
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await
}

/// Forgets a pull of which everything is committed; 0 when it is not this process's any more.
pub async fn finish(conn: &mut AsyncPgConnection, pull: &Pull) -> QueryResult<usize> {
    diesel::sql_query("DELETE FROM feed_pull WHERE tenant_id = $1 AND id = $2 AND lease = $3")
        .bind::<SqlUuid, _>(pull.tenant_id)
        .bind::<SqlUuid, _>(pull.id)
        .bind::<Nullable<SqlUuid>, _>(pull.lease)
        .execute(conn)
        .await
}

/// What is in front of `from` is committed: whoever goes on begins there.
pub async fn advance(conn: &mut AsyncPgConnection, pull: &Pull, from: DateTime<Utc>) -> QueryResult<usize> {
    diesel::sql_query("UPDATE feed_pull SET range_from = $4 WHERE tenant_id = $1 AND id = $2 AND lease = $3")
        .bind::<SqlUuid, _>(pull.tenant_id)
        .bind::<SqlUuid, _>(pull.id)
        .bind::<Nullable<SqlUuid>, _>(pull.lease)
        .bind::<Timestamptz, _>(from)
        .execute(conn)
        .await
}

/// Where a pull stands after a try that did not end it.
pub struct Later<'a> {
    /// `waiting`, `unauthorized` or `dead`.
    pub state: &'a str,
    /// Tries that count.
    pub attempts: i32,
    /// When it is tried again.
    pub next_at: DateTime<Utc>,
    /// Why.
    pub reason: Option<&'a str>,
}

/// Puts a pull back; 0 when it is not this process's any more.
pub async fn put_back(conn: &mut AsyncPgConnection, pull: &Pull, later: &Later<'_>) -> QueryResult<usize> {
    diesel::sql_query(
        "UPDATE feed_pull SET state = $4, attempts = $5, next_at = $6, last_error = $7, lease = NULL \
         WHERE tenant_id = $1 AND id = $2 AND lease = $3",
    )
    .bind::<SqlUuid, _>(pull.tenant_id)
    .bind::<SqlUuid, _>(pull.id)
    .bind::<Nullable<SqlUuid>, _>(pull.lease)
    .bind::<Text, _>(later.state)
    .bind::<Integer, _>(later.attempts)
    .bind::<Timestamptz, _>(later.next_at)
    .bind::<Nullable<Text>, _>(later.reason)
    .execute(conn)
    .await
}

/// Lets nothing of a feed be pulled before a time: the vendor asked for slower.
pub async fn pause(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    feed: FeedId,
    until: DateTime<Utc>,
) -> QueryResult<usize> {
    diesel::sql_query(
        "UPDATE feed_pull SET next_at = $3 WHERE tenant_id = $1 AND feed_id = $2 AND state = 'waiting' AND next_at < $3",
    )
    .bind::<SqlUuid, _>(tenant)
    .bind::<SqlUuid, _>(feed)
    .bind::<Timestamptz, _>(until)
    .execute(conn)
    .await
}

/// Lets everything of an account be tried at once: it was authorized anew. One that is being pulled is begun again, because
/// it may have looked before.
pub async fn wake(conn: &mut AsyncPgConnection, of: Account<'_>, now: DateTime<Utc>) -> QueryResult<usize> {
    diesel::sql_query(
        "UPDATE feed_pull SET state = 'waiting', attempts = 0, next_at = $4, lease = NULL \
         WHERE tenant_id = $1 AND feed_id = $2 AND external_id = $3",
    )
    .bind::<SqlUuid, _>(of.tenant)
    .bind::<SqlUuid, _>(of.feed)
    .bind::<Text, _>(of.external)
    .bind::<Timestamptz, _>(now)
    .execute(conn)
    .await
}

/// Forgets everything of an account.
///
/// # Errors
/// The database's error.
pub async fn forget(conn: &mut AsyncPgConnection, of: Account<'_>) -> QueryResult<usize> {
    diesel::sql_query("DELETE FROM feed_pull WHERE tenant_id = $1 AND feed_id = $2 AND external_id = $3")
        .bind::<SqlUuid, _>(of.tenant)
        .bind::<SqlUuid, _>(of.feed)
        .bind::<Text, _>(of.external)
        .execute(conn)
        .await
}
