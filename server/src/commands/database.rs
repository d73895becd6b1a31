//! The database of a command: the one that `DATABASE_URL` names, or the private Postgres of the data directory.

use anyhow::Context;
use db::Db;
use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};

use crate::config::{Config, Secret};
use crate::platform::private_postgres::{ConnectionInfo, PrivatePostgres, PrivatePostgresSettings};

/// Name of the private Postgres' database.
const DATABASE: &str = "afferent";
/// The login that the server's pool uses in the private Postgres: member of the roles, with no rights of its own.
const SERVER_LOGIN: &str = "afferent_server";

/// A database that can be reached.
pub struct Database {
    /// For migrations: a login that may create roles.
    pub owner_url: Secret<String>,
    /// For the pool.
    pub server_url: Secret<String>,
    /// Logins that get the roles.
    members: Vec<&'static str>,
    private: Option<PrivatePostgres>,
}

impl Database {
    /// Connects to what `DATABASE_URL` names, attaches to a private Postgres that runs already, or starts it.
    ///
    /// # Errors
    /// What is wrong, and what would be right.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        if let Some(url) = &config.database_url {
            return Ok(Self { owner_url: url.clone(), server_url: url.clone(), members: Vec::new(), private: None });
        }
        if let Some(running) = PrivatePostgres::attach(&config.data_dir)? {
            return Self::private(&running, None).await;
        }
        Self::start(config).await
    }

    /// The same for the server itself, which owns its private Postgres: one that runs already belongs to another server.
    ///
    /// # Errors
    /// What is wrong, and what would be right.
    pub async fn open_for_server(config: &Config) -> anyhow::Result<Self> {
        if config.database_url.is_some() {
            return Self::open(config).await;
        }
        Self::start(config).await
    }

    async fn start(config: &Config) -> anyhow::Result<Self> {
        let mut settings = PrivatePostgresSettings::new(&config.data_dir);
        settings.binaries.clone_from(&config.postgres_binaries);
        settings.run_as.clone_from(&config.postgres_run_as);
        tracing::info!(data_dir = %config.data_dir.display(), "starting the private Postgres");
        let postgres = PrivatePostgres::start(settings).await?;
        let connection = postgres.connection().clone();
        Self::private(&connection, Some(postgres)).await
    }

    async fn private(connection: &ConnectionInfo, private: Option<PrivatePostgres>) -> anyhow::Result<Self> {
        let maintenance = connection.url("postgres");
        let mut conn = AsyncPgConnection::establish(maintenance.expose())
            .await
            .context("the private Postgres does not let us in")?;
        let password = connection.password.expose().replace('\'', "''");
        conn.batch_execute(&format!(
            "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{SERVER_LOGIN}') THEN CREATE ROLE {SERVER_LOGIN} LOGIN NOINHERIT; END IF; END $$; \
             ALTER ROLE {SERVER_LOGIN} PASSWORD '{password}'"
        ))
        .await?;
        let exists: i64 = {
            use diesel::dsl::sql;
            use diesel::sql_types::BigInt;
            use diesel_async::RunQueryDsl;
            diesel::select(sql::<BigInt>(&format!("(SELECT count(*) FROM pg_database WHERE datname = '{DATABASE}')")))
                .get_result(&mut conn)
                .await?
        };
        if exists == 0 {
            conn.batch_execute(&format!("CREATE DATABASE {DATABASE}")).await?;
        }
        let server = ConnectionInfo { superuser: SERVER_LOGIN.to_owned(), ..connection.clone() };
        Ok(Self {
            owner_url: connection.url(DATABASE),
            server_url: server.url(DATABASE),
            members: vec![SERVER_LOGIN],
            private,
        })
    }

    /// Brings the schema up to date.
    ///
    /// # Errors
    /// What is wrong, and what would be right.
    pub async fn migrate(&self) -> anyhow::Result<Vec<String>> {
        let ran = db::migrate(self.owner_url.expose(), &self.members).await?;
        for migration in &ran {
            tracing::info!(migration, "migrated");
        }
        Ok(ran)
    }

    /// A pool for one command.
    ///
    /// # Errors
    /// When the pool cannot be built, or the roles are not what they must be.
    pub async fn pool(&self, connections: usize) -> anyhow::Result<Db> {
        let settings = db::DbSettings {
            url: self.server_url.expose().clone(),
            connections,
            wait: std::time::Duration::from_secs(5),
        };
        let pool = Db::new(&settings)?;
        pool.check_roles().await?;
        Ok(pool)
    }

    /// Stops the private Postgres, if this command started it.
    pub async fn close(self) {
        if let Some(private) = self.private {
            private.stop().await;
        }
    }
}
