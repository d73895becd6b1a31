//! Generations of the decoder contract: one module for each, and the choice among them.
//!
//! The version is read from the component's exported names *before* anything of it runs, so that a decoder of another
//! generation is refused with a sentence and not with a trap.

mod generation;
mod v0_1;
mod v1;

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store};

use crate::failure::brief;
use crate::guest::Guest;
use crate::{HubOutcome, Input, LoadError, Manifest, Outcome};

/// The package of the contract.
const PACKAGE: &str = "afferent:decoder/";

/// What the server hosts, for the sentence in [`LoadError::UnsupportedVersion`].
const HOSTED: &str = "0.1 and 1.0";

/// What a decoder takes: one device's payloads, or those of a hub that carries many devices'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Surface {
    /// `decode`: payload → readings.
    Device,
    /// `split`: payload → items per device.
    Hub,
}

/// What the host needs from any generation, in the host's own types. Each call makes a fresh instance in `store`.
pub(crate) trait DecoderWorld: Send + Sync {
    /// Makes an instance of the component in the store.
    fn instantiate(&self, store: &mut Store<Guest>) -> wasmtime::Result<Box<dyn DecoderInstance>>;
}

/// One instance, for one call.
pub(crate) trait DecoderInstance {
    /// What the decoder says of itself.
    fn describe(&self, store: &mut Store<Guest>) -> wasmtime::Result<Manifest>;
    /// A device's payload → readings. An error for a hub decoder.
    fn decode(&self, store: &mut Store<Guest>, input: &Input) -> wasmtime::Result<Outcome>;
    /// A hub's payload → items. An error for a device decoder.
    fn split(&self, store: &mut Store<Guest>, input: &Input) -> wasmtime::Result<HubOutcome>;
}

/// What a component was found to be.
pub(crate) struct Picked {
    pub(crate) surface: Surface,
    pub(crate) world: Box<dyn DecoderWorld>,
    /// The version of the contract that its exports name, such as `1.0.0`.
    pub(crate) contract: String,
}

/// Picks the generation that the component was built for, and links it with nothing.
///
/// # Errors
/// [`LoadError::Import`], [`LoadError::NotADecoder`], [`LoadError::UnsupportedVersion`], or [`LoadError::Contract`] when
/// names fit and types do not.
pub(crate) fn pick(engine: &Engine, component: &Component) -> Result<Picked, LoadError> {
    refuse_imports(engine, component)?;
    let (interface, version) = exported(engine, component)?;
    let surface = match interface.as_str() {
        "device" => Surface::Device,
        "hub" => Surface::Hub,
        other => {
            return Err(LoadError::NotADecoder(brief(&format!("{PACKAGE}{other}@{version}"))));
        }
    };
    let Some(generation) = Generation::of(&version) else {
        return Err(LoadError::UnsupportedVersion { found: brief(&version), hosted: HOSTED });
    };
    let linked = Linker::<Guest>::new(engine)
        .instantiate_pre(component)
        .map_err(|error| LoadError::Invalid(brief(&format!("{error:#}"))))?;
    let interface = format!("{PACKAGE}{interface}@{version}");
    let world = match (generation, surface) {
        (Generation::V0_1, Surface::Device) => v0_1::device(linked, &interface),
        (Generation::V0_1, Surface::Hub) => v0_1::hub(linked, &interface),
        (Generation::V1, Surface::Device) => v1::device(linked, &interface),
        (Generation::V1, Surface::Hub) => v1::hub(linked, &interface),
    };
    let world = world.map_err(|error| LoadError::Contract(brief(&format!("{error:#}"))))?;
    Ok(Picked { surface, world, contract: version })
}

/// Refuses whatever the component wants from outside. An imported interface of types alone is no want: the tools put it
/// there so that the exports can name those types.
fn refuse_imports(engine: &Engine, component: &Component) -> Result<(), LoadError> {
    for (name, import) in component.component_type().imports(engine) {
        let wanted = match import.ty {
            ComponentItem::Type(_) => None,
            ComponentItem::ComponentInstance(instance) => instance
                .exports(engine)
                .find(|(_, item)| !matches!(item.ty, ComponentItem::Type(_)))
                .map(|(function, _)| format!("{name}#{function}")),
            _ => Some(name.to_owned()),
        };
        if let Some(wanted) = wanted {
            return Err(LoadError::Import(brief(&wanted)));
        }
    }
    Ok(())
}

/// Interface and version of the one export that belongs to the contract.
fn exported(engine: &Engine, component: &Component) -> Result<(String, String), LoadError> {
    let ty = component.component_type();
    let names: Vec<&str> = ty.exports(engine).map(|(name, _)| name).collect();
    let mut ours = names.iter().filter_map(|name| name.strip_prefix(PACKAGE)).filter(|name| !name.starts_with("types"));
    match (ours.next(), ours.next()) {
        (Some(name), None) => {
            let (interface, version) = name.split_once('@').unwrap_or((name, "without a version"));
            Ok((interface.to_owned(), version.to_owned()))
        }
        (None, _) if names.is_empty() => Err(LoadError::NotADecoder("nothing".to_owned())),
        (None, _) => Err(LoadError::NotADecoder(brief(&names.join(", ")))),
        (Some(_), Some(_)) => {
            Err(LoadError::NotADecoder(format!("{} (one of them, please)", brief(&names.join(", ")))))
        }
    }
}

/// Versions of the contract with the same types, which one module calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Generation {
    /// `0.1.x`: while the major is 0, the minor tells generations apart.
    V0_1,
    /// `1.0.x`. A later minor would be a world that has more than this one, and has to be hosted before it is loaded.
    V1,
}

impl Generation {
    /// The generation of a version; none for one that this server does not host. Pre-releases of a contract promise nothing.
    fn of(version: &str) -> Option<Self> {
        let (generation, patch) = match version.strip_prefix("0.1.") {
            Some(patch) => (Self::V0_1, patch),
            None => (Self::V1, version.strip_prefix("1.0.")?),
        };
        (!patch.is_empty() && patch.bytes().all(|byte| byte.is_ascii_digit())).then_some(generation)
    }
}

#[cfg(test)]
mod tests {
    use super::Generation;

    #[test]
    fn generations_are_told_apart_by_the_major_and_before_1_by_the_minor() {
        for (version, generation) in [
            ("0.1.0", Some(Generation::V0_1)),
            ("0.1.17", Some(Generation::V0_1)),
            ("1.0.0", Some(Generation::V1)),
            ("1.0.3", Some(Generation::V1)),
        ] {
            assert_eq!(Generation::of(version), generation, "{version}");
        }
        for unknown in ["0.10.0", "0.2.0", "1.1.0", "0.1.", "1.0", "10.0.0", "2.0.0", "0.1.0-rc.1", "1.0.0-rc.1", ""] {
            assert_eq!(Generation::of(unknown), None, "{unknown}");
        }
    }
}
