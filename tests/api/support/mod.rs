//! What tests start with: a database of their own, a server in front of it, and actors that call it.

mod actors;
mod chromium;
mod cluster;
mod fake_ehr;
mod mosquitto;
mod own_postgres;
mod payloads;
mod postgres_proxy;
mod process;
mod script;
mod tcp_proxy;
mod versioned;
mod withings_cloud;

pub use actors::{Actor, Answer, Clinic, Hub};
pub use chromium::{Chromium, Page};
pub use cluster::{TestDatabase, connect, fresh_database};
pub use fake_ehr::{FakeEhr, Fault};
pub use mosquitto::{Mosquitto, Wish as BrokerWish};
pub use own_postgres::OwnPostgres;
pub use payloads::{blood_pressure, blood_pressure_at, weight, weight_at};
pub use postgres_proxy::{Cut, PostgresProxy};
pub use process::{ServerProcess, free_address};
pub use script::Stage;
pub use tcp_proxy::TcpProxy;
pub use versioned::{versioned, versioned_frame, versioned_hub};
pub use withings_cloud::{CLIENT_SECRET, CloudFault, WithingsCloud};

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use afferent::app::{self, App};
use afferent::config::Config;
use afferent::identity::{Role, issue_token};
use tokio_util::sync::CancellationToken;

/// A server in this process, on a database of its own.
pub struct TestApp {
    pub app: Arc<App>,
    pub address: SocketAddr,
    pub database: TestDatabase,
    stop: CancellationToken,
    server: actix_web::dev::ServerHandle,
    _data_dir: TempDir,
}

impl TestApp {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With configuration on top of the tests' own, as `AFFERENT_…` variables.
    pub async fn start_with(environment: &[(&str, &str)]) -> Self {
        Self::on(fresh_database().await, environment).await
    }

    /// A server on a database that is there: a second process, a restart.
    pub async fn on(database: TestDatabase, environment: &[(&str, &str)]) -> Self {
        Self::with_clock(database, environment, chrono::TimeDelta::zero()).await
    }

