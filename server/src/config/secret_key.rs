//! `secret.key` in the data directory: made once, readable by its owner only, never replaced.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::secret::Secret;
use super::values;

/// The key, or a sentence about what is wrong with its file.
pub(super) fn read_or_create(data_dir: &Path) -> Result<Secret<[u8; 32]>, String> {
    let path = data_dir.join("secret.key");
    match fs::read_to_string(&path) {
        Ok(text) => {
            return values::key(Zeroizing::new(text).trim()).map_err(|problem| format!("{} {problem}", path.display()));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(format!("could not read {}: {error}", path.display())),
    }
    create(data_dir, &path).map_err(|error| format!("could not make {}: {error}", path.display()))?;
    // Read back what is there: another process may have been first.
    let text = fs::read_to_string(&path).map_err(|error| format!("could not read {}: {error}", path.display()))?;
    values::key(Zeroizing::new(text).trim()).map_err(|problem| format!("{} {problem}", path.display()))
}

/// Keys of `secret.key.previous`, one a line, if there is such a file: where `secret.key` was renamed to it, the next start
/// makes a new key and still opens what the old one sealed.
pub(super) fn previous(data_dir: &Path) -> Result<Option<Secret<Vec<[u8; 32]>>>, String> {
    let path = data_dir.join("secret.key.previous");
    match fs::read_to_string(&path) {
        Ok(text) => {
            values::keys(&Zeroizing::new(text)).map(Some).map_err(|problem| format!("{} {problem}", path.display()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("could not read {}: {error}", path.display())),
    }
}

/// The file appears complete or not at all, and an existing one stays.
fn create(data_dir: &Path, path: &Path) -> io::Result<()> {
    let mut key = Zeroizing::new([0_u8; 32]);
    getrandom::fill(key.as_mut()).map_err(|error| io::Error::other(error.to_string()))?;
    DirBuilder::new().recursive(true).mode(0o711).create(data_dir)?;
    let draft = data_dir.join(format!("secret.key.{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    writeln!(file, "{}", *Zeroizing::new(STANDARD.encode(key.as_ref())))?;
    file.sync_all()?;
    let linked = match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    };
    fs::remove_file(&draft)?;
    linked
}
