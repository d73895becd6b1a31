//! The database's border: the generated tables, typed ids, the pool, and the three ways to open a transaction.
//!
//! Nothing is readable outside a transaction: the login role has no rights of its own, and every transaction starts by
//! taking one of three roles (docs/decisions/0002). [`TenantScope::begin`] sees the scope's tenants, [`Db::begin_platform`]
//! only what lies outside tenant security, [`Db::begin_worker`] the tables that the group commit and the forwarder share.

mod fence;
mod ids;
mod migrate;
mod pool;
mod prepared;
mod print_schema;
pub mod schema;
mod scope;
mod transaction;

pub use fence::Fence;
pub use ids::*;
pub use migrate::{MigrateError, migrate, pending_migrations};
pub use pool::{Db, DbError, DbSettings, wait_for_commits};
pub use prepared::{Constant, Prepared};
pub use print_schema::print_schema;
pub use scope::TenantScope;
pub use transaction::Transaction;
