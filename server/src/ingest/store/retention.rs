//! What retention reads and writes, as the worker: raw bytes of open items are put aside, the others go.

use chrono::{DateTime, NaiveDate, Utc};
use db::TenantId;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};

/// A period of receipt: from, inclusive, until, exclusive.
pub type Period = (DateTime<Utc>, DateTime<Utc>);

#[derive(QueryableByName)]
struct Flag {
    #[diesel(sql_type = Bool)]
    flag: bool,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// What a person still has to settle, or frames are still missing of. Rows: tenant, uplink, time of receipt. By tenant, so
/// that the indexes on (tenant, state, receipt) serve.
const OPEN: &str = "SELECT q.tenant_id, q.uplink_id, q.received_at FROM quarantine q WHERE q.tenant_id = t.id AND q.state = 'open' \
     UNION SELECT h.tenant_id, h.uplink_id, h.received_at FROM held_reading h WHERE h.tenant_id = t.id AND h.state = 'open' \
     UNION SELECT c.tenant_id, c.uplink_id, c.received_at FROM unclaimed_item c WHERE c.tenant_id = t.id AND c.state IN ('open', 'claimed') \
     UNION SELECT u.tenant_id, u.id, u.received_at FROM uplink u WHERE u.tenant_id = t.id AND u.outcome = 'incomplete'";

/// Takes the right to do retention until the transaction ends; false when another process has it.
///
/// # Errors
/// The database's error.
pub async fn take_turn(conn: &mut AsyncPgConnection) -> QueryResult<bool> {
    let row: Flag = diesel::sql_query("SELECT pg_try_advisory_xact_lock(hashtext('afferent.retention')) AS flag")
        .get_result(conn)
        .await?;
    Ok(row.flag)
}

/// The longest retention of any tenant, in days; those without one of their own have `default_days`.
///
/// # Errors
/// The database's error.
pub async fn longest_days(conn: &mut AsyncPgConnection, default_days: i32) -> QueryResult<i32> {
    let row: Number =
        diesel::sql_query("SELECT greatest($1, max(uplink_retention_days))::bigint AS number FROM tenant")
            .bind::<Integer, _>(default_days)
            .get_result(conn)
            .await?;
    Ok(i32::try_from(row.number).unwrap_or(i32::MAX))
}

/// Puts the raw bytes of open items of a period aside, of one tenant or of all; those that are there already stay.
///
/// # Errors
/// The database's error.
pub async fn keep_open(
    conn: &mut AsyncPgConnection,
    tenant: Option<TenantId>,
    (from, until): Period,
) -> QueryResult<usize> {
    diesel::sql_query(format!(
        "INSERT INTO uplink_body_kept (tenant_id, uplink_id, received_at, key_id, body) \
         SELECT b.tenant_id, b.uplink_id, b.received_at, b.key_id, b.body \
         FROM tenant t CROSS JOIN LATERAL (SELECT * FROM ({OPEN}) AS any_time WHERE received_at >= $2 AND received_at < $3) AS o \
         JOIN uplink_body b ON b.received_at = o.received_at AND b.tenant_id = o.tenant_id AND b.uplink_id = o.uplink_id \
         WHERE ($1 IS NULL OR t.id = $1) AND b.received_at >= $2 AND b.received_at < $3 \
         ON CONFLICT (tenant_id, uplink_id) DO NOTHING"
    ))
    .bind::<Nullable<SqlUuid>, _>(tenant)
    .bind::<Timestamptz, _>(from)
    .bind::<Timestamptz, _>(until)
    .execute(conn)
    .await
}

/// Keeps everybody else away from raw bytes until the transaction ends, or fails after a moment. What follows in this
/// transaction is cut short, too: ingest waits behind it.
///
/// # Errors
/// The database's error; that it is locked.
pub async fn lock_bodies(conn: &mut AsyncPgConnection) -> QueryResult<()> {
    conn.batch_execute(
        "SET LOCAL lock_timeout = 200; SET LOCAL statement_timeout = 500; LOCK TABLE ONLY uplink_body IN ACCESS EXCLUSIVE MODE",
    )
    .await
}

/// Whether raw bytes of open items of a period are not put aside yet. As a rule there are none, and no partition is read:
/// it is looked into for what is missing alone.
///
/// # Errors
/// The database's error.
pub async fn any_left(conn: &mut AsyncPgConnection, (from, until): Period) -> QueryResult<bool> {
    let row: Flag = diesel::sql_query(format!(
        "SELECT EXISTS (SELECT FROM tenant t \
             CROSS JOIN LATERAL (SELECT * FROM ({OPEN}) AS any_time WHERE received_at >= $1 AND received_at < $2) AS o \
             CROSS JOIN LATERAL (SELECT FROM uplink_body b WHERE b.received_at = o.received_at AND b.received_at >= $1 AND b.received_at < $2 \
                 AND b.tenant_id = o.tenant_id AND b.uplink_id = o.uplink_id LIMIT 1) AS b \
             WHERE NOT EXISTS (SELECT FROM uplink_body_kept k WHERE k.tenant_id = o.tenant_id AND k.uplink_id = o.uplink_id)) AS flag"
    ))
    .bind::<Timestamptz, _>(from)
    .bind::<Timestamptz, _>(until)
    .get_result(conn)
    .await?;
    Ok(row.flag)
}

/// A tenant whose retention is shorter than the longest.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub struct ShortTenant {
    /// Which.
    #[diesel(sql_type = SqlUuid)]
    pub id: TenantId,
    /// Its raw bytes received before are deleted; the oldest partition's begin when it was never swept.
    #[diesel(sql_type = Timestamptz)]
    pub swept_until: DateTime<Utc>,
    /// Until when they may be, in whole hours.
    #[diesel(sql_type = Timestamptz)]
    pub sweep_until: DateTime<Utc>,
}

