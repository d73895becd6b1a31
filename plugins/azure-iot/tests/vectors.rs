//! The decoder against its vectors: what they mean, cut short, with flipped bits; and its manifest's examples.

use afferent_plugin_sdk::vectors::{Runner, example_problems};
use azure_iot::AzureIot;

#[test]
fn every_vector_passes_as_its_own_model() {
    for (format, at_least) in [("azure-iot-json", 2), ("iomt-fhir-json", 4)] {
        let runner = Runner::<AzureIot>::new().file(format!("vectors/{format}.jsonl"));
        assert!(runner.len() >= at_least, "{format}: vectors are missing");
        runner.assert_all();
    }
}

#[test]
fn the_manifest_keeps_its_own_examples() {
    let problems = example_problems::<AzureIot>();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
