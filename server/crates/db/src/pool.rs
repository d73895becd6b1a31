//! The pool, and what a fresh installation checks before it serves.

use std::time::Duration;

use diesel::sql_types::{Bool, Text};
use diesel::{OptionalExtension, QueryableByName};
use diesel_async::pooled_connection::deadpool::{Pool, PoolError};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};

use crate::Transaction;

const APP: &str = "afferent_app";
const WORKER: &str = "afferent_worker";

/// How to reach the database.
#[derive(Clone)]
pub struct DbSettings {
    /// A Postgres connection string (URL or key-value form). The login must be a member of `afferent_app` and `afferent_worker`.
    pub url: String,
    /// Connections at most; a third of them, and two at least, are the worker role's.
    pub connections: usize,
    /// How long a request waits for a connection before it is told to come again.
    pub wait: Duration,
}

/// What can go wrong between us and the database.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// No connection could be had: the database is down, or all connections are busy.
    #[error("the database cannot be reached: {0}")]
    Unavailable(String),
    /// The database refused the role or the roles are not what they must be.
    #[error("{0}")]
    Roles(String),
    /// A statement failed.
    #[error(transparent)]
    Query(#[from] diesel::result::Error),
}

impl From<PoolError> for DbError {
    fn from(error: PoolError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// The shared handle on the database.
#[derive(Clone)]
pub struct Db {
    /// Connections that only ever take the app role, and those that only ever take the worker role: Postgres throws a
    /// prepared plan away when the role changes, since the policies that apply may change with it.
    app: Pool<AsyncPgConnection>,
    worker: Pool<AsyncPgConnection>,
}

impl Db {
    /// Builds the pool; connects on first use.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when the pool cannot be built.
    pub fn new(settings: &DbSettings) -> Result<Self, DbError> {
        let worker = (settings.connections / 3).max(2);
        let app = settings.connections.saturating_sub(worker).max(2);
        Ok(Self { app: pool(settings, app)?, worker: pool(settings, worker)? })
    }

    /// Opens a transaction of the app role without any tenant: tenant tree, credentials, tokens, models.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when no connection can be had.
    pub async fn begin_platform(&self) -> Result<Transaction, DbError> {
        self.begin_app("").await
    }

    /// Opens a transaction of the worker role: the group commit's and the forwarder's tables, across tenants.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when no connection can be had.
    pub async fn begin_worker(&self) -> Result<Transaction, DbError> {
        begin(&self.worker, WORKER, "").await
    }

    /// Opens a transaction of the worker role with more words behind its opening, made anew for each attempt.
    pub(crate) async fn begin_worker_with(&self, mut more: impl FnMut() -> String) -> Result<Transaction, DbError> {
        begin_with(&self.worker, || opening(WORKER, "") + &more()).await
    }

    /// `tenants` is a Postgres array of UUIDs, or empty; it is ours, never a client's text.
    pub(crate) async fn begin_app(&self, tenants: &str) -> Result<Transaction, DbError> {
        begin(&self.app, APP, tenants).await
    }

    /// Connections in use and in the pool, for metrics.
    #[must_use]
    pub fn status(&self) -> (usize, usize) {
        let (app, worker) = (self.app.status(), self.worker.status());
        let size = app.size + worker.size;
        (size.saturating_sub(app.available + worker.available), size)
    }

    /// Refuses roles that would make row-level security void: superuser, BYPASSRLS, or ownership of a tenant table.
    ///
    /// # Errors
    /// [`DbError::Roles`] with what is wrong and what would be right.
    pub async fn check_roles(&self) -> Result<(), DbError> {
        for (pool, role) in [(&self.app, APP), (&self.worker, WORKER)] {
            let mut transaction = begin(pool, role, "").await?;
            let found: Option<EffectiveRole> = diesel::sql_query(
                "SELECT current_user::text AS name, r.rolsuper AS superuser, r.rolbypassrls AS bypasses, \
                 EXISTS (SELECT FROM pg_class c WHERE c.relrowsecurity AND pg_has_role(current_user, c.relowner, 'USAGE')) AS owns \
                 FROM pg_roles r WHERE r.rolname = current_user",
            )
            .get_result(&mut *transaction)
            .await
            .optional()?;
            transaction.rollback().await?;
            let Some(found) = found else {
                return Err(DbError::Roles(format!(
                    "the role {role} does not exist; run `afferent migrate` with a login that may create roles"
                )));
            };
            if found.name != role || found.superuser || found.bypasses || found.owns {
                return Err(DbError::Roles(format!(
                    "the effective role is {} (superuser: {}, bypasses row-level security: {}, owns tenant tables: {}); \
                     {role} must be none of these, or one tenant could see another's rows",
                    found.name, found.superuser, found.bypasses, found.owns
                )));
            }
        }
        Ok(())
    }
}

fn pool(settings: &DbSettings, connections: usize) -> Result<Pool<AsyncPgConnection>, DbError> {
    let mut manager = ManagerConfig::default();
    // A lost connection shows itself at the next BEGIN; a test query per checkout would cost a round trip per request.
    manager.recycling_method = RecyclingMethod::Fast;
    let manager = AsyncDieselConnectionManager::<AsyncPgConnection>::new_with_config(&settings.url, manager);
    Pool::builder(manager)
        .max_size(connections)
        .wait_timeout(Some(settings.wait))
        .create_timeout(Some(settings.wait))
        .runtime(deadpool::Runtime::Tokio1)
        .build()
        .map_err(|error| DbError::Unavailable(error.to_string()))
}

/// Opens a transaction that has taken `role`; both texts are ours, never a client's.
async fn begin(pool: &Pool<AsyncPgConnection>, role: &str, tenants: &str) -> Result<Transaction, DbError> {
    begin_with(pool, || opening(role, tenants)).await
}

/// The statements that open a transaction. The worker's statements are few, constant, and looked up by keys: a plan that fits
/// all values is the right one, and planning anew for each length of an array cost a tenth of a small commit.
fn opening(role: &str, tenants: &str) -> String {
    let plans = if role == WORKER { ", set_config('plan_cache_mode', 'force_generic_plan', true)" } else { "" };
    format!(
        "BEGIN; SELECT set_config('role', '{role}', true), set_config('afferent.tenants', '{tenants}', true){plans}"
    )
}

/// Opens a transaction with the statements that each attempt is given.
async fn begin_with(
    pool: &Pool<AsyncPgConnection>,
    mut opening: impl FnMut() -> String,
) -> Result<Transaction, DbError> {
    // A pooled connection may have died while it lay idle (the database was restarted): one more try with the next.
    for _ in 0..3 {
        match Transaction::begin(pool.get().await?, &opening()).await {
            Err(DbError::Query(diesel::result::Error::DatabaseError(
                diesel::result::DatabaseErrorKind::ClosedConnection
                | diesel::result::DatabaseErrorKind::UnableToSendCommand,
                _,
            ))) => {}
            other => return other,
        }
    }
    Transaction::begin(pool.get().await?, &opening()).await
}

/// The advisory lock of who wore which device: group commits share it (`begin_fenced_worker`), a retroactive change takes it alone.
pub(crate) const WEARERS: i64 = 0x00AF_FE2E_0000_0001;

/// Waits until every group commit that began before has ended, and keeps new ones waiting until this transaction ends. Call
/// it last, right before the commit of a change to assignments that concerns readings which are stored already: what is
/// stored under the old assignments is visible from then on, and whatever is stored later sees the new ones.
///
/// # Errors
/// The database's error.
pub async fn wait_for_commits(transaction: &mut Transaction) -> Result<(), DbError> {
    (**transaction).batch_execute(&format!("SELECT pg_advisory_xact_lock({WEARERS})")).await.map_err(DbError::Query)
}

#[derive(QueryableByName)]
struct EffectiveRole {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Bool)]
    superuser: bool,
    #[diesel(sql_type = Bool)]
    bypasses: bool,
    #[diesel(sql_type = Bool)]
    owns: bool,
}
