//! Issues an API token: for `afferent provision token` and the demo.

use db::{Db, TenantId};

use super::{Role, TokenOwner, insert_token, new_token};
use crate::error::{Error, Kind};

/// Makes a token of a role, bound to a tenant unless the role is the platform's, and answers it: it is shown this once.
///
/// # Errors
/// 422 when role and tenant do not fit; 404 when there is no such tenant.
pub async fn issue(db: &Db, role: Role, tenant: Option<TenantId>, name: &str) -> Result<String, Error> {
    let mut transaction = db.begin_platform().await?;
    match (role, tenant) {
        (Role::PlatformAdmin, Some(_)) => {
            return Err(Error::new(
                Kind::Unprocessable,
                "token.tenant",
                "A platform-admin token belongs to no tenant: leave the tenant out.",
            ));
        }
        (Role::PlatformAdmin, None) => {}
        (Role::Vendor, _) => {
            return Err(Error::new(
                Kind::Unprocessable,
                "token.vendor",
                "A vendor's token is made for the vendor: POST /api/v1/vendors/{id}/tokens.",
            ));
        }
        (_, None) => {
            return Err(Error::new(
                Kind::Unprocessable,
                "token.tenant",
                format!("A {} token needs a tenant.", role.as_str()),
            ));
        }
        (role, Some(tenant)) => {
            let found = crate::tenancy::find_tenant(&mut transaction, tenant)
                .await?
                .ok_or_else(|| Error::not_found("tenant"))?;
            let distributor = matches!(role, Role::DistributorAdmin | Role::DistributorUser);
            if distributor != (found.kind == crate::tenancy::TenantKind::Distributor) {
                let what = found.kind.as_str();
                return Err(Error::new(
                    Kind::Unprocessable,
                    "token.role",
                    format!("A {} token cannot belong to a {what}.", role.as_str()),
                ));
            }
        }
    }
    let (token, hash) = new_token("afa").map_err(Error::internal)?;
    let owner = tenant.map_or(TokenOwner::Platform, TokenOwner::Tenant);
    insert_token(&mut transaction, &hash, role, owner, name).await?;
    transaction.commit().await?;
    Ok(token)
}
