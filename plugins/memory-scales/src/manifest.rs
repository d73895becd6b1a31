//! What the decoder says about itself: models, words, and examples that the host runs before it trusts the decoder.

use afferent_plugin_sdk::registry::{flags, kinds, warnings};
use afferent_plugin_sdk::{Input, Manifest};

/// Model, what it shows, payload, outcome, values.
type Shown = (&'static str, &'static str, &'static str, &'static str, &'static [&'static str]);

#[rustfmt::skip]
const EXAMPLES: &[Shown] = &[
    ("sanitas-sbf70", "a live weight", "e758 01 0680", "nothing", &[]),
    ("sanitas-sbf70", "one of two parts", "e759 03 02 6a21f4c6 0687 01b5 00df 02", "incomplete", &[]),
    ("sanitas-sbf70", "too heavy", "e758 01 ffff", "error", &[]),
    ("soehnle-shape", "a record", "09 01 07e7 01090a331c 0555 01dc 019d", "readings",
        &["body-weight 136.5 kg", "body-impedance 476 Ohm", "body-impedance 413 Ohm"]),
    ("soehnle-shape", "no weight", "09 01 07e7 01090a331c 0000 0000 0000", "nothing", &[]),
    ("soehnle-shape", "truncated", "09 01 07e7 01090a331c 0555 01dc", "error", &[]),
];

/// The whole manifest.
pub fn describe() -> Manifest {
    let mut manifest = Manifest::new("memory-scales", "Afferent", env!("CARGO_PKG_VERSION"))
        .license("Apache-2.0")
        .description("Weight and body composition of Sanitas and Soehnle scales, with their users.")
        .kinds(&[kinds::BODY_WEIGHT, kinds::BODY_IMPEDANCE, kinds::BODY_FAT_PERCENTAGE, kinds::BODY_MUSCLE_PERCENTAGE])
        .flags(&[flags::FROM_STORAGE, flags::AMBIGUOUS_USER])
        .warnings(&[warnings::DEVICE_TIME_UNTRUSTED])
        .model("sanitas-sbf70", "Sanitas SBF70, SBF75, Beurer BF710 scale", &[])
        .model("soehnle-shape", "Soehnle Shape and Style Sense Connect scale", &[]);
    for (model, shows, data, outcome, values) in EXAMPLES {
        manifest = manifest.example(&format!("{model}: {shows}"), Input::hex(model, "", data), outcome, values);
    }
    let mut whole = Input::hex("sanitas-sbf70", "", "e759 03 01 01 0000000000000065");
    for part in ["e759 03 02 6a21f4c6 0687 01b5 00df 02", "e759 03 03 09 018d 00e9 0717 0aa2 0108"] {
        whole.frames.extend(Input::hex("", "", part).frames);
    }
    let values = [
        "body-weight 83.55 kg",
        "body-impedance 437 Ohm",
        "body-fat-percentage 22.3 %",
        "body-muscle-percentage 39.7 %",
    ];
    manifest.example("sanitas-sbf70: three parts", whole, "readings", &values)
}
