//! The decoder against its vectors: what they mean, cut short, with flipped bits; and its manifest's examples.

use advertising_scales::AdvertisingScales;
use afferent_plugin_sdk::vectors::{Runner, example_problems};

#[test]
fn every_vector_passes() {
    let runner = Runner::<AdvertisingScales>::new().file("vectors/hci-adv-scale.jsonl");
    assert!(runner.len() >= 5, "vectors are missing");
    runner.assert_all();
}

#[test]
fn the_manifest_keeps_its_own_examples() {
    let problems = example_problems::<AdvertisingScales>();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
