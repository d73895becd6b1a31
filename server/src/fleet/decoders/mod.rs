//! Which decoder serves which device model: an immutable picture in memory, replaced as a whole when the registry says so
//! ([`LiveDecoders`]).
//!
//! Decoders come from three places: those built into the server, `*.wasm` of `decoder_dir`, and what was uploaded. One that
//! is built in and does not load stops the server; one of the directory that does not load is refused, logged and shown
//! with its reason.
//!
//! Two decoders of one name are versions of one thing. Where somebody activated a version, that one serves; else the newest
//! of those that came with the server, so that a file can replace what is built in.
//! Two decoders of different names cannot serve one model: the one that came first keeps it (built-in before the
//! directory, files by name), and the other is refused as a whole, because half a decoder would surprise.

mod channel;
mod live;
mod version;
mod words;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use fhir_model::units::Units;
use fhir_model::vitals::Vitals;
use plugin_host::{Decoder, HostError, Limits, LoadError, Model, PluginHost, Surface};

pub use live::{LiveDecoders, Registered, follow as follow_registry};
pub use words::allowed_words;

mod bundled {
    //! What the build script compiled to components: `BUNDLED`, pairs of a name and the component's bytes.
    include!(concat!(env!("OUT_DIR"), "/bundled_decoders.rs"));
}

/// Folder of the data directory that holds what was compiled.
pub const COMPILED_DECODERS: &str = "compiled-decoders";

/// Where a decoder came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Built into the server.
    Bundled,
    /// A file of `decoder_dir`.
    Directory,
    /// Uploaded to the registry.
    Registry,
}

impl Origin {
    /// As stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bundled => "bundled",
            Self::Directory => "directory",
            Self::Registry => "registry",
        }
    }
}

/// A decoder that was loaded.
#[derive(Debug, Clone)]
pub struct LoadedDecoder {
    /// The decoder.
    pub decoder: Arc<Decoder>,
    /// Where it came from.
    pub origin: Origin,
    /// Whether it serves its models; false for one that a newer version replaces.
    pub serves: bool,
}

/// A file of the directory that was not taken.
#[derive(Debug, Clone, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefusedDecoder {
    /// The file's name.
    pub file: String,
    /// Why, for the person who put it there.
    pub reason: String,
}

/// A model and what decodes it.
#[derive(Debug, Clone)]
pub struct ServedModel {
    /// Name, title, channels and variables, as the decoder declares them.
    pub model: Model,
    /// The decoder version that it is bound to.
    pub decoder: Arc<Decoder>,
}

/// What decodes an uplink.
#[derive(Debug, Clone)]
pub struct Binding {
    /// The decoder version.
    pub decoder: Arc<Decoder>,
    /// The model's name.
    pub model: String,
    /// The channel as the model declares it; as it was sent where the model takes any.
    pub channel: String,
}

impl Binding {
    /// A certain decoder, whether or not it serves the model.
    ///
    /// # Errors
    /// [`Unbound`] when the decoder has no such model, or the model no such channel.
    pub fn of_version(decoder: &Arc<Decoder>, model: &str, channel: &str) -> Result<Self, Unbound> {
        let known = decoder.manifest().models.iter().find(|known| known.name == model);
        let known = known.ok_or_else(|| Unbound {
            reason: "model-without-decoder",
            detail: format!("This version has no model `{model}`."),
        })?;
        let channel = bind_channel(known, channel)?;
        Ok(Self { decoder: Arc::clone(decoder), model: model.to_owned(), channel })
    }

    /// The decoder's name, for provenance.
    #[must_use]
    pub fn decoder_name(&self) -> &str {
        &self.decoder.manifest().name
    }

    /// The decoder's version, for provenance.
    #[must_use]
    pub fn decoder_version(&self) -> &str {
        &self.decoder.manifest().version
    }
}

/// Why nothing decodes an uplink: what a quarantine shows. Its text says what would be right, and repeats nothing that a
/// source sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unbound {
    reason: &'static str,
    detail: String,
}

impl Unbound {
    /// Stable word: `model-without-decoder`, `channel-unknown` or `channel-missing`.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.reason
    }
}

impl std::fmt::Display for Unbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.detail)
    }
}

/// Which decoder serves which model.
#[derive(Debug)]
pub struct Decoders {
    host: Arc<PluginHost>,
    loaded: Vec<LoadedDecoder>,
    refused: Vec<RefusedDecoder>,
    models: BTreeMap<String, ServedModel>,
}

