//! Rows of tokens and credentials. Both lie outside tenant security: they are read before a tenant is known.

use chrono::{DateTime, Utc};
use db::schema::{api_token, source_credential};
use db::{ApiTokenId, CredentialId, TenantId, VendorId};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{Role, SourceKind, TokenHash};

/// A valid API token's row.
#[derive(Queryable)]
pub struct TokenRow {
    pub id: ApiTokenId,
    pub role: String,
    pub tenant_id: Option<TenantId>,
    pub vendor_id: Option<VendorId>,
    pub name: String,
}

/// Finds an API token that is neither expired nor revoked, and whose tenant or vendor is active.
pub async fn find_token(
    conn: &mut AsyncPgConnection,
    hash: &TokenHash,
    now: DateTime<Utc>,
) -> QueryResult<Option<TokenRow>> {
    use db::schema::{tenant, vendor};
    api_token::table
        .left_join(tenant::table.on(api_token::tenant_id.eq(tenant::id.nullable())))
        .left_join(vendor::table.on(api_token::vendor_id.eq(vendor::id.nullable())))
        .filter(api_token::token_hash.eq(hash.as_slice()))
        .filter(api_token::revoked_at.is_null())
        .filter(api_token::expires_at.is_null().or(api_token::expires_at.gt(now)))
        .filter(api_token::tenant_id.is_null().or(tenant::active.eq(true)))
        .filter(api_token::vendor_id.is_null().or(vendor::active.eq(true)))
        .select((api_token::id, api_token::role, api_token::tenant_id, api_token::vendor_id, api_token::name))
        .first(conn)
        .await
        .optional()
}

/// To whom an API token belongs.
#[derive(Debug, Clone, Copy)]
pub enum TokenOwner {
    /// The platform.
    Platform,
    /// A tenant.
    Tenant(TenantId),
    /// A maker of decoders.
    Vendor(VendorId),
}

/// Stores a new API token.
///
/// # Errors
/// The database's error.
pub async fn insert_token(
    conn: &mut AsyncPgConnection,
    hash: &TokenHash,
    role: Role,
    belongs_to: TokenOwner,
    name: &str,
) -> QueryResult<ApiTokenId> {
    let (tenant, vendor) = match belongs_to {
        TokenOwner::Platform => (None, None),
        TokenOwner::Tenant(tenant) => (Some(tenant), None),
        TokenOwner::Vendor(vendor) => (None, Some(vendor)),
    };
    let id = ApiTokenId::generate();
    diesel::insert_into(api_token::table)
        .values((
            api_token::id.eq(id),
            api_token::token_hash.eq(hash.as_slice()),
            api_token::role.eq(role.as_str()),
            api_token::tenant_id.eq(tenant),
            api_token::vendor_id.eq(vendor),
            api_token::name.eq(name),
        ))
        .execute(conn)
        .await?;
    Ok(id)
}

/// A source credential, without its hash.
#[derive(Debug, Clone, Queryable)]
pub struct CredentialRow {
    /// Its id.
    pub id: CredentialId,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// Stores a new source credential.
///
/// # Errors
/// The database's error.
pub async fn insert_credential(
    conn: &mut AsyncPgConnection,
    hash: &TokenHash,
    tenant: TenantId,
    kind: SourceKind,
    source: Uuid,
) -> QueryResult<CredentialId> {
    let id = CredentialId::generate();
    diesel::insert_into(source_credential::table)
        .values((
            source_credential::id.eq(id),
            source_credential::token_hash.eq(hash.as_slice()),
            source_credential::tenant_id.eq(tenant),
            source_credential::source_kind.eq(kind.as_str()),
            source_credential::source_id.eq(source),
        ))
        .execute(conn)
        .await?;
    Ok(id)
}

/// The credentials of one source, oldest first.
///
/// # Errors
/// The database's error.
pub async fn list_credentials(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    source: Uuid,
) -> QueryResult<Vec<CredentialRow>> {
    source_credential::table
        .filter(source_credential::tenant_id.eq(tenant))
        .filter(source_credential::source_id.eq(source))
        .order(source_credential::id)
        .select((source_credential::id, source_credential::created_at, source_credential::revoked_at))
        .load(conn)
        .await
}

/// Revokes one credential of a source; false when there is no such credential that still holds.
///
/// # Errors
/// The database's error.
pub async fn revoke_credential(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    source: Uuid,
    id: CredentialId,
    now: DateTime<Utc>,
) -> QueryResult<bool> {
    let changed = diesel::update(source_credential::table)
        .filter(source_credential::tenant_id.eq(tenant))
        .filter(source_credential::source_id.eq(source))
        .filter(source_credential::id.eq(id))
        .filter(source_credential::revoked_at.is_null())
        .set(source_credential::revoked_at.eq(now))
        .execute(conn)
        .await?;
    Ok(changed > 0)
}
