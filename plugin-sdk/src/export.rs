//! What an author implements, and the macros that turn it into a component's exports.

use core::marker::PhantomData;

use crate::bindings;
use crate::{DecodeError, HubOutcome, Input, Manifest, Outcome};

/// A device's payload → readings. A pure function: no clock, no files, no network, no state between calls.
pub trait Decoder {
    /// Name, version, models, registered words and examples. The host runs the examples when it loads the decoder.
    fn describe() -> Manifest;

    /// Decodes the frames of one record.
    ///
    /// # Errors
    ///
    /// The payload is malformed, asks for something unknown, or belongs to another device. Nothing of it is stored as
    /// a reading; the host keeps the bytes.
    fn decode(input: &Input) -> Result<Outcome, DecodeError>;
}

/// A hub's payload → items per device.
pub trait HubDecoder {
    /// Name, version, models, registered words and examples.
    fn describe() -> Manifest;

    /// Splits the payload of a hub by device.
    ///
    /// # Errors
    ///
    /// As for [`Decoder::decode`].
    fn split(input: &Input) -> Result<HubOutcome, DecodeError>;
}

/// The adapter between a [`Decoder`] and the world `decoder`; [`export_decoder!`](crate::export_decoder) names it.
pub struct ExportedDecoder<D>(PhantomData<D>);

impl<D: Decoder> bindings::device::exports::afferent::decoder::device::Guest for ExportedDecoder<D> {
    fn describe() -> Manifest {
        D::describe()
    }

    fn decode(input: Input) -> Outcome {
        D::decode(&input).unwrap_or_else(Outcome::Error)
    }
}

/// The adapter between a [`HubDecoder`] and the world `hub-decoder`.
pub struct ExportedHubDecoder<D>(PhantomData<D>);

impl<D: HubDecoder> bindings::hub::exports::afferent::decoder::hub::Guest for ExportedHubDecoder<D> {
    fn describe() -> Manifest {
        D::describe()
    }

    fn split(input: Input) -> HubOutcome {
        D::split(&input).unwrap_or_else(HubOutcome::Error)
    }
}

/// Exports a [`Decoder`] as a component of the world `decoder`, and makes the arena its allocator. Outside wasm32 it
/// does nothing, so that the same crate is tested natively.
#[macro_export]
macro_rules! export_decoder {
    ($decoder:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            #[global_allocator]
            static ARENA: $crate::arena::Arena<$crate::arena::linear_memory::LinearMemory> =
                $crate::arena::Arena::new($crate::arena::linear_memory::LinearMemory);
            type Exported = $crate::ExportedDecoder<$decoder>;
    $crate::bindings::device::export_device_world!(Exported with_types_in $crate::bindings::device);
        };
    };
}

/// Exports a [`HubDecoder`] as a component of the world `hub-decoder`, as [`export_decoder!`](crate::export_decoder) does.
#[macro_export]
macro_rules! export_hub_decoder {
    ($decoder:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            #[global_allocator]
            static ARENA: $crate::arena::Arena<$crate::arena::linear_memory::LinearMemory> =
                $crate::arena::Arena::new($crate::arena::linear_memory::LinearMemory);
            type Exported = $crate::ExportedHubDecoder<$decoder>;
    $crate::bindings::hub::export_hub_world!(Exported with_types_in $crate::bindings::hub);
        };
    };
}
