//! The cluster's content: `initdb` for a new one, the settings of every start, and what this build of Postgres can do.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Output;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::account::Account;
use super::binaries::Installation;
use super::error::PrivatePostgresError;
use super::layout::{Home, PORT, replace_private_file};
use super::memory;

/// The superuser of a private cluster.
pub(super) const SUPERUSER: &str = "afferent";

/// The major version that made a cluster (the content of its `PG_VERSION`), or `None` for a new one.
pub(super) fn major_version(cluster: &Path) -> Result<Option<String>, PrivatePostgresError> {
    let file = cluster.join("PG_VERSION");
    match fs::read_to_string(&file) {
        Ok(version) => Ok(Some(version.trim().to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let entries = fs::read_dir(cluster).map_or(0, Iterator::count);
            if entries > 0 { Err(PrivatePostgresError::NotACluster { path: cluster.to_path_buf() }) } else { Ok(None) }
        }
        Err(error) => Err(PrivatePostgresError::files("read", &file)(error)),
    }
}

/// Makes a new cluster with a new password. It appears under its name only when it is complete.
pub(super) fn create(
    home: &Home,
    installation: &Installation,
    account: &Account,
    durable: bool,
) -> Result<(), PrivatePostgresError> {
    let unfinished = home.unfinished_cluster();
    let password = Zeroizing::new(new_password()?);
    replace_private_file(&home.password(), password.as_bytes())?;
    account.give(&home.password())?;
    tracing::info!(cluster = %home.cluster().display(), "creating the database cluster with PostgreSQL {}", installation.major);
    // Characters as Unicode knows them, order by bytes: upper and lower case work for every name, and no index depends
    // on the system's collation version. Systems without C.UTF-8 get plain C.
    let mut output = run_initdb(home, installation, account, durable, "C.UTF-8")?;
    if !output.status.success() && String::from_utf8_lossy(&output.stderr).contains("locale") {
        output = run_initdb(home, installation, account, durable, "C")?;
    }
    if !output.status.success() {
        let _ = fs::remove_dir_all(&unfinished);
        return Err(PrivatePostgresError::InitFailed {
            cluster: home.cluster(),
            output: last_lines(&String::from_utf8_lossy(&output.stderr), 8),
        });
    }
    let cluster = home.cluster();
    if cluster.exists() {
        fs::remove_dir(&cluster).map_err(PrivatePostgresError::files("remove the empty", &cluster))?;
    }
    fs::rename(&unfinished, &cluster).map_err(PrivatePostgresError::files("rename to", &cluster))
}

fn run_initdb(
    home: &Home,
    installation: &Installation,
    account: &Account,
    durable: bool,
    character_type: &str,
) -> Result<Output, PrivatePostgresError> {
    let unfinished = home.unfinished_cluster();
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(PrivatePostgresError::files("remove the unfinished", &unfinished))?;
    }
    fs::create_dir(&unfinished).map_err(PrivatePostgresError::files("create", &unfinished))?;
    account.give(&unfinished)?;
    let program = installation.program("initdb");
    let mut command = account.initdb_command(&program, home.path())?;
    command.arg("--pgdata").arg(&unfinished);
    command.arg("--pwfile").arg(home.password());
    command.args(["--username", SUPERUSER, "--encoding", "UTF8", "--locale", "C", "--lc-ctype", character_type]);
    command.args(["--auth-local", "scram-sha-256", "--auth-host", "scram-sha-256", "--data-checksums"]);
    if !durable {
        command.arg("--no-sync");
    }
    command.output().map_err(PrivatePostgresError::files("run", &program))
}

/// 192 random bits; letters, digits, `-` and `_` only.
fn new_password() -> Result<String, PrivatePostgresError> {
    let mut bytes = Zeroizing::new([0_u8; 24]);
    getrandom::fill(bytes.as_mut()).map_err(|error| PrivatePostgresError::Files {
        action: "draw a random password from",
        path: "the system's random source".into(),
        source: std::io::Error::other(error.to_string()),
    })?;
    Ok(URL_SAFE_NO_PAD.encode(bytes.as_ref()))
}

/// Writes `postgresql.conf` anew for this machine and this build. What an operator sets with `ALTER SYSTEM` stays: it
/// lives in `postgresql.auto.conf` and wins, except over [`fixed_settings`].
pub(super) fn write_settings(
    home: &Home,
    installation: &Installation,
    account: &Account,
    shared_buffers_mib: Option<u64>,
    durable: bool,
) -> Result<(), PrivatePostgresError> {
    let file = home.cluster().join("postgresql.conf");
    let lz4 = supports_lz4(home, installation, account);
    let text = settings_text(memory::available_mib(), shared_buffers_mib, durable, lz4);
    replace_private_file(&file, text.as_bytes())?;
    account.give(&file)
}

