//! The main Postgres process as others see it: `postmaster.pid`, whether that process still lives, how to end it.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::error::PrivatePostgresError;

/// From polite to final: disconnect and write a checkpoint; drop everything and recover later; be killed.
const STEPS: [(Signal, Duration); 3] = [
    (Signal::SIGINT, Duration::from_secs(60)),
    (Signal::SIGQUIT, Duration::from_secs(10)),
    (Signal::SIGKILL, Duration::from_secs(10)),
];

/// What a cluster's `postmaster.pid` says, checked against the living.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Postmaster {
    /// There is no such file: the last shutdown was clean, or there never was a start.
    None,
    /// The file names a process that is gone, was killed and not yet reaped, or is something else by now.
    Dead,
    /// Postgres runs on this cluster.
    Alive(u32),
}

pub(super) fn look(cluster: &Path) -> Postmaster {
    let Ok(text) = fs::read_to_string(cluster.join("postmaster.pid")) else { return Postmaster::None };
    // The first line is the process; a standalone backend writes it negated.
    match text.lines().next().and_then(|line| line.trim().parse::<i32>().ok()) {
        Some(process) if is_postgres_on(cluster, process.unsigned_abs()) => Postmaster::Alive(process.unsigned_abs()),
        _ => Postmaster::Dead,
    }
}

/// True when Postgres has finished starting and takes connections: line 8 of `postmaster.pid`, as `pg_ctl` reads it.
pub(super) fn is_ready(cluster: &Path, process: u32) -> bool {
    let Ok(text) = fs::read_to_string(cluster.join("postmaster.pid")) else { return false };
    let mut lines = text.lines().map(str::trim);
    lines.next() == Some(process.to_string().as_str()) && lines.nth(6) == Some("ready")
}

/// Lets Postgres take over a `postmaster.pid` whose process is dead.
///
/// Postgres refuses to start while the number in it is taken by anybody of the same account: by a killed postmaster that
/// nobody has reaped, or, in a fresh container, by an unrelated process. Only its own and its parent's number are let
/// pass. So the file gets ours. Deleting it would also skip the check for surviving backends in shared memory, which
/// protects the data.
pub(super) fn disown(cluster: &Path) -> Result<(), PrivatePostgresError> {
    let file = cluster.join("postmaster.pid");
    let text = fs::read_to_string(&file).map_err(PrivatePostgresError::files("read", &file))?;
    let rest = text.split_once('\n').map_or("", |(_, rest)| rest);
    fs::write(&file, format!("{}\n{rest}", std::process::id())).map_err(PrivatePostgresError::files("write", &file))
}

/// Ends a Postgres that is not our child: an orphan of a server that was killed.
pub(super) fn end_orphan(cluster: &Path, process: u32) {
    end(process, || look(cluster) != Postmaster::Alive(process));
}

/// Signals with growing force until `gone` says so; each step has its time.
pub(super) fn end(process: u32, mut gone: impl FnMut() -> bool) {
    for (signal, patience) in STEPS {
        send(process, signal);
        if wait_until(patience, &mut gone) {
            return;
        }
        tracing::warn!(process, %signal, "PostgreSQL did not end within {} s", patience.as_secs());
    }
}

pub(super) fn send(process: u32, signal: Signal) {
    // A process that is gone needs no signal.
    if let Ok(process) = i32::try_from(process) {
        let _ = kill(Pid::from_raw(process), signal);
    }
}

/// Polls until `done` or until the patience is over; says whether it was done.
pub(super) fn wait_until(patience: Duration, mut done: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + patience;
    loop {
        if done() {
            return true;
        }
        if Instant::now() >= until {
            return false;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// A process that was killed but not reaped has no command line any more, so it does not count.
#[cfg(target_os = "linux")]
fn is_postgres_on(cluster: &Path, process: u32) -> bool {
    let Ok(command_line) = fs::read(format!("/proc/{process}/cmdline")) else { return false };
    let program = command_line.split(|byte| *byte == 0).next().unwrap_or_default();
    let program = String::from_utf8_lossy(program);
    // Postgres works inside its cluster folder. Who may not look at that (another account) goes by the name alone.
    let elsewhere = fs::read_link(format!("/proc/{process}/cwd")).is_ok_and(|folder| folder != cluster);
    !elsewhere && names_postgres(program.rsplit('/').next().unwrap_or_default())
}

#[cfg(not(target_os = "linux"))]
fn is_postgres_on(_cluster: &Path, process: u32) -> bool {
    let output = std::process::Command::new("ps").args(["-o", "stat=,comm=", "-p", &process.to_string()]).output();
    let Ok(output) = output else { return false };
    let text = String::from_utf8_lossy(&output.stdout);
    let Some((state, program)) = text.trim().split_once(char::is_whitespace) else { return false };
    !state.starts_with('Z') && names_postgres(program.trim().rsplit('/').next().unwrap_or_default())
}

fn names_postgres(program: &str) -> bool {
    program.starts_with("postgres") || program.starts_with("postmaster")
}
