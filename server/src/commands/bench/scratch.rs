//! The folder that everything of a run lives in. It goes when the run is over.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::platform::private_postgres::PrivatePostgres;

/// How long a server that was interrupted may take to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// A folder that goes when the run is over, with the folder above it if that was made for it.
pub(super) struct Scratch {
    pub(super) path: PathBuf,
    made: Option<PathBuf>,
}

impl Scratch {
    pub(super) fn make(parent: &Path) -> anyhow::Result<Self> {
        let made = (!parent.exists()).then(|| parent.to_owned());
        std::fs::create_dir_all(parent).with_context(|| format!("cannot make the folder {}", parent.display()))?;
        let path = parent.canonicalize()?.join(format!("bench-{}", uuid::Uuid::new_v4().simple()));
        ensure!(!path.exists(), "{} is there already", path.display());
        std::fs::create_dir(&path).with_context(|| format!("cannot make the folder {}", path.display()))?;
        let scratch = Self { path, made };
        std::fs::create_dir(scratch.data_dir())?;
        Ok(scratch)
    }

    /// The data directory of the server.
    pub(super) fn data_dir(&self) -> PathBuf {
        self.path.join("data")
    }

    /// Removes it. A server that was not stopped in an orderly way was killed, and its Postgres is ending: it must be gone
    /// before its files go.
    pub(super) async fn remove(self) {
        let until = Instant::now() + PATIENCE;
        while matches!(PrivatePostgres::attach(&self.data_dir()), Ok(Some(_))) && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Where Postgres' account cannot reach this folder, the cluster lives elsewhere and a link tells where.
        let link = self.data_dir().join("postgres");
        let elsewhere = link.canonicalize().ok().filter(|home| !home.starts_with(&self.path));
        for folder in elsewhere.iter().chain([&self.path]) {
            if let Err(error) = std::fs::remove_dir_all(folder) {
                tracing::warn!(folder = %folder.display(), %error, "a folder of the bench could not be removed");
            }
        }
        if let Some(made) = &self.made {
            // Not empty means that somebody else began to use it.
            let _ = std::fs::remove_dir(made);
        }
    }
}
