//! Which frame another one belongs to: a body composition to the weight of the same moment, a glucose context to its record.

use std::collections::{BTreeMap, BTreeSet};

use crate::body_composition::Composition;
use crate::parts::Part;

/// For each frame the frame that it belongs to, if it is a companion and that frame is there. No frame gets two companions.
pub fn owners(parts: &[Part]) -> Vec<Option<usize>> {
    let mut taken = BTreeSet::new();
    let records = records_by_sequence(parts);
    let owner = |(index, part): (usize, &Part)| {
        let owner = match part {
            Part::Composition(composition) => weight_of(composition, index, parts, &taken),
            Part::Context(context) => records.get(&context.sequence).and_then(|at| nearest(at, index, &taken)),
            _ => None,
        };
        taken.extend(owner);
        owner
    };
    parts.iter().enumerate().map(owner).collect()
}

/// Where the glucose records of each sequence number are. One number may be there twice, from before and after a memory was
/// cleared.
fn records_by_sequence(parts: &[Part]) -> BTreeMap<u16, Vec<usize>> {
    let mut records: BTreeMap<u16, Vec<usize>> = BTreeMap::new();
    for (index, part) in parts.iter().enumerate() {
        if let Part::Glucose(glucose) = part {
            records.entry(glucose.sequence).or_default().push(index);
        }
    }
    records
}

/// The last free one before `index`, because devices send a companion after its owner; else the first after it.
fn nearest(places: &[usize], index: usize, taken: &BTreeSet<usize>) -> Option<usize> {
    let free = |at: &&usize| !taken.contains(*at);
    let before = places.iter().rev().filter(|at| **at < index).find(free);
    before.or_else(|| places.iter().filter(|at| **at > index).find(free)).copied()
}

/// The weight of the same moment. With a time on both sides, the one of that time; else the weight that was sent just
/// before, or just after where that one has its composition already. A weight further away is another measurement.
fn weight_of(composition: &Composition, index: usize, parts: &[Part], taken: &BTreeSet<usize>) -> Option<usize> {
    let fits = |at: &usize| match parts.get(*at) {
        Some(Part::Weight(weight)) => !taken.contains(at) && composition.belongs_to(weight),
        _ => false,
    };
    let same_time = |at: &usize| match parts.get(*at) {
        Some(Part::Weight(weight)) => fits(at) && weight.origin.clock.is_some(),
        _ => false,
    };
    let is_weight = |at: &usize| matches!(parts.get(*at), Some(Part::Weight(_)));
    if composition.origin().clock.is_some()
        && let Some(at) = (0..index).rev().chain(index + 1..parts.len()).find(same_time)
    {
        return Some(at);
    }
    let before = (0..index).rev().find(is_weight).filter(fits);
    before.or_else(|| (index + 1..parts.len()).find(is_weight).filter(fits))
}
