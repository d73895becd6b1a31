//! One Postgres for the whole test run, and a database a test: copied from a template that was migrated once.

use std::path::PathBuf;

use afferent::platform::private_postgres::{ConnectionInfo, PrivatePostgres, PrivatePostgresSettings};
use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use tokio::sync::{Mutex, OnceCell};

const TEMPLATE: &str = "afferent_template";
pub(super) const LOGIN: &str = "afferent_test_server";
pub(super) const PASSWORD: &str = "only-for-tests-on-a-private-socket";

struct Cluster {
    connection: ConnectionInfo,
    /// CREATE DATABASE … TEMPLATE wants nobody else in the template.
    copying: Mutex<()>,
    _postgres: PrivatePostgres,
}

static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();

/// A database of a test's own.
#[derive(Clone)]
pub struct TestDatabase {
    /// As the superuser: to look behind the server's back.
    pub superuser_url: String,
    /// As the server's login, which has no rights of its own.
    pub server_url: String,
}

/// A migrated, empty database.
pub async fn fresh_database() -> TestDatabase {
    let cluster = CLUSTER.get_or_init(start).await;
    let name = format!("test_{}", uuid::Uuid::new_v4().simple());
    {
        let _one_at_a_time = cluster.copying.lock().await;
        let mut conn = connect(cluster.connection.url("postgres").expose()).await;
        conn.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}")).await.unwrap();
    }
    database(cluster, &name)
}

fn database(cluster: &Cluster, name: &str) -> TestDatabase {
    let superuser_url = cluster.connection.url(name).expose().clone();
    let server = ConnectionInfo {
        superuser: LOGIN.to_owned(),
        password: afferent::config::Secret::new(PASSWORD.to_owned()),
        ..cluster.connection.clone()
    };
    TestDatabase { server_url: server.url(name).expose().clone(), superuser_url }
}

/// A connection by URL.
pub async fn connect(url: &str) -> AsyncPgConnection {
    AsyncPgConnection::establish(url).await.expect("the tests' Postgres lets us in")
}

async fn start() -> Cluster {
    sweep();
    let data_dir = std::env::temp_dir().join(format!("afferent-testpg-{}", std::process::id()));
    let mut settings = PrivatePostgresSettings::new(&data_dir);
    // The tests kill servers, never the machine: what the system has taken is not lost.
    settings.durable = false;
    settings.shared_buffers_mib = Some(128);
    let postgres = PrivatePostgres::start(settings).await.expect("the tests' Postgres starts");
    let connection = postgres.connection().clone();
    let mut conn = connect(connection.url("postgres").expose()).await;
    conn.batch_execute(&format!("CREATE ROLE {LOGIN} LOGIN NOINHERIT PASSWORD '{PASSWORD}'")).await.unwrap();
    conn.batch_execute(&format!("CREATE DATABASE {TEMPLATE}")).await.unwrap();
    db::migrate(connection.url(TEMPLATE).expose(), &[LOGIN]).await.expect("the migrations run");
    Cluster { connection, copying: Mutex::new(()), _postgres: postgres }
}

/// Removes the clusters of test runs that are over.
fn sweep() {
    let Ok(entries) = std::fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(process) = name.strip_prefix("afferent-testpg-") else { continue };
        if !PathBuf::from(format!("/proc/{process}")).exists() {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
