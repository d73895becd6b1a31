//! Which source a token belongs to. The answer is cached for a second; whether the source is still active and the
//! credential still valid is asked again inside the commit transaction, so a cached answer can never let a revoked
//! source store anything.

use db::schema::source_credential;
use db::{CredentialId, TenantId};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::TokenHash;

/// What kind of source a credential belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourceKind {
    /// A device that sends for itself.
    Device,
    /// A hub that carries devices.
    Hub,
    /// A vendor's cloud.
    Feed,
    /// The installation of a phone app.
    App,
}

impl SourceKind {
    /// As stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Hub => "hub",
            Self::Feed => "feed",
            Self::App => "app",
        }
    }
}

/// A source that showed a token we know.
#[derive(Debug, Clone)]
pub struct SourceIdentity {
    /// The credential.
    pub credential: CredentialId,
    /// Whose source it is.
    pub tenant: TenantId,
    /// Device, hub or app.
    pub kind: SourceKind,
    /// The device's, hub's or installation's id.
    pub source: Uuid,
}

/// Finds the source of a token that was not revoked.
///
/// # Errors
/// The database's error.
pub async fn identify_source(conn: &mut AsyncPgConnection, hash: &TokenHash) -> QueryResult<Option<SourceIdentity>> {
    let row: Option<(CredentialId, TenantId, String, Uuid)> = source_credential::table
        .filter(source_credential::token_hash.eq(hash.as_slice()))
        .filter(source_credential::revoked_at.is_null())
        .select((
            source_credential::id,
            source_credential::tenant_id,
            source_credential::source_kind,
            source_credential::source_id,
        ))
        .first(conn)
        .await
        .optional()?;
    Ok(row.map(|(credential, tenant, kind, source)| {
        let kind = match kind.as_str() {
            "hub" => SourceKind::Hub,
            "app" => SourceKind::App,
            _ => SourceKind::Device,
        };
        SourceIdentity { credential, tenant, kind, source }
    }))
}

/// Whether a credential still holds; one that is nil stands for a source that something else vouches for.
///
/// # Errors
/// The database's error.
pub async fn credential_holds(conn: &mut AsyncPgConnection, credential: CredentialId) -> QueryResult<bool> {
    if credential.0.is_nil() {
        return Ok(true);
    }
    let found: Option<CredentialId> = source_credential::table
        .filter(source_credential::id.eq(credential))
        .filter(source_credential::revoked_at.is_null())
        .select(source_credential::id)
        .first(conn)
        .await
        .optional()?;
    Ok(found.is_some())
}
