//! Feeds: rows of `feed`, each with the row of `hub` that carries its name, zone, activity and links.

use db::schema::{feed, hub};
use db::{DeviceId, FeedId, TenantId};
use diesel::prelude::*;
use diesel::sql_types::{Array, Jsonb, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use crate::fleet::store::hub::HubRow;

/// What `hub.kind` says of a feed.
pub const KIND: &str = "feed";

/// A feed's own row.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = feed, check_for_backend(diesel::pg::Pg))]
pub struct FeedRow {
    /// Whose feed.
    pub tenant_id: TenantId,
    /// Its id; that of its row in `hub`.
    pub id: FeedId,
    /// What the vendor sends.
    pub format: String,
    /// How a post is authenticated.
    pub authentication: Value,
    /// What a GET or HEAD is answered with.
    pub challenge: Value,
    /// Its secrets, sealed.
    pub secrets_sealed: Option<Vec<u8>>,
    /// How the vendor's API is called.
    pub client: Option<Value>,
}

/// What changes of a feed; `None` leaves a thing as it is.
#[derive(Debug, Default, AsChangeset)]
#[diesel(table_name = feed)]
pub struct FeedChanges {
    /// How a post is authenticated.
    pub authentication: Option<Value>,
    /// What a GET or HEAD is answered with.
    pub challenge: Option<Value>,
    /// Its secrets, sealed.
    pub secrets_sealed: Option<Vec<u8>>,
    /// How the vendor's API is called.
    pub client: Option<Value>,
}

/// Stores a new feed, whose row in `hub` is there.
pub async fn insert_feed(conn: &mut AsyncPgConnection, row: &FeedRow) -> QueryResult<()> {
    diesel::insert_into(feed::table).values(row).execute(conn).await?;
    Ok(())
}

/// Changes a feed's own row.
pub async fn update_feed(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: FeedId,
    changes: FeedChanges,
) -> QueryResult<()> {
    let FeedChanges { authentication, challenge, secrets_sealed, client } = &changes;
    if authentication.is_none() && challenge.is_none() && secrets_sealed.is_none() && client.is_none() {
        return Ok(());
    }
    diesel::update(feed::table)
        .filter(feed::tenant_id.eq(tenant))
        .filter(feed::id.eq(id))
        .set(changes)
        .execute(conn)
        .await?;
    Ok(())
}

/// A feed of one of the tenants.
pub async fn find_feed(
    conn: &mut AsyncPgConnection,
    tenants: &[TenantId],
    id: FeedId,
) -> QueryResult<Option<(FeedRow, HubRow)>> {
    feed::table
        .inner_join(hub::table.on(hub::tenant_id.eq(feed::tenant_id).and(hub::id.eq(feed::id))))
        .filter(feed::tenant_id.eq_any(tenants))
        .filter(feed::id.eq(id))
        .select((FeedRow::as_select(), HubRow::as_select()))
        .first(conn)
        .await
        .optional()
}

/// Feeds of the tenants after an id, in order of creation.
pub async fn list_feeds(
    conn: &mut AsyncPgConnection,
    tenants: &[TenantId],
    after: FeedId,
    limit: i64,
) -> QueryResult<Vec<(FeedRow, HubRow)>> {
    feed::table
        .inner_join(hub::table.on(hub::tenant_id.eq(feed::tenant_id).and(hub::id.eq(feed::id))))
        .filter(feed::tenant_id.eq_any(tenants))
        .filter(feed::id.gt(after))
        .order(feed::id)
        .limit(limit)
        .select((FeedRow::as_select(), HubRow::as_select()))
        .load(conn)
        .await
}

/// The tenant of a feed, as the worker: a post names its feed before the tenant is known.
pub async fn tenant_of(conn: &mut AsyncPgConnection, id: FeedId) -> QueryResult<Option<TenantId>> {
    feed::table.filter(feed::id.eq(id)).select(feed::tenant_id).first(conn).await.optional()
}

/// A device that may be meant by a vendor's id.
#[derive(Debug, Clone, QueryableByName)]
pub struct Candidate {
    /// The device.
    #[diesel(sql_type = SqlUuid)]
    pub id: DeviceId,
    /// The maker's serial.
    #[diesel(sql_type = Text)]
    pub serial: String,
    /// Its identifiers.
    #[diesel(sql_type = Jsonb)]
    pub identifiers: Value,
}

/// The tenant's devices of these models that have one of the ids as serial or identifier, whose enrolment lasts, and which
/// are not linked with that feed.
pub async fn candidates(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    feed: FeedId,
    models: &[String],
    ids: &[String],
) -> QueryResult<Vec<Candidate>> {
    diesel::sql_query(
        "SELECT d.id, d.serial, d.identifiers FROM device d \
         WHERE d.tenant_id = $1 AND d.model = ANY($3) AND d.enrolled_until IS NULL \
           AND (d.serial = ANY($4) OR EXISTS (SELECT FROM jsonb_array_elements(d.identifiers) i WHERE i->>'value' = ANY($4))) \
           AND NOT EXISTS (SELECT FROM hub_device p WHERE p.tenant_id = $1 AND p.hub_id = $2 AND p.device_id = d.id)",
    )
    .bind::<SqlUuid, _>(tenant)
    .bind::<SqlUuid, _>(feed)
    .bind::<Array<Text>, _>(models)
    .bind::<Array<Text>, _>(ids)
    .load(conn)
    .await
}