/// The settings that no file can change: without them it would not be a private, durable Postgres.
pub(super) fn fixed_settings(socket_dir: &Path, durable: bool) -> Vec<String> {
    let on = if durable { "on" } else { "off" };
    vec![
        "listen_addresses=".to_owned(),
        // A list: quoted, so that a comma or a space in the path stays part of it.
        format!("unix_socket_directories=\"{}\"", socket_dir.display().to_string().replace('"', "\"\"")),
        "unix_socket_permissions=0700".to_owned(),
        format!("port={PORT}"),
        format!("fsync={on}"),
        format!("full_page_writes={on}"),
    ]
}

fn settings_text(memory_mib: u64, shared_buffers_mib: Option<u64>, durable: bool, lz4: bool) -> String {
    // An eighth: the machine is shared with the server itself, and the system's page cache does the rest.
    let shared_buffers = shared_buffers_mib.unwrap_or_else(|| (memory_mib / 8).clamp(32, 4096));
    let cache = (memory_mib / 2).max(shared_buffers);
    let maintenance = (memory_mib / 32).clamp(32, 512);
    let synchronous_commit = if durable { "on" } else { "off" };
    let mut text = String::from(
        "# Written by Afferent at every start: changes here are lost. Use ALTER SYSTEM SET … instead.\n\
         cluster_name = 'afferent'\n\
         max_connections = 100\n\
         password_encryption = scram-sha-256\n",
    );
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "shared_buffers = {shared_buffers}MB\n\
         effective_cache_size = {cache}MB\n\
         maintenance_work_mem = {maintenance}MB\n\
         work_mem = 8MB\n\
         synchronous_commit = {synchronous_commit}\n"
    );
    text.push_str(
        "# A checkpoint every quarter of an hour or every 2 GB keeps full-page images rare.\n\
         checkpoint_timeout = 15min\n\
         max_wal_size = 2GB\n\
         min_wal_size = 256MB\n\
         wal_buffers = 16MB\n\
         random_page_cost = 1.1\n\
         # Our statements are short: compiling them costs more than it saves.\n\
         jit = off\n\
         timezone = 'UTC'\n\
         log_timezone = 'UTC'\n\
         log_destination = 'stderr'\n\
         logging_collector = off\n\
         log_line_prefix = '%m [%p] '\n\
         # Statements and their details carry patient data, which has no place in a log.\n\
         log_error_verbosity = terse\n\
         log_min_error_statement = panic\n\
         log_parameter_max_length = 0\n\
         log_parameter_max_length_on_error = 0\n",
    );
    if lz4 {
        text.push_str("default_toast_compression = lz4\nwal_compression = lz4\n");
    }
    text
}

/// Asks this build: LZ4 is a compile-time option of Postgres, and an unknown value would keep it from starting.
fn supports_lz4(home: &Home, installation: &Installation, account: &Account) -> bool {
    let mut probe = account.command(&installation.program("postgres"));
    probe.arg("-D").arg(home.cluster());
    probe.args(["-C", "wal_compression", "-c", "wal_compression=lz4", "-c", "default_toast_compression=lz4"]);
    probe.output().is_ok_and(|output| output.status.success())
}

/// The end of a text, for an error message.
pub(super) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.iter().skip(lines.len().saturating_sub(count)).copied().collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_settings_follow_the_machine() {
        assert!(settings_text(16_384, None, true, false).contains("shared_buffers = 2048MB\n"));
        assert!(settings_text(128, None, true, false).contains("shared_buffers = 32MB\n"));
        assert!(settings_text(16_384, Some(64), true, false).contains("shared_buffers = 64MB\n"));
    }

    #[test]
    fn durability_is_on_unless_a_test_turned_it_off() {
        assert!(settings_text(1024, None, true, true).contains("synchronous_commit = on"));
        assert!(fixed_settings(Path::new("/s"), true).contains(&"fsync=on".to_owned()));
        assert!(fixed_settings(Path::new("/s"), false).contains(&"fsync=off".to_owned()));
    }

    #[test]
    fn the_end_of_a_text_is_its_last_lines() {
        assert_eq!(last_lines("a\n\nb\nc\n", 2), "b\nc");
    }
}
