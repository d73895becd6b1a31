//! What devices do to payloads: cut them short and set bits that nobody foresaw.

use crate::Input;

/// Every prefix of a payload must be refused, or say nothing that the whole does not say. `lines` is what the decoder
/// says of an input, a line a value.
pub(super) fn truncations(input: &Input, lines: impl Fn(&Input) -> Vec<String>) -> Vec<String> {
    let told = lines(input);
    if told.is_empty() {
        return Vec::new();
    }
    let mut problems = Vec::new();
    for (index, frame) in input.frames.iter().enumerate() {
        for length in 0..frame.data.len() {
            let mut shorter = input.clone();
            if let Some(frame) = shorter.frames.get_mut(index) {
                frame.data.truncate(length);
            }
            let false_lines: Vec<String> = lines(&shorter).into_iter().filter(|line| !told.contains(line)).collect();
            if !false_lines.is_empty() {
                problems.push(format!("cut to {length} bytes, frame {index} says {false_lines:?}"));
            }
        }
    }
    problems
}

/// Every value of the first byte, every flipped bit and one more byte: the decoder must not panic, and what it answers
/// must keep to its manifest. `violations` runs it and says what does not.
pub(super) fn flipped_bits(input: &Input, violations: impl Fn(&Input) -> Vec<String>) -> Vec<String> {
    let mut problems = Vec::new();
    let mut attempt = |changed: &Input, what: &str| {
        let found = violations(changed);
        problems.extend(found.into_iter().map(|problem| format!("{what}: {problem}")));
    };
    for (index, frame) in input.frames.iter().enumerate() {
        let with = |data: Vec<u8>| {
            let mut changed = input.clone();
            if let Some(frame) = changed.frames.get_mut(index) {
                frame.data = data;
            }
            changed
        };
        for byte in 0..=u8::MAX {
            let mut data = frame.data.clone();
            if let Some(first) = data.first_mut() {
                *first = byte;
            }
            attempt(&with(data), &format!("first byte {byte:#04x}"));
        }
        for position in 0..frame.data.len() {
            for bit in 0..8 {
                let mut data = frame.data.clone();
                if let Some(byte) = data.get_mut(position) {
                    *byte ^= 1 << bit;
                }
                attempt(&with(data), &format!("bit {bit} of byte {position} flipped"));
            }
        }
        attempt(&with([frame.data.as_slice(), &[0]].concat()), "a byte more");
    }
    problems
}
