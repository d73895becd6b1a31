//! The real binary as a process of its own, which tests kill.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{Actor, CompiledDecoders, TempDir, TestDatabase, eventually_within};

/// A running `afferent serve`.
pub struct ServerProcess {
    child: Child,
    pub address: SocketAddr,
    compiled: CompiledDecoders,
    _data_dir: TempDir,
}

impl ServerProcess {
    /// Starts on a database that is there, at an address of its own, and waits until it is ready.
    pub async fn start(database: &TestDatabase, address: Option<SocketAddr>, environment: &[(&str, &str)]) -> Self {
        let address = address.unwrap_or_else(free_address);
        let mut process = Self::spawn(database, address, environment, Stdio::inherit());
        process.ready().await;
        process
    }

    /// The same without waiting, with its log in a file.
    pub fn spawn_logging(
        database: &TestDatabase,
        address: SocketAddr,
        environment: &[(&str, &str)],
        log: &Path,
    ) -> Self {
        let log = File::options().create(true).append(true).open(log).unwrap();
        Self::spawn(database, address, environment, log.into())
    }

    fn spawn(database: &TestDatabase, address: SocketAddr, environment: &[(&str, &str)], log: Stdio) -> Self {
        let data_dir = TempDir::new();
        let compiled = CompiledDecoders::lend(data_dir.path());
        let child = Command::new(env!("CARGO_BIN_EXE_afferent"))
            .arg("serve")
            .stderr(log)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("AFFERENT_DATA_DIR", data_dir.path())
            .env("AFFERENT_LISTEN", address.to_string())
            .env("AFFERENT_OUTBOUND_ALLOW", "127.0.0.0/8")
            .env("AFFERENT_FORWARD_BACKOFF_BASE", "100ms")
            .env("AFFERENT_FORWARD_BACKOFF_MAX", "1s")
            .env("AFFERENT_FORWARD_REQUEST_TIMEOUT", "2s")
            .env("AFFERENT_FORWARD_LEASE", "4s")
            .env("AFFERENT_INGEST_RATE_PER_SOURCE", "100000")
            .env("AFFERENT_INGEST_BURST_PER_SOURCE", "100000")
            .env("AFFERENT_SECRET_KEY", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
            .env("AFFERENT_LOG", "warn")
            .env("DATABASE_URL", &database.server_url)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .spawn()
            .expect("the server's binary starts");
        Self { child, address, compiled, _data_dir: data_dir }
    }

    async fn ready(&mut self) {
        let anonymous = Actor::new(format!("http://{}", self.address), None);
        // The first in a run compiles every decoder, on a machine that may be busy.
        eventually_within(Duration::from_secs(180), "the server process to be ready", || {
            let anonymous = anonymous.clone();
            async move {
                let answer = anonymous
                    .try_send(anonymous.request(reqwest::Method::GET, "/readyz").timeout(Duration::from_secs(1)))
                    .await;
                answer.is_ok_and(|answer| answer.status == 200).then_some(())
            }
        })
        .await;
        assert!(self.child.try_wait().unwrap().is_none(), "the server process ended");
        self.compiled.keep();
    }

    /// Stops its time, or lets it go on.
    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// Whether it has not ended.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// `kill -9`, and wait until it is gone.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; answers the exit code.
    pub async fn terminate(mut self) -> Option<i32> {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        tokio::task::spawn_blocking(move || {
            let status = self.child.wait().unwrap();
            status.code()
        })
        .await
        .unwrap()
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address that nobody listens on at the moment.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
