//! The check sum of a payload, found without the decoder's help: a sum, an exclusive-or or a CRC near the end that agrees with
//! the bytes in front of it, which the decoder insists on, and with which it accepts a payload that was changed elsewhere.
//!
//! A check sum blinds everything that changes payloads: whatever is changed is refused, and nothing behind the check is ever
//! tried. With its check sum made right again, a changed payload gets there.

mod algorithm;

use core::fmt;

use algorithm::{ALGORITHMS, Algorithm};

/// Bytes that may stand behind a check sum, such as the mark of an end.
const BEHIND: usize = 4;
/// Where the bytes that are counted may begin.
const BEGINNINGS: usize = 5;
/// No longer payload is searched: what a device sends in one frame is shorter.
const LONGEST: usize = 2_048;
/// So many changed bytes are tried with a check sum that may be the one.
const CHANGED: usize = 24;
/// So many of them must be accepted.
const ACCEPTED: usize = 3;
/// What the bytes of a check sum are changed by, to see that the decoder insists on them.
const MASKS: [u8; 5] = [0x01, 0x04, 0x10, 0x80, 0xFF];

/// A check sum of a format: how it is made, where it stands, and what it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checksum {
    name: &'static str,
    algorithm: Algorithm,
    /// Bytes that it takes.
    width: usize,
    /// The lowest byte stands first.
    little_endian: bool,
    /// The first byte that is counted.
    from: usize,
    /// Bytes behind it.
    behind: usize,
}

impl Checksum {
    /// Every one that is known: places near the end, beginnings, algorithms.
    fn all() -> impl Iterator<Item = Self> {
        (0..=BEHIND).flat_map(|behind| (0..BEGINNINGS).map(move |from| (behind, from))).flat_map(|(behind, from)| {
            ALGORITHMS.iter().flat_map(move |(name, width, algorithm)| {
                let of = move |little_endian| Self {
                    name,
                    algorithm: *algorithm,
                    width: *width,
                    little_endian,
                    from,
                    behind,
                };
                // The order of one byte is one.
                [true, false].into_iter().take(*width).map(of)
            })
        })
    }

    /// Where it stands in a payload of so many bytes; nothing where the payload is too short to count a byte.
    #[must_use]
    pub fn place(&self, length: usize) -> Option<core::ops::Range<usize>> {
        let end = length.checked_sub(self.behind)?;
        let start = end.checked_sub(self.width)?;
        (start > self.from).then_some(start..end)
    }

    /// The bytes that belong there.
    fn right(&self, data: &[u8]) -> Option<[u8; 2]> {
        let counted = data.get(self.from..self.place(data.len())?.start)?;
        let [high, low] = self.algorithm.over(counted);
        Some(if self.width == 1 || self.little_endian { [low, high] } else { [high, low] })
    }

    /// Whether it agrees with the bytes that it counts.
    #[must_use]
    pub fn holds(&self, data: &[u8]) -> bool {
        let there = self.place(data.len()).and_then(|place| data.get(place));
        there.zip(self.right(data)).is_some_and(|(there, right)| right.get(..self.width) == Some(there))
    }

    /// The payload with the check sum that belongs there; nothing where it is right, or the payload too short for one.
    #[must_use]
    pub fn repaired(&self, data: &[u8]) -> Option<Vec<u8>> {
        let (place, right) = (self.place(data.len())?, self.right(data)?);
        let mut repaired = data.to_vec();
        repaired.get_mut(place)?.copy_from_slice(right.get(..self.width)?);
        (repaired != data).then_some(repaired)
    }

    /// In words for a payload of so many bytes: `sum8 of bytes 0 to 15`.
    #[must_use]
    pub fn described(&self, length: usize) -> String {
        let order = match (self.width, self.little_endian) {
            (1, _) => "",
            (_, true) => ", little endian",
            (_, false) => ", big endian",
        };
        match self.place(length) {
            Some(place) => format!("{} of bytes {} to {}{order}", self.name, self.from, place.start.saturating_sub(1)),
            None => self.to_string(),
        }
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} of the bytes from {} on", self.name, self.from)
    }
}

/// The check sum of a payload that the decoder accepts. `others` are further payloads of the same format that it accepts: what
/// holds in them too comes first. `accepts` says whether it accepts a payload in place of this one; it is called some
/// hundred times at most, and a handful of times where there is no check sum.
pub fn find(data: &[u8], others: &[&[u8]], mut accepts: impl FnMut(&[u8]) -> bool) -> Option<Checksum> {
    if data.len() > LONGEST {
        return None;
    }
    let insists: Vec<bool> = (0..=BEHIND + 1)
        .map(|from_end| data.len().checked_sub(from_end + 1).is_some_and(|at| insists_on(data, at, &mut accepts)))
        .collect();
    if !insists.contains(&true) {
        return None;
    }
    let insisted =
        |checksum: &Checksum| insists.iter().skip(checksum.behind).take(checksum.width).all(|insists| *insists);
    // A sum of two bytes whose first stays zero looks like one of one byte: the wider one is right wherever both are.
    let mut best: Option<(Checksum, (usize, usize, usize))> = None;
    for checksum in Checksum::all().filter(insisted).filter(|checksum| checksum.holds(data)) {
        let accepted = accepted_repairs(data, &checksum, &mut accepts);
        let held = others.iter().filter(|other| checksum.holds(other)).count();
        let rank = (accepted, held, checksum.width);
        if accepted >= ACCEPTED && best.is_none_or(|(_, before)| rank > before) {
            best = Some((checksum, rank));
        }
    }
    best.map(|(checksum, _)| checksum)
}

/// Whether every change of a byte is refused.
fn insists_on(data: &[u8], at: usize, accepts: &mut impl FnMut(&[u8]) -> bool) -> bool {
    MASKS.iter().all(|mask| !accepts(&changed(data, at, *mask)))
}

fn changed(data: &[u8], at: usize, mask: u8) -> Vec<u8> {
    let mut changed = data.to_vec();
    changed.get_mut(at).into_iter().for_each(|byte| *byte ^= mask);
    changed
}

/// How many payloads that were changed before the check sum are accepted with it made right, and refused without.
fn accepted_repairs(data: &[u8], checksum: &Checksum, accepts: &mut impl FnMut(&[u8]) -> bool) -> usize {
    let Some(place) = checksum.place(data.len()) else { return 0 };
    // The bytes of a long payload that are changed lie all over it. What is changed carries into other bits of the sums, so
    // that a sum and an exclusive-or that agree by chance do not agree in all of them.
    let step = place.start.div_ceil(CHANGED).max(1);
    let mut accepted = 0;
    for at in (0..place.start).step_by(step) {
        for mask in [0x01, 0x06] {
            let other = changed(data, at, mask);
            accepted +=
                usize::from(checksum.repaired(&other).is_some_and(|repaired| accepts(&repaired)) && !accepts(&other));
        }
    }
    accepted
}

#[cfg(test)]
mod tests;
