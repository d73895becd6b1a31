//! The decoder against its vectors: what they mean, cut short, with flipped bits; and its manifest's examples.

use afferent_plugin_sdk::vectors::{Runner, example_problems};
use dexcom_cloud::DexcomCloud;

#[test]
fn every_vector_passes_as_its_own_model() {
    for (format, at_least) in [("dexcom-share", 2), ("dexcom-v3-egv", 2)] {
        let runner = Runner::<DexcomCloud>::new().file(format!("vectors/{format}.jsonl"));
        assert!(runner.len() >= at_least, "{format}: vectors are missing");
        runner.assert_all();
    }
}

#[test]
fn the_manifest_keeps_its_own_examples() {
    let problems = example_problems::<DexcomCloud>();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
