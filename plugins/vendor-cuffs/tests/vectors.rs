//! The decoder against its vectors: what they mean, cut short, with flipped bits; and its manifest's examples.

use afferent_plugin_sdk::vectors::{Runner, example_problems};
use vendor_cuffs::VendorCuffs;

#[test]
fn every_vector_passes() {
    for (format, at_least) in [("yonker-ykbpa1", 2), ("microlife-a6", 3)] {
        let runner = Runner::<VendorCuffs>::new().file(format!("vectors/{format}.jsonl"));
        assert!(runner.len() >= at_least, "{format}: vectors are missing");
        runner.assert_all();
    }
}

#[test]
fn the_manifest_keeps_its_own_examples() {
    let problems = example_problems::<VendorCuffs>();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
