//! The host's side of the boundary under a fuzzer: guests that answer whatever the bytes say, and components that are none.
//!
//! A guest of a dozen instructions copies its first frame over its memory and gives that as its answer: so the fuzzer writes
//! the memory that the host lifts, without a compilation for each input. What a decoder says of itself has no input: there
//! the memory is part of the module, which is compiled each time.
#![expect(clippy::unwrap_used, reason = "a fuzzer notices panics")]

mod image;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use wasmtime::component::Component;
use wit_parser::Resolve;

use crate::{
    DecodeFailure, Decoded, Decoder, Frame, HubContent, HubOutcome, Input, Limits, LoadError, Manifest, Outcome,
    PluginHost, Registry, Surface, Value, manifest, world,
};
use image::Contract;

/// Where a guest keeps its answer; what the host gives it lies below.
const BASE: usize = 768 * 1024;

/// Words that an answer may say.
const WORDS: [&str; 16] = [
    "body-weight",
    "kg",
    "unknown",
    "finger",
    "test",
    "implausible",
    "heartbeat",
    "battery",
    "2026-02-28T08:00:00",
    "2026-02-28T08:00:00Z",
    "serial",
    "1.0.0",
    "raw",
    "readings",
    "meal",
    "fasting",
];

/// The input record, flattened: texts and lists are a pointer and a length, options a tag and their value.
const PARAMETERS: &str = "(param i32 i32 i32 i32 i32 i32 i64 i32 i32 i32 i32 i32 i32 i32)";

/// A host, and guests that answer what they are told.
pub struct Boundary {
    host: PluginHost,
    contract: Contract,
    words: Vec<String>,
    device: Decoder,
    hub: Decoder,
    component: Vec<u8>,
}

impl std::fmt::Debug for Boundary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Boundary").field("host", &self.host).finish_non_exhaustive()
    }
}

impl Default for Boundary {
    fn default() -> Self {
        Self::new()
    }
}

impl Boundary {
    /// Starts a host and compiles the guests.
    #[must_use]
    pub fn new() -> Self {
        let host = PluginHost::new(Limits::default(), registry(), None).unwrap();
        let mut resolve = Resolve::default();
        resolve.push_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../plugin-sdk/wit")).unwrap();
        let contract = Contract::new(resolve);
        let component = guest(&contract.resolve, Surface::Device, &[]);
        let device = decoder(&host, &component);
        let hub = decoder(&host, &guest(&contract.resolve, Surface::Hub, &[]));
        Self { host, contract, words: WORDS.map(str::to_owned).into(), device, hub, component }
    }

    /// A device decoder's answer. The first byte: even, the rest is memory as it is; odd, a value of the contract's types.
    ///
    /// # Errors
    ///
    /// The host refuses the answer, as it would refuse any decoder's.
    ///
    /// # Panics
    ///
    /// The host is wrong: that is what the fuzzer looks for.
    pub fn answer(&self, bytes: &[u8]) -> Result<Outcome, DecodeFailure> {
        let input = input(self.memory("outcome", bytes));
        let run = self.device.run(&input);
        assert_eq!(run.result, self.device.run(&input).result, "a second run gives another answer");
        if let Ok(Outcome::Readings(decoded)) = &run.result {
            self.must_be_sound(decoded);
        }
        run.result
    }

    /// A hub decoder's answer, as [`Boundary::answer`].
    ///
    /// # Errors
    ///
    /// The host refuses the answer.
    ///
    /// # Panics
    ///
    /// The host is wrong.
    pub fn split(&self, bytes: &[u8]) -> Result<HubOutcome, DecodeFailure> {
        let input = input(self.memory("hub-outcome", bytes));
        let run = self.hub.run_hub(&input);
        assert_eq!(run.result, self.hub.run_hub(&input).result, "a second run gives another answer");
        for item in run.result.iter().flat_map(|outcome| match outcome {
            HubOutcome::Items(items) => items.as_slice(),
            _ => &[],
        }) {
            assert!(is_key(&item.device), "{:?}", item.device);
            if let HubContent::Readings(decoded) = &item.content {
                self.must_be_sound(decoded);
            }
        }
        run.result
    }

    /// A decoder that says this of itself. Its examples fail, so that the farthest it comes is there.
    ///
    /// # Errors
    ///
    /// The host refuses the decoder.
    pub fn describe(&self, bytes: &[u8]) -> Result<Arc<Decoder>, LoadError> {
        let memory = self.memory("manifest", bytes);
        self.host.load(&guest(&self.contract.resolve, Surface::Device, &memory))
    }

    /// Bytes in place of a component.
    ///
    /// # Errors
    ///
    /// The host refuses them.
    pub fn load(&self, bytes: &[u8]) -> Result<Arc<Decoder>, LoadError> {
        self.host.load(bytes)
    }

    /// A component that is one, to change.
    #[must_use]
    pub fn component(&self) -> &[u8] {
        &self.component
    }

