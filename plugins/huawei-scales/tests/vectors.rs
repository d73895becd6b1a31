//! The decoder against its vectors: what they mean, cut short, with flipped bits; and its manifest's examples.

use afferent_plugin_sdk::vectors::{Runner, example_problems};
use huawei_scales::HuaweiScales;

#[test]
fn every_vector_passes() {
    for (format, at_least) in [("huawei-ch100-plain", 3), ("huawei-hagrid-plain", 1)] {
        let runner = Runner::<HuaweiScales>::new().file(format!("vectors/{format}.jsonl"));
        assert!(runner.len() >= at_least, "{format}: vectors are missing");
        runner.assert_all();
    }
}

#[test]
fn the_manifest_keeps_its_own_examples() {
    let problems = example_problems::<HuaweiScales>();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
