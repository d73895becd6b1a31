//! The decoder against its vectors: what they mean, cut short, with flipped bits; and its manifest's examples.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use afferent_plugin_sdk::vectors::{Runner, example_problems};
use bluetooth_sig::BluetoothSig;

/// Characteristics with the number of their vectors.
const FORMATS: [(&str, usize); 12] = [
    ("2A08", 5),
    ("2A18", 12),
    ("2A1C", 12),
    ("2A2B", 1),
    ("2A34", 5),
    ("2A35", 15),
    ("2A37", 11),
    ("2A5E", 5),
    ("2A5F", 3),
    ("2A9C", 9),
    ("2A9D", 8),
    ("2AA7", 10),
];

fn vectors(characteristic: &str) -> Runner<BluetoothSig> {
    Runner::new().file(format!("vectors/gatt-{characteristic}.jsonl"))
}

#[test]
fn every_vector_passes_as_its_own_model() {
    for (characteristic, at_least) in FORMATS {
        let runner = vectors(characteristic);
        assert!(runner.len() >= at_least, "{characteristic}: vectors are missing");
        runner.assert_all();
        runner.channel(characteristic).assert_all();
    }
}

#[test]
fn every_number_has_its_digits() {
    for (format, at_least) in [("sfloat", 17), ("float", 11)] {
        let runner: Runner<BluetoothSig> = Runner::new().file(format!("vectors/ieee11073-{format}.jsonl"));
        assert!(runner.len() >= at_least, "{format}: vectors are missing");
        runner.assert_all();
    }
}

#[test]
fn every_vector_passes_as_the_generic_model_by_its_channel() {
    for (characteristic, _) in FORMATS {
        let uuid = format!("0000{}-0000-1000-8000-00805f9b34fb", characteristic.to_lowercase());
        for channel in [characteristic, &uuid] {
            vectors(characteristic).model("bluetooth-sig").channel(channel).assert_all();
        }
    }
}

#[test]
fn the_manifest_keeps_its_own_examples() {
    let problems = example_problems::<BluetoothSig>();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// The runner itself must be able to fail.
#[test]
fn a_false_vector_is_found() {
    let line = std::fs::read_to_string("vectors/gatt-2A9D.jsonl").unwrap().lines().next().unwrap().to_owned();
    assert!(Runner::<BluetoothSig>::new().lines(&line).problems().is_empty());
    for (from, to) in
        [("\"value\": 70", "\"value\": 70.001"), ("29463-7", "8302-2"), ("\"kg\"}]", "\"g\"}]"), ("decoded", "reject")]
    {
        assert!(line.contains(from), "{from}");
        let problems = Runner::<BluetoothSig>::new().lines(&line.replace(from, to)).problems();
        assert_eq!(problems.len(), 1, "{from} → {to}: {problems:?}");
    }
}