/// Tenants with something to sweep.
///
/// # Errors
/// The database's error.
pub async fn short_tenants(
    conn: &mut AsyncPgConnection,
    default_days: i32,
    longest_days: i32,
) -> QueryResult<Vec<ShortTenant>> {
    diesel::sql_query(
        "SELECT id, swept_until, sweep_until FROM ( \
             SELECT t.id, date_trunc('hour', now() - make_interval(days => coalesce(t.uplink_retention_days, $1))) AS sweep_until, \
                    greatest(t.bodies_swept_until, o.oldest) AS swept_until \
             FROM tenant t, (SELECT min(to_date(right(c.relname, 8), 'YYYYMMDD'))::timestamp AT TIME ZONE 'UTC' AS oldest \
                 FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'uplink_body'::regclass) AS o \
             WHERE coalesce(t.uplink_retention_days, $1) < $2) AS s \
         WHERE swept_until < sweep_until ORDER BY id",
    )
    .bind::<Integer, _>(default_days)
    .bind::<Integer, _>(longest_days)
    .load(conn)
    .await
}

/// Deletes some of a tenant's raw bytes of a period; answers how many.
///
/// # Errors
/// The database's error.
pub async fn delete_bodies(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    (from, until): Period,
    limit: i64,
) -> QueryResult<usize> {
    diesel::sql_query(
        "DELETE FROM uplink_body WHERE tenant_id = $1 AND received_at >= $2 AND received_at < $3 AND uplink_id = ANY(ARRAY( \
             SELECT uplink_id FROM uplink_body WHERE tenant_id = $1 AND received_at >= $2 AND received_at < $3 LIMIT $4))",
    )
    .bind::<SqlUuid, _>(tenant)
    .bind::<Timestamptz, _>(from)
    .bind::<Timestamptz, _>(until)
    .bind::<BigInt, _>(limit)
    .execute(conn)
    .await
}

/// Writes down how far a tenant's raw bytes are swept.
///
/// # Errors
/// The database's error.
pub async fn set_swept(conn: &mut AsyncPgConnection, tenant: TenantId, until: DateTime<Utc>) -> QueryResult<()> {
    diesel::sql_query("UPDATE tenant SET bodies_swept_until = $2 WHERE id = $1")
        .bind::<SqlUuid, _>(tenant)
        .bind::<Timestamptz, _>(until)
        .execute(conn)
        .await?;
    Ok(())
}

/// Forgets raw bytes that were put aside and that nobody needs any more: everything of their uplink is settled.
///
/// # Errors
/// The database's error.
pub async fn forget_settled(conn: &mut AsyncPgConnection, limit: i64) -> QueryResult<usize> {
    diesel::sql_query(
        "DELETE FROM uplink_body_kept WHERE (tenant_id, uplink_id) IN ( \
             SELECT k.tenant_id, k.uplink_id FROM uplink_body_kept k \
             WHERE NOT EXISTS (SELECT FROM quarantine q WHERE q.tenant_id = k.tenant_id AND q.uplink_id = k.uplink_id AND q.state = 'open') \
               AND NOT EXISTS (SELECT FROM held_reading h WHERE h.tenant_id = k.tenant_id AND h.state = 'open' AND h.received_at = k.received_at AND h.uplink_id = k.uplink_id) \
               AND NOT EXISTS (SELECT FROM unclaimed_item c WHERE c.tenant_id = k.tenant_id AND c.uplink_id = k.uplink_id AND c.state IN ('open', 'claimed')) \
               AND NOT EXISTS (SELECT FROM uplink u WHERE u.tenant_id = k.tenant_id AND u.id = k.uplink_id AND u.received_at = k.received_at AND u.outcome = 'incomplete') \
             LIMIT $1)",
    )
    .bind::<BigInt, _>(limit)
    .execute(conn)
    .await
}

/// What is open, and for how long still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenKind {
    /// Not decodable.
    Quarantine,
    /// Waits for a person: unassigned, implausible.
    Held,
    /// Of a device behind a hub that nobody has claimed.
    Unclaimed,
    /// Frames are missing.
    Incomplete,
}