impl Decoders {
    /// Starts the sandbox and loads what is built in and what the directory holds. Compiled decoders are kept in
    /// `cache_dir`. Synchronous: compiling takes 50 ms a decoder, so that a server calls it before it serves.
    ///
    /// # Errors
    /// When the sandbox cannot start, a built-in decoder is refused, or the directory cannot be read.
    pub fn open(
        cache_dir: Option<PathBuf>,
        decoder_dir: Option<&Path>,
        units: &Units,
        vitals: &Vitals,
    ) -> anyhow::Result<Self> {
        let words = words::allowed_words(units, vitals)?;
        let host = match PluginHost::new(Limits::default(), words.clone(), cache_dir) {
            // Without its cache the server only starts more slowly.
            Err(error @ HostError::Cache { .. }) => {
                tracing::warn!(%error, "compiled decoders are not kept");
                PluginHost::new(Limits::default(), words, None)?
            }
            other => other?,
        };
        let mut decoders =
            Self { host: Arc::new(host), loaded: Vec::new(), refused: Vec::new(), models: BTreeMap::new() };
        for ((name, _), loaded) in bundled::BUNDLED.iter().zip(load_side_by_side(&decoders.host, bundled::BUNDLED)) {
            let admitted = loaded
                .map_err(anyhow::Error::from)
                .and_then(|decoder| decoders.admit(decoder, Origin::Bundled).map_err(anyhow::Error::msg));
            admitted.with_context(|| format!("the built-in decoder {name} is refused"))?;
        }
        if let Some(directory) = decoder_dir {
            decoders.load_directory(directory)?;
        }
        Ok(decoders)
    }

    /// The sandbox, to try a decoder that is not registered.
    #[must_use]
    pub fn host(&self) -> &Arc<PluginHost> {
        &self.host
    }

    /// These decoders, which came with the server, and what the registry says of them and of others.
    ///
    /// What somebody activated takes its models first, whatever came with a newer server: an upgrade changes nothing that a
    /// person chose. What remains is served as without a registry.
    #[must_use]
    pub fn with_registry(&self, registered: Vec<Registered>) -> Self {
        let mut decoders = Self {
            host: Arc::clone(&self.host),
            loaded: Vec::new(),
            refused: self.refused.clone(),
            models: BTreeMap::new(),
        };
        let is_pinned =
            |name: &str| registered.iter().any(|entry| entry.serves && entry.decoder.manifest().name == name);
        for entry in registered.iter().filter(|entry| entry.serves) {
            decoders.serve(&entry.decoder);
        }
        for entry in &self.loaded {
            let manifest = entry.decoder.manifest();
            let serves = match is_pinned(&manifest.name) {
                true => registered.iter().any(|other| other.serves && other.is(&entry.decoder)),
                false => entry.serves,
            };
            if serves {
                decoders.serve(&entry.decoder);
            }
            decoders.loaded.push(LoadedDecoder { serves, ..entry.clone() });
        }
        for entry in registered {
            if !self.loaded.iter().any(|local| entry.is(&local.decoder)) {
                let Registered { decoder, origin, serves } = entry;
                decoders.loaded.push(LoadedDecoder { decoder, origin, serves });
            }
        }
        decoders
    }

    /// Takes the models of a decoder that nobody else serves.
    fn serve(&mut self, decoder: &Arc<Decoder>) {
        for model in &decoder.manifest().models {
            let served = ServedModel { model: model.clone(), decoder: Arc::clone(decoder) };
            let first = self.models.entry(model.name.clone()).or_insert(served);
            if first.decoder.manifest().name != decoder.manifest().name {
                tracing::warn!(
                    model = model.name,
                    decoder = decoder.manifest().name,
                    serves = first.decoder.manifest().name,
                    "two decoders know a model; the one that was activated serves it"
                );
            }
        }
    }

    /// Every decoder that was loaded, in the order of loading.
    #[must_use]
    pub fn loaded(&self) -> &[LoadedDecoder] {
        &self.loaded
    }

    /// Every file that was not taken, with its reason.
    #[must_use]
    pub fn refused(&self) -> &[RefusedDecoder] {
        &self.refused
    }

    /// The models, by name.
    pub fn models(&self) -> impl Iterator<Item = &ServedModel> {
        self.models.values()
    }

    /// One model.
    #[must_use]
    pub fn model(&self, name: &str) -> Option<&ServedModel> {
        self.models.get(name)
    }

    /// What decodes a model's payloads of a channel. An empty channel is fine for a model that has one or takes any.
    ///
    /// # Errors
    /// [`Unbound`], with which the uplink is quarantined.
    pub fn for_model(&self, model: &str, channel: &str) -> Result<Binding, Unbound> {
        self.for_surface(Surface::Device, model, channel)
    }

