//! What the decoder says about itself: models, words, and examples that the host runs before it trusts the decoder.

use afferent_plugin_sdk::registry::{flags, kinds};
use afferent_plugin_sdk::{Input, Manifest};

/// Model, what it shows, payload, outcome, values.
type Shown = (&'static str, &'static str, &'static str, &'static str, &'static [&'static str]);

#[rustfmt::skip]
const EXAMPLES: &[Shown] = &[
    ("huawei-ch100-plain", "a measurement", "01 ca03 1801 ea070513080c21 02 1c02", "readings",
        &["body-weight 97.0 kg", "body-fat-percentage 28.0 %", "body-impedance 540 Ohm"]),
    ("huawei-ch100-plain", "no weight", "01 0000 0000 ea070513080c21 02 0000", "nothing", &[]),
    ("huawei-ch100-plain", "opened with another key", "9e f702 c9bb f2176c755b6ecc dd 5b92", "error", &[]),
    ("huawei-hagrid-plain", "a measurement", "b121 2d01 ea070809 17271d a0 ea1300000000000000000000 6100", "readings",
        &["body-weight 86.25 kg", "body-fat-percentage 30.1 %", "heart-rate 97 /min"]),
    ("huawei-hagrid-plain", "another length", "b121 2d01 ea07", "error", &[]),
];

/// The whole manifest.
pub fn describe() -> Manifest {
    let mut manifest = Manifest::new("huawei-scales", "Afferent", env!("CARGO_PKG_VERSION"))
        .license("Apache-2.0")
        .description("Weight, body fat, impedance and heart rate of Huawei and Honor scales, decrypted by the phone.")
        .kinds(&[kinds::BODY_WEIGHT, kinds::BODY_FAT_PERCENTAGE, kinds::BODY_IMPEDANCE, kinds::HEART_RATE])
        .flags(&[flags::FROM_STORAGE, flags::AMBIGUOUS_USER])
        .model("huawei-ch100-plain", "Huawei AH100, Honor CH100 scale (decrypted by the phone)", &[])
        .model("huawei-hagrid-plain", "Huawei Scale 2 Pro, Scale 3, Scale 3 Pro (decrypted by the phone)", &[]);
    for (model, shows, data, outcome, values) in EXAMPLES {
        manifest = manifest.example(&format!("{model}: {shows}"), Input::hex(model, "", data), outcome, values);
    }
    manifest
}
