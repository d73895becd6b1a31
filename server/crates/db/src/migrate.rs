//! Migrations: makes the three roles where they are missing, then brings the schema up to date as `afferent_owner`.

use diesel::QueryableByName;
use diesel::sql_types::{Bool, Integer, Text};
use diesel_async::{AsyncMigrationHarness, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../../migrations");

/// The three roles (docs/decisions/0002).
const ROLES: [&str; 3] = ["afferent_owner", "afferent_app", "afferent_worker"];

/// Why the schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database cannot be reached or the login was refused.
    #[error("cannot connect to the database: {0}. Check DATABASE_URL: host, port, database name, user and password")]
    Connect(String),
    /// Too old a server.
    #[error("the database server is PostgreSQL {0}; Afferent needs 15 or later")]
    Version(String),
    /// The login may not do what is needed once.
    #[error("{what}: {source}. As a superuser, run once:\n{remedy}")]
    Rights {
        /// What was attempted.
        what: &'static str,
        /// SQL that makes it right.
        remedy: String,
        /// The database's words.
        source: diesel::result::Error,
    },
    /// A migration failed.
    #[error("a migration failed and was rolled back: {0}")]
    Migration(String),
    /// A statement failed.
    #[error(transparent)]
    Query(#[from] diesel::result::Error),
}

#[derive(QueryableByName)]
struct Server {
    #[diesel(sql_type = Integer)]
    version: i32,
    #[diesel(sql_type = Text)]
    version_text: String,
    #[diesel(sql_type = Text)]
    login: String,
    #[diesel(sql_type = Text)]
    database: String,
}

#[derive(QueryableByName)]
struct Exists {
    #[diesel(sql_type = Bool)]
    found: bool,
}

/// Brings the database at `url` up to date and grants its roles to `members` (the login itself is always included).
/// Answers the names of the migrations that ran. Needs a multi-threaded tokio runtime.
///
/// # Errors
/// [`MigrateError`], whose text says what to do.
pub async fn migrate(url: &str, members: &[&str]) -> Result<Vec<String>, MigrateError> {
    let mut connection = connect(url).await?;
    let server: Server = diesel::sql_query(
        "SELECT current_setting('server_version_num')::int AS version, current_setting('server_version') AS version_text, \
         session_user::text AS login, current_database()::text AS database",
    )
    .get_result(&mut connection)
    .await?;
    if server.version < 150_000 {
        return Err(MigrateError::Version(server.version_text));
    }
    // Two servers that start at once take turns.
    connection.batch_execute("SELECT pg_advisory_lock(4702111234474983745)").await?;
    prepare_roles(&mut connection, &server, members).await?;
    connection.batch_execute("SET ROLE afferent_owner").await?;

    let mut harness = AsyncMigrationHarness::new(connection);
    let ran = harness
        .run_pending_migrations(MIGRATIONS)
        .map(|versions| versions.iter().map(ToString::to_string).collect::<Vec<_>>())
        .map_err(|error| MigrateError::Migration(error.to_string()))?;
    // The session ends here, and the lock with it.
    Ok(ran)
}

/// Migrations that the database at `url` lacks.
///
/// # Errors
/// [`MigrateError`] when the database cannot be asked.
pub async fn pending_migrations(url: &str) -> Result<Vec<String>, MigrateError> {
    let mut connection = connect(url).await?;
    connection.batch_execute("SET ROLE afferent_owner").await?;
    let mut harness = AsyncMigrationHarness::new(connection);
    let pending = harness.pending_migrations(MIGRATIONS).map_err(|error| MigrateError::Migration(error.to_string()))?;
    Ok(pending.iter().map(|migration| migration.name().to_string()).collect())
}

/// Connects, and says with every cause why it cannot: a refused connection, an unknown host, a wrong password.
async fn connect(url: &str) -> Result<AsyncPgConnection, MigrateError> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.map_err(|error| {
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(next) = cause {
            text = format!("{text}: {next}");
            cause = next.source();
        }
        MigrateError::Connect(text)
    })?;
    AsyncPgConnection::try_from_client_and_connection(client, connection)
        .await
        .map_err(|error| MigrateError::Connect(error.to_string()))
}

async fn prepare_roles(
    connection: &mut AsyncPgConnection,
    server: &Server,
    members: &[&str],
) -> Result<(), MigrateError> {
    for role in ROLES {
        let found: Exists = diesel::sql_query("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1) AS found")
            .bind::<Text, _>(role)
            .get_result(connection)
            .await?;
        if !found.found {
            run(connection, "cannot create the role", &format!("CREATE ROLE {role} NOLOGIN;")).await?;
        }
    }
    for member in members.iter().copied().chain(std::iter::once(server.login.as_str())) {
        let held: Exists =
            diesel::sql_query("SELECT bool_and(pg_has_role($1, r, 'MEMBER')) AS found FROM unnest($2) AS r")
                .bind::<Text, _>(member)
                .bind::<diesel::sql_types::Array<Text>, _>(ROLES.to_vec())
                .get_result(connection)
                .await?;
        if !held.found {
            run(connection, "cannot grant the roles", &format!("GRANT {} TO {};", ROLES.join(", "), quoted(member)))
                .await?;
        }
    }
    let ready: Exists = diesel::sql_query(
        "SELECT has_schema_privilege('afferent_owner', 'public', 'CREATE') AND has_schema_privilege('afferent_app', 'public', 'USAGE') \
         AND has_schema_privilege('afferent_worker', 'public', 'USAGE') AND has_database_privilege('afferent_owner', current_database(), 'CREATE') AS found",
    )
    .get_result(connection)
    .await?;
    if !ready.found {
        let grants = format!(
            "GRANT CREATE ON DATABASE {} TO afferent_owner; GRANT CREATE, USAGE ON SCHEMA public TO afferent_owner; \
             GRANT USAGE ON SCHEMA public TO afferent_app, afferent_worker;",
            quoted(&server.database)
        );
        run(connection, "cannot grant the schema", &grants).await?;
    }
    Ok(())
}

async fn run(connection: &mut AsyncPgConnection, what: &'static str, sql: &str) -> Result<(), MigrateError> {
    connection.batch_execute(sql).await.map_err(|source| MigrateError::Rights { what, remedy: sql.to_owned(), source })
}

/// An SQL identifier, quoted.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
