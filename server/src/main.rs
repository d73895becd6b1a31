//! The `afferent` binary: arguments in, a command runs.

use std::process::ExitCode;

/// Thousands of small pieces a payload, made on one thread and freed on another: measured against the system's allocator in
/// docs/decisions/0012.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    afferent::commands::run()
}
