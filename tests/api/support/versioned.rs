//! Versions of the tests' decoders: see tests/fixtures/versioned-scale and versioned-hub.

/// The text in a component that its version and behaviour stand behind.
const MARK: &[u8] = b"AFFERENT-TEST-DECODER ";

/// The scale's component with a version and a behaviour; its model is `versioned-scale`.
pub fn versioned(version: &str, behaviour: char) -> Vec<u8> {
    written(env!("VERSIONED_SCALE"), version, behaviour)
}

/// The hub's component with a version and a behaviour; its model is `versioned-hub`.
pub fn versioned_hub(version: &str, behaviour: char) -> Vec<u8> {
    written(env!("VERSIONED_HUB"), version, behaviour)
}

fn written(component: &str, version: &str, behaviour: char) -> Vec<u8> {
    let mut component = std::fs::read(component).unwrap();
    let at =
        component.windows(MARK.len()).position(|window| window == MARK).expect("the fixture has its mark") + MARK.len();
    let text = format!("{version:<10}{behaviour}");
    component[at..at + 11].copy_from_slice(text.as_bytes());
    component
}

/// A frame of the scale's decoder: hundredths of a kilogram, sequence number, flags.
pub fn versioned_frame(hundredths: u16, sequence: u16, flags: u8) -> Vec<u8> {
    [&hundredths.to_le_bytes()[..], &sequence.to_le_bytes()[..], &[flags]].concat()
}