impl OpenKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Quarantine, Self::Held, Self::Unclaimed, Self::Incomplete];

    /// As metric label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quarantine => "quarantine",
            Self::Held => "held",
            Self::Unclaimed => "unclaimed",
            Self::Incomplete => "incomplete",
        }
    }

    /// Table, and what makes a row open.
    const fn open(self) -> (&'static str, &'static str) {
        match self {
            Self::Quarantine => ("quarantine", "state = 'open'"),
            Self::Held => ("held_reading", "state = 'open'"),
            Self::Unclaimed => ("unclaimed_item", "state IN ('open', 'claimed')"),
            Self::Incomplete => ("uplink", "outcome = 'incomplete'"),
        }
    }

    const fn expired(self) -> &'static str {
        match self {
            Self::Quarantine => "state = 'expired', updated_at = now()",
            Self::Held => "state = 'expired'",
            Self::Unclaimed => "state = 'expired', settled_at = now()",
            Self::Incomplete => "outcome = 'expired', reason = 'incomplete'",
        }
    }
}

/// When an item received then expires, as SQL on a tenant `t`: its own retention, if that is longer than the limit.
const LIFETIME: &str = "make_interval(days => greatest($1, coalesce(t.uplink_retention_days, $2)))";

/// How many of a tenant's items expired.
#[derive(Debug, QueryableByName)]
pub struct Expired {
    /// Whose.
    #[diesel(sql_type = SqlUuid)]
    pub tenant_id: TenantId,
    /// How many.
    #[diesel(sql_type = BigInt)]
    pub number: i64,
}

/// Closes what nobody settled in `open_days` as `expired`; by tenant, how many.
///
/// # Errors
/// The database's error.
pub async fn expire(
    conn: &mut AsyncPgConnection,
    kind: OpenKind,
    open_days: i32,
    default_days: i32,
) -> QueryResult<Vec<Expired>> {
    let (table, open) = kind.open();
    diesel::sql_query(format!(
        "WITH expired AS (UPDATE {table} SET {} FROM tenant t \
             WHERE t.id = {table}.tenant_id AND {open} AND {table}.received_at < now() - {LIFETIME} RETURNING {table}.tenant_id) \
         SELECT tenant_id, count(*) AS number FROM expired GROUP BY tenant_id",
        kind.expired()
    ))
    .bind::<Integer, _>(open_days)
    .bind::<Integer, _>(default_days)
    .load(conn)
    .await
}

/// Closes as `expired` what is open and has its raw bytes under one of these data keys: they cannot be opened any more.
///
/// # Errors
/// The database's error.
pub async fn expire_sealed_with(conn: &mut AsyncPgConnection, kind: OpenKind, keys: &[i32]) -> QueryResult<usize> {
    let (table, open) = kind.open();
    let uplink = if kind == OpenKind::Incomplete { "id" } else { "uplink_id" };
    diesel::sql_query(format!(
        "UPDATE {table} AS i SET {} WHERE {open} AND ( \
             EXISTS (SELECT FROM uplink_body_kept k WHERE k.tenant_id = i.tenant_id AND k.uplink_id = i.{uplink} AND k.key_id = ANY($1)) \
             OR EXISTS (SELECT FROM uplink_body b WHERE b.received_at = i.received_at AND b.tenant_id = i.tenant_id AND b.uplink_id = i.{uplink} AND b.key_id = ANY($1)))",
        kind.expired()
    ))
    .bind::<Array<Integer>, _>(keys)
    .execute(conn)
    .await
}

/// How many items expire within `warn_days`, unless somebody settles them.
///
/// # Errors
/// The database's error.
pub async fn expiring(
    conn: &mut AsyncPgConnection,
    kind: OpenKind,
    open_days: i32,
    default_days: i32,
    warn_days: i32,
) -> QueryResult<i64> {
    let (table, open) = kind.open();
    let row: Number = diesel::sql_query(format!(
        "SELECT count(*) AS number FROM {table} JOIN tenant t ON t.id = {table}.tenant_id \
         WHERE {open} AND {table}.received_at < now() - {LIFETIME} + make_interval(days => $3)"
    ))
    .bind::<Integer, _>(open_days)
    .bind::<Integer, _>(default_days)
    .bind::<Integer, _>(warn_days)
    .get_result(conn)
    .await?;
    Ok(row.number)
}

/// Whether raw bytes that an older server wrote unsealed wait to be moved, of a day that is to be dropped or before.
///
/// # Errors
/// The database's error.
pub async fn unsealed_until(conn: &mut AsyncPgConnection, day: NaiveDate) -> QueryResult<bool> {
    let row: Flag = diesel::sql_query(
        "SELECT EXISTS (SELECT FROM uplink WHERE body IS NOT NULL AND received_at < $1::date::timestamp AT TIME ZONE 'UTC' + interval '1 day') AS flag",
    )
    .bind::<Text, _>(day.to_string())
    .get_result(conn)
    .await?;
    Ok(row.flag)
}
