//! Generations of the decoder contract: one module for each, and the choice among them.
//!
//! The version is read from the component's exported names *before* anything of it runs, so that a decoder of another
//! generation is refused with a sentence and not with a trap.

mod v0_1;
mod v0_1_convert;

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store};

use crate::failure::brief;
use crate::guest::Guest;
use crate::{HubOutcome, Input, LoadError, Manifest, Outcome};

/// The package of the contract.
const PACKAGE: &str = "afferent:decoder/";

/// What the server hosts, for the sentence in [`LoadError::UnsupportedVersion`].
const HOSTED: &str = "0.1";

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

/// Picks the generation that the component was built for, and links it with nothing.
///
/// # Errors
/// [`LoadError::Import`], [`LoadError::NotADecoder`], [`LoadError::UnsupportedVersion`], or [`LoadError::Contract`] when
/// names fit and types do not.
pub(crate) fn pick(engine: &Engine, component: &Component) -> Result<(Surface, Box<dyn DecoderWorld>), LoadError> {
    refuse_imports(engine, component)?;
    let (interface, version) = exported(engine, component)?;
    let surface = match interface.as_str() {
        "device" => Surface::Device,
        "hub" => Surface::Hub,
        other => {
            return Err(LoadError::NotADecoder(brief(&format!("{PACKAGE}{other}@{version}"))));
        }
    };
    if !is_hosted(&version) {
        return Err(LoadError::UnsupportedVersion { found: brief(&version), hosted: HOSTED });
    }
    let linked = Linker::<Guest>::new(engine)
        .instantiate_pre(component)
        .map_err(|error| LoadError::Invalid(brief(&format!("{error:#}"))))?;
    let interface = format!("{PACKAGE}{interface}@{version}");
    let world = match surface {
        Surface::Device => v0_1::device(linked, &interface),
        Surface::Hub => v0_1::hub(linked, &interface),
    };
    Ok((surface, world.map_err(|error| LoadError::Contract(brief(&format!("{error:#}"))))?))
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

/// Whether a version can be called through the module `v0_1`: while the major is 0, the minor tells generations apart.
fn is_hosted(version: &str) -> bool {
    version.strip_prefix("0.1.").is_some_and(|patch| !patch.is_empty() && patch.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::is_hosted;

    #[test]
    fn generations_are_told_apart_by_the_minor_while_the_major_is_zero() {
        assert!(is_hosted("0.1.0") && is_hosted("0.1.17"));
        assert!(!is_hosted("0.10.0") && !is_hosted("0.2.0") && !is_hosted("1.1.0") && !is_hosted("0.1."));
        assert!(!is_hosted("0.1.0-rc.1"), "pre-releases of a contract promise nothing");
    }
}