    /// The same, with a clock that is wrong.
    pub async fn with_clock(database: TestDatabase, environment: &[(&str, &str)], wrong_by: chrono::TimeDelta) -> Self {
        let data_dir = TempDir::new();
        let compiled = CompiledDecoders::lend(data_dir.path());
        let mut variables: Vec<(String, String)> = vec![
            ("AFFERENT_DATA_DIR".into(), data_dir.path().display().to_string()),
            ("AFFERENT_LISTEN".into(), "127.0.0.1:0".into()),
            ("AFFERENT_OUTBOUND_ALLOW".into(), "127.0.0.0/8".into()),
            ("AFFERENT_FORWARD_BACKOFF_BASE".into(), "100ms".into()),
            ("AFFERENT_FORWARD_BACKOFF_MAX".into(), "1s".into()),
            ("AFFERENT_FORWARD_REQUEST_TIMEOUT".into(), "2s".into()),
            ("AFFERENT_FORWARD_LEASE".into(), "4s".into()),
            ("AFFERENT_API_RATE_PER_CLIENT".into(), "100000".into()),
            ("AFFERENT_API_BURST_PER_CLIENT".into(), "100000".into()),
            ("AFFERENT_INGEST_RATE_PER_SOURCE".into(), "100000".into()),
            ("AFFERENT_INGEST_BURST_PER_SOURCE".into(), "100000".into()),
            // The same in every server on this database, so that sealed values open.
            ("AFFERENT_SECRET_KEY".into(), "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=".into()),
        ];
        variables.retain(|(name, _)| environment.iter().all(|(other, _)| name != other));
        variables.extend(environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let config = Config::load(variables, None).expect("the tests' configuration holds");
        let listener = TcpListener::bind(config.listen).unwrap();
        let address = listener.local_addr().unwrap();
        let mut app = App::build(config, &database.server_url, address).await.expect("the server starts");
        compiled.keep();
        app.clock.wrong_by = wrong_by;
        let app = Arc::new(app);
        let stop = CancellationToken::new();
        for _ in 0..2 {
            tokio::spawn(afferent::ingest::run_committer(Arc::clone(&app)));
        }
        tokio::spawn(afferent::ingest::run_reassignments(Arc::clone(&app), stop.clone()));
        tokio::spawn(afferent::ingest::run_replays(Arc::clone(&app), stop.clone()));
        tokio::spawn(afferent::ingest::run_shadow_replays(Arc::clone(&app), stop.clone()));
        tokio::spawn(afferent::ingest::run_live_shadows(Arc::clone(&app), stop.clone()));
        tokio::spawn(afferent::ingest::run_joins(Arc::clone(&app), stop.clone()));
        tokio::spawn(afferent::ingest::run_claims(Arc::clone(&app), stop.clone()));
        tokio::spawn(afferent::ingest::run_pulls(Arc::clone(&app), stop.clone()));
        tokio::spawn(afferent::forward::run(Arc::clone(&app), stop.clone()));
        tokio::spawn(afferent::ingest::run_mqtt(Arc::clone(&app), stop.clone()));
        tokio::spawn(afferent::fleet::follow_registry(Arc::clone(&app), stop.clone()));
        let server = app::http_server(Arc::clone(&app), listener, Duration::from_secs(1)).unwrap();
        let handle = server.handle();
        tokio::spawn(server);
        Self { app, address, database, stop, server: handle, _data_dir: data_dir }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn anonymous(&self) -> Actor {
        Actor::new(self.url(""), None)
    }

    pub async fn platform_admin(&self) -> Actor {
        let token = issue_token::issue(&self.app.db, Role::PlatformAdmin, None, "test").await.unwrap();
        Actor::new(self.url(""), Some(token))
    }

    /// An actor with a role in a tenant.
    pub async fn member(&self, role: Role, tenant: &str) -> Actor {
        let token = issue_token::issue(&self.app.db, role, Some(tenant.parse().unwrap()), "test").await.unwrap();
        Actor::new(self.url(""), Some(token))
    }

    /// A customer with an admin, a patient, and a blood-pressure cuff (`gatt-2A35`) that the patient wears.
    pub async fn clinic(&self, name: &str) -> Clinic {
        Clinic::found(self, name).await
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.stop.cancel();
        self.app.intake.close();
        let server = self.server.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { server.stop(false).await });
        }
    }
}

/// Compiled decoders, from test to test and from run to run: compiling dozens of them takes longer than most tests. They
/// are named by content and engine, and each server has links of its own in a folder of its own.
struct CompiledDecoders {
    shared: std::path::PathBuf,
    own: std::path::PathBuf,
}

impl CompiledDecoders {
    fn lend(data_dir: &std::path::Path) -> Self {
        use std::os::unix::fs::DirBuilderExt;
        let found =
            Self { shared: tests_data_dir().join("compiled-decoders"), own: data_dir.join("compiled-decoders") };
        for folder in [&found.shared, &found.own] {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).unwrap();
        }
        link_all(&found.shared, &found.own);
        found
    }

    fn keep(&self) {
        link_all(&self.own, &self.shared);
    }
}

/// A data directory that all tests share, for what the command line finds there: compiled decoders.
pub fn tests_data_dir() -> std::path::PathBuf {
    std::env::temp_dir().join("afferent-test-shared")
}

/// Links the files of one folder into another; those that are there already stay.
fn link_all(from: &std::path::Path, into: &std::path::Path) {
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "compiled") {
            let _there_already = std::fs::hard_link(entry.path(), into.join(entry.file_name()));
        }
    }
}

/// A folder that goes with the test.
pub struct TempDir(std::path::PathBuf);

impl TempDir {
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(format!("afferent-test-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &std::path::Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // What a killed process still holds is swept by the system.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Waits until something holds; says what was waited for when it does not within 30 seconds.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, ask: impl FnMut() -> F) -> T {
    eventually_within(Duration::from_secs(30), what, ask).await
}

/// The same with a time of its own.
pub async fn eventually_within<T, F: Future<Output = Option<T>>>(
    time: Duration,
    what: &str,
    mut ask: impl FnMut() -> F,
) -> T {
    let until = std::time::Instant::now() + time;
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(std::time::Instant::now() < until, "waited in vain for: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
