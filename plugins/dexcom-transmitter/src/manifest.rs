//! What the decoder says about itself: models, words, and examples that the host runs before it trusts the decoder.

use afferent_plugin_sdk::registry::{flags, kinds};
use afferent_plugin_sdk::{Input, Manifest};

use crate::glucose::ACTIVATION_VARIABLE;

/// Name and title of each model.
const MODELS: &[(&str, &str)] = &[
    ("dexcom-g5-rx", "Dexcom G5 or G6 transmitter, current glucose"),
    ("dexcom-backfill", "Dexcom G5 or G6 transmitter, backfill"),
    ("dexcom-transmitter", "Dexcom G5 or G6 transmitter"),
];

/// Model, what it shows, frames, outcome, values.
type Shown = (&'static str, &'static str, &'static [&'static str], &'static str, &'static [&'static str]);

const FILLED: &[&str] = &[
    "51000100b7ff52006604530032000000e6cb9805",
    "0100bc460000b7ff52008b0006eee30053008500",
    "020006eb0f025300800006ee3a0353007e0006f5",
    "030066045300790006f8",
];
const VALUES: &[&str] = &[
    "glucose-interstitial 139 mg/dL",
    "glucose-interstitial 133 mg/dL",
    "glucose-interstitial 128 mg/dL",
    "glucose-interstitial 126 mg/dL",
    "glucose-interstitial 121 mg/dL",
];

#[rustfmt::skip]
const EXAMPLES: &[Shown] = &[
    ("dexcom-g5-rx", "a glucose", &["3100aa00000095a078008b00060a8b34"], "readings", &["glucose-interstitial 139 mg/dL"]),
    ("dexcom-g5-rx", "a wrong checksum", &["3100aa00000095a078008b00060a8b35"], "error", &[]),
    ("dexcom-backfill", "an answer and its frames", FILLED, "readings", VALUES),
    ("dexcom-backfill", "a frame is missing",
        &["51000100b7ff52006604530032000000e6cb9805", "0100bc460000b7ff52008b0006eee30053008500"], "incomplete", &[]),
    ("dexcom-backfill", "the first frames are missing", &["3100aa00000095a078008b00060a8b34"], "incomplete", &[]),
    ("dexcom-backfill", "a wrong checksum", &["51000100b7ff52006604530032000000e6cb9806"], "error", &[]),
    ("dexcom-transmitter", "a glucose", &["3100aa00000095a078008b00060a8b34"], "readings", &["glucose-interstitial 139 mg/dL"]),
    ("dexcom-transmitter", "a backfill", FILLED, "readings", VALUES),
    ("dexcom-transmitter", "truncated", &["3100aa0000"], "error", &[]),
];

/// The whole manifest.
pub fn describe() -> Manifest {
    let mut manifest = Manifest::new("dexcom-transmitter", "Afferent", env!("CARGO_PKG_VERSION"))
        .license("Apache-2.0")
        .description("Interstitial glucose from the transmitters of Dexcom G5 and G6.")
        .kinds(&[kinds::GLUCOSE_INTERSTITIAL])
        .flags(&[
            flags::BATTERY_LOW,
            flags::QUESTIONABLE,
            flags::DISPLAY_ONLY,
            flags::CALIBRATION_REQUIRED,
            flags::ESTIMATED_TIME,
        ]);
    for (name, title) in MODELS {
        manifest = manifest.model(name, title, &[]).model_variables(&[ACTIVATION_VARIABLE]);
    }
    for (model, shows, frames, outcome, values) in EXAMPLES {
        let mut input = Input::hex(model, "", "");
        input.frames = frames.iter().flat_map(|frame| Input::hex("", "", frame).frames).collect();
        manifest = manifest.example(&format!("{model}: {shows}"), input, outcome, values);
    }
    manifest
}
