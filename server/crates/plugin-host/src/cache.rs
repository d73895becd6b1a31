//! Compiled decoders on disk, so that a restart loads in 0.1 ms what took 50 ms to compile.
//!
//! A compiled artefact is machine code: whoever can put one here runs code in the server. So only what the server wrote
//! itself is loaded, and this is what makes that true:
//!
//! - The directory belongs to the server's user, and nobody else may enter it (0700); otherwise the server does not start.
//!   Who can act as that user could as well change the server's memory, so that a secret key would add nothing.
//! - Each file must be a regular file, not a link, of that user, and closed to others (0600).
//! - The file begins with a SHA-256 over the component's hash, the engine's compatibility hash and the artefact. It finds
//!   what the file system spoils: torn writes, flipped bits, files under another's name. What fails is compiled anew.
//! - The bytes that are loaded are those that were checked, in memory; the file is not opened a second time.

use std::fs::{DirBuilder, File, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::HostError;

/// Length of the checksum at the head of each file.
const CHECKSUM_BYTES: usize = 32;

/// Permission bits of group and others.
const OTHERS: u32 = 0o077;

/// A directory of artefacts for one engine.
#[derive(Debug)]
pub(crate) struct Cache {
    directory: PathBuf,
    engine_hash: [u8; 32],
    owner: u32,
    written: AtomicU64,
}

impl Cache {
    /// Opens the directory, and makes it when there is none.
    ///
    /// # Errors
    /// [`HostError::Cache`] when it cannot be made, or others may enter it.
    pub(crate) fn open(directory: PathBuf, engine: &Engine) -> Result<Self, HostError> {
        let owner = nix::unistd::geteuid().as_raw();
        let problem = DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&directory)
            .and_then(|()| std::fs::symlink_metadata(&directory))
            .map(|found| directory_problem(&found, owner));
        let reason = match problem {
            Ok(None) => {
                let engine_hash = engine_hash(engine);
                return Ok(Self { directory, engine_hash, owner, written: AtomicU64::new(0) });
            }
            Ok(Some(reason)) => reason.to_owned(),
            Err(error) => error.to_string(),
        };
        Err(HostError::Cache { path: directory, reason })
    }

    /// The compiled component, if it is here and sound.
    pub(crate) fn get(&self, engine: &Engine, content_hash: &[u8; 32]) -> Option<Component> {
        let path = self.path(content_hash);
        let artefact = match self.read(&path, content_hash) {
            Ok(artefact) => artefact,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "compiled decoder refused; compiling it again");
                return None;
            }
        };
        #[expect(
            unsafe_code,
            reason = "the bytes are what this user's server wrote for this engine: see the module's text"
        )]
        // SAFETY: `read` has checked owner, mode and checksum of exactly these bytes, and the engine checks its version.
        let loaded = unsafe { Component::deserialize(engine, &artefact) };
        loaded
            .inspect_err(|error| tracing::warn!(path = %path.display(), %error, "compiled decoder does not load"))
            .ok()
    }

    /// Keeps a compiled component. Failing to is no failure of the decoder: it is told in the log.
    pub(crate) fn put(&self, component: &Component, content_hash: &[u8; 32]) {
        let path = self.path(content_hash);
        let written =
            component.serialize().map_err(io::Error::other).and_then(|bytes| self.write(&path, content_hash, &bytes));
        if let Err(error) = written {
            tracing::warn!(path = %path.display(), %error, "compiled decoder cannot be kept");
        }
    }

    fn path(&self, content_hash: &[u8; 32]) -> PathBuf {
        let engine = hex::encode(self.engine_hash.get(..8).unwrap_or_default());
        self.directory.join(format!("{}-{engine}.compiled", hex::encode(content_hash)))
    }

    fn checksum(&self, content_hash: &[u8; 32], artefact: &[u8]) -> [u8; CHECKSUM_BYTES] {
        let mut hash = Sha256::new();
        hash.update(b"afferent compiled decoder 1\0");
        hash.update(content_hash);
        hash.update(self.engine_hash);
        hash.update(artefact);
        hash.finalize().into()
    }

    fn read(&self, path: &Path, content_hash: &[u8; 32]) -> io::Result<Vec<u8>> {
        let follow_no_link = nix::fcntl::OFlag::O_NOFOLLOW.bits();
        let mut file = OpenOptions::new().read(true).custom_flags(follow_no_link).open(path)?;
        let found = file.metadata()?;
        if !found.is_file() || found.uid() != self.owner || found.mode() & OTHERS != 0 {
            return Err(io::Error::other("it is not a file that only this user can write"));
        }
        let mut checksum = [0; CHECKSUM_BYTES];
        file.read_exact(&mut checksum)?;
        let mut artefact = Vec::new();
        file.read_to_end(&mut artefact)?;
        if checksum != self.checksum(content_hash, &artefact) {
            return Err(io::Error::other("its checksum differs"));
        }
        Ok(artefact)
    }

    /// Writes beside and renames, so that a reader finds the whole file or none.
    fn write(&self, path: &Path, content_hash: &[u8; 32], artefact: &[u8]) -> io::Result<()> {
        let turn = self.written.fetch_add(1, Ordering::Relaxed);
        let beside = path.with_extension(format!("{}-{turn}.part", std::process::id()));
        // A part left behind by a process that died with the same number.
        let _ = std::fs::remove_file(&beside);
        let write = |mut file: File| {
            file.write_all(&self.checksum(content_hash, artefact))?;
            file.write_all(artefact)
        };
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&beside)
            .and_then(write)
            .and_then(|()| std::fs::rename(&beside, path))
            .inspect_err(|_| {
                let _ = std::fs::remove_file(&beside);
            })
    }
}

/// Why a directory is not ours alone.
fn directory_problem(found: &std::fs::Metadata, owner: u32) -> Option<&'static str> {
    if !found.is_dir() {
        Some("it is not a directory (links are not followed)")
    } else if found.uid() != owner {
        Some("it belongs to another user")
    } else if found.mode() & OTHERS != 0 {
        Some("others may enter it; its mode must be 0700, for compiled decoders are code")
    } else {
        None
    }
}

/// What an artefact depends on: version and settings of the engine, and the processor's features.
fn engine_hash(engine: &Engine) -> [u8; 32] {
    struct IntoSha256(Sha256);
    impl Hasher for IntoSha256 {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            // Only the whole digest is used.
            0
        }
    }
    let mut hash = IntoSha256(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hash);
    hash.0.finalize().into()
}
