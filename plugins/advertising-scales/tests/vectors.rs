//! The decoder against its vectors: what they mean, cut short, with flipped bits; and its manifest's examples.

use advertising_scales::AdvertisingScales;
use afferent_plugin_sdk::vectors::{Runner, example_problems};

#[test]
fn every_vector_passes() {
    for (format, at_least) in [("hci-adv-scale", 5)] {
        let runner = Runner::<AdvertisingScales>::new().file(format!("vectors/{format}.jsonl"));
        assert!(runner.len() >= at_least, "{format}: vectors are missing");
        runner.assert_all();
    }
}

#[test]
fn the_manifest_keeps_its_own_examples() {
    let problems = example_problems::<AdvertisingScales>();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
