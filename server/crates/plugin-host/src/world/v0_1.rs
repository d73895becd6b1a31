//! Generation 0.1 of the contract: its bindings, and how they are called.

use wasmtime::Store;
use wasmtime::component::InstancePre;

use super::{DecoderInstance, DecoderWorld};
use crate::guest::Guest;
use crate::{HubOutcome, Input, Manifest, Outcome};

/// What the contract's `decoder` and `hub-decoder` worlds generate. They share their types.
#[allow(missing_docs, unreachable_pub, clippy::all, reason = "generated from decoder.wit, where the documentation is")]
pub(super) mod bindings {
    wasmtime::component::bindgen!({
        path: "../../../plugin-sdk/wit",
        world: "decoder",
    });

    /// The hub's world.
    pub mod hub {
        wasmtime::component::bindgen!({
            path: "../../../plugin-sdk/wit",
            world: "hub-decoder",
            with: { "afferent:decoder/types": super::afferent::decoder::types },
        });
    }
}

/// A device decoder, linked.
pub(super) fn device(linked: InstancePre<Guest>) -> wasmtime::Result<Box<dyn DecoderWorld>> {
    Ok(Box::new(bindings::DecoderPre::new(linked)?))
}

/// A hub decoder, linked.
pub(super) fn hub(linked: InstancePre<Guest>) -> wasmtime::Result<Box<dyn DecoderWorld>> {
    Ok(Box::new(bindings::hub::HubDecoderPre::new(linked)?))
}

impl DecoderWorld for bindings::DecoderPre<Guest> {
    fn instantiate(&self, store: &mut Store<Guest>) -> wasmtime::Result<Box<dyn DecoderInstance>> {
        Ok(Box::new(bindings::DecoderPre::instantiate(self, store)?))
    }
}

impl DecoderWorld for bindings::hub::HubDecoderPre<Guest> {
    fn instantiate(&self, store: &mut Store<Guest>) -> wasmtime::Result<Box<dyn DecoderInstance>> {
        Ok(Box::new(bindings::hub::HubDecoderPre::instantiate(self, store)?))
    }
}

impl DecoderInstance for bindings::Decoder {
    fn describe(&self, store: &mut Store<Guest>) -> wasmtime::Result<Manifest> {
        self.afferent_decoder_device().call_describe(store).map(Into::into)
    }

    fn decode(&self, store: &mut Store<Guest>, input: &Input) -> wasmtime::Result<Outcome> {
        self.afferent_decoder_device().call_decode(store, &input.into()).map(Into::into)
    }

    fn split(&self, _store: &mut Store<Guest>, _input: &Input) -> wasmtime::Result<HubOutcome> {
        Err(wasmtime::Error::msg("a device decoder has no `split`"))
    }
}

impl DecoderInstance for bindings::hub::HubDecoder {
    fn describe(&self, store: &mut Store<Guest>) -> wasmtime::Result<Manifest> {
        self.afferent_decoder_hub().call_describe(store).map(Into::into)
    }

    fn decode(&self, _store: &mut Store<Guest>, _input: &Input) -> wasmtime::Result<Outcome> {
        Err(wasmtime::Error::msg("a hub decoder has no `decode`"))
    }

    fn split(&self, store: &mut Store<Guest>, input: &Input) -> wasmtime::Result<HubOutcome> {
        self.afferent_decoder_hub().call_split(store, &input.into()).map(Into::into)
    }
}
