//! Rows of vendors and of their tokens. Outside tenant security: a vendor belongs to no tenant.

use chrono::{DateTime, Utc};
use db::schema::{api_token, vendor};
use db::{ApiTokenId, VendorId};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

/// A vendor.
#[derive(Debug, Clone, Queryable, Insertable)]
#[diesel(table_name = vendor)]
pub struct VendorRow {
    /// Its id.
    pub id: VendorId,
    /// Its name.
    pub name: String,
    /// Its Ed25519 key: 32 bytes (RFC 8032).
    pub public_key: Option<Vec<u8>>,
    /// Whether its tokens are let in.
    pub active: bool,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

/// A vendor's token, without its text.
#[derive(Debug, Queryable)]
pub struct VendorTokenRow {
    pub id: ApiTokenId,
    pub name: String,
    pub created_at: DateTime<Utc>,
    pub revoked_at: Option<DateTime<Utc>>,
}

/// One vendor.
///
/// # Errors
/// The database's error.
pub async fn find_vendor(conn: &mut AsyncPgConnection, id: VendorId) -> QueryResult<Option<VendorRow>> {
    vendor::table.find(id).first(conn).await.optional()
}

/// All vendors, oldest first.
pub async fn list_vendors(conn: &mut AsyncPgConnection, after: uuid::Uuid, limit: i64) -> QueryResult<Vec<VendorRow>> {
    vendor::table.filter(vendor::id.gt(VendorId(after))).order(vendor::id).limit(limit + 1).load(conn).await
}

/// Stores a new vendor; false when another has the name.
pub async fn insert_vendor(conn: &mut AsyncPgConnection, row: &VendorRow) -> QueryResult<bool> {
    let stored = diesel::insert_into(vendor::table).values(row).on_conflict(vendor::name).do_nothing().execute(conn);
    Ok(stored.await? > 0)
}

/// Writes what may change of a vendor.
pub async fn update_vendor(conn: &mut AsyncPgConnection, row: &VendorRow) -> QueryResult<usize> {
    diesel::update(vendor::table.find(row.id))
        .set((vendor::public_key.eq(&row.public_key), vendor::active.eq(row.active)))
        .execute(conn)
        .await
}

/// A vendor's tokens, oldest first.
pub async fn list_tokens(conn: &mut AsyncPgConnection, id: VendorId) -> QueryResult<Vec<VendorTokenRow>> {
    api_token::table
        .filter(api_token::vendor_id.eq(id))
        .order(api_token::id)
        .select((api_token::id, api_token::name, api_token::created_at, api_token::revoked_at))
        .load(conn)
        .await
}

/// Revokes a vendor's token; false when it has no such token that still holds.
pub async fn revoke_token(
    conn: &mut AsyncPgConnection,
    vendor: VendorId,
    id: ApiTokenId,
    now: DateTime<Utc>,
) -> QueryResult<bool> {
    let changed = diesel::update(api_token::table.find(id))
        .filter(api_token::vendor_id.eq(vendor))
        .filter(api_token::revoked_at.is_null())
        .set(api_token::revoked_at.eq(now))
        .execute(conn)
        .await?;
    Ok(changed > 0)
}
