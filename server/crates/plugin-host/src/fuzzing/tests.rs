//! The corpus of the host's fuzz targets in `make test`: the lines of all vectors as the bytes of answers, and fixed mutations.

use std::collections::BTreeMap;
use std::path::Path;

use super::Boundary;
use crate::{HubOutcome, LoadError, Outcome};

/// Numbers that look random and are the same in every run (xorshift64*).
struct Noise(u64);

impl Noise {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).unwrap() % limit.max(1)
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap()
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.byte()).collect()
    }
}

/// Every line of every vector file, as bytes.
fn corpus() -> Vec<Vec<u8>> {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../plugins");
    let mut lines = Vec::new();
    for decoder in std::fs::read_dir(plugins).unwrap().flatten() {
        for file in std::fs::read_dir(decoder.path().join("vectors")).into_iter().flatten().flatten() {
            let text = std::fs::read_to_string(file.path()).unwrap();
            lines.extend(text.lines().filter(|line| !line.is_empty()).map(|line| line.as_bytes().to_vec()));
        }
    }
    lines.sort();
    assert!(lines.len() > 200, "vectors are missing");
    lines
}

/// Answers that are memory as it is, answers of the contract's types, and both with random bytes.
fn inputs(noise: &mut Noise, random: usize) -> Vec<Vec<u8>> {
    let mut inputs = Vec::new();
    for line in corpus() {
        for mode in [0, 1] {
            inputs.push([&[mode], line.as_slice()].concat());
        }
    }
    for _ in 0..random {
        let length = 16 + noise.below(600);
        let mode = u8::from(noise.below(8) > 0);
        // Mostly small bytes: words and short lists; seldom those that lie.
        let mut bytes = noise.bytes(length);
        let wild = noise.below(3) == 0;
        bytes.iter_mut().filter(|_| !wild).for_each(|byte| *byte %= 0xD0);
        // The first byte after the mode chooses the case: readings in every other one.
        let case = if noise.below(2) == 0 { 0 } else { noise.byte() };
        inputs.push([&[mode, case], bytes.as_slice()].concat());
    }
    inputs
}

#[test]
fn no_answer_harms_the_host() {
    let boundary = Boundary::new();
    let mut noise = Noise(0x0DDB_1A5E_5BAD_5EED);
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut readings = 0;
    for bytes in inputs(&mut noise, 12_000) {
        let kind = match boundary.answer(&bytes) {
            Ok(Outcome::Readings(decoded)) => {
                readings += decoded.readings.len();
                "readings".to_owned()
            }
            Ok(_) => "other answers".to_owned(),
            Err(failure) => format!("{:?}", failure.kind),
        };
        *seen.entry(kind).or_default() += 1;
        let kind = match boundary.split(&bytes) {
            Ok(HubOutcome::Items(_)) => "items".to_owned(),
            Ok(_) => "other answers".to_owned(),
            Err(failure) => format!("{:?}", failure.kind),
        };
        *seen.entry(kind).or_default() += 1;
    }
    for (kind, at_least) in [("readings", 50), ("items", 50), ("other answers", 200), ("InvalidOutput", 1_000)] {
        let count = seen.get(kind).copied().unwrap_or_default();
        assert!(count >= at_least, "the test tests too little: {count} {kind} of {seen:?}, {readings} readings");
    }
    for kind in ["Trap", "Host", "OutOfFuel", "Deadline"] {
        assert!(!seen.contains_key(kind), "a guest that only copies: {seen:?}");
    }
}

#[test]
fn no_manifest_and_no_component_harm_the_host() {
    let boundary = Boundary::new();
    let mut noise = Noise(0x5EED_0F0D_D1E5_0001);
    let (mut invalid, mut lifted) = (0, 0);
    for bytes in inputs(&mut noise, 200).into_iter().step_by(3) {
        match boundary.describe(&bytes).map(|_| ()).unwrap_err() {
            LoadError::Manifest(problems) => {
                lifted += 1;
                assert!(!problems.is_empty() && problems.len() <= 20, "{problems:?}");
            }
            LoadError::Describe(_) => invalid += 1,
            other => assert!(matches!(other, LoadError::Example { .. }), "{other}"),
        }
    }
    assert!(invalid > 20 && lifted > 20, "the test tests too little: {invalid}, {lifted}");
    let mut refused = 0;
    for _ in 0..400 {
        let mut bytes = boundary.component().to_vec();
        for _ in 0..=noise.below(4) {
            let at = noise.below(bytes.len());
            match noise.below(4) {
                0 => bytes.truncate(at),
                1 => {
                    bytes.remove(at.min(bytes.len().saturating_sub(1)));
                }
                2 => bytes.insert(at, noise.byte()),
                _ => bytes[at] = noise.byte(),
            }
            if bytes.is_empty() {
                bytes.push(0);
            }
        }
        refused += usize::from(boundary.load(&bytes).is_err());
    }
    assert_eq!(refused, 400, "a component without examples was loaded");
}
