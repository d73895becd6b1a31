//! What the decoder says about itself: models, words, and examples that the host runs before it trusts the decoder.

use afferent_plugin_sdk::registry::kinds;
use afferent_plugin_sdk::{Input, Manifest};

/// Name and title of each model.
const MODELS: &[(&str, &str)] = &[
    ("taylor-bia", "Taylor 5331891 BIA scale"),
    ("vitafit-vt701", "Vitafit VT701 scale"),
    ("mgb-streaming", "MGB scale with 8-byte frames (Dr Trust 505, Swan, Icomon, YG)"),
    ("robi-s9", "Robi S9 scale"),
];

/// Model, what it shows, payload, outcome, values.
type Shown = (&'static str, &'static str, &'static str, &'static str, &'static [&'static str]);

#[rustfmt::skip]
const EXAMPLES: &[Shown] = &[
    ("taylor-bia", "final", "ac27 80 8d2f52 0200000100000000000000 24d5 00", "readings", &["body-weight 77.650 kg"]),
    ("taylor-bia", "idle", "ac27 00 8c0000", "nothing", &[]),
    ("taylor-bia", "another channel", "ac27 80 ad2f52", "error", &[]),
    ("vitafit-vt701", "final", "5a0a26 10 02000021 2134 0a aa", "readings", &["body-weight 85.00 kg"]),
    ("vitafit-vt701", "impedance", "5a0b26 11 0000000000 0189 b4 aa", "readings", &["body-impedance 393 Ohm"]),
    ("vitafit-vt701", "settling", "5a0a26 10 01000021 2143 7e aa", "nothing", &[]),
    ("vitafit-vt701", "a wrong checksum", "5a0a26 10 02000021 2134 ff aa", "error", &[]),
    ("mgb-streaming", "final", "ac02 26b6 0000 ca a6", "readings", &["body-weight 99.10 kg"]),
    ("mgb-streaming", "impedance", "ac02 fd01 0258 cb 23", "readings", &["body-impedance 600 Ohm"]),
    ("mgb-streaming", "live", "ac02 26b6 0000 ce aa", "nothing", &[]),
    ("mgb-streaming", "a wrong checksum", "ac02 26b6 0000 ca ff", "error", &[]),
    ("robi-s9", "a result", "0308 00 a3 00012dc2 00 0000 0000000000000000 13", "readings", &["body-weight 77.250 kg"]),
    ("robi-s9", "live", "1d07 00 a2 0400012c 00 0000 0000000000000000 13", "nothing", &[]),
    ("robi-s9", "a wrong checksum", "0308 00 a3 00012dc2 00 0000 0000000000000000 14", "error", &[]),
];

/// The whole manifest.
pub fn describe() -> Manifest {
    let mut manifest = Manifest::new("fitdays-scales", "Afferent", env!("CARGO_PKG_VERSION"))
        .license("Apache-2.0")
        .description("Weight and impedance of scales of the Fitdays and Icomon family.")
        .kinds(&[kinds::BODY_WEIGHT, kinds::BODY_IMPEDANCE, kinds::HEART_RATE]);
    for (name, title) in MODELS {
        manifest = manifest.model(name, title, &[]);
    }
    for (model, shows, data, outcome, values) in EXAMPLES {
        manifest = manifest.example(&format!("{model}: {shows}"), Input::hex(model, "", data), outcome, values);
    }
    manifest
}
