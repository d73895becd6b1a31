//! Tokens with which a device or hub sends: made and shown once, listed without their text, revoked.

use db::{CredentialId, DeviceId, HubId, TenantId, TenantScope};
use diesel_async::AsyncPgConnection;
use uuid::Uuid;

use super::{enrolment_ended, store};
use crate::app::App;
use crate::error::Error;
use crate::identity::{self, CredentialRow, SourceKind};

/// The source whose token it is.
#[derive(Debug, Clone, Copy)]
pub enum Source {
    /// A device that sends for itself.
    Device(DeviceId),
    /// A hub.
    Hub(HubId),
}

impl Source {
    fn id(self) -> Uuid {
        match self {
            Self::Device(id) => id.0,
            Self::Hub(id) => id.0,
        }
    }

    /// The source's kind and its tokens' prefix.
    fn kind(self) -> (SourceKind, &'static str) {
        match self {
            Self::Device(_) => (SourceKind::Device, "afd"),
            Self::Hub(_) => (SourceKind::Hub, "afh"),
        }
    }

    /// Its tenant, and whether it may have new tokens.
    async fn find(self, conn: &mut AsyncPgConnection, scope: &TenantScope) -> Result<(TenantId, bool), Error> {
        match self {
            Self::Device(id) => {
                let row = store::device::lock_device(conn, &scope.tenants(), id)
                    .await?
                    .ok_or_else(|| Error::not_found("device"))?;
                Ok((row.tenant_id, row.enrolled_until.is_none()))
            }
            Self::Hub(id) => {
                let row =
                    store::hub::find_hub(conn, &scope.tenants(), id).await?.ok_or_else(|| Error::not_found("hub"))?;
                Ok((row.tenant_id, true))
            }
        }
    }
}

/// A token that was just made.
pub struct IssuedToken {
    /// The credential, by which it is listed and revoked.
    pub id: CredentialId,
    /// The token itself, which is not kept.
    pub token: String,
}

/// Makes a token. Others of the same source stay valid, so that a token can be replaced without a gap.
///
/// # Errors
/// 404; 409 for a device whose enrolment has ended.
pub async fn issue(app: &App, scope: &TenantScope, source: Source) -> Result<IssuedToken, Error> {
    let (kind, prefix) = source.kind();
    let (token, hash) = identity::new_token(prefix).map_err(Error::internal)?;
    let mut transaction = scope.begin(&app.db).await?;
    let (tenant, may_send) = source.find(&mut transaction, scope).await?;
    if !may_send {
        return Err(enrolment_ended());
    }
    let id = identity::insert_credential(&mut transaction, &hash, tenant, kind, source.id()).await?;
    transaction.commit().await?;
    Ok(IssuedToken { id, token })
}

/// The tokens of a source, oldest first.
///
/// # Errors
/// 404.
pub async fn list(app: &App, scope: &TenantScope, source: Source) -> Result<Vec<CredentialRow>, Error> {
    let mut transaction = scope.begin(&app.db).await?;
    let (tenant, _) = source.find(&mut transaction, scope).await?;
    let rows = identity::list_credentials(&mut transaction, tenant, source.id()).await?;
    transaction.commit().await?;
    Ok(rows)
}

/// Revokes a token; one that is revoked stays so.
///
/// # Errors
/// 404.
pub async fn revoke(app: &App, scope: &TenantScope, source: Source, id: CredentialId) -> Result<(), Error> {
    let mut transaction = scope.begin(&app.db).await?;
    let (tenant, _) = source.find(&mut transaction, scope).await?;
    let now = app.clock.now();
    if !identity::revoke_credential(&mut transaction, tenant, source.id(), id, now).await? {
        let known = identity::list_credentials(&mut transaction, tenant, source.id()).await?;
        if known.iter().all(|row| row.id != id) {
            return Err(Error::not_found("token"));
        }
    }
    transaction.commit().await?;
    Ok(())
}
