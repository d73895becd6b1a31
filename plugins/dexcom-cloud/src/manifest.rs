//! What the decoder says about itself: models, words, and examples that the host runs before it trusts the decoder.

use afferent_plugin_sdk::Manifest;
use afferent_plugin_sdk::registry::{flags, kinds, warnings};

/// A person who shares with followers.
pub const SHARE: &str = "dexcom-share";

/// A person's account in the API v3.
pub const EGV: &str = "dexcom-v3-egv";

const VALUE: &str = r#"[{"WT":"Date(1638396953000)","ST":"Date(1638396953000)","DT":"Date(1638396953000+0000)","Value":167,"Trend":"Flat"},{"WT":"Date(1638397253000)","Value":39,"Trend":"Flat"}]"#;

const HIGH: &str = r#"{"recordType":"egv","recordVersion":"3.0","records":[{"recordId":"r2","systemTime":"2026-03-10T12:00:00Z","displayTime":"2026-03-10T08:00:00-04:00","value":400,"status":"high","unit":"mg/dL"}]}"#;

const NO_VALUE: &str = r#"{"recordType":"egv","records":[{"recordId":"r3","systemTime":"2026-03-10T12:00:00Z","value":null,"status":"unknown","unit":"mg/dL"}]}"#;

const UNKNOWN_UNIT: &str = r#"{"recordType":"egv","records":[{"recordId":"r3","systemTime":"2026-03-10T12:00:00Z","value":120,"status":"ok","unit":"unknown"}]}"#;

/// The whole manifest.
pub fn describe() -> Manifest {
    let low = &["glucose-interstitial 167 mg/dL", "glucose-interstitial < 40 mg/dL"];
    Manifest::new("dexcom-cloud", "Afferent", env!("CARGO_PKG_VERSION"))
        .license("Apache-2.0")
        .description("Glucose of Dexcom's sensors, from Share and from the API v3.")
        .model(SHARE, "Dexcom Share", &[])
        .model(EGV, "Dexcom API v3", &[])
        .kinds(&[kinds::GLUCOSE_INTERSTITIAL])
        .flags(&[flags::QUESTIONABLE])
        .warnings(&[warnings::TIMESTAMP_FIELDS_DISAGREE])
        .json_example(SHARE, "a value and LOW", VALUE, "readings", low)
        .json_example(SHARE, "a code of the sensor", r#"{"WT":"Date(1638396953000)","Value":5}"#, "nothing", &[])
        .json_example(SHARE, "no time", r#"{"Value":167}"#, "error", &[])
        .json_example(EGV, "the limit of the sensor", HIGH, "readings", &["glucose-interstitial > 400 mg/dL"])
        .json_example(EGV, "no value", NO_VALUE, "nothing", &[])
        .json_example(EGV, "no unit", UNKNOWN_UNIT, "error", &[])
}
