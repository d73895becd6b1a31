//! Generation 0.1 of the contract, from before it was frozen (`plugin-sdk/wit/0.1.0`): decoders that were compiled against
//! it still run.

/// What the contract's `decoder` and `hub-decoder` worlds generate. They share their types.
#[allow(missing_docs, unreachable_pub, clippy::all, reason = "generated from decoder.wit, where the documentation is")]
mod bindings {
    wasmtime::component::bindgen!({
        path: "../../../plugin-sdk/wit/0.1.0",
        world: "decoder",
    });

    /// The hub's world.
    pub mod hub {
        wasmtime::component::bindgen!({
            path: "../../../plugin-sdk/wit/0.1.0",
            world: "hub-decoder",
            with: { "afferent:decoder/types": super::afferent::decoder::types },
        });
    }
}

super::generation::worlds!();
super::generation::conversions!();
