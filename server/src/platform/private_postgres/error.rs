//! What can go wrong with the private Postgres: each error says what, where, and what would be right.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why the private Postgres could not be found, prepared, started or stopped.
#[derive(Debug)]
pub enum PrivatePostgresError {
    /// No usable `initdb` and `postgres` in any of the places that were searched.
    BinariesNotFound {
        /// The folders that were looked into.
        searched: Vec<PathBuf>,
        /// Installations that were found but are older than the oldest supported version.
        too_old: Vec<u32>,
    },
    /// The cluster was made by a major version of which no binaries are installed.
    WrongVersion {
        /// The cluster folder.
        cluster: PathBuf,
        /// The major version that made it.
        cluster_major: String,
        /// The major versions that are installed.
        installed: Vec<u32>,
    },
    /// Another live process holds the data directory.
    InUse {
        /// Afferent's data directory.
        data_dir: PathBuf,
        /// The process that holds it, where it could be read.
        owner: Option<u32>,
    },
    /// A Postgres that Afferent did not start runs on the cluster.
    ForeignServer {
        /// The cluster folder.
        cluster: PathBuf,
        /// The process id of that Postgres.
        process: u32,
    },
    /// The account named in `postgres_run_as` is unknown or may not be used.
    Account {
        /// What is wrong with it, and what would be right.
        problem: String,
    },
    /// The account that runs Postgres may not enter a folder above the cluster.
    Unreachable {
        /// The folder that has to be entered.
        path: PathBuf,
        /// The first folder on the way that refuses.
        blocked_at: PathBuf,
        /// The account's name or number.
        account: String,
    },
    /// The cluster belongs to somebody else.
    NotOwner {
        /// The folder.
        path: PathBuf,
        /// The name or number of its owner.
        owner: String,
    },
    /// The folder exists, is not empty, and is not a Postgres cluster.
    NotACluster {
        /// The folder.
        path: PathBuf,
    },
    /// `initdb` failed.
    InitFailed {
        /// The cluster folder that was being made.
        cluster: PathBuf,
        /// The end of what it printed.
        output: String,
    },
    /// Postgres ended before it accepted connections, or did not accept any within the bound.
    StartFailed {
        /// Its log file.
        log: PathBuf,
        /// What happened, with the end of the log.
        detail: String,
    },
    /// A file operation failed.
    Files {
        /// What was being done, as in "create".
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl PrivatePostgresError {
    /// For `map_err` on file operations: remembers what was done where.
    pub(super) fn files(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Files { action, path, source }
    }
}

impl fmt::Display for PrivatePostgresError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BinariesNotFound { searched, too_old } => {
                write!(f, "no PostgreSQL 15 or newer was found (looked in {})", list_paths(searched))?;
                if !too_old.is_empty() {
                    write!(f, "; version {} is installed, which is too old", list(too_old))?;
                }
                write!(
                    f,
                    ". Install PostgreSQL's server package (scripts/setup does), set AFFERENT_POSTGRES_BINARIES to the \
                     folder that holds initdb and postgres, or set DATABASE_URL to use a database of your own"
                )
            }
            Self::WrongVersion { cluster, cluster_major, installed } => write!(
                f,
                "the database in {} was made by PostgreSQL {cluster_major}, but only version {} is available. Install \
                 PostgreSQL {cluster_major} beside it, or move the data with pg_upgrade or pg_dump; nothing was changed",
                cluster.display(),
                list(installed)
            ),
            Self::InUse { data_dir, owner } => {
                write!(f, "the data directory {} is in use by ", data_dir.display())?;
                match owner {
                    Some(process) => write!(f, "process {process}")?,
                    None => write!(f, "another process")?,
                }
                write!(f, ". Stop that server first, or give this one its own AFFERENT_DATA_DIR")
            }
            Self::ForeignServer { cluster, process } => write!(
                f,
                "a PostgreSQL server that Afferent did not start (process {process}) runs on {0}. \
                 Stop it with: pg_ctl stop -D {0}",
                cluster.display()
            ),
            Self::Account { problem } => f.write_str(problem),
            Self::Unreachable { path, blocked_at, account } => write!(
                f,
                "PostgreSQL does not run as root; it would run as {account}, and {account} may not enter {0}, so {1} is \
                 out of its reach. Run: chmod o+x {0} — or choose a reachable place, as in AFFERENT_DATA_DIR=/var/lib/afferent, \
                 or another account with AFFERENT_POSTGRES_RUN_AS",
                blocked_at.display(),
                path.display()
            ),
            Self::NotOwner { path, owner } => write!(
                f,
                "{} belongs to {owner}. Run Afferent as {owner} or as root, or give it its own AFFERENT_DATA_DIR",
                path.display()
            ),
            Self::NotACluster { path } => write!(
                f,
                "{} exists and is not empty, but is not a PostgreSQL cluster (it has no PG_VERSION). Move it away, or \
                 choose another AFFERENT_DATA_DIR",
                path.display()
            ),
            Self::InitFailed { cluster, output } => {
                write!(f, "initdb could not make a database cluster in {}: {output}", cluster.display())
            }
            Self::StartFailed { log, detail } => {
                write!(f, "the private PostgreSQL did not start: {detail} (its log: {})", log.display())
            }
            Self::Files { action, path, source } => write!(f, "could not {action} {}: {source}", path.display()),
        }
    }
}

impl std::error::Error for PrivatePostgresError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Files { source, .. } => Some(source),
            _ => None,
        }
    }
}

fn list(versions: &[u32]) -> String {
    versions.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

fn list_paths(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
