//! The bytes of a fuzzer as a decoder's input, and back: seeds of vectors and examples.
//!
//! ```text
//! model u8 | bit 0: JSON u8 | variables u8, of each: length u8, name, length u16 LE, value
//!          | frames less one u8, of each: channel u8, length u16 LE, data; the last has no length and takes the rest
//! ```
//!
//! Model and channel are indexes (modulo) into what the manifest declares, so that nearly every input reaches the decoder's
//! own code; channel 0 is the empty one. What is missing at the end is empty.

use super::Vector;
use super::learnt::Checksums;
use super::subject::{Subject, Verdict};
use crate::{Frame, Input, NameValue};

/// The most frames and variables of an input.
const MOST: usize = 32;

impl Subject {
    /// The input that a fuzzer's bytes stand for. Every sequence of bytes stands for one.
    #[must_use]
    pub fn input_of(&self, bytes: &[u8]) -> Input {
        let mut rest = bytes;
        let models = &self.manifest().models;
        let model = usize::from(take(&mut rest)).checked_rem(models.len()).and_then(|index| models.get(index));
        let mut input = Input::new(model.map_or("", |model| &model.name), "", []);
        input.frames.clear();
        if take(&mut rest) & 1 == 1 {
            "application/json".clone_into(&mut input.content_type);
        }
        for _ in 0..usize::from(take(&mut rest)) % MOST {
            let length = usize::from(take(&mut rest));
            let name = text(part(&mut rest, length));
            let length = take_u16(&mut rest);
            let value = text(part(&mut rest, length));
            input.variables.push(NameValue { name, value });
        }
        let channels = self.channels();
        let last = usize::from(take(&mut rest)) % MOST;
        for index in 0..=last {
            let channel = usize::from(take(&mut rest)).checked_rem(channels.len()).and_then(|at| channels.get(at));
            let channel = channel.cloned().unwrap_or_default();
            let length = if index == last { rest.len() } else { take_u16(&mut rest) };
            let data = part(&mut rest, length).to_vec();
            input.frames.push(Frame { channel, data, captured_at_ms: None, extra: Vec::new() });
        }
        input
    }

    /// The bytes that stand for an input; nothing where the form cannot say it (an undeclared model, too many frames).
    #[must_use]
    pub fn seed(&self, input: &Input) -> Option<Vec<u8>> {
        let model = self.manifest().models.iter().position(|model| model.name == input.model)?;
        let json = u8::from(input.content_type == "application/json");
        let mut bytes = vec![u8::try_from(model).ok()?, json, count(input.variables.len())?];
        for NameValue { name, value } in &input.variables {
            bytes.push(u8::try_from(name.len()).ok()?);
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(&u16::try_from(value.len()).ok()?.to_le_bytes());
            bytes.extend_from_slice(value.as_bytes());
        }
        let last = input.frames.len().checked_sub(1)?;
        bytes.push(count(last)?);
        let channels = self.channels();
        for (index, frame) in input.frames.iter().enumerate() {
            let channel = channels.iter().position(|channel| *channel == frame.channel)?;
            bytes.push(u8::try_from(channel).ok()?);
            if index < last {
                bytes.extend_from_slice(&u16::try_from(frame.data.len()).ok()?.to_le_bytes());
            }
            bytes.extend_from_slice(&frame.data);
        }
        Some(bytes)
    }

    /// The seeds of vectors (each as the model of its format) and of the manifest's examples, with their names.
    #[must_use]
    pub fn seeds(&self, vectors: &[Vector]) -> Vec<(String, Vec<u8>)> {
        let of_vectors = vectors.iter().map(|vector| (vector.id.clone(), vector.input(&vector.format, "")));
        let examples = self.manifest().examples.iter().enumerate();
        let of_examples = examples.map(|(index, example)| (format!("example-{index}"), example.input.clone()));
        let seeds = of_vectors.chain(of_examples);
        seeds.filter_map(|(name, input)| Some((name, self.seed(&input)?))).collect()
    }

    /// What every fuzz target calls: judges the input that the bytes stand for.
    ///
    /// # Panics
    ///
    /// The decoder panics, gives another answer the second time, or breaks a rule ([`Subject::judge`]).
    pub fn fuzz(&self, bytes: &[u8]) -> Verdict {
        let input = self.input_of(bytes);
        match self.judge_twice(&input) {
            Ok(verdict) => verdict,
            #[expect(clippy::panic, reason = "a fuzzer notices panics")]
            Err(problems) => panic!("{}\n{input:?}", problems.join("\n")),
        }
    }

