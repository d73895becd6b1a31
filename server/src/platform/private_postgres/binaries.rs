//! Finds the Postgres programs: where distributions put them, on the `PATH`, or where the configuration says.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::PrivatePostgresError;

/// The oldest major version whose settings and SQL we rely on.
const OLDEST_SUPPORTED: u32 = 15;

/// Folders of one major version each, `*` standing for the version.
const VERSIONED: [&str; 7] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/libexec/postgresql*",
    "/usr/pgsql-*/bin",
    "/usr/lib/postgresql*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/Library/PostgreSQL/*/bin",
];

/// Folders that hold whatever version the distribution ships.
const PLAIN: [&str; 4] = ["/usr/local/pgsql/bin", "/opt/homebrew/bin", "/usr/local/bin", "/usr/bin"];

/// A folder with `initdb` and `postgres` of one major version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Installation {
    pub(super) major: u32,
    pub(super) folder: PathBuf,
}

impl Installation {
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// The installation for a cluster: of its own major version when it exists (`cluster_major`), the newest otherwise.
pub(super) fn choose(
    configured: Option<&Path>,
    cluster: &Path,
    cluster_major: Option<&str>,
) -> Result<Installation, PrivatePostgresError> {
    let searched: Vec<PathBuf> = match configured {
        Some(folder) => vec![folder.to_path_buf()],
        None => places(),
    };
    let mut found: Vec<Installation> = searched.iter().filter_map(|folder| inspect(folder)).collect();
    found.sort_by_key(|installation| std::cmp::Reverse(installation.major));
    pick(found, searched, cluster, cluster_major)
}

/// `found` is sorted, newest first.
fn pick(
    found: Vec<Installation>,
    searched: Vec<PathBuf>,
    cluster: &Path,
    cluster_major: Option<&str>,
) -> Result<Installation, PrivatePostgresError> {
    let mut installed: Vec<u32> = found.iter().map(|installation| installation.major).collect();
    installed.dedup();
    let mut supported = found.into_iter().filter(|installation| installation.major >= OLDEST_SUPPORTED);
    let chosen = match cluster_major {
        Some(major) => supported.find(|installation| installation.major.to_string() == major),
        None => supported.next(),
    };
    match (chosen, cluster_major) {
        (Some(installation), _) => Ok(installation),
        (None, Some(major)) if !installed.is_empty() => Err(PrivatePostgresError::WrongVersion {
            cluster: cluster.to_path_buf(),
            cluster_major: major.to_owned(),
            installed,
        }),
        (None, _) => Err(PrivatePostgresError::BinariesNotFound { searched, too_old: installed }),
    }
}

/// Every folder worth a look that exists, distribution folders first.
fn places() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = VERSIONED.iter().flat_map(|pattern| expand(pattern)).collect();
    folders.extend(PLAIN.iter().map(PathBuf::from));
    folders.extend(folder_by_pg_config());
    folders
}

/// The folders that a pattern with one `*` in one of its components stands for.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let mut folders = vec![PathBuf::from("/")];
    for component in pattern.split('/').filter(|component| !component.is_empty()) {
        folders = match component.split_once('*') {
            None => folders.into_iter().map(|folder| folder.join(component)).collect(),
            Some((before, after)) => {
                folders.iter().flat_map(|folder| entries_matching(folder, before, after)).collect()
            }
        };
    }
    folders.retain(|folder| folder.is_dir());
    folders
}

fn entries_matching(folder: &Path, before: &str, after: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries
        .flatten()
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.strip_prefix(before).is_some_and(|rest| rest.ends_with(after))
        })
        .map(|entry| entry.path())
        .collect()
}

fn folder_by_pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let folder = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| PathBuf::from(folder.trim()))
}

fn inspect(folder: &Path) -> Option<Installation> {
    if !folder.join("initdb").exists() {
        return None;
    }
    let output = Command::new(folder.join("postgres"))
        .arg("--version")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    // A distribution's folder may be a link into another one: the real one is where the other programs are.
    let folder = folder.join("postgres").canonicalize().ok()?.parent()?.to_path_buf();
    let major = major_in(&String::from_utf8_lossy(&output.stdout))?;
    Some(Installation { major, folder })
}

/// The major version in `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`, also in `… 18beta1`.
fn major_in(version_line: &str) -> Option<u32> {
    let (_, rest) = version_line.split_once("(PostgreSQL) ")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installation(major: u32) -> Installation {
        Installation { major, folder: PathBuf::from(format!("/usr/lib/postgresql/{major}/bin")) }
    }

    #[test]
    fn major_version_is_read_from_the_version_line() {
        assert_eq!(major_in("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major_in("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(major_in("something else"), None);
    }

    #[test]
    fn a_new_cluster_gets_the_newest_and_an_old_one_its_own() {
        let found = vec![installation(17), installation(16), installation(14)];
        let newest = pick(found.clone(), Vec::new(), Path::new("/c"), None);
        assert_eq!(newest.map(|it| it.major).ok(), Some(17));
        let own = pick(found.clone(), Vec::new(), Path::new("/c"), Some("16"));
        assert_eq!(own.map(|it| it.major).ok(), Some(16));
        let missing = pick(found, Vec::new(), Path::new("/c"), Some("15"));
        assert!(
            matches!(missing, Err(PrivatePostgresError::WrongVersion { installed, .. }) if installed == [17, 16, 14])
        );
    }

    #[test]
    fn an_old_installation_is_named_in_the_error() {
        let error = pick(vec![installation(13)], vec![PathBuf::from("/usr/bin")], Path::new("/c"), None);
        assert!(error.is_err_and(|error| error.to_string().contains("version 13 is installed, which is too old")));
    }
}
