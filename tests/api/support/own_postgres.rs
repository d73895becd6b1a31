//! A Postgres of a test's own: durable as in production, killed and restarted at will, which no other test notices.

use std::path::PathBuf;
use std::time::Duration;

use afferent::config::Secret;
use afferent::platform::private_postgres::{ConnectionInfo, PrivatePostgres, PrivatePostgresSettings};
use diesel_async::SimpleAsyncConnection;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::cluster::{LOGIN, PASSWORD};
use super::{TempDir, TestDatabase, connect};

const DATABASE: &str = "afferent";

/// A running Postgres with one migrated database.
pub struct OwnPostgres {
    pub database: TestDatabase,
    cluster: PathBuf,
    postgres: Option<PrivatePostgres>,
    _data_dir: TempDir,
}

impl OwnPostgres {
    pub async fn start() -> Self {
        Self::start_in(TempDir::new()).await
    }

    /// In a folder that is there, such as a small file system's.
    pub async fn start_in(data_dir: TempDir) -> Self {
        let mut settings = PrivatePostgresSettings::new(data_dir.path());
        settings.shared_buffers_mib = Some(64);
        // A test kills it again and again, and waits for it each time.
        settings.longest_restart_pause = Duration::from_millis(200);
        let postgres = PrivatePostgres::start(settings).await.expect("a Postgres of the test's own starts");
        let connection = postgres.connection().clone();
        let mut conn = connect(connection.url("postgres").expose()).await;
        conn.batch_execute(&format!("CREATE ROLE {LOGIN} LOGIN NOINHERIT PASSWORD '{PASSWORD}'")).await.unwrap();
        conn.batch_execute(&format!("CREATE DATABASE {DATABASE}")).await.unwrap();
        db::migrate(connection.url(DATABASE).expose(), &[LOGIN]).await.expect("the migrations run");
        let server = ConnectionInfo {
            superuser: LOGIN.to_owned(),
            password: Secret::new(PASSWORD.to_owned()),
            ..connection.clone()
        };
        let database = TestDatabase {
            superuser_url: connection.url(DATABASE).expose().clone(),
            server_url: server.url(DATABASE).expose().clone(),
        };
        let cluster = data_dir.path().join("postgres/cluster");
        Self { database, cluster, postgres: Some(postgres), _data_dir: data_dir }
    }

    /// The main process' number; `None` while there is none.
    pub fn postmaster(&self) -> Option<i32> {
        let text = std::fs::read_to_string(self.cluster.join("postmaster.pid")).ok()?;
        let process = text.lines().next()?.trim().parse().ok()?;
        // A killed one leaves its file behind.
        command_name(process).filter(|name| name.starts_with("postgres")).map(|_| process)
    }

    /// Processes of the server: its backends and helpers.
    pub fn children(&self) -> Vec<i32> {
        let Some(postmaster) = self.postmaster() else { return Vec::new() };
        let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
        let processes = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        processes.filter(|process| parent(*process) == Some(postmaster)).collect()
    }

    /// `kill -9` of the main process alone; its backends notice and leave.
    pub fn kill_postmaster(&self) -> bool {
        self.postmaster().is_some_and(|process| send(process, Signal::SIGKILL))
    }

    /// `kill -9` of everything at once, as when the machine dies.
    pub fn kill_all(&self) -> bool {
        let children = self.children();
        let killed = self.kill_postmaster();
        for child in children {
            send(child, Signal::SIGKILL);
        }
        killed
    }

    /// `kill -9` of one process: Postgres throws everybody out and recovers.
    pub fn kill_child(&self, choose: usize) -> bool {
        let children = self.children();
        !children.is_empty() && send(children[choose % children.len()], Signal::SIGKILL)
    }

    /// What `pg_ctl restart -m immediate` does: no checkpoint, recovery at the next start.
    pub fn restart_immediately(&self) -> bool {
        self.postmaster().is_some_and(|process| send(process, Signal::SIGQUIT))
    }

    /// What `pg_ctl restart -m fast` does: transactions are rolled back, connections cut.
    pub fn restart_fast(&self) -> bool {
        self.postmaster().is_some_and(|process| send(process, Signal::SIGINT))
    }

    /// Ends it.
    pub async fn stop(mut self) {
        if let Some(postgres) = self.postgres.take() {
            postgres.stop().await;
        }
    }
}

fn send(process: i32, signal: Signal) -> bool {
    kill(Pid::from_raw(process), signal).is_ok()
}

fn stat(process: i32) -> Option<String> {
    std::fs::read_to_string(format!("/proc/{process}/stat")).ok()
}

fn command_name(process: i32) -> Option<String> {
    let stat = stat(process)?;
    let name = stat.split_once('(')?.1.rsplit_once(')')?.0.to_owned();
    // A zombie was killed and is not reaped yet.
    (!stat.rsplit_once(')')?.1.trim_start().starts_with('Z')).then_some(name)
}

fn parent(process: i32) -> Option<i32> {
    stat(process)?.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}