    /// What splits the payloads of hubs of a model.
    ///
    /// # Errors
    /// As [`Decoders::for_model`].
    pub fn for_hub(&self, model: &str, channel: &str) -> Result<Binding, Unbound> {
        self.for_surface(Surface::Hub, model, channel)
    }

    /// Models of devices that speak on one of these channels; those that are named after a channel first, five at most.
    #[must_use]
    pub fn models_on(&self, channels: &[String]) -> Vec<String> {
        let speaks = |model: &Model| {
            let sent = channels.iter().filter(|sent| !sent.is_empty());
            sent.clone().any(|sent| model.channels.iter().any(|declared| channel::is_same(declared, sent)))
        };
        let served = self.models.values().filter(|served| served.decoder.surface() == Surface::Device);
        let mut found: Vec<&Model> = served.map(|served| &served.model).filter(|model| speaks(model)).collect();
        found.sort_by_key(|model| (model.channels.len(), !model.name.starts_with("gatt-"), &model.name));
        found.into_iter().take(5).map(|model| model.name.clone()).collect()
    }

    fn for_surface(&self, surface: Surface, model: &str, channel: &str) -> Result<Binding, Unbound> {
        let served = self.models.get(model).filter(|served| served.decoder.surface() == surface);
        let served = served.ok_or_else(|| Unbound {
            reason: "model-without-decoder",
            detail: format!(
                "No decoder for {} of the model `{model}` is loaded; GET /api/v1/models lists those that are.",
                if surface == Surface::Device { "devices" } else { "hubs" }
            ),
        })?;
        let channel = bind_channel(&served.model, channel)?;
        Ok(Binding { decoder: Arc::clone(&served.decoder), model: model.to_owned(), channel })
    }

    /// The same with a certain decoder version, where it is still loaded and knows the model; otherwise with the one that
    /// serves the model now. For reading again what that version read first.
    ///
    /// # Errors
    /// [`Unbound`] when nothing decodes it any more.
    pub fn for_model_by(&self, model: &str, channel: &str, name: &str, version: &str) -> Result<Binding, Unbound> {
        let mut binding = self.for_model(model, channel)?;
        let first = self.loaded.iter().map(|entry| &entry.decoder).find(|decoder| {
            let manifest = decoder.manifest();
            manifest.name == name
                && manifest.version == version
                && manifest.models.iter().any(|known| known.name == model)
        });
        if let Some(first) = first {
            binding.decoder = Arc::clone(first);
        }
        Ok(binding)
    }

    /// How long equal bytes without time or sequence of a device of this model are one transmission, where its decoder
    /// says so: in the manifest's `extra`, `repeat-window/MODEL` with a number of seconds (0: never).
    #[must_use]
    pub fn repeat_window(&self, model: &str) -> Option<Duration> {
        let manifest = self.models.get(model)?.decoder.manifest();
        repeat_window(&manifest.extra, model)
    }

    /// What the manifest of a model's decoder says beyond the contract's types; nothing for a model that is not served.
    #[must_use]
    pub fn manifest_extra(&self, model: &str) -> &[plugin_host::NameValue] {
        self.models.get(model).map_or(&[], |served| &served.decoder.manifest().extra)
    }

    /// Reads the directory's files by name; only the directory itself must be readable.
    fn load_directory(&mut self, directory: &Path) -> anyhow::Result<()> {
        let entries = std::fs::read_dir(directory)
            .with_context(|| format!("decoder_dir {} cannot be read", directory.display()))?;
        let mut files = Vec::new();
        for entry in entries {
            let path = entry.with_context(|| format!("decoder_dir {} cannot be read", directory.display()))?.path();
            if path.extension().is_some_and(|extension| extension == "wasm") {
                files.push(path);
            }
        }
        files.sort();
        for path in files {
            let taken = std::fs::read(&path)
                .map_err(|error| format!("the file cannot be read: {error}"))
                .and_then(|bytes| self.host.load(&bytes).map_err(|error| one_line(&error.to_string())))
                .and_then(|decoder| self.admit(decoder, Origin::Directory));
            if let Err(reason) = taken {
                let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                tracing::warn!(file, reason, "decoder refused");
                self.refused.push(RefusedDecoder { file, reason });
            }
        }
        Ok(())
    }

