//! The tenant tree: platform → distributors → customers. Owns `tenant`.
//!
//! Invariants: a customer's parent is a distributor or the platform; a distributor's parent is the platform; every tenant
//! has a time zone, the zone of last resort for its devices' local times.

mod http;
mod model;
mod store;

pub(crate) use http::check_time_zone;
pub use http::routes;
pub use model::{TenantKind, TenantRow};
pub use store::{all_tenants, find_tenant, insert_tenant, tenant_with_customers};
