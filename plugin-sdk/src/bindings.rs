//! What `wit-bindgen` generates from `wit/decoder.wit`. Authors use the names that the crate re-exports, and the
//! export macros; nothing else of this module is part of the SDK's promise.
#![allow(
    unsafe_code,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::doc_markdown,
    clippy::too_many_lines,
    reason = "generated from the contract; the documentation of each type is the contract's own"
)]

/// The world `decoder`: a device's payload → readings.
pub mod device {
    wit_bindgen::generate!({
        path: "wit",
        world: "decoder",
        pub_export_macro: true,
        export_macro_name: "export_device_world",
        default_bindings_module: "afferent_plugin_sdk::bindings::device",
        additional_derives: [PartialEq],
    });
}

/// The world `hub-decoder`: a hub's payload → items per device. It shares its types with `device`.
pub mod hub {
    wit_bindgen::generate!({
        path: "wit",
        world: "hub-decoder",
        pub_export_macro: true,
        export_macro_name: "export_hub_world",
        default_bindings_module: "afferent_plugin_sdk::bindings::hub",
        with: { "afferent:decoder/types@1.0.0": crate::bindings::device::afferent::decoder::types },
    });
}
