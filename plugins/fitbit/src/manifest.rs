//! What the decoder says about itself: models, words, and examples that the host runs before it trusts the decoder.

use afferent_plugin_sdk::Manifest;
use afferent_plugin_sdk::registry::kinds;

/// An account's days of steps.
pub const STEPS: &str = "fitbit-steps";

/// An account: whatever an answer of the API has.
pub const ACCOUNT: &str = "fitbit";

/// An account's log of weights.
pub const WEIGHT: &str = "fitbit-weight";

const LOG: &str =
    r#"{"weight":[{"bmi":21.99,"date":"2015-05-22","logId":1432318326000,"time":"18:12:06","weight":58.1}]}"#;

const POUNDS: &str =
    r#"{"weight":[{"bmi":21.99,"date":"2015-05-22","logId":1432318326000,"time":"18:12:06","weight":158.1}]}"#;

/// The whole manifest.
pub fn describe() -> Manifest {
    Manifest::new("fitbit", "Afferent", env!("CARGO_PKG_VERSION"))
        .license("Apache-2.0")
        .description("Days of steps and body weights of a Fitbit account.")
        .model(ACCOUNT, "Fitbit account", &[])
        .model(STEPS, "Fitbit account, steps", &[])
        .model(WEIGHT, "Fitbit account, weight", &[])
        .kinds(&[kinds::STEPS_DAY, kinds::BODY_WEIGHT, kinds::BODY_MASS_INDEX, kinds::BODY_FAT_PERCENTAGE])
        .json_example(
            STEPS,
            "a day without steps is a gap",
            r#"{"activities-steps":[{"dateTime":"2015-08-24","value":"2937"},{"dateTime":"2015-08-25","value":"0"}]}"#,
            "readings",
            &["steps-day 2937 {steps}/(24.h)"],
        )
        .json_example(ACCOUNT, "weights", LOG, "readings", &["body-weight 58.1 kg", "body-mass-index 21.99 kg/m2"])
        .json_example(ACCOUNT, "days", r#"{"activities-steps":[]}"#, "nothing", &[])
        .json_example(ACCOUNT, "another resource", r#"{"activities-heart":[]}"#, "error", &[])
        .json_example(STEPS, "no day", r#"{"activities-steps":[]}"#, "nothing", &[])
        .json_example(STEPS, "another resource", r#"{"activities-heart":[]}"#, "error", &[])
        .json_example(WEIGHT, "metric", LOG, "readings", &["body-weight 58.1 kg", "body-mass-index 21.99 kg/m2"])
        .json_example(WEIGHT, "pounds that nobody announced", POUNDS, "error", &[])
}
