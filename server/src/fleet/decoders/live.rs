//! The decoders of a running server: replaced as a whole when another version is to serve, without holding up an uplink.
//!
//! Whoever decodes takes the picture of that moment ([`LiveDecoders::now`]) and keeps its decoder until it is done. Another
//! process's decisions are seen by a count in the database that every process looks at each second.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use db::Db;
use fhir_model::units::Units;
use fhir_model::vitals::Vitals;
use plugin_host::Decoder;
use tokio_util::sync::CancellationToken;

use super::{COMPILED_DECODERS, Decoders, Origin};
use crate::config::Config;
use crate::error::{Error, Kind};
use crate::fleet::plugins::{self, RegisteredRow};

/// How often a process looks whether another version is to serve.
const LOOK: Duration = Duration::from_secs(1);

/// A version that the registry knows, compiled.
#[derive(Debug, Clone)]
pub struct Registered {
    /// The decoder.
    pub decoder: Arc<Decoder>,
    /// Where it came from.
    pub origin: Origin,
    /// Whether somebody chose it to serve.
    pub serves: bool,
}

impl Registered {
    /// Whether it is this one.
    pub(super) fn is(&self, other: &Decoder) -> bool {
        self.decoder.content_hash() == other.content_hash()
    }
}

/// Which decoder serves which model, at every moment.
#[derive(Debug)]
pub struct LiveDecoders {
    /// What came with the server.
    local: Decoders,
    now: RwLock<Arc<Decoders>>,
    /// The registry's count that the picture belongs to.
    generation: AtomicI64,
    /// Compiled components by content hash, so that switching back costs nothing.
    compiled: Mutex<HashMap<String, Arc<Decoder>>>,
    /// One refresh at a time.
    refreshing: tokio::sync::Mutex<()>,
}

impl LiveDecoders {
    /// Loads what came with the server, tells the registry, and takes from it what serves.
    ///
    /// # Errors
    /// As [`Decoders::open`], and the database's error.
    pub async fn load(config: &Config, db: &Db, units: &Units, vitals: &Vitals) -> anyhow::Result<Self> {
        let cache_dir = config.data_dir.join(COMPILED_DECODERS);
        let local = Decoders::open(Some(cache_dir), config.decoder_dir.as_deref(), units, vitals)?;
        plugins::register_local(db, &local).await?;
        let compiled =
            local.loaded().iter().map(|entry| (entry.decoder.content_hash().to_owned(), Arc::clone(&entry.decoder)));
        let decoders = Self {
            compiled: Mutex::new(compiled.collect()),
            now: RwLock::new(Arc::new(local.with_registry(Vec::new()))),
            local,
            generation: AtomicI64::new(0),
            refreshing: tokio::sync::Mutex::default(),
        };
        decoders.refresh(db).await?;
        plugins::register_models(db, &decoders.now()).await?;
        Ok(decoders)
    }

    /// The picture of this moment.
    #[must_use]
    pub fn now(&self) -> Arc<Decoders> {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks whether the registry has changed, and follows it.
    ///
    /// # Errors
    /// The database's error; the picture stays as it was then.
    pub async fn refresh(&self, db: &Db) -> Result<(), Error> {
        let _one = self.refreshing.lock().await;
        let known = self.generation.load(Ordering::Acquire);
        let Some((generation, rows)) = plugins::changed_since(db, known).await? else { return Ok(()) };
        let mut registered = Vec::new();
        for row in rows {
            // One that cannot be loaded any more is told of, and what came with the server serves in its place.
            match self.compile(db, &row).await {
                Ok(decoder) => registered.push(Registered { decoder, origin: row.origin(), serves: row.is_chosen() }),
                Err(error) => {
                    tracing::error!(
                        plugin = row.plugin,
                        version = row.version,
                        error = error.public(),
                        "a registered decoder is not available"
                    );
                }
            }
        }
        let next = Arc::new(self.local.with_registry(registered));
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = next;
        self.generation.store(generation, Ordering::Release);
        Ok(())
    }

    /// A version that the registry knows, whatever its state, ready to run.
    ///
    /// # Errors
    /// 404 when there is none; 409 when it came with another server and its bytes are not here.
    pub async fn version(&self, db: &Db, plugin: &str, version: &str) -> Result<Arc<Decoder>, Error> {
        let row = plugins::find_registered(db, plugin, version)
            .await?
            .ok_or_else(|| Error::not_found("version of this plugin"))?;
        self.compile(db, &row).await
    }

    /// A component that is being uploaded: examined as it is loaded, and kept compiled.
    ///
    /// # Errors
    /// 422 with what is wrong with it.
    pub async fn examine(&self, bytes: Vec<u8>) -> Result<Arc<Decoder>, Error> {
        let host = Arc::clone(self.local.host());
        let loaded = match tokio::task::spawn_blocking(move || host.load(&bytes)).await {
            Ok(loaded) => loaded,
            // The engine gave up on it: the component's fault, and no other request's.
            Err(ended) if ended.is_panic() => {
                let text = "This component is not taken: the sandbox cannot read it. One core module without nested components is what it takes.";
                return Err(Error::new(Kind::Unprocessable, "plugin.refused", text));
            }
            Err(ended) => return Err(Error::internal(ended)),
        };
        loaded.map_err(|error| {
            let why = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
            Error::new(Kind::Unprocessable, "plugin.refused", format!("This component is not taken: {why}."))
        })
    }

    /// The version of a decoder that came with the server and serves where nobody chose another.
    #[must_use]
    pub fn local_version(&self, plugin: &str) -> Option<String> {
        let entry = self.local.loaded().iter().find(|entry| entry.serves && entry.decoder.manifest().name == plugin)?;
        Some(entry.decoder.manifest().version.clone())
    }

    /// Keeps a decoder compiled.
    pub fn keep(&self, decoder: &Arc<Decoder>) {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        compiled.insert(decoder.content_hash().to_owned(), Arc::clone(decoder));
    }

    async fn compile(&self, db: &Db, row: &RegisteredRow) -> Result<Arc<Decoder>, Error> {
        let there = self.compiled.lock().unwrap_or_else(PoisonError::into_inner).get(&row.content_hash).cloned();
        if let Some(decoder) = there {
            return Ok(decoder);
        }
        let bytes = plugins::find_component(db, &row.plugin, &row.version).await?.ok_or_else(|| {
            Error::conflict(
                "plugin.not-here",
                "This version came with another release of the server, which did not leave its bytes.",
            )
        })?;
        let decoder = self.examine(bytes).await?;
        self.keep(&decoder);
        Ok(decoder)
    }
}

/// Follows the registry until the server stops.
pub async fn follow(app: Arc<crate::app::App>, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
        if let Err(error) = app.decoders.refresh(&app.db).await {
            tracing::warn!(%error, "the registry of decoders cannot be read");
        }
    }
}