    /// Judges every seed and `mutations` changed ones, the same in every run; gives the number of judged inputs.
    ///
    /// # Panics
    ///
    /// As [`Subject::fuzz`].
    pub fn fuzz_corpus(&self, seeds: &[(String, Vec<u8>)], mutations: usize) -> usize {
        for (_, seed) in seeds {
            self.fuzz(seed);
        }
        let mut noise = Noise(0x9E37_79B9_7F4A_7C15);
        for _ in 0..mutations {
            self.fuzz(&noise.mutated(seeds));
        }
        seeds.len() + mutations
    }

    /// Judges changed seeds until `go_on` says no, the same in every run; gives how many were judged, how many of them a
    /// second time with the check sums of their frames made right, and what is wrong with the first that is.
    pub fn try_random_changes(
        &self,
        seeds: &[(String, Vec<u8>)],
        checksums: &Checksums,
        mut go_on: impl FnMut(usize) -> bool,
    ) -> (usize, usize, Option<(Input, Vec<String>)>) {
        let mut noise = Noise(0x9E37_79B9_7F4A_7C15);
        let (mut judged, mut repaired) = (0, 0);
        while !seeds.is_empty() && go_on(judged) {
            let input = self.input_of(&noise.mutated(seeds));
            let right = checksums.repaired(&input);
            judged += 1;
            repaired += usize::from(right.is_some());
            for input in [Some(input), right].into_iter().flatten() {
                if let Err(problems) = self.judge_twice(&input) {
                    return (judged, repaired, Some((input, problems)));
                }
            }
        }
        (judged, repaired, None)
    }

    /// The empty channel, and every one that a model declares.
    fn channels(&self) -> Vec<String> {
        let mut channels = vec![String::new()];
        for channel in self.manifest().models.iter().flat_map(|model| &model.channels) {
            if !channels.contains(channel) {
                channels.push(channel.clone());
            }
        }
        channels
    }
}

fn count(number: usize) -> Option<u8> {
    u8::try_from(number).ok().filter(|_| number < MOST)
}

fn take(rest: &mut &[u8]) -> u8 {
    match rest.split_first() {
        Some((first, behind)) => {
            *rest = behind;
            *first
        }
        None => 0,
    }
}

fn take_u16(rest: &mut &[u8]) -> usize {
    usize::from(u16::from_le_bytes([take(rest), take(rest)]))
}

fn part<'a>(rest: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (part, behind) = rest.split_at(length.min(rest.len()));
    *rest = behind;
    part
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Numbers that look random and are the same in every run (xorshift64*).
struct Noise(u64);

impl Noise {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(number).unwrap_or_default().checked_rem(limit).unwrap_or_default()
    }

    fn pick<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        list.get(self.below(list.len()))
    }

    fn byte(&mut self) -> u8 {
        const EDGES: [u8; 12] = [0, 1, 0x7F, 0x80, 0xFE, 0xFF, b'0', b'9', b'-', b'"', b'}', b','];
        let any = u8::try_from(self.below(256)).unwrap_or_default();
        if self.below(2) == 0 { any } else { self.pick(&EDGES).copied().unwrap_or(any) }
    }

    /// A seed with some changes.
    fn mutated(&mut self, seeds: &[(String, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = self.pick(seeds).map(|(_, seed)| seed.clone()).unwrap_or_default();
        let other = self.pick(seeds).map(|(_, seed)| seed.as_slice()).unwrap_or_default();
        for _ in 0..=self.below(6) {
            self.change(&mut bytes, other);
        }
        bytes
    }

    /// One change: a byte, a bit, a piece removed, doubled or taken from another seed, the end cut off.
    fn change(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        let at = self.below(bytes.len());
        let until = (at + 1 + self.below(16)).min(bytes.len());
        let byte = self.byte();
        match self.below(7) {
            0 => bytes.truncate(at),
            1 => {
                bytes.drain(at.min(until)..until);
            }
            2 => bytes.insert(at, byte),
            3 => {
                let piece = bytes.get(at..until).unwrap_or_default().to_vec();
                bytes.splice(at..at, piece);
            }
            4 => {
                let from = self.below(other.len());
                let piece = other.get(from..(from + until - at).min(other.len())).unwrap_or_default().to_vec();
                bytes.splice(at..until, piece);
            }
            5 => {
                let bit = self.below(8);
                bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= 1 << bit);
            }
            _ => bytes.get_mut(at).into_iter().for_each(|place| *place = byte),
        }
    }
}
