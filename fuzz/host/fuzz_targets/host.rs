//! The fuzz targets of the host's boundary: what a decoder answers (`host-answer`), what a hub's decoder answers (`host-split`),
//! what a decoder says of itself (`host-manifest`), and the component's own bytes (`host-component`).
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use plugin_host::fuzzing::Boundary;

static BOUNDARY: LazyLock<Boundary> = LazyLock::new(Boundary::new);

fuzz_target!(|data: &[u8]| {
    match env!("CARGO_BIN_NAME") {
        "host-answer" => drop(BOUNDARY.answer(data)),
        "host-split" => drop(BOUNDARY.split(data)),
        "host-manifest" => assert!(BOUNDARY.describe(data).is_err(), "it has examples that fail, or none"),
        _ => assert!(BOUNDARY.load(data).is_err(), "it has examples that fail, or none"),
    }
});
