//! A Postgres of our own: with no `DATABASE_URL`, Afferent starts and keeps one in its data directory.
//!
//! It listens on a private unix socket only, demands a password, syncs every commit, and ends with the server however
//! that ends. One process holds a data directory at a time. Afferent as root runs it under another account.

mod account;
mod binaries;
mod cluster;
mod error;
mod keeper;
mod layout;
mod memory;
mod postmaster;
#[cfg(test)]
mod tests;

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use self::account::Account;
use self::binaries::Installation;
pub use self::error::PrivatePostgresError;
use self::keeper::{Keeper, StopRequest};
use self::layout::{DataDirLock, Home, PORT, RunningNote};
use self::postmaster::Postmaster;
use crate::config::Secret;

/// How to run a private Postgres.
#[derive(Debug, Clone)]
pub struct PrivatePostgresSettings {
    /// Afferent's data directory; the cluster lives in its `postgres` folder.
    pub data_dir: PathBuf,
    /// The folder with `initdb` and `postgres`; searched in the usual places when `None`.
    pub binaries: Option<PathBuf>,
    /// For root: the account (name, uid or `uid:gid`) that runs Postgres; `postgres` or another unprivileged one when `None`.
    pub run_as: Option<String>,
    /// Postgres' own cache in MiB; an eighth of the memory when `None`.
    pub shared_buffers_mib: Option<u64>,
    /// False gives up everything that protects data from a crash, for speed. For tests only.
    pub durable: bool,
    /// The longest pause before a Postgres that died is started again; it grows from a second while it dies again and
    /// again.
    pub longest_restart_pause: Duration,
}

impl PrivatePostgresSettings {
    /// The settings for a data directory, with everything else by default.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            binaries: None,
            run_as: None,
            shared_buffers_mib: None,
            durable: true,
            longest_restart_pause: keeper::LONGEST_PAUSE,
        }
    }
}

/// How to reach a private Postgres.
#[derive(Debug, Clone)]
pub struct ConnectionInfo {
    /// The folder of the unix socket.
    pub socket_dir: PathBuf,
    /// The port that is part of the socket's name.
    pub port: u16,
    /// The superuser's name.
    pub superuser: String,
    /// The superuser's password.
    pub password: Secret<String>,
}

impl ConnectionInfo {
    /// A connection URL for `database` (`postgres://user:password@/database?host=/socket/folder&port=5432`).
    #[must_use]
    pub fn url(&self, database: &str) -> Secret<String> {
        let host = percent_encode(&self.socket_dir.to_string_lossy());
        let (user, port) = (&self.superuser, self.port);
        let password = percent_encode(self.password.expose());
        Secret::new(format!("postgres://{user}:{password}@/{}?host={host}&port={port}", percent_encode(database)))
    }
}

/// A running private Postgres. It is ended by [`PrivatePostgres::stop`], and, less patiently, when dropped.
#[derive(Debug)]
pub struct PrivatePostgres {
    connection: ConnectionInfo,
    stop: Arc<StopRequest>,
    ended: Option<oneshot::Receiver<()>>,
}

impl PrivatePostgres {
    /// Makes the cluster if there is none, starts Postgres and waits until it takes connections.
    ///
    /// A Postgres that dies later is started again under the same connection data, and the log says so.
    ///
    /// # Errors
    ///
    /// Every [`PrivatePostgresError`]: no binaries, another version's cluster, a data directory in use or out of reach, …
    pub async fn start(settings: PrivatePostgresSettings) -> Result<Self, PrivatePostgresError> {
        let stop = Arc::new(StopRequest::default());
        let (report, reported) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let stop_of_thread = Arc::clone(&stop);
        let spawned = thread::Builder::new().name("private-postgres".to_owned()).spawn(move || {
            match prepare(&settings, stop_of_thread) {
                Ok((keeper, connection)) => {
                    keeper.run(|outcome| report.send(outcome.map(|()| connection)).is_ok());
                }
                // Whoever asked has gone away.
                Err(error) => drop(report.send(Err(error))),
            }
            // Dropping the sender would do as well.
            let _ = end.send(());
        });
        spawned.map_err(PrivatePostgresError::files("start a thread for", Path::new("postgres")))?;
        let vanished = || PrivatePostgresError::StartFailed {
            log: PathBuf::new(),
            detail: "the thread that starts it ended early".to_owned(),
        };
        let connection = reported.await.map_err(|_closed| vanished())??;
        Ok(Self { connection, stop, ended: Some(ended) })
    }

