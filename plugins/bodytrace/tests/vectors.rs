//! The decoder against its vectors: what they mean, cut short, with flipped bits; and its manifest's examples.

use afferent_plugin_sdk::vectors::{Runner, example_problems};
use bodytrace::BodyTrace;

#[test]
fn every_vector_passes_as_its_own_model() {
    let runner = Runner::<BodyTrace>::new().file("vectors/bodytrace.jsonl");
    assert!(!runner.is_empty(), "vectors are missing");
    runner.assert_all();
}

#[test]
fn the_manifest_keeps_its_own_examples() {
    let problems = example_problems::<BodyTrace>();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
