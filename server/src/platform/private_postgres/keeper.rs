//! The thread that owns the Postgres process: starts it, watches it, starts it again when it dies, ends it.
//!
//! It is one thread for the whole life of the child because Linux sends the parent-death signal when the *thread* that
//! spawned a child ends, not the process: a thread of an async runtime's pool would take Postgres with it.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::account::Account;
use super::binaries::Installation;
use super::cluster;
use super::error::PrivatePostgresError;
use super::layout::{DataDirLock, Home, PORT, RunningNote, remove_socket_folder};
use super::postmaster::{self, Postmaster};

/// Recovery after a crash reads the log since the last checkpoint; it is slow on slow disks, and must not be cut off.
const READY_PATIENCE: Duration = Duration::from_secs(900);
/// How long survivors of a killed postmaster may take to notice and leave.
const SURVIVORS_PATIENCE: Duration = Duration::from_secs(30);
/// How long a Postgres that we did not note down may take to go away by itself.
const STRANGER_PATIENCE: Duration = Duration::from_secs(5);
/// How often a running child is looked at.
const WATCH_EVERY: Duration = Duration::from_millis(200);
/// The pause between starts of a Postgres that dies again and again: the first, and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A log larger than this is put aside at the next start.
const LOG_BYTES: u64 = 16 * 1024 * 1024;

/// Everything the thread needs; made once, before the first start.
pub(super) struct Keeper {
    pub(super) data_dir: PathBuf,
    pub(super) home: Home,
    pub(super) installation: Installation,
    pub(super) account: Account,
    pub(super) socket_dir: PathBuf,
    pub(super) durable: bool,
    pub(super) longest_pause: Duration,
    pub(super) stop: Arc<StopRequest>,
    /// Held until the child is gone.
    pub(super) lock: DataDirLock,
}

/// The word from outside that it is time to end.
#[derive(Debug, Default)]
pub(super) struct StopRequest {
    asked: Mutex<bool>,
    changed: Condvar,
}

impl StopRequest {
    pub(super) fn ask(&self) {
        *self.lock() = true;
        self.changed.notify_all();
    }

    /// Waits, and says whether the end was asked for.
    fn within(&self, patience: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.lock(), patience, |asked| !*asked);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How one attempt to start ended without a ready Postgres.
enum NotReady {
    Asked,
    Exited(String),
}

impl Keeper {
    /// Ends what a killed server left behind, so that the cluster is free.
    pub(super) fn clear_leftovers(data_dir: &Path, cluster: &Path) -> Result<(), PrivatePostgresError> {
        let note = RunningNote::read(data_dir)?;
        if let Postmaster::Alive(process) = postmaster::look(cluster) {
            if note.as_ref().is_some_and(|note| note.postmaster == process) {
                tracing::info!(process, "stopping the PostgreSQL that an earlier server left behind");
                postmaster::end_orphan(cluster, process);
            } else {
                postmaster::wait_until(STRANGER_PATIENCE, || postmaster::look(cluster) != Postmaster::Alive(process));
            }
            if postmaster::look(cluster) == Postmaster::Alive(process) {
                return Err(PrivatePostgresError::ForeignServer { cluster: cluster.to_path_buf(), process });
            }
        }
        if let Some(note) = note {
            remove_socket_folder(&note.socket_dir);
            RunningNote::remove(data_dir);
        }
        Ok(())
    }

    /// The thread's work: `report` hears once whether the first start succeeded, and says whether anybody listened.
    pub(super) fn run(self, report: impl FnOnce(Result<(), PrivatePostgresError>) -> bool) {
        match self.start() {
            Ok(child) => {
                if !report(Ok(())) {
                    self.stop.ask();
                }
                self.keep(child);
            }
            Err(error) => {
                report(Err(error));
            }
        }
        RunningNote::remove(&self.data_dir);
        remove_socket_folder(&self.socket_dir);
        drop(self.lock);
    }

    /// Watches until the end is asked for; a Postgres that dies before that is started again.
    fn keep(&self, mut child: Child) {
        let first = FIRST_PAUSE.min(self.longest_pause);
        let mut pause = first;
        loop {
            let since = Instant::now();
            match self.watch(&mut child) {
                None => return,
                Some(status) => {
                    tracing::error!(%status, log = %self.home.log().display(), "PostgreSQL ended unexpectedly")
                }
            }
            if since.elapsed() > self.longest_pause {
                pause = first;
            }
            child = loop {
                if self.stop.within(pause) {
                    return;
                }
                pause = (pause * 2).min(self.longest_pause);
                match self.start() {
                    Ok(child) => break child,
                    Err(error) => tracing::error!(%error, "PostgreSQL could not be started again"),
                }
            };
            tracing::warn!("PostgreSQL runs again");
        }
    }

