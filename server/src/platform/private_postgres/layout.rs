//! Where the private Postgres keeps what: files beside and inside its home, the lock, the note about the running server.
//!
//! `DATA_DIR/postgres.lock` and `DATA_DIR/postgres.json` are ours. `DATA_DIR/postgres` is the home, which belongs to the
//! account that runs Postgres: `cluster/`, `socket/`, `password`, `postgres.log`. The home is a link into
//! `/var/lib/afferent/clusters` when that account cannot reach the data directory.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::account::{Account, allow_passing_through};
use super::error::PrivatePostgresError;

/// The port only names the socket file: the folder is private, so nobody else can have taken it.
pub(super) const PORT: u16 = 5432;

/// The longest socket path that every kernel takes (`sun_path` is 108 bytes with its final NUL on Linux, 104 elsewhere).
const LONGEST_SOCKET_PATH: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// Where clusters go that their account could not reach in the data directory.
const REACHABLE_PLACE: &str = "/var/lib/afferent/clusters";

/// How long a second start waits for the first process to let go: a supervisor restarts faster than a server drains.
const LOCK_PATIENCE: Duration = Duration::from_secs(3);

/// The home of a private Postgres, by its real path.
#[derive(Debug, Clone)]
pub(super) struct Home {
    path: PathBuf,
}

impl Home {
    pub(super) fn cluster(&self) -> PathBuf {
        self.path.join("cluster")
    }

    /// What `initdb` works on, until it is complete.
    pub(super) fn unfinished_cluster(&self) -> PathBuf {
        self.path.join("cluster.unfinished")
    }

    pub(super) fn password(&self) -> PathBuf {
        self.path.join("password")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.path.join("postgres.log")
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The home of a data directory that has one already.
    pub(super) fn existing(data_dir: &Path) -> Option<Self> {
        data_dir.join("postgres").canonicalize().ok().map(|path| Self { path })
    }

    /// Finds or makes the home, in a place that `account` can reach, and sees that it belongs to it.
    pub(super) fn prepare(data_dir: &Path, account: &Account, program: &Path) -> Result<Self, PrivatePostgresError> {
        let data_dir = data_dir.canonicalize().map_err(PrivatePostgresError::files("find", data_dir))?;
        if account.switches() && !account.can_enter(&data_dir, program) {
            // The data directory is ours to open for passing through; the folders above it are not.
            allow_passing_through(&data_dir)?;
        }
        let link = data_dir.join("postgres");
        if fs::symlink_metadata(&link).is_err() {
            if account.switches() && !account.can_enter(&data_dir, program) {
                Self::relocate(&data_dir, &link, account, program)?;
            } else {
                create_private_folder(&link)?;
            }
        }
        let path = link.canonicalize().map_err(PrivatePostgresError::files("follow", &link))?;
        account.give_tree(&path)?;
        account.check_reach(&path, program)?;
        Ok(Self { path })
    }

    fn relocate(data_dir: &Path, link: &Path, account: &Account, program: &Path) -> Result<(), PrivatePostgresError> {
        let place = Path::new(REACHABLE_PLACE);
        let refusal = account.check_reach(data_dir, program);
        if create_passable_folder(place).is_err() || !account.can_enter(place, program) {
            return refusal;
        }
        let home = nix::unistd::mkdtemp(&place.join("XXXXXX"))
            .map_err(|errno| PrivatePostgresError::files("make a folder in", place)(errno.into()))?;
        std::os::unix::fs::symlink(&home, link).map_err(PrivatePostgresError::files("create", link))?;
        tracing::warn!(
            data_dir = %data_dir.display(),
            cluster = %home.display(),
            "the account {} cannot reach the data directory, so the database lives in {} and {} is a link to it: \
             back up both, or choose a data directory that is open for passing through",
            account.label(), home.display(), link.display(),
        );
        Ok(())
    }

    /// A fresh socket folder that only the account can enter: in the home, or, where that path would be too long for a
    /// socket or holds a comma (clients take that for a list of hosts), an unpredictable one in `/tmp`.
    pub(super) fn make_socket_folder(&self, account: &Account) -> Result<PathBuf, PrivatePostgresError> {
        let folder = self.path.join("socket");
        let file = socket_file(&folder).into_os_string();
        let folder = if file.len() <= LONGEST_SOCKET_PATH && !file.to_string_lossy().contains(',') {
            if folder.exists() {
                fs::remove_dir_all(&folder).map_err(PrivatePostgresError::files("remove the old", &folder))?;
            }
            create_private_folder(&folder)?;
            folder
        } else {
            nix::unistd::mkdtemp("/tmp/afferent-XXXXXX")
                .map_err(|errno| PrivatePostgresError::files("make a folder in", Path::new("/tmp"))(errno.into()))?
        };
        account.give(&folder)?;
        Ok(folder)
    }
}

/// Removes a socket folder and what Postgres leaves in it; anything else in it stays, and so does the folder.
pub(super) fn remove_socket_folder(folder: &Path) {
    let socket = socket_file(folder);
    let mut lock = socket.clone().into_os_string();
    lock.push(".lock");
    // What is not there any more needs no removing.
    let _ = fs::remove_file(&socket);
    let _ = fs::remove_file(lock);
    let _ = fs::remove_dir(folder);
}

pub(super) fn socket_file(folder: &Path) -> PathBuf {
    folder.join(format!(".s.PGSQL.{PORT}"))
}

/// The exclusive hold on a data directory; it ends with the process, however that ends.
#[derive(Debug)]
pub(super) struct DataDirLock {
    _file: File,
}

impl DataDirLock {
    /// Takes the lock, waiting a moment for a process that is about to end.
    pub(super) fn take(data_dir: &Path) -> Result<Self, PrivatePostgresError> {
        create_passable_folder(data_dir)?;
        let path = data_dir.join("postgres.lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(PrivatePostgresError::files("open", &path))?;
        let patience = Instant::now() + LOCK_PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < patience => thread::sleep(Duration::from_millis(50)),
                Err(TryLockError::WouldBlock) => {
                    let mut owner = String::new();
                    // Without the number the refusal still stands.
                    let _ = file.read_to_string(&mut owner);
                    let owner = owner.trim().parse().ok();
                    return Err(PrivatePostgresError::InUse { data_dir: data_dir.to_path_buf(), owner });
                }
                Err(TryLockError::Error(source)) => return Err(PrivatePostgresError::files("lock", &path)(source)),
            }
        }
        let noted =
            file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
        noted.map_err(PrivatePostgresError::files("write", &path))?;
        Ok(Self { _file: file })
    }
}