    /// The private Postgres that another process keeps for `data_dir`, if it is alive.
    ///
    /// # Errors
    ///
    /// [`PrivatePostgresError::Files`] when its note or password may not be read: run as the same user, or as root.
    pub fn attach(data_dir: &Path) -> Result<Option<ConnectionInfo>, PrivatePostgresError> {
        let Some(note) = RunningNote::read(data_dir)? else { return Ok(None) };
        let Some(home) = Home::existing(data_dir) else { return Ok(None) };
        if !matches!(postmaster::look(&home.cluster()), Postmaster::Alive(_)) {
            return Ok(None);
        }
        if UnixStream::connect(layout::socket_file(&note.socket_dir)).is_err() {
            return Ok(None);
        }
        connection_info(&home, note.socket_dir, note.port).map(Some)
    }

    /// How to reach it.
    #[must_use]
    pub fn connection(&self) -> &ConnectionInfo {
        &self.connection
    }

    /// Shuts Postgres down (connections are cut, a checkpoint is written) and returns when it is gone; it is killed
    /// when it does not go within a bound of about a minute.
    pub async fn stop(mut self) {
        self.stop.ask();
        if let Some(ended) = self.ended.take() {
            // An error means that the thread is gone, and Postgres with it.
            let _ = ended.await;
        }
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        self.stop.ask();
    }
}

/// Everything up to the first start of the process; blocking.
fn prepare(
    settings: &PrivatePostgresSettings,
    stop: Arc<StopRequest>,
) -> Result<(Keeper, ConnectionInfo), PrivatePostgresError> {
    let started = Instant::now();
    let lock = DataDirLock::take(&settings.data_dir)?;
    let existing = Home::existing(&settings.data_dir);
    let account = Account::choose(settings.run_as.as_deref(), existing.as_ref().map(Home::path))?;
    let cluster_folder = existing.as_ref().map_or_else(|| settings.data_dir.join("postgres/cluster"), Home::cluster);
    let major = cluster::major_version(&cluster_folder)?;
    let installation = binaries::choose(settings.binaries.as_deref(), &cluster_folder, major.as_deref())?;
    let home = Home::prepare(&settings.data_dir, &account, &installation.program("postgres"))?;
    Keeper::clear_leftovers(&settings.data_dir, &home.cluster())?;
    if major.is_none() {
        cluster::create(&home, &installation, &account, settings.durable)?;
    }
    cluster::write_settings(&home, &installation, &account, settings.shared_buffers_mib, settings.durable)?;
    let socket_dir = home.make_socket_folder(&account)?;
    let connection = connection_info(&home, socket_dir.clone(), PORT)?;
    log_start(&home, &installation, &account, started);
    let data_dir = settings.data_dir.clone();
    let keeper = Keeper {
        data_dir,
        home,
        installation,
        account,
        socket_dir,
        durable: settings.durable,
        longest_pause: settings.longest_restart_pause,
        stop,
        lock,
    };
    Ok((keeper, connection))
}

fn log_start(home: &Home, installation: &Installation, account: &Account, started: Instant) {
    tracing::info!(
        cluster = %home.cluster().display(),
        account = account.label(),
        prepared_ms = started.elapsed().as_millis(),
        "starting a private PostgreSQL {}",
        installation.major,
    );
}

fn connection_info(home: &Home, socket_dir: PathBuf, port: u16) -> Result<ConnectionInfo, PrivatePostgresError> {
    let path = home.password();
    let password = fs::read_to_string(&path).map_err(PrivatePostgresError::files("read", &path))?;
    if !layout::is_private(&path) {
        tracing::warn!(file = %path.display(), "others can read the database password: chmod 600 {}", path.display());
    }
    Ok(ConnectionInfo {
        socket_dir,
        port,
        superuser: cluster::SUPERUSER.to_owned(),
        password: Secret::new(password.trim().to_owned()),
    })
}

/// Everything but unreserved characters (RFC 3986 §2.3) as `%XX`.
fn percent_encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
