//! What the decoder says about itself: models, words, and examples that the host runs before it trusts the decoder.

use afferent_plugin_sdk::registry::kinds;
use afferent_plugin_sdk::{Input, Manifest};

use crate::recording::LEADS;

/// The compact frame.
pub const BINARY: &str = "afferent-waveform";
/// The JSON form.
pub const JSON: &str = "afferent-waveform-json";

/// Two leads of five samples at 500 Hz, 4.88 µV a count; the second lead was off for two of them.
const FRAME: &str = "414657460101000200469ed79c0100001100000000000000d007000010130000050000000102fdff00000c00fa001f0004000080008009000800db628368";

const DOCUMENT: &str = r#"{"format":"afferent-waveform/1","wave":"plethysmogram","recording":4,"piece":0,"periodMs":10,"unit":"1","origin":0,"factor":1,"lowerLimit":0,"upperLimit":4095,"leads":[{"data":"1200 1350 U E 1410"}]}"#;
const NO_FACTOR: &str = r#"{"format":"afferent-waveform/1","wave":"ecg","recording":4,"piece":0,"periodMs":2,"unit":"uV","origin":0,"leads":[{"lead":"I","data":"1 2"}]}"#;

/// The whole manifest.
pub fn describe() -> Manifest {
    let mut words: Vec<&str> = vec![kinds::ECG, kinds::PLETHYSMOGRAM];
    words.extend(LEADS.iter().map(|(_, _, kind)| *kind));
    Manifest::new("afferent-waveform", "Afferent", env!("CARGO_PKG_VERSION"))
        .license("Apache-2.0")
        .description(
            "Electrocardiograms and plethysmograms in Afferent's own format, for recorders that have no decoder.",
        )
        .model(BINARY, "Recorder of waveforms (Afferent's format, compact frames)", &[])
        .model(JSON, "Recorder of waveforms (Afferent's format, JSON)", &[])
        .kinds(&words)
        .example(
            "two leads",
            Input::hex(BINARY, "", FRAME),
            "readings",
            &["ecg/ecg-lead-i sampled 5 uV", "ecg/ecg-lead-ii sampled 5 uV"],
        )
        .example("no checksum", Input::hex(BINARY, "", "41465746"), "error", &[])
        .json_example(JSON, "a pulse", DOCUMENT, "readings", &["plethysmogram sampled 5 1"])
        .json_example(JSON, "what a count is, is not told", NO_FACTOR, "error", &[])
}
