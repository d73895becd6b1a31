//! The decoder against its vectors: what they mean, cut short, with flipped bits; and its manifest's examples.

use afferent_plugin_sdk::vectors::{Runner, example_problems};
use xiaomi::Xiaomi;

#[test]
fn every_vector_passes() {
    for (format, at_least) in
        [("xiaomi-miscale-v1", 7), ("xiaomi-miscale-v2", 5), ("xiaomi-mibeacon", 5), ("miband-adv", 5)]
    {
        let runner = Runner::<Xiaomi>::new().file(format!("vectors/{format}.jsonl"));
        assert!(runner.len() >= at_least, "{format}: vectors are missing");
        runner.assert_all();
    }
}

#[test]
fn the_manifest_keeps_its_own_examples() {
    let problems = example_problems::<Xiaomi>();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
