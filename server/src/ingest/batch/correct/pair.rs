//! Which reading of an uplink, decoded again, is which Observation that the uplink made before. Pure.
//!
//! By the reading's key first: it is behind the Observation's identifier. What has its content in the key (`distinct`, and
//! readings without a key) is found by what was measured and when; where that leaves a choice, equal content goes together,
//! and the rest in the order of the payload, if there are as many as before.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::fhir::revise_readings::ENTERED_IN_ERROR;
use crate::fhir::uplink_readings::UplinkReading;
use crate::ingest::interpret::ReadingKey;

/// A reading as it is paired.
#[derive(Debug, Clone)]
pub(super) struct New {
    /// Under which keys it may be stored.
    pub(super) keys: [ReadingKey; 2],
    /// Interned code.
    pub(super) code: i64,
    /// When it was measured.
    pub(super) at: DateTime<Utc>,
    /// Its content.
    pub(super) content: String,
}

/// The key that an Observation is stored with.
pub(super) fn key_behind(reading: &UplinkReading) -> Option<ReadingKey> {
    ReadingKey::behind(&reading.identifier_value, &reading.assignment_id.to_string())
}

/// Observations to compare with: of those that are one record (a reading that was moved to another person leaves a withdrawn
/// one behind), the live one; of several withdrawn ones, the one that a person withdrew.
pub(super) fn standing(before: Vec<UplinkReading>) -> Vec<UplinkReading> {
    let mut kept: Vec<UplinkReading> = Vec::with_capacity(before.len());
    for reading in before {
        let key = key_behind(&reading);
        let twin = kept.iter_mut().find(|known| key.is_some() && key_behind(known) == key);
        match twin {
            None => kept.push(reading),
            Some(known) => {
                let rank = |one: &UplinkReading| (one.status != ENTERED_IN_ERROR, one.edited_at.is_some());
                if rank(&reading) > rank(known) {
                    *known = reading;
                }
            }
        }
    }
    kept
}

/// For each reading the place of its Observation.
pub(super) fn pair(news: &[New], olds: &[UplinkReading]) -> Vec<Option<usize>> {
    let mut pairs = vec![None; news.len()];
    let mut taken = vec![false; olds.len()];
    let keys: Vec<Option<ReadingKey>> = olds.iter().map(key_behind).collect();
    for (new, place) in news.iter().zip(&mut pairs) {
        let found = keys.iter().enumerate().position(|(old, key)| {
            !taken.get(old).copied().unwrap_or(true) && key.is_some_and(|key| new.keys.contains(&key))
        });
        if let Some(old) = found {
            *place = Some(old);
            mark(&mut taken, old);
        }
    }
    let slot = |code: i64, at: DateTime<Utc>| (code, at.timestamp());
    let mut left: HashMap<(i64, i64), (Vec<usize>, Vec<usize>)> = HashMap::new();
    for (place, new) in news.iter().enumerate() {
        if pairs.get(place).is_some_and(Option::is_none) {
            left.entry(slot(new.code, new.at)).or_default().0.push(place);
        }
    }
    for (place, old) in olds.iter().enumerate() {
        if let (Some(code), Some(at), Some(false)) = (old.code_id, old.effective_low, taken.get(place)) {
            left.entry(slot(code, at)).or_default().1.push(place);
        }
    }
    for (mut new, mut old) in left.into_values() {
        new.retain(|place| {
            let content = news.get(*place).map(|new| new.content.as_str());
            let equal = old.iter().position(|old| {
                olds.get(*old).and_then(|old| old.content_hash.as_ref()).map(hex::encode).as_deref() == content
            });
            if let (Some(equal), Some(pair)) = (equal, pairs.get_mut(*place)) {
                *pair = Some(old.remove(equal));
            }
            equal.is_none()
        });
        if new.len() == old.len() {
            for (place, old) in new.into_iter().zip(old) {
                if let Some(pair) = pairs.get_mut(place) {
                    *pair = Some(old);
                }
            }
        }
    }
    pairs
}

fn mark(taken: &mut [bool], place: usize) {
    if let Some(taken) = taken.get_mut(place) {
        *taken = true;
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

    use db::{AssignmentId, UplinkId};

    use super::*;

    fn key(record: &str) -> ReadingKey {
        ReadingKey::new("device", record, "body-weight")
    }

    fn new(record: &str, at: i64, content: u8) -> New {
        New {
            keys: [key(record), key(record)],
            code: 1,
            at: DateTime::from_timestamp(at, 0).unwrap(),
            content: hex::encode([content]),
        }
    }

    fn old(record: &str, at: i64, content: u8) -> UplinkReading {
        let assignment = AssignmentId::generate();
        UplinkReading {
            id: record.to_owned(),
            version: 1,
            status: "final".to_owned(),
            identifier_value: key(record).identifier(&assignment.to_string()),
            assignment_id: assignment,
            patient_id: Some("p".to_owned()),
            code_id: Some(1),
            effective_low: DateTime::from_timestamp(at, 0),
            content_hash: Some(vec![content]),
            edited_at: None,
            uplink_id: UplinkId::generate(),
            body: String::new(),
        }
    }

    #[test]
    fn the_key_decides_before_the_time() {
        let olds = [old("a", 10, 1), old("b", 10, 2)];
        assert_eq!(pair(&[new("b", 10, 9), new("a", 20, 9)], &olds), [Some(1), Some(0)]);
    }

    #[test]
    fn what_has_its_content_in_the_key_is_found_by_code_and_time() {
        let olds = [old("x1", 10, 1), old("x2", 20, 2)];
        assert_eq!(pair(&[new("y2", 20, 8), new("y1", 10, 9)], &olds), [Some(1), Some(0)]);
        // Equal content goes together, whatever the order; the rest follows.
        let olds = [old("x1", 10, 1), old("x2", 10, 2)];
        assert_eq!(pair(&[new("y1", 10, 2), new("y2", 10, 9)], &olds), [Some(1), Some(0)]);
        // Fewer than before: which of them is gone, nobody can say.
        assert_eq!(pair(&[new("y1", 10, 9)], &olds), [None]);
    }

    #[test]
    fn a_moved_reading_is_compared_where_it_is_now() {
        let live = old("a", 10, 1);
        let mut left = old("a", 10, 1);
        left.status = ENTERED_IN_ERROR.to_owned();
        let kept = standing(vec![left.clone(), live.clone()]);
        assert_eq!(kept.len(), 1);
        assert_eq!(kept.first().unwrap().assignment_id, live.assignment_id);
        assert_eq!(standing(vec![live, left]).first().unwrap().status, "final");
    }
}
