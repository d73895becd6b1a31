//! What the processes of the server take, as the kernel counts it (`proc(5)`): processor time and memory of the server
//! itself, and processor time of its Postgres. Where there is no such folder the figures are left out.

use std::collections::HashMap;
use std::time::Duration;

use nix::sys::resource::{Usage, UsageWho, getrusage};

/// Length of the clock tick that `/proc` counts in: `USER_HZ` is 100 on every platform that we build for.
const TICK: Duration = Duration::from_millis(10);

/// Processor time so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ProcessorTime {
    /// The server.
    pub(super) server: Duration,
    /// Postgres: the postmaster, its sessions and background processes, those that ended included.
    pub(super) postgres: Duration,
    /// This process: load generator, or what writes the floor.
    pub(super) ours: Duration,
}

impl ProcessorTime {
    /// What was taken since.
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            server: self.server.saturating_sub(before.server),
            postgres: self.postgres.saturating_sub(before.postgres),
            ours: self.ours.saturating_sub(before.ours),
        }
    }

    pub(super) fn sum(self) -> Duration {
        self.server + self.postgres + self.ours
    }
}

/// Bytes that a process holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resident {
    pub(super) now: u64,
    /// The most since the start, or since [`Processes::forget_peak`].
    pub(super) peak: u64,
}

/// A server's processes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Processes {
    pub(super) server: u32,
}

impl Processes {
    /// Processor time of all of them, and of this process.
    pub(super) fn processor_time(self) -> anyhow::Result<Option<ProcessorTime>> {
        let ours = sum(&getrusage(UsageWho::RUSAGE_SELF)?);
        let all = all_processes();
        let Some(server) = all.get(&self.server) else { return Ok(None) };
        let mut postgres = 0;
        for process in all.values() {
            if process.descends_from(self.server, &all) {
                postgres += process.own_ticks + process.reaped_ticks;
            }
        }
        let time = |ticks: u64| TICK * u32::try_from(ticks).unwrap_or(u32::MAX);
        Ok(Some(ProcessorTime { server: time(server.own_ticks), postgres: time(postgres), ours }))
    }

    /// The server's memory.
    pub(super) fn resident(self) -> Option<Resident> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.server)).ok()?;
        Some(Resident { now: bytes(&status, "VmRSS:")?, peak: bytes(&status, "VmHWM:")? })
    }

    /// Memory of Postgres: proportional set sizes, so that what its processes share counts once.
    pub(super) fn postgres_memory(self) -> Option<u64> {
        let all = all_processes();
        let of_postgres = all.iter().filter(|(_, process)| process.descends_from(self.server, &all));
        of_postgres
            .map(|(pid, _)| bytes(&std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?, "Pss:"))
            .sum()
    }

    /// Has the peak start anew (`proc_pid_clear_refs(5)`, since Linux 4.0).
    pub(super) fn forget_peak(self) {
        // Without it the peak is that of the whole run: larger, never smaller.
        let _ = std::fs::write(format!("/proc/{}/clear_refs", self.server), "5");
    }
}

/// One line of `/proc/PID/stat`.
struct Process {
    parent: u32,
    own_ticks: u64,
    /// Of children that ended and were waited for.
    reaped_ticks: u64,
}

impl Process {
    fn descends_from(&self, ancestor: u32, all: &HashMap<u32, Process>) -> bool {
        let mut parent = self.parent;
        // Bounded, for a process may vanish and its id be used again between two reads.
        for _ in 0..16 {
            if parent == ancestor {
                return true;
            }
            match all.get(&parent) {
                Some(next) => parent = next.parent,
                None => return false,
            }
        }
        false
    }
}

fn all_processes() -> HashMap<u32, Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return HashMap::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| Some((pid, parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?))).collect()
}

/// The name may hold anything, so that fields are counted from the last parenthesis: state is the third.
fn parse(stat: &str) -> Option<Process> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some(Process {
        parent: u32::try_from(number(4)?).ok()?,
        own_ticks: number(14)? + number(15)?,
        reaped_ticks: number(16)? + number(17)?,
    })
}

/// A line such as `VmRSS:     1234 kB`, in bytes.
fn bytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

fn sum(usage: &Usage) -> Duration {
    let microseconds = |time: nix::sys::time::TimeVal| {
        u64::try_from(time.tv_sec()).unwrap_or_default() * 1_000_000 + u64::try_from(time.tv_usec()).unwrap_or_default()
    };
    Duration::from_micros(microseconds(usage.user_time()) + microseconds(usage.system_time()))
}

#[cfg(test)]
mod tests {
    use super::{bytes, parse};

    #[test]
    fn a_line_of_stat_is_read_behind_a_name_of_any_shape() {
        let line = "4711 (a) b (c) S 42 4711 4711 0 -1 4194560 1 2 3 4 10 20 300 400 20 0 1 0 99 1 1";
        let process = parse(line).map(|process| (process.parent, process.own_ticks, process.reaped_ticks));
        assert_eq!(process, Some((42, 30, 700)));
        assert!(parse("4711").is_none());
    }

    #[test]
    fn memory_is_told_in_bytes() {
        assert_eq!(bytes("Name:\tx\nVmHWM:\t    2048 kB\n", "VmHWM:"), Some(2_097_152));
        assert_eq!(bytes("", "VmHWM:"), None);
    }
}
