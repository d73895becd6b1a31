//! The decoder against its vectors: what they mean, cut short, with flipped bits; and its manifest's examples.

use afferent_plugin_sdk::vectors::{Runner, example_problems};
use ihealth::IHealth;

#[test]
fn every_vector_passes_as_its_own_model() {
    let runner = Runner::<IHealth>::new().file("vectors/ihealth.jsonl");
    assert!(runner.len() >= 4, "vectors are missing");
    runner.assert_all();
}

#[test]
fn the_manifest_keeps_its_own_examples() {
    let problems = example_problems::<IHealth>();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
