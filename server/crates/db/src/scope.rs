//! The key to a tenant's rows.

use std::fmt::Write as _;

use crate::{Db, DbError, TenantId, Transaction};

/// The tenants whose rows a piece of work may see and change: one, or a distributor's own with its customers.
///
/// Only extractors (from a verified credential) and jobs (from a row they claimed) make one. A query names the tenant as
/// well; row-level security is the second wall, not the only one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantScope {
    first: TenantId,
    others: Vec<TenantId>,
}

impl TenantScope {
    /// The scope of one tenant.
    #[must_use]
    pub fn one(tenant: TenantId) -> Self {
        Self { first: tenant, others: Vec::new() }
    }

    /// The scope of several tenants; `None` for an empty list, which would be a scope over nothing.
    #[must_use]
    pub fn several(tenants: &[TenantId]) -> Option<Self> {
        let (first, others) = tenants.split_first()?;
        Some(Self { first: *first, others: others.to_vec() })
    }

    /// All tenants of the scope, for `tenant_id = ANY(…)`.
    #[must_use]
    pub fn tenants(&self) -> Vec<TenantId> {
        std::iter::once(self.first).chain(self.others.iter().copied()).collect()
    }

    /// The tenant, when the scope has exactly one.
    #[must_use]
    pub fn only(&self) -> Option<TenantId> {
        self.others.is_empty().then_some(self.first)
    }

    /// Whether a tenant's rows may be seen.
    #[must_use]
    pub fn contains(&self, tenant: TenantId) -> bool {
        self.first == tenant || self.others.contains(&tenant)
    }

    /// The same work for one of the scope's tenants; `None` when it is not in the scope.
    #[must_use]
    pub fn narrow(&self, tenant: TenantId) -> Option<Self> {
        self.contains(tenant).then(|| Self::one(tenant))
    }

    /// Opens a transaction that sees these tenants' rows and no others.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when no connection can be had.
    pub async fn begin(&self, db: &Db) -> Result<Transaction, DbError> {
        let mut setting = format!("{{{}", self.first);
        for tenant in &self.others {
            // Writing to a String cannot fail.
            let _ = write!(setting, ",{tenant}");
        }
        setting.push('}');
        db.begin_app(&setting).await
    }
}
