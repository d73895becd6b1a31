//! The decoder against its vectors: what they mean, cut short, with flipped bits; and its manifest's examples.

use afferent_plugin_sdk::vectors::{Runner, example_problems};
use omron::Omron;

#[test]
fn every_vector_passes() {
    let runner = Runner::<Omron>::new().file("vectors/omron-wlc.jsonl");
    assert!(runner.len() >= 3, "vectors are missing");
    runner.assert_all();
}

#[test]
fn the_manifest_keeps_its_own_examples() {
    let problems = example_problems::<Omron>();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
