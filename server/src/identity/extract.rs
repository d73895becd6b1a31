//! Extractors: a handler that takes [`Caller`] runs only for an authenticated caller.

use std::future::{Ready, ready};

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::AUTHORIZATION;
use actix_web::middleware::Next;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use db::{TenantId, TenantScope};
use futures_util::future::LocalBoxFuture;

use super::{Principal, Role, store, token};
use crate::app::AppData;
use crate::error::{ApiError, Error, FhirError, Kind};
use crate::tenancy;

/// The bearer token of a request, not yet looked up.
#[derive(Debug)]
pub struct Bearer(pub String);

/// An authenticated API caller.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who it is.
    pub principal: Principal,
}

impl Bearer {
    /// Reads `Authorization: Bearer …`.
    ///
    /// # Errors
    /// 401 when there is none.
    pub fn of(request: &HttpRequest) -> Result<Self, Error> {
        let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        match token {
            Some(token) if (8..=512).contains(&token.len()) => Ok(Self(token.to_owned())),
            _ => Err(unauthenticated()),
        }
    }
}

/// One text for a missing, malformed, unknown, expired or revoked token: which of them it was is nobody's business.
fn unauthenticated() -> Error {
    Error::new(
        Kind::Unauthenticated,
        "token.required",
        "This needs `Authorization: Bearer <token>` with a token that is known and still valid.",
    )
}

impl FromRequest for Bearer {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request).map_err(ApiError))
    }
}

impl Caller {
    /// Authenticates a request, in neither dialect.
    ///
    /// # Errors
    /// 401; 429 when a client guesses; 503 when the database is away.
    pub async fn authenticate(request: &HttpRequest) -> Result<Self, Error> {
        let app =
            request.app_data::<AppData>().ok_or_else(|| Error::internal(anyhow::anyhow!("the app is not mounted")))?;
        let bearer = Bearer::of(request)?;
        let hash = token::hash(&bearer.0);
        let mut transaction = app.db.begin_platform().await?;
        let found = store::find_token(&mut transaction, &hash, app.clock.now()).await?;
        transaction.commit().await?;
        let Some(row) = found else {
            // Whoever guesses is slowed down; whoever has a valid token behind the same address is not.
            if let Some(peer) = request.peer_addr() {
                app.guess_limits.check(&peer.ip())?;
            }
            return Err(unauthenticated());
        };
        app.api_limits.check(&row.id.0)?;
        let role: Role = row.role.parse().map_err(|error: String| Error::internal(anyhow::anyhow!(error)))?;
        Ok(Self {
            principal: Principal { token: row.id, name: row.name, role, tenant: row.tenant_id, vendor: row.vendor_id },
        })
    }

    /// Its role.
    #[must_use]
    pub fn role(&self) -> Role {
        self.principal.role
    }

    /// Refuses a role that may not do something.
    ///
    /// # Errors
    /// 403, naming what is missing.
    pub fn require(&self, allowed: bool, what: &str) -> Result<(), Error> {
        if allowed {
            return Ok(());
        }
        Err(Error::forbidden("role", format!("The role {} may not {what}.", self.role().as_str())))
    }

    /// The tenants whose operations (devices, deliveries, endpoints) the caller may see: one of them when `wanted` is
    /// given. Empty only for a platform without tenants, which is `None`.
    ///
    /// # Errors
    /// 404 when `wanted` is not one of the caller's.
    pub async fn operations(&self, app: &AppData, wanted: Option<TenantId>) -> Result<Option<TenantScope>, Error> {
        let mut transaction = app.db.begin_platform().await?;
        let reach = match (self.role(), self.principal.tenant) {
            (Role::PlatformAdmin, _) => tenancy::all_tenants(&mut transaction).await?,
            (Role::DistributorAdmin | Role::DistributorUser, Some(tenant)) => {
                tenancy::tenant_with_customers(&mut transaction, tenant).await?
            }
            (_, Some(tenant)) => vec![tenant],
            (_, None) => Vec::new(),
        };
        transaction.commit().await?;
        match wanted {
            None => Ok(TenantScope::several(&reach)),
            Some(tenant) if reach.contains(&tenant) => Ok(Some(TenantScope::one(tenant))),
            Some(_) => Err(Error::not_found("tenant")),
        }
    }

    /// The one tenant in which something is created: `wanted`, or the caller's only one.
    ///
    /// # Errors
    /// 404 when it is not the caller's; 422 when the caller has several and names none.
    pub async fn creation(&self, app: &AppData, wanted: Option<TenantId>) -> Result<(TenantId, TenantScope), Error> {
        let scope = self.operations(app, wanted).await?;
        match scope.as_ref().and_then(TenantScope::only) {
            Some(tenant) => Ok((tenant, TenantScope::one(tenant))),
            None => Err(Error::field("/tenant", "name the tenant: this token is for several")),
        }
    }

    /// The scope of one tenant's patient data.
    ///
    /// # Errors
    /// 404 when the tenant is not the caller's own; 403 for the platform and distributors, who do not see patients.
    pub fn clinical(&self, tenant: TenantId) -> Result<TenantScope, Error> {
        match (self.role(), self.principal.tenant) {
            (role, Some(own)) if role.is_clinical() && own == tenant => Ok(TenantScope::one(tenant)),
            (Role::PlatformAdmin, _) => Err(Error::forbidden(
                "role.patient-data",
                "A platform admin sees operations, not patients. Use a token of the tenant (customer-admin, customer-user or practitioner).",
            )),
            _ => Err(Error::not_found("tenant")),
        }
    }
}

/// Middleware of a scope in which everybody has to say who they are: it runs before any body is read or judged.
///
/// # Errors
/// As [`Caller::authenticate`], as problem+json.
pub async fn authenticated(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let caller = Caller::authenticate(request.request()).await.map_err(ApiError)?;
    request.extensions_mut().insert(caller);
    next.call(request).await
}

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    /// The caller that [`authenticated`] let in; nobody where that middleware is missing.
    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(request.extensions().get::<Self>().cloned().ok_or_else(|| ApiError(unauthenticated())))
    }
}

/// A caller of the FHIR interface: the same, answering in FHIR's dialect, with the scope of the tenant in the path.
#[derive(Debug, Clone)]
pub struct FhirCaller {
    /// Who it is.
    pub principal: Principal,
    /// The tenant of the FHIR base.
    pub tenant: TenantId,
    /// The key to that tenant's rows.
    pub scope: TenantScope,
}

impl FromRequest for FhirCaller {
    type Error = FhirError;
    type Future = LocalBoxFuture<'static, Result<Self, FhirError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let caller = Caller::authenticate(&request).await?;
            let tenant = match request.match_info().get("tenant") {
                Some(text) => text.parse().map_err(|_not_a_uuid| Error::not_found("tenant"))?,
                None => caller.principal.tenant.ok_or_else(|| {
                    Error::forbidden(
                        "tenant.ambiguous",
                        "This token has no single tenant: use the base /t/{tenant}/fhir/r4.",
                    )
                })?,
            };
            let scope = caller.clinical(tenant)?;
            Ok(Self { principal: caller.principal, tenant, scope })
        })
    }
}
