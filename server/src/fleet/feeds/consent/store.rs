//! Rows of `feed_consent`.

use chrono::{DateTime, Utc};
use db::schema::feed_consent as t;
use db::{DeviceId, FeedId, TenantId};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::identity::TokenHash;

/// Stores a link with its state's hash and end; those of the feed that ended go.
pub async fn insert(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    feed: FeedId,
    device: DeviceId,
    (hash, expires_at): (TokenHash, DateTime<Utc>),
    now: DateTime<Utc>,
) -> QueryResult<()> {
    diesel::delete(t::table)
        .filter(t::tenant_id.eq(tenant))
        .filter(t::feed_id.eq(feed))
        .filter(t::expires_at.le(now))
        .execute(conn)
        .await?;
    diesel::insert_into(t::table)
        .values((
            t::tenant_id.eq(tenant),
            t::id.eq(Uuid::now_v7()),
            t::feed_id.eq(feed),
            t::device_id.eq(device),
            t::state_hash.eq(hash.to_vec()),
            t::expires_at.eq(expires_at),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Whose link a state is, as the worker: a callback shows it before the tenant is known.
pub async fn tenant_of(conn: &mut AsyncPgConnection, feed: FeedId, hash: &TokenHash) -> QueryResult<Option<TenantId>> {
    t::table
        .filter(t::state_hash.eq(hash.as_slice()))
        .filter(t::feed_id.eq(feed))
        .select(t::tenant_id)
        .first(conn)
        .await
        .optional()
}

/// Uses up a link: for which device it is, and when it ends or ended. None when another request was faster.
pub async fn take(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    hash: &TokenHash,
) -> QueryResult<Option<(DeviceId, DateTime<Utc>)>> {
    diesel::delete(t::table)
        .filter(t::tenant_id.eq(tenant))
        .filter(t::state_hash.eq(hash.as_slice()))
        .returning((t::device_id, t::expires_at))
        .get_result(conn)
        .await
        .optional()
}
