//! What the decoder says about itself: models, words, and examples that the host runs before it trusts the decoder.

use afferent_plugin_sdk::registry::{flags, kinds};
use afferent_plugin_sdk::{Input, Manifest};

/// Name and title of each model.
const MODELS: &[(&str, &str)] = &[
    ("omron-wlc", "Omron body composition monitor of the WLC kind"),
    ("omron-hbf-702t", "Omron HBF-702T (KRD-703T) body composition monitor"),
    ("omron-hbf-222t", "Omron HBF-222T, HBF-227T, HBF-228T, HBF-230T body composition monitor"),
];

const SHORT: &str = "00003ac85f024e183b6d223389cc0000000000000000000000005a8000000000";
const LONG: &str = "00003ad05f024e183b6d223389cc0000000000000000000000005a800000000000000000000000000000000000000000";
const ERASED: &str = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
const VALUES: &[&str] = &[
    "body-weight 72.40 kg",
    "body-fat-percentage 23.5 %",
    "body-muscle-percentage 31.2 %",
    "basal-metabolism 1520 kcal/d",
    "body-mass-index 23.7 kg/m2",
];

/// The whole manifest.
pub fn describe() -> Manifest {
    let mut manifest = Manifest::new("omron", "Afferent", env!("CARGO_PKG_VERSION"))
        .license("Apache-2.0")
        .description("Weight and body composition of Omron monitors, from the records of their memory.")
        .kinds(&[
            kinds::BODY_WEIGHT,
            kinds::BODY_FAT_PERCENTAGE,
            kinds::BODY_MUSCLE_PERCENTAGE,
            kinds::BASAL_METABOLISM,
            kinds::BODY_MASS_INDEX,
        ])
        .flags(&[flags::FROM_STORAGE]);
    for (name, title) in MODELS {
        manifest = manifest.model(name, title, &[]);
    }
    for (model, shows, data, outcome, values) in [
        ("omron-wlc", "a long record", LONG, "readings", VALUES),
        ("omron-wlc", "a short record", SHORT, "readings", VALUES),
        ("omron-wlc", "never written", ERASED, "nothing", &[]),
        ("omron-wlc", "truncated", "00003ac8", "error", &[]),
        ("omron-hbf-702t", "a record", LONG, "readings", VALUES),
        ("omron-hbf-702t", "another model's record", SHORT, "error", &[]),
        ("omron-hbf-222t", "a record", SHORT, "readings", VALUES),
        ("omron-hbf-222t", "another model's record", LONG, "error", &[]),
    ] {
        manifest = manifest.example(&format!("{model}: {shows}"), Input::hex(model, "", data), outcome, values);
    }
    manifest
}
