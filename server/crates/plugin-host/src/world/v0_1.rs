//! Generation 0.1 of the contract: its bindings, and how they are called.

use wasmtime::Store;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{ComponentNamedList, InstancePre, Lift, Lower};

use self::bindings::afferent::decoder::types as wit;
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

/// A device decoder, linked, when the functions of the interface have the contract's types.
pub(super) fn device(linked: InstancePre<Guest>, interface: &str) -> wasmtime::Result<Box<dyn DecoderWorld>> {
    has::<(), (wit::Manifest,)>(&linked, interface, "describe")?;
    has::<(&wit::Input,), (wit::Outcome,)>(&linked, interface, "decode")?;
    Ok(Box::new(bindings::DecoderPre::new(linked)?))
}

/// A hub decoder, linked, when the functions of the interface have the contract's types.
pub(super) fn hub(linked: InstancePre<Guest>, interface: &str) -> wasmtime::Result<Box<dyn DecoderWorld>> {
    has::<(), (wit::Manifest,)>(&linked, interface, "describe")?;
    has::<(&wit::Input,), (wit::HubOutcome,)>(&linked, interface, "split")?;
    Ok(Box::new(bindings::hub::HubDecoderPre::new(linked)?))
}

/// Checks a function's type without running anything of the component.
fn has<P, R>(linked: &InstancePre<Guest>, interface: &str, function: &str) -> wasmtime::Result<()>
where
    P: ComponentNamedList + Lower,
    R: ComponentNamedList + Lift,
{
    let engine = linked.engine();
    let ty = linked.component().component_type();
    let Some(ComponentItem::ComponentInstance(instance)) = ty.get_export(engine, interface).map(|item| item.ty) else {
        return Err(wasmtime::Error::msg(format!("`{interface}` is no interface")));
    };
    match instance.get_export(engine, function).map(|item| item.ty) {
        Some(ComponentItem::ComponentFunc(found)) => found
            .typecheck::<P, R>(&linked.instance_type())
            .map_err(|error| error.context(format!("the function `{function}`"))),
        _ => Err(wasmtime::Error::msg(format!("the function `{function}` is missing"))),
    }
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
