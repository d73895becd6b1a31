//! What the decoder says about itself: models, words, and examples that the host runs before it trusts the decoder.

use afferent_plugin_sdk::registry::{kinds, warnings};
use afferent_plugin_sdk::{Input, Manifest};

/// Name, title and variables of each model.
const MODELS: &[(&str, &str, &[&str])] = &[
    ("xiaomi-miscale-v1", "Xiaomi Mi Smart Scale, 1 and 2 (XMTZC01HM, XMTZC04HM)", &[]),
    ("xiaomi-miscale-v2", "Xiaomi Mi Body Composition Scale, 1 and 2 (XMTZC02HM, XMTZC05HM)", &[]),
    ("xiaomi-mibeacon", "Xiaomi device with MiBeacon advertisements", &["bindkey", "mac"]),
    ("xiaomi-s200", "Xiaomi Smart Scale S200 (MJTZC02YM)", &["bindkey", "mac"]),
    ("xiaomi-s400", "Xiaomi Body Composition Scale S400 (MJTZC01YM, MJTZC03YM)", &["bindkey", "mac"]),
    ("xiaomi-mmc-t201", "Xiaomi Baby Thermometer MMC-T201-1", &[]),
    ("xiaomi-mmc-w505", "Xiaomi Body Thermometer MMC-W505", &[]),
    ("miband-adv", "Xiaomi Mi Band, advertisements", &[]),
];

/// Model, what it shows, payload, outcome, values.
type Shown = (&'static str, &'static str, &'static str, &'static str, &'static [&'static str]);

#[rustfmt::skip]
const EXAMPLES: &[Shown] = &[
    ("xiaomi-miscale-v1", "at rest", "22 9e43 e507040b101301", "readings", &["body-weight 86.550 kg"]),
    ("xiaomi-miscale-v1", "pounds", "23 7233 e607020e10293a", "readings", &["body-weight 131.70 [lb_av]"]),
    ("xiaomi-miscale-v1", "an object", "62 7607 e607020e10293a", "nothing", &[]),
    ("xiaomi-miscale-v1", "an unknown bit", "2a 9e43 e507040b101301", "error", &[]),
    ("xiaomi-miscale-v2", "with impedance", "0326 e607020e10293a f701 f136", "readings",
        &["body-weight 140.65 [lb_av]", "body-impedance 503 Ohm"]),
    ("xiaomi-miscale-v2", "not at rest", "0204 b207010112101a 0000 a852", "nothing", &[]),
    ("xiaomi-miscale-v2", "truncated", "0226 b20705040f0201 ac01", "error", &[]),
    ("xiaomi-mibeacon", "a thermometer", "7022 9103 0f dbab531824d0 09 0a00 02 750d 07", "readings", &["body-temperature 34.45 Cel"]),
    ("xiaomi-mibeacon", "an unknown product", "7022 ffff 0f dbab531824d0 09 0a00 02 750d", "error", &[]),
    ("xiaomi-mmc-w505", "a temperature", "7022 9103 0f dbab531824d0 09 0a00 02 750d 07", "readings", &["body-temperature 34.45 Cel"]),
    ("xiaomi-mmc-w505", "another product's", "7022 db00 6f c16fddf98100 09 0020 05 c60d630d51", "error", &[]),
    ("xiaomi-mmc-t201", "a temperature made of two", "7022 db00 6f c16fddf98100 09 0020 05 c60d630d51", "readings",
        &["body-temperature 36.872 Cel"]),
    ("xiaomi-mmc-t201", "on a table", "7022 db00 6f c16fddf98100 09 0020 05 9808 9808 51", "readings", &["body-temperature absent unsupported"]),
    ("xiaomi-mmc-t201", "truncated", "7022 db00 6f c16fddf98100 09 0020 05 c60d", "error", &[]),
    ("miband-adv", "a heart rate", "5701 02 0202 84 ffffffffffffffffffffffffff 02 aabbccddeeff", "readings", &["heart-rate 132 /min"]),
    ("miband-adv", "no heart rate", "5701 02 ffff ff ffffffffffffffffffffffffff 02 aabbccddeeff", "nothing", &[]),
    ("miband-adv", "another company", "4c00 02 ffff ff ffffffffffffffffffffffffff 02 aabbccddeeff", "error", &[]),
];

/// Encrypted payloads, with keys that their sources published for tests: model, what it shows, payload, variables.
type Sealed = (&'static str, &'static str, &'static str, [&'static str; 2], &'static str, &'static [&'static str]);

#[rustfmt::skip]
const SEALED: &[Sealed] = &[
    ("xiaomi-s400", "the first packet", "4859 d53b 0a bc078ff2348c844138e93022 000000 9e538599",
        ["0728974d657a4b60964c1b1677f35f7c", "8C:D0:B2:F6:BE:EF"],
        "readings", &["body-weight 69.9 kg", "body-impedance 543.2 Ohm", "heart-rate 92 /min"]),
    ("xiaomi-s400", "the second packet", "4859 d53b 0b d6ef0b25db72785e7e2f46d6 000000 d8642df6",
        ["0728974d657a4b60964c1b1677f35f7c", "8C:D0:B2:F6:BE:EF"], "readings", &["body-impedance 497.6 Ohm"]),
    ("xiaomi-s400", "another key", "4859 d53b 0b d6ef0b25db72785e7e2f46d6 000000 d8642df6",
        ["00000000000000000000000000000000", "8C:D0:B2:F6:BE:EF"], "error", &[]),
    ("xiaomi-s200", "a weight", "4859 044c 01 9a80a275939010f0abc4fadc 060000 3d29c044",
        ["653b1b10e1cb35e4ac5e60fa45f3bf29", "D0:7B:6F:27:D7:29"], "readings", &["body-weight 62.25 kg"]),
    ("xiaomi-s200", "no key", "4859 044c 01 9a80a275939010f0abc4fadc 060000 3d29c044", ["", ""], "error", &[]),
];

/// The whole manifest.
pub fn describe() -> Manifest {
    let mut manifest = Manifest::new("xiaomi", "Afferent", env!("CARGO_PKG_VERSION"))
        .license("Apache-2.0")
        .description("Weight, impedance, heart rate, temperature and steps of Xiaomi's scales, thermometers and bands.")
        .kinds(&[kinds::BODY_WEIGHT, kinds::BODY_IMPEDANCE, kinds::HEART_RATE, kinds::BODY_TEMPERATURE, kinds::STEPS])
        .warnings(&[warnings::DEVICE_TIME_UNTRUSTED, warnings::SOURCES_DISAGREE]);
    for (name, title, variables) in MODELS {
        manifest = manifest.model(name, title, &[]).model_variables(variables);
    }
    for (model, shows, data, outcome, values) in EXAMPLES {
        manifest = manifest.example(&format!("{model}: {shows}"), Input::hex(model, "", data), outcome, values);
    }
    for (model, shows, data, [key, address], outcome, values) in SEALED {
        let input = Input::hex(model, "", data).with_variable("bindkey", key).with_variable("mac", address);
        manifest = manifest.example(&format!("{model}: {shows}"), input, outcome, values);
    }
    manifest
}