/// What the owner of a running private Postgres writes down, for the next start and for other commands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RunningNote {
    /// The Afferent process.
    pub(super) owner: u32,
    /// The Postgres process; it can have been restarted since the owner read this.
    pub(super) postmaster: u32,
    pub(super) socket_dir: PathBuf,
    pub(super) port: u16,
}

impl RunningNote {
    fn path(data_dir: &Path) -> PathBuf {
        data_dir.join("postgres.json")
    }

    /// `None` when nothing runs, as far as anybody wrote down.
    pub(super) fn read(data_dir: &Path) -> Result<Option<Self>, PrivatePostgresError> {
        let path = Self::path(data_dir);
        match fs::read(&path) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(PrivatePostgresError::files("read", &path)(error)),
        }
    }

    /// Replaces the note in one step, so that a reader never sees half of it.
    pub(super) fn write(&self, data_dir: &Path) -> Result<(), PrivatePostgresError> {
        let path = Self::path(data_dir);
        let bytes =
            serde_json::to_vec(self).map_err(|error| PrivatePostgresError::files("write", &path)(error.into()))?;
        replace_private_file(&path, &bytes)
    }

    pub(super) fn remove(data_dir: &Path) {
        // A note that stays is checked against the living before anybody believes it.
        let _ = fs::remove_file(Self::path(data_dir));
    }
}

/// Writes a file that only its owner can read, in one step.
pub(super) fn replace_private_file(path: &Path, content: &[u8]) -> Result<(), PrivatePostgresError> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    // Left by a process that was killed between the two steps; it may belong to another account.
    let _ = fs::remove_file(&new);
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    written.map_err(PrivatePostgresError::files("write", &new))?;
    fs::rename(&new, path).map_err(PrivatePostgresError::files("replace", path))
}

fn create_private_folder(path: &Path) -> Result<(), PrivatePostgresError> {
    fs::DirBuilder::new().mode(0o700).create(path).map_err(PrivatePostgresError::files("create", path))
}

/// Creates a folder and those above it; root's are open for passing through, because Postgres runs as somebody else.
fn create_passable_folder(path: &Path) -> Result<(), PrivatePostgresError> {
    let mode = if nix::unistd::Uid::effective().is_root() { 0o711 } else { 0o700 };
    let builder = fs::DirBuilder::new().recursive(true).mode(mode).create(path);
    builder.map_err(PrivatePostgresError::files("create", path))
}

/// True when nobody but its owner may read the file.
pub(super) fn is_private(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 == 0 && metadata.nlink() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_file_carries_the_port() {
        assert_eq!(socket_file(Path::new("/x")), Path::new("/x/.s.PGSQL.5432"));
    }
}
