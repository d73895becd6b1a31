//! The sandbox: loads decoders (WebAssembly components), runs each uplink in a fresh instance, and enforces every limit.
//!
//! A decoder is refused or trusted as a whole: [`PluginHost::load`] checks that it imports nothing, speaks a hosted
//! generation of the contract, declares only registered words and passes its own examples. [`Decoder::decode`] then gives
//! either an answer that keeps every rule of the contract, or a [`DecodeFailure`] that says which one was broken.
//!
//! This is the only crate that names the WebAssembly engine; nothing of the engine is in its public types.

mod cache;
mod decoder;
mod engine;
mod examples;
mod failure;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod gate;
mod guest;
mod limits;
mod located;
mod manifest;
mod output;
#[cfg(test)]
mod raw_abi;
mod registry;
mod reused;
mod types;
mod world;

use std::path::PathBuf;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component as CompiledComponent;

pub use decoder::{Decoder, Run, RunStats};
pub use examples::{hub_outcome_name, hub_value_lines, outcome_name, value_lines};
pub use failure::{DecodeFailure, FailureKind, HostError, LoadError};
pub use limits::Limits;
pub use registry::Registry;
pub use reused::Reused;
pub use types::*;
pub use world::Surface;

use cache::Cache;
use failure::brief;

/// What every decoder of one host shares.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) limits: Limits,
    pub(crate) registry: Registry,
    pub(crate) gate: gate::Gate,
    /// Whether it is for a decoder's author.
    pub(crate) traps: engine::Traps,
    /// Held for its thread, which ends with the last decoder.
    _ticker: engine::Ticker,
}

/// The sandbox. One for a process; decoders that it loaded keep it alive.
pub struct PluginHost {
    shared: Arc<Shared>,
    cache: Option<Cache>,
}

impl std::fmt::Debug for PluginHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PluginHost")
            .field("limits", &self.shared.limits)
            .field("cache", &self.cache)
            .finish_non_exhaustive()
    }
}

impl PluginHost {
    /// Starts the engine and its clock.
    ///
    /// `registry` holds the words that decoders may say; `cache_directory` keeps compiled decoders from run to run and
    /// must belong to this process's user alone (0700; it is made so when missing).
    ///
    /// # Errors
    /// [`HostError`] when the limits contradict themselves, the engine has no room, or the directory is not ours.
    pub fn new(limits: Limits, registry: Registry, cache_directory: Option<PathBuf>) -> Result<Self, HostError> {
        Self::with(limits, registry, cache_directory, engine::Traps::Brief)
    }

    /// A sandbox for whoever writes a decoder: the same limits and answers, and a decoder that stops is told where, as far as
    /// its component has names and lines. Costs time at every stop, so that servers have none.
    ///
    /// # Errors
    /// As [`PluginHost::new`].
    pub fn for_development(limits: Limits, registry: Registry) -> Result<Self, HostError> {
        Self::with(limits, registry, None, engine::Traps::Located)
    }

    fn with(
        limits: Limits,
        registry: Registry,
        cache_directory: Option<PathBuf>,
        traps: engine::Traps,
    ) -> Result<Self, HostError> {
        if let Some(problem) = limits.problem() {
            return Err(HostError::Limits(problem));
        }
        let engine = engine::build(&limits, traps)?;
        let ticker = engine::Ticker::start(&engine, limits.deadline_tick)?;
        let cache = cache_directory.map(|directory| Cache::open(directory, &engine)).transpose()?;
        let gate = gate::Gate::new(limits.concurrent_calls);
        Ok(Self { shared: Arc::new(Shared { engine, limits, registry, gate, traps, _ticker: ticker }), cache })
    }

    /// Loads a decoder: validates and compiles it (or takes it from the cache), lets it describe itself, checks what it
    /// says, and runs its examples. Synchronous; compiling takes 50 ms for a Rust decoder and seconds for an
    /// interpreter, a cached one a millisecond.
    ///
    /// # Errors
    /// [`LoadError`], whose text is for the person who brought the decoder.
    pub fn load(&self, bytes: &[u8]) -> Result<Arc<Decoder>, LoadError> {
        let decoder = self.load_untried(bytes)?;
        decoder.try_examples()?;
        Ok(decoder)
    }

    /// [`PluginHost::load`] without running the examples: for an author who wants to see what a decoder makes of a payload
    /// before it passes them. Such a decoder serves nobody.
    ///
    /// # Errors
    /// As [`PluginHost::load`], but [`LoadError::Example`].
    pub fn load_untried(&self, bytes: &[u8]) -> Result<Arc<Decoder>, LoadError> {
        let limits = &self.shared.limits;
        if bytes.len() > limits.component_bytes {
            return Err(LoadError::TooLarge { bytes: bytes.len(), limit: limits.component_bytes });
        }
        let content_hash: [u8; 32] = Sha256::digest(bytes).into();
        let component = self.component(bytes, &content_hash)?;
        let world::Picked { surface, world, contract } = world::pick(&self.shared.engine, &component)?;
        let manifest = describe(&self.shared, world.as_ref())?;
        let problems = manifest::problems(&manifest, &self.shared.registry, limits);
        if !problems.is_empty() {
            return Err(LoadError::Manifest(problems.iter().take(20).map(|problem| brief(problem)).collect()));
        }
        Ok(Arc::new(Decoder {
            shared: Arc::clone(&self.shared),
            world,
            surface,
            contract,
            content_hash: hex::encode(content_hash),
            declared: manifest::declared(&manifest, self.shared.traps == engine::Traps::Located),
            manifest,
        }))
    }

    /// The limits that calls run under.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// From the cache, or compiled.
    fn component(&self, bytes: &[u8], content_hash: &[u8; 32]) -> Result<CompiledComponent, LoadError> {
        let engine = &self.shared.engine;
        if let Some(component) = self.cache.as_ref().and_then(|cache| cache.get(engine, content_hash)) {
            return Ok(component);
        }
        let component = CompiledComponent::from_binary(engine, bytes)
            .map_err(|error| LoadError::Invalid(brief(&format!("{error:#}"))))?;
        if let Some(cache) = &self.cache {
            cache.put(&component, content_hash);
        }
        Ok(component)
    }
}

/// Asks a decoder what it is.
fn describe(shared: &Shared, world: &dyn world::DecoderWorld) -> Result<Manifest, LoadError> {
    decoder::enter(shared, world, decoder::Entry::wait(shared), |instance, store| instance.describe(store))
        .result
        .map_err(LoadError::Describe)
}