    /// `None` once the child was ended as asked, its status when it ended by itself.
    fn watch(&self, child: &mut Child) -> Option<String> {
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return Some(status.to_string()),
                Ok(None) => {}
                Err(error) => return Some(error.to_string()),
            }
            if self.stop.within(WATCH_EVERY) {
                postmaster::end(child.id(), || child.try_wait().is_ok_and(|status| status.is_some()));
                tracing::info!("PostgreSQL has stopped");
                return None;
            }
        }
    }

    /// Starts Postgres and waits until it takes connections.
    fn start(&self) -> Result<Child, PrivatePostgresError> {
        let survivors_until = Instant::now() + SURVIVORS_PATIENCE;
        loop {
            if postmaster::look(&self.home.cluster()) == Postmaster::Dead {
                postmaster::disown(&self.home.cluster())?;
            }
            let mut child = self.spawn()?;
            self.note(&child)?;
            match self.wait_ready(&mut child) {
                Ok(()) => return Ok(child),
                Err(NotReady::Asked) => return Err(self.failed("it was asked to stop while it started".to_owned())),
                // Backends of a killed postmaster hold its shared memory until they notice that it is gone.
                Err(NotReady::Exited(tail))
                    if (tail.contains("shared memory block") || tail.contains("lock file"))
                        && Instant::now() < survivors_until =>
                {
                    if self.stop.within(Duration::from_millis(250)) {
                        return Err(self.failed(tail));
                    }
                }
                Err(NotReady::Exited(tail)) => return Err(self.failed(tail)),
            }
        }
    }

    fn failed(&self, detail: String) -> PrivatePostgresError {
        PrivatePostgresError::StartFailed { log: self.home.log(), detail }
    }

    fn note(&self, child: &Child) -> Result<(), PrivatePostgresError> {
        let note = RunningNote {
            owner: std::process::id(),
            postmaster: child.id(),
            socket_dir: self.socket_dir.clone(),
            port: PORT,
        };
        note.write(&self.data_dir)
    }

    fn spawn(&self) -> Result<Child, PrivatePostgresError> {
        let log_path = self.home.log();
        let log = open_log(&log_path).map_err(PrivatePostgresError::files("open", &log_path))?;
        let log_for_output = log.try_clone().map_err(PrivatePostgresError::files("open", &log_path))?;
        let program = self.installation.program("postgres");
        let mut command = self.account.command(&program);
        command.arg("-D").arg(self.home.cluster());
        for setting in cluster::fixed_settings(&self.socket_dir, self.durable) {
            command.arg("-c").arg(setting);
        }
        command.stdout(log_for_output).stderr(log);
        // Out of the terminal's group: Ctrl-C is for the server, which finishes its work and then stops Postgres.
        command.process_group(0);
        die_with_parent(&mut command);
        command.spawn().map_err(PrivatePostgresError::files("run", &program))
    }

    fn wait_ready(&self, child: &mut Child) -> Result<(), NotReady> {
        let since = Instant::now();
        let mut next_word = Duration::from_secs(5);
        let log_start = fs::metadata(self.home.log()).map_or(0, |metadata| metadata.len());
        while since.elapsed() < READY_PATIENCE {
            if postmaster::is_ready(&self.home.cluster(), child.id()) {
                return Ok(());
            }
            if let Ok(Some(status)) = child.try_wait() {
                let tail = read_from(&self.home.log(), log_start);
                return Err(NotReady::Exited(format!("{status}\n{}", cluster::last_lines(&tail, 8))));
            }
            if self.stop.within(Duration::from_millis(10)) {
                postmaster::end(child.id(), || child.try_wait().is_ok_and(|status| status.is_some()));
                return Err(NotReady::Asked);
            }
            if since.elapsed() > next_word {
                next_word += Duration::from_secs(15);
                tracing::info!(
                    seconds = since.elapsed().as_secs(),
                    "waiting for PostgreSQL (it may be recovering from a crash)"
                );
            }
        }
        postmaster::end(child.id(), || child.try_wait().is_ok_and(|status| status.is_some()));
        Err(NotReady::Exited(format!("it took no connections within {} s", READY_PATIENCE.as_secs())))
    }
}

/// Appends to the log; one that has grown large becomes `postgres.log.1`.
fn open_log(path: &Path) -> std::io::Result<File> {
    if fs::metadata(path).is_ok_and(|metadata| metadata.len() > LOG_BYTES) {
        fs::rename(path, path.with_extension("log.1"))?;
    }
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

fn read_from(path: &Path, start: u64) -> String {
    let mut bytes = Vec::new();
    // Without the log the message is shorter, that is all.
    let _ = File::open(path).and_then(|mut file| {
        file.seek(SeekFrom::Start(start))?;
        file.read_to_end(&mut bytes)
    });
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Has the kernel stop Postgres (fast shutdown) when we die without a word. Elsewhere than on Linux the next start does.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the parent-death signal has to be set between fork and exec")]
fn die_with_parent(command: &mut Command) {
    let parent = nix::unistd::getpid();
    // SAFETY: the closure makes two system calls and allocates nothing, which is all that is allowed after a fork. It
    // runs after the change of account, which would clear the setting.
    unsafe {
        command.pre_exec(move || {
            nix::sys::prctl::set_pdeathsig(Signal::SIGINT)?;
            // The parent may have died in between; then the signal will never come.
            if nix::unistd::getppid() == parent { Ok(()) } else { Err(nix::errno::Errno::ESRCH.into()) }
        });
    }
}

#[cfg(not(target_os = "linux"))]
fn die_with_parent(_command: &mut Command) {
    let _ = Signal::SIGINT;
}
