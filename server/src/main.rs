//! The `afferent` binary: arguments in, a command runs.

use std::process::ExitCode;

fn main() -> ExitCode {
    afferent::commands::run()
}
