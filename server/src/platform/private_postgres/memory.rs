//! How much memory this process may count on: the machine's, or its control group's if that is less.

use std::fs;

/// Assumed where the system does not say.
const UNKNOWN_MIB: u64 = 2048;

/// In MiB.
pub(super) fn available_mib() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total_in_meminfo(&text));
    let groups = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let group = groups
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        // A group without a limit says "max", or a number beyond any machine.
        .find_map(|text| text.trim().parse::<u64>().ok())
        .map(|bytes| bytes / (1024 * 1024));
    [machine, group].into_iter().flatten().min().unwrap_or(UNKNOWN_MIB)
}

fn total_in_meminfo(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn total_memory_is_read_in_mib() {
        assert_eq!(total_in_meminfo("MemTotal:       24576000 kB\nMemFree: 1 kB\n"), Some(24_000));
        assert_eq!(total_in_meminfo("nothing"), None);
    }
}
