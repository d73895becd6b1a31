//! What the decoder says about itself: models, words, and examples that the host runs before it trusts the decoder.

use afferent_plugin_sdk::registry::{flags, kinds};
use afferent_plugin_sdk::{Input, Manifest};

/// Name and title of each model.
const MODELS: &[(&str, &str)] = &[
    ("hci-adv-scale", "Scale that says its weight in advertisements (Amazfit, Senssun, Xiaogui, MaxxMee, Laica)"),
    ("amazfit-smart-scale", "Amazfit Smart Scale"),
    ("senssun-if-b7", "Senssun IF_B7 scale"),
    ("xiaogui-tzc4", "Xiaogui TZC4 scale"),
    ("maxxmee-qj-j", "MaxxMee QJ-J scale"),
    ("laica-smart-scale", "Laica Smart Scale (PS7011, PS7020)"),
];

const AMAZFIT: &str = "043e390d011300000ea4309e87700100ff7fb10000000000000000001f0201050302e0fe1716e0feba82e6c7fc3414a442bf46ec68000462bba30100";
const SENSSUN: &str = "043e2b0201030033b3c1937a181f020106060949465f423714ff0001020311187a93c1b333021a4500b4a1ab61c5";
const XIAOGUI: &str = "043e1d0201030094e0e5295a5f1110ffc0a30276138b0002215f5a29e5e094bd";
const MAXXMEE: &str = "043e1d0201030094e0e5295a5f1110ffc07d2c4700000a01255f5a29e5e094bd";
const LAICA: &str = "043e2b02010300a02bbe5e91a01f0201040303b0ff0fffaca0a02bbe5e91a0a02c92140dbf0709414141303032d9";
const SETTLING: &str = "043e1d0201030094e0e5295a5f1110ffc05d008c00000002205f5a29e5e094bf";

/// The whole manifest.
pub fn describe() -> Manifest {
    let mut manifest = Manifest::new("advertising-scales", "Afferent", env!("CARGO_PKG_VERSION"))
        .license("Apache-2.0")
        .description("Weight, impedance and pulse of scales that say them in Bluetooth advertisements.")
        .kinds(&[kinds::BODY_WEIGHT, kinds::BODY_IMPEDANCE, kinds::HEART_RATE])
        .flags(&[flags::UNSTABLE]);
    for (name, title) in MODELS {
        manifest = manifest.model(name, title, &[]);
    }
    let amazfit: &[&str] = &["body-weight 85.300 kg", "body-impedance 517.2 Ohm", "heart-rate 104 /min"];
    let xiaogui: &[&str] = &["body-weight 63.0 kg", "body-impedance 500.3 Ohm"];
    for (model, shows, data, outcome, values) in [
        ("hci-adv-scale", "Amazfit", AMAZFIT, "readings", amazfit),
        ("hci-adv-scale", "settling", SETTLING, "nothing", &[]),
        ("hci-adv-scale", "the data without its report", "10ffc0a30276138b0002215f5a29e5e094", "readings", xiaogui),
        ("hci-adv-scale", "truncated", "043e1d0201030094e0e5295a5f1110ff", "error", &[]),
        ("amazfit-smart-scale", "at rest", AMAZFIT, "readings", amazfit),
        ("amazfit-smart-scale", "another scale's", XIAOGUI, "error", &[]),
        ("senssun-if-b7", "at rest", SENSSUN, "readings", &["body-weight 67.25 kg", "body-impedance 180 Ohm"]),
        ("senssun-if-b7", "another scale's", XIAOGUI, "error", &[]),
        ("xiaogui-tzc4", "final", XIAOGUI, "readings", xiaogui),
        ("xiaogui-tzc4", "another scale's", LAICA, "error", &[]),
        ("maxxmee-qj-j", "final", MAXXMEE, "readings", &["body-weight 113.35 kg"]),
        ("maxxmee-qj-j", "another scale's", SENSSUN, "error", &[]),
        ("laica-smart-scale", "a weight", LAICA, "readings", &["body-weight 13.0 kg"]),
        ("laica-smart-scale", "another scale's", AMAZFIT, "error", &[]),
    ] {
        manifest = manifest.example(&format!("{model}: {shows}"), Input::hex(model, "", data), outcome, values);
    }
    manifest
}
