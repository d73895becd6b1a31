//! Who runs Postgres: ourselves, or, when we are root (which Postgres refuses), an unprivileged account.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::unistd::{Gid, Uid, User};

use super::error::PrivatePostgresError;

/// Accounts that root falls back to, best first.
const FALLBACKS: [&str; 5] = ["afferent", "postgres", "_postgres", "nobody", "daemon"];

/// The account of the Postgres processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    uid: Uid,
    gid: Gid,
    /// `None` for a number without an entry in the password database, as containers are often run with.
    name: Option<String>,
    /// True when we are root and have to become this account.
    switch: bool,
}

impl Account {
    /// The account as configured (`run_as`: a name, a uid, or `uid:gid`), else the owner of an existing cluster, else
    /// ourselves or, for root, the first account of [`FALLBACKS`] that exists.
    pub(super) fn choose(run_as: Option<&str>, existing: Option<&Path>) -> Result<Self, PrivatePostgresError> {
        let me = Uid::effective();
        let owner = existing.and_then(|path| fs::metadata(path).ok()).map(|metadata| (metadata.uid(), metadata.gid()));
        let mut account = match (run_as, owner) {
            (Some(wanted), _) => Self::named(wanted)?,
            (None, Some((uid, gid))) if uid != 0 || !me.is_root() => {
                Self::numbered(Uid::from_raw(uid), Some(Gid::from_raw(gid)))
            }
            (None, _) if me.is_root() => Self::fallback()?,
            (None, _) => Self::numbered(me, Some(Gid::effective())),
        };
        if account.uid.is_root() && (me.is_root() || run_as.is_some()) {
            let problem = "PostgreSQL refuses to run as root: set AFFERENT_POSTGRES_RUN_AS to an unprivileged account";
            return Err(PrivatePostgresError::Account { problem: problem.to_owned() });
        }
        account.switch = me.is_root();
        if !account.switch && account.uid != me {
            return Err(match existing {
                Some(path) if run_as.is_none() => {
                    PrivatePostgresError::NotOwner { path: path.to_path_buf(), owner: account.label() }
                }
                _ => PrivatePostgresError::Account {
                    problem: format!(
                        "only root can run PostgreSQL as {}: start Afferent as root or as {0}, or remove AFFERENT_POSTGRES_RUN_AS",
                        account.label()
                    ),
                },
            });
        }
        Ok(account)
    }

    fn named(wanted: &str) -> Result<Self, PrivatePostgresError> {
        if let Ok(Some(user)) = User::from_name(wanted) {
            return Ok(Self { uid: user.uid, gid: user.gid, name: Some(user.name), switch: false });
        }
        let (uid, gid) = wanted.split_once(':').map_or((wanted, None), |(uid, gid)| (uid, Some(gid)));
        match (uid.parse(), gid.map(str::parse).transpose()) {
            (Ok(uid), Ok(gid)) => Ok(Self::numbered(Uid::from_raw(uid), gid.map(Gid::from_raw))),
            _ => Err(PrivatePostgresError::Account {
                problem: format!(
                    "there is no account {wanted:?} to run PostgreSQL as: AFFERENT_POSTGRES_RUN_AS takes the name of an \
                     existing account, a uid, or uid:gid"
                ),
            }),
        }
    }

    fn numbered(uid: Uid, gid: Option<Gid>) -> Self {
        let user = User::from_uid(uid).ok().flatten();
        let gid = gid.or_else(|| user.as_ref().map(|user| user.gid)).unwrap_or(Gid::from_raw(uid.as_raw()));
        Self { uid, gid, name: user.map(|user| user.name), switch: false }
    }

    fn fallback() -> Result<Self, PrivatePostgresError> {
        FALLBACKS
            .iter()
            .find_map(|name| User::from_name(name).ok().flatten())
            .map(|user| Self { uid: user.uid, gid: user.gid, name: Some(user.name), switch: false })
            .ok_or_else(|| PrivatePostgresError::Account {
                problem: format!(
                    "PostgreSQL does not run as root, and none of the accounts {} exists: make one \
                     (useradd --system postgres) or set AFFERENT_POSTGRES_RUN_AS to an account or uid",
                    FALLBACKS.join(", ")
                ),
            })
    }

    /// Name, or number where there is no name.
    pub(super) fn label(&self) -> String {
        self.name.clone().unwrap_or_else(|| format!("uid {}", self.uid))
    }

    /// True when we are root and hand our files over to another account.
    pub(super) fn switches(&self) -> bool {
        self.switch
    }

