//! The server that is measured: this very program as `afferent serve`, in a process of its own with a private Postgres,
//! on a free port of loopback. What it takes is therefore told apart from the load.

use std::fmt::Write;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

use super::client::{self, Connection};
use super::processes::Processes;
use crate::config::Config;

/// How long a start may take: initdb on a slow disk, in a build without optimisation.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often a starting server is asked, and so how exact a cold start is.
const ASK_EVERY: Duration = Duration::from_millis(2);
/// Variables that would send the server elsewhere than into its scratch folder.
const ELSEWHERE: &[&str] = &[
    "DATABASE_URL",
    "DATABASE_URL_FILE",
    "AFFERENT_DATABASE_URL",
    "AFFERENT_DATABASE_URL_FILE",
    "AFFERENT_PUBLIC_URL",
    "AFFERENT_OIDC_ISSUER",
    "AFFERENT_METRICS_TOKEN",
    "AFFERENT_METRICS_TOKEN_FILE",
    "AFFERENT_SECRET_KEY",
    "AFFERENT_SECRET_KEY_FILE",
];
/// Limits that one machine with a few made-up devices must not meet.
const NO_LIMIT: &[(&str, &str)] = &[
    ("AFFERENT_API_RATE_PER_CLIENT", "1000000"),
    ("AFFERENT_API_BURST_PER_CLIENT", "1000000"),
    ("AFFERENT_INGEST_RATE_PER_SOURCE", "1000000"),
    ("AFFERENT_INGEST_BURST_PER_SOURCE", "1000000"),
];

/// A running server.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) processes: Processes,
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Starts it in the folder, and tells how long it took until `/readyz` said yes.
    pub(super) async fn start(config: &Config, folder: &Path) -> anyhow::Result<(Self, Duration)> {
        let (settings, log) = (folder.join("afferent.toml"), folder.join("server.log"));
        std::fs::write(&settings, settings_text(config)?)?;
        let address = free_address()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve").current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
        command.stdout(File::create(&log)?).stderr(File::options().append(true).open(&log)?);
        for name in ELSEWHERE {
            command.env_remove(name);
        }
        command.envs(NO_LIMIT.iter().copied());
        command.env("AFFERENT_CONFIG", &settings).env("AFFERENT_DATA_DIR", folder.join("data"));
        command.env("AFFERENT_LISTEN", address.to_string()).env("AFFERENT_LOG", &config.log);
        command.env("AFFERENT_OUTBOUND_ALLOW", "127.0.0.1/32");
        die_with_parent(&mut command);
        let started = Instant::now();
        let child = command.spawn().context("the server could not be started")?;
        let processes = Processes { server: child.id().context("the server ended at once")? };
        let mut server = Self { address, processes, child, log };
        while !server.is_ready().await {
            if let Some(status) = server.child.try_wait()? {
                bail!("the server ended with {status}: {}", server.last_words());
            }
            ensure!(started.elapsed() < PATIENCE, "the server is not ready: {}", server.last_words());
            tokio::time::sleep(ASK_EVERY).await;
        }
        Ok((server, started.elapsed()))
    }

    async fn is_ready(&self) -> bool {
        let Ok(mut connection) = Connection::open(self.address).await else { return false };
        let request = client::head("GET", "/readyz", "", "text/plain", 0);
        matches!(connection.exchange(&request).await, Ok(answer) if answer.status == 200)
    }

    /// What the server counts of itself, by the name of the metric.
    pub(super) async fn metric(&self, name: &str) -> anyhow::Result<f64> {
        let mut connection = Connection::open(self.address).await?;
        let answer = connection.exchange(&client::head("GET", "/metrics", "", "text/plain", 0)).await?.text();
        let line = answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.trim().parse().ok()).with_context(|| format!("no metric {name}"))
    }

    /// Ends it as an operator would, and its Postgres with it.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        if let Some(pid) = self.child.id().and_then(|id| i32::try_from(id).ok()) {
            kill(Pid::from_raw(pid), Signal::SIGTERM)?;
        }
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await.context("the server does not end")??;
        ensure!(status.success(), "the server ended with {status}: {}", self.last_words());
        Ok(())
    }

    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines.get(lines.len().saturating_sub(5)..).unwrap_or_default().join("\n")
    }
}

/// What of the configuration counts, whether it came from a file or the environment.
fn settings_text(config: &Config) -> anyhow::Result<String> {
    let ingest = &config.ingest;
    let mut text = String::from("# Written by afferent bench.\n");
    for (key, value) in [
        ("max_body_bytes", config.max_body_bytes),
        ("ingest_batch_rows", ingest.batch_rows),
        ("ingest_batch_bytes", ingest.batch_bytes),
        ("ingest_queue_rows", ingest.queue_rows),
        ("ingest_committers", ingest.committers),
        ("decode_threads", ingest.decode_threads),
    ] {
        writeln!(text, "{key} = {value}")?;
    }
    let folder = |path: &PathBuf| toml::Value::from(path.to_string_lossy().into_owned());
    if let Some(path) = &config.decoder_dir {
        writeln!(text, "decoder_dir = {}", folder(path))?;
    }
    if let Some(path) = &config.postgres_binaries {
        writeln!(text, "postgres_binaries = {}", folder(path))?;
    }
    if let Some(account) = &config.postgres_run_as {
        writeln!(text, "postgres_run_as = {}", toml::Value::from(account.clone()))?;
    }
    Ok(text)
}

/// An address that was free a moment ago.
fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// Has the kernel end the server when we die without a word, so that none is left behind.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the parent-death signal has to be set between fork and exec")]
fn die_with_parent(command: &mut Command) {
    // SAFETY: one system call, and nothing is allocated, which is all that is allowed after a fork.
    unsafe {
        command.pre_exec(|| Ok(nix::sys::prctl::set_pdeathsig(Signal::SIGTERM)?));
    }
}

#[cfg(not(target_os = "linux"))]
fn die_with_parent(_command: &mut Command) {}