    /// The rules that everything behind the sandbox relies on, looked at once more and from the other side.
    fn must_be_sound(&self, decoded: &Decoded) {
        assert!(decoded.readings.len() <= self.host.limits().readings);
        for reading in &decoded.readings {
            assert!(reading.flags.iter().all(|flag| self.words.contains(flag)), "{:?}", reading.flags);
            assert!(reading.record_key.iter().chain(&reading.user_slot).all(|key| is_key(key)), "{reading:?}");
            for value in core::iter::once(&reading.value).chain(reading.components.iter().map(|part| &part.value)) {
                if let Value::Quantity(quantity) = value {
                    assert!((-64..=64).contains(&quantity.value.exponent), "{quantity:?}");
                    assert!(self.words.contains(&quantity.unit), "{quantity:?}");
                }
            }
        }
    }

    fn memory(&self, name: &str, bytes: &[u8]) -> Vec<u8> {
        match bytes.split_first() {
            Some((mode, rest)) if mode % 2 == 1 => self.contract.image(name, BASE, rest, &self.words),
            Some((_, rest)) => rest.get(..rest.len().min(image::ROOM)).unwrap_or_default().to_vec(),
            None => Vec::new(),
        }
    }
}

/// Every word of the list, in every set: which set a word is looked up in is tested elsewhere.
fn registry() -> Registry {
    let words = || WORDS.map(str::to_owned).into();
    Registry {
        kinds: words(),
        units: words(),
        flags: words(),
        warnings: words(),
        reasons: words(),
        clock_states: words(),
        body_sites: words(),
        methods: words(),
        contexts: [("meal".to_owned(), ["fasting".to_owned()].into())].into(),
        facts: words(),
        identities: words(),
    }
}

/// The guest as a loaded decoder that declares every word: below [`PluginHost::load`], as it need not pass examples.
fn decoder(host: &PluginHost, component: &[u8]) -> Decoder {
    let shared = &host.shared;
    let compiled = Component::from_binary(&shared.engine, component).unwrap();
    let world::Picked { surface, world, contract } = world::pick(&shared.engine, &compiled).unwrap();
    let words: Vec<String> = WORDS.map(str::to_owned).into();
    let manifest = Manifest {
        name: "echo".to_owned(),
        vendor: String::new(),
        version: String::new(),
        license: String::new(),
        description: String::new(),
        models: Vec::new(),
        kinds: words.clone(),
        flags: words.clone(),
        warnings: words,
        examples: Vec::new(),
        extra: Vec::new(),
    };
    let declared = manifest::declared(&manifest, false);
    Decoder { shared: Arc::clone(shared), world, surface, contract, content_hash: String::new(), manifest, declared }
}

/// Bounded, and without the character that no database takes.
fn is_key(text: &str) -> bool {
    text.len() <= Limits::default().key_bytes && !text.contains('\0')
}

fn input(memory: Vec<u8>) -> Input {
    let frame = Frame { channel: String::new(), data: memory, captured_at_ms: None, extra: Vec::new() };
    Input {
        model: "raw".to_owned(),
        frames: vec![frame],
        content_type: "application/octet-stream".to_owned(),
        received_at_ms: 0,
        time_zone: None,
        variables: Vec::new(),
        extra: Vec::new(),
    }
}

/// A component that describes itself by this memory, and answers with its first frame.
fn guest(resolve: &Resolve, surface: Surface, memory: &[u8]) -> Vec<u8> {
    let (name, interface, call) = match surface {
        Surface::Device => ("decoder", "device", "decode"),
        Surface::Hub => ("hub-decoder", "hub", "split"),
    };
    let data: String = memory.iter().map(|byte| format!("\\{byte:02x}")).collect();
    // A frame is channel, data, …: its data's pointer and length are the third and fourth word.
    let text = format!(
        "(module (memory (export \"memory\") 16)
            (global $next (mut i32) (i32.const 1024))
            (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32)
                (local $at i32)
                (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
                (global.set $next (i32.add (local.get $at) (local.get 3)))
                (local.get $at))
            (func (export \"afferent:decoder/{interface}@1.0.0#describe\") (result i32) (i32.const {BASE}))
            (func (export \"afferent:decoder/{interface}@1.0.0#{call}\") {PARAMETERS} (result i32)
                (memory.copy (i32.const {BASE}) (i32.load offset=8 (local.get 2)) (i32.load offset=12 (local.get 2)))
                (i32.const {BASE}))
            (data (i32.const {BASE}) \"{data}\"))"
    );
    let mut module = wat::parse_str(text).unwrap();
    let package = *resolve.package_names.values().next().unwrap();
    let world = resolve.select_world(&[package], Some(name)).unwrap();
    wit_component::embed_component_metadata(&mut module, resolve, world, wit_component::StringEncoding::UTF8).unwrap();
    componentize::encode(&module).unwrap()
}
