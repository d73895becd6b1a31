//! The decoder against its vectors, cut short and with flipped bits; its examples.

use afferent_plugin_sdk::vectors::{HubRunner, hub_example_problems};
use afferent_plugin_sdk::{Decoder, Frame, Input, Outcome};
use bluetooth_sig::BluetoothSig;
use cassia::Cassia;

/// The device's own decoder, as the host picks it by the channel.
fn device(frame: &Frame) -> Outcome {
    let mut input = Input::new(&format!("gatt-{}", frame.channel), "", Vec::new());
    input.frames = vec![frame.clone()];
    BluetoothSig::decode(&input).unwrap_or_else(Outcome::Error)
}

#[test]
fn every_vector_passes() {
    let runner = HubRunner::<Cassia>::new().file("vectors/cassia-sse.jsonl").frames(device);
    assert!(runner.len() >= 3, "vectors are missing");
    runner.assert_all();
}

#[test]
fn the_manifest_keeps_its_own_examples() {
    let problems = hub_example_problems::<Cassia>();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