    /// A command that will run as this account, with a clean environment, from a folder that everybody can enter.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LC_ALL", "C").current_dir("/");
        command.stdin(Stdio::null());
        if self.switch {
            // The standard library drops the supplementary groups with it.
            command.uid(self.uid.as_raw()).gid(self.gid.as_raw());
        }
        command
    }

    /// The same for `initdb`, which looks up its own account by number and gives up on one without an entry in the
    /// password database: there `nss_wrapper` invents the entry, or a user namespace maps the number to one that has it.
    pub(super) fn initdb_command(&self, program: &Path, scratch: &Path) -> Result<Command, PrivatePostgresError> {
        if self.name.is_some() {
            return Ok(self.command(program));
        }
        if let Some(wrapper) = nss_wrapper() {
            let passwd = scratch.join("passwd");
            let group = scratch.join("group");
            let passwd_line = format!("afferent:x:{}:{}::/:/bin/sh\n", self.uid, self.gid);
            fs::write(&passwd, passwd_line).map_err(PrivatePostgresError::files("write", &passwd))?;
            fs::write(&group, format!("afferent:x:{}:\n", self.gid))
                .map_err(PrivatePostgresError::files("write", &group))?;
            let mut command = self.command(program);
            command.env("LD_PRELOAD", wrapper).env("NSS_WRAPPER_PASSWD", passwd).env("NSS_WRAPPER_GROUP", group);
            return Ok(command);
        }
        if let Some(stand_in) = self.namespace_stand_in() {
            let mut command = self.command(Path::new("unshare"));
            command.arg("--user").arg(format!("--map-user={stand_in}")).arg("--").arg(program);
            return Ok(command);
        }
        Err(PrivatePostgresError::Account {
            problem: format!(
                "the account with the number {} has no entry in the password database, and PostgreSQL's initdb needs one: \
                 add a line to /etc/passwd, install libnss-wrapper, or set DATABASE_URL to use a database of your own",
                self.uid
            ),
        })
    }

    /// The number of an existing account that a user namespace can show us as, where such namespaces are allowed.
    fn namespace_stand_in(&self) -> Option<Uid> {
        let stand_in = FALLBACKS.iter().find_map(|name| User::from_name(name).ok().flatten())?.uid;
        let mut probe = self.command(Path::new("unshare"));
        probe.arg("--user").arg(format!("--map-user={stand_in}")).arg("--").arg("true");
        probe.stdout(Stdio::null()).stderr(Stdio::null());
        probe.status().is_ok_and(|status| status.success()).then_some(stand_in)
    }

    /// Gives a file or folder to the account; links are not followed. Does nothing when we run as it already.
    pub(super) fn give(&self, path: &Path) -> Result<(), PrivatePostgresError> {
        if !self.switch {
            return Ok(());
        }
        lchown(path, Some(self.uid.as_raw()), Some(self.gid.as_raw()))
            .map_err(PrivatePostgresError::files("change the owner of", path))
    }

    /// Gives a whole tree to the account, if its top belongs to somebody else (another account was configured).
    pub(super) fn give_tree(&self, top: &Path) -> Result<(), PrivatePostgresError> {
        let metadata = fs::symlink_metadata(top).map_err(PrivatePostgresError::files("look at", top))?;
        if !self.switch || metadata.uid() == self.uid.as_raw() {
            return Ok(());
        }
        if metadata.is_dir() {
            for entry in fs::read_dir(top).map_err(PrivatePostgresError::files("list", top))? {
                let entry = entry.map_err(PrivatePostgresError::files("list", top))?;
                self.give_tree(&entry.path())?;
            }
        }
        // The top goes last, so that an interrupted change is taken up again.
        self.give(top)
    }

    /// Refuses when the account cannot enter `folder`, naming the first folder on the way that is closed to it.
    ///
    /// `program` is any Postgres program: it is started inside the folder, which asks the kernel instead of guessing
    /// from modes, groups and access lists.
    pub(super) fn check_reach(&self, folder: &Path, program: &Path) -> Result<(), PrivatePostgresError> {
        if self.can_enter(folder, program) {
            return Ok(());
        }
        let mut on_the_way: Vec<&Path> = folder.ancestors().collect();
        on_the_way.reverse();
        let blocked_at = on_the_way.into_iter().find(|path| !self.can_enter(path, program)).unwrap_or(folder);
        Err(PrivatePostgresError::Unreachable {
            path: folder.to_path_buf(),
            blocked_at: blocked_at.to_path_buf(),
            account: self.label(),
        })
    }

    pub(super) fn can_enter(&self, folder: &Path, program: &Path) -> bool {
        let mut probe = self.command(program);
        probe.arg("--version").current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null());
        probe.status().is_ok_and(|status| status.success())
    }
}

/// Adds permission to pass through (not to list) to a folder of ours.
pub(super) fn allow_passing_through(folder: &Path) -> Result<(), PrivatePostgresError> {
    let metadata = fs::metadata(folder).map_err(PrivatePostgresError::files("look at", folder))?;
    let mode = metadata.permissions().mode() | 0o011;
    fs::set_permissions(folder, fs::Permissions::from_mode(mode))
        .map_err(PrivatePostgresError::files("change the mode of", folder))
}

fn nss_wrapper() -> Option<PathBuf> {
    let triple = format!("/usr/lib/{}-linux-gnu/libnss_wrapper.so", std::env::consts::ARCH);
    [triple.as_str(), "/usr/lib64/libnss_wrapper.so", "/usr/lib/libnss_wrapper.so"]
        .iter()
        .map(PathBuf::from)
        .find(|path| path.exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_account_is_refused_with_what_would_be_right() {
        let error = Account::choose(Some("no-such-account"), None);
        assert!(error.is_err_and(|error| error.to_string().contains("takes the name of an existing account")));
    }

    #[test]
    fn root_is_refused() {
        assert!(Account::choose(Some("0"), None).is_err());
        assert!(Account::choose(Some("root"), None).is_err());
    }

    #[test]
    fn a_number_without_a_name_keeps_its_number() {
        if let Ok(account) = Account::named("48123:48124") {
            assert_eq!((account.uid, account.gid), (Uid::from_raw(48123), Gid::from_raw(48124)));
            assert_eq!(account.label(), "uid 48123");
        }
    }
}