    /// Takes a decoder in, beside those that are there already.
    fn admit(&mut self, decoder: Arc<Decoder>, origin: Origin) -> Result<(), String> {
        let manifest = decoder.manifest();
        for model in &manifest.models {
            if let Some(other) = self.models.get(&model.name).map(|served| served.decoder.manifest())
                && other.name != manifest.name
            {
                return Err(format!("the model {} is served by the decoder {} already", model.name, other.name));
            }
        }
        let rival = self.loaded.iter_mut().find(|entry| entry.serves && entry.decoder.manifest().name == manifest.name);
        let mut serves = true;
        if let Some(rival) = rival {
            match version::compare(&manifest.version, &rival.decoder.manifest().version) {
                Ordering::Equal if rival.decoder.content_hash() == decoder.content_hash() => return Ok(()),
                Ordering::Equal => {
                    return Err(format!(
                        "another {} {} is loaded already: give the changed decoder a higher version",
                        manifest.name, manifest.version
                    ));
                }
                Ordering::Greater => {
                    rival.serves = false;
                    self.models.retain(|_, served| served.decoder.manifest().name != manifest.name);
                }
                Ordering::Less => serves = false,
            }
        }
        if serves {
            for model in &manifest.models {
                self.models
                    .insert(model.name.clone(), ServedModel { model: model.clone(), decoder: Arc::clone(&decoder) });
            }
        }
        self.loaded.push(LoadedDecoder { decoder, origin, serves });
        Ok(())
    }
}

/// Loads components on all processors, in the order in which they are given: compiling dozens of them takes seconds.
fn load_side_by_side(host: &PluginHost, components: &[(&str, &[u8])]) -> Vec<Result<Arc<Decoder>, LoadError>> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(components.len().max(1));
    std::thread::scope(|scope| {
        let share = |first: usize| components.iter().skip(first).step_by(threads).map(|(_, bytes)| host.load(bytes));
        let shares: Vec<_> = (0..threads).map(|first| scope.spawn(move || share(first).collect::<Vec<_>>())).collect();
        let mut shares: Vec<_> = shares
            .into_iter()
            .map(|share| share.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).into_iter())
            .collect();
        (0..components.len()).filter_map(|place| shares.get_mut(place % threads)?.next()).collect()
    })
}

/// An engine's report on one line, as lists and logs want it.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a manifest says of a model's window. A day at most: a window is for retransmissions.
fn repeat_window(extra: &[plugin_host::NameValue], model: &str) -> Option<Duration> {
    let said = extra.iter().find(|pair| pair.name.strip_prefix("repeat-window/") == Some(model))?;
    let seconds: u64 = said.value.parse().ok()?;
    Some(Duration::from_secs(seconds.min(86_400)))
}

/// The channel as the model declares it.
fn bind_channel(model: &Model, sent: &str) -> Result<String, Unbound> {
    let sent = sent.trim();
    match (model.channels.as_slice(), sent) {
        ([], _) => Ok(sent.to_owned()),
        ([only], "") => Ok(only.clone()),
        (channels, "") => Err(Unbound {
            reason: "channel-missing",
            detail: format!(
                "The model {} has several channels ({}): name the one it came from with ?channel=.",
                model.name,
                channels.join(", ")
            ),
        }),
        (channels, sent) => {
            channels.iter().find(|declared| channel::is_same(declared, sent)).cloned().ok_or_else(|| Unbound {
                reason: "channel-unknown",
                detail: format!(
                    "The model {} does not speak on that channel; its channels are {}.",
                    model.name,
                    channels.join(", ")
                ),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

    use super::*;

    fn model(channels: &[&str]) -> Model {
        Model {
            name: "cuff".to_owned(),
            title: "Cuff".to_owned(),
            channels: channels.iter().map(|channel| (*channel).to_owned()).collect(),
            variables: Vec::new(),
        }
    }

    #[test]
    fn an_empty_channel_is_enough_where_there_is_no_choice() {
        assert_eq!(bind_channel(&model(&["2A35"]), "").unwrap(), "2A35");
        assert_eq!(bind_channel(&model(&[]), "").unwrap(), "");
        assert_eq!(bind_channel(&model(&["2A35", "2A36"]), "").unwrap_err().reason, "channel-missing");
    }

    #[test]
    fn a_channel_is_one_that_the_model_declares() {
        assert_eq!(bind_channel(&model(&["2A35", "2A36"]), "0x2a36").unwrap(), "2A36");
        assert_eq!(bind_channel(&model(&[]), "port 7").unwrap(), "port 7");
        assert_eq!(bind_channel(&model(&["2A35"]), "2A9D").unwrap_err().reason, "channel-unknown");
    }
}
