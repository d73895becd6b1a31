//! Which frame of an uplink a reading came from, and whether a frame is the same transmission again. Pure.
//!
//! An uplink of several frames means the same as its frames sent one by one. So a reading's capture is that of its own
//! frame, and of byte-identical frames without time or sequence, those within the model's window are one transmission;
//! later they are other measurements that happen to be equal. A decoder says the frame in the reading's `extra`
//! (`frame`, counted from 0). One that does not say it is believed: equal readings are then told apart by their number.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use plugin_host::Reading;
use sha2::{Digest, Sha256};

use super::envelope::Frame;
use super::model::Found;

/// What is kept of a frame while the decoder has its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameFacts {
    /// When the phone or hub got it.
    pub captured_at: Option<DateTime<Utc>>,
    /// SHA-256 of channel and bytes; not made for the only frame of an uplink.
    digest: [u8; 32],
}

/// The facts of an uplink's frames, in order.
pub fn facts(frames: &[Frame]) -> Vec<FrameFacts> {
    let digest = |frame: &Frame| {
        let mut hash = Sha256::new();
        hash.update(frame.channel.len().to_be_bytes());
        hash.update(&frame.channel);
        hash.update(&frame.data);
        hash.finalize().into()
    };
    let several = frames.len() > 1;
    frames
        .iter()
        .map(|frame| FrameFacts {
            captured_at: frame.captured_at,
            digest: if several { digest(frame) } else { [0; 32] },
        })
        .collect()
}

/// The frame that a reading came from, as its decoder says; of a single frame it need not be said.
fn frame_of(reading: &Reading, frames: usize) -> Option<usize> {
    let said = reading.extra.iter().find(|pair| pair.name == "frame").and_then(|pair| pair.value.parse().ok());
    said.or((frames == 1).then_some(0)).filter(|frame| *frame < frames)
}

/// When the phone or hub got the frame of this reading; of the first frame, when the decoder does not say which it was.
pub fn captured_at(reading: &Reading, frames: &[FrameFacts]) -> Option<DateTime<Utc>> {
    let frame = frame_of(reading, frames.len()).unwrap_or_default();
    frames.get(frame).and_then(|facts| facts.captured_at)
}

/// What equal readings have in common: content, kind with method, capture.
type Likeness = (String, String, Option<i64>);

/// Readings without a key, `found` from `readings` in the same order: marks those of frames that are the same transmission
/// again, and numbers the other equal ones. The number says nothing about the place in the payload, only how many equal
/// readings there are; where the frames' captures differ, those tell them apart.
pub fn settle_repeats(
    found: &mut [Found],
    readings: &[Reading],
    frames: &[FrameFacts],
    received_at: DateTime<Utc>,
    window: TimeDelta,
) {
    let time_of = |frame: usize| frames.get(frame).and_then(|facts| facts.captured_at).unwrap_or(received_at);
    let mut keyless: Vec<(usize, Option<usize>)> = readings
        .iter()
        .enumerate()
        .filter(|(_, reading)| reading.record_key.is_none())
        .map(|(place, reading)| (place, frame_of(reading, frames.len())))
        .collect();
    if keyless.len() < 2 {
        return;
    }
    // By time, so that the first transmission stands, however the frames are ordered.
    keyless.sort_by_key(|(place, frame)| (frame.map(time_of), *frame, *place));
    let mut transmitted: HashMap<[u8; 32], (usize, DateTime<Utc>)> = HashMap::new();
    let mut repeats: HashMap<usize, bool> = HashMap::new();
    let mut counted: HashMap<Likeness, u32> = HashMap::new();
    for (place, frame) in keyless {
        let Some(found) = found.get_mut(place) else { continue };
        if let Some((frame, facts)) = frame.and_then(|frame| Some((frame, frames.get(frame)?))) {
            let at = time_of(frame);
            let is_repeat = *repeats.entry(frame).or_insert_with(|| match transmitted.get(&facts.digest) {
                Some((first, since)) if *first != frame && at.signed_duration_since(*since) < window => true,
                _ => {
                    transmitted.insert(facts.digest, (frame, at));
                    false
                }
            });
            if is_repeat {
                found.interpreted.identity.is_repeat = true;
                continue;
            }
        }
        let interpreted = &mut found.interpreted;
        let identity = &mut interpreted.identity;
        let likeness = (identity.content_hash.clone(), interpreted.identity_kind.clone(), identity.captured_at_ms);
        let number = counted.entry(likeness).or_default();
        identity.occurrence = *number;
        *number += 1;
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use plugin_host::{Decimal, DeviceTime, NameValue, OnChange, Quantity, Value};

    use super::*;
    use crate::ingest::interpret::{InterpretContext, Tables, interpret};

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn beat(frame: Option<usize>) -> Reading {
        let extra = frame.map(|frame| NameValue { name: "frame".to_owned(), value: frame.to_string() });
        Reading {
            kind: "heart-rate".to_owned(),
            codings: Vec::new(),
            value: Value::Quantity(Quantity {
                value: Decimal { mantissa: 72, exponent: 0 },
                unit: "/min".to_owned(),
                comparator: None,
            }),
            components: Vec::new(),
            time: DeviceTime::None,
            time_end: DeviceTime::None,
            clock_state: "unknown".to_owned(),
            body_site: None,
            method: None,
            context: Vec::new(),
            flags: Vec::new(),
            user_slot: None,
            device_identity: Vec::new(),
            record_key: None,
            on_change: OnChange::Distinct,
            extra: extra.into_iter().collect(),
        }
    }

    /// The different record keys, and how many readings were repeats.
    fn settled(readings: &[Reading], captured: &[Option<&str>]) -> (usize, usize) {
        let frames: Vec<Frame> = captured
            .iter()
            .map(|captured| Frame { channel: "2A37".into(), data: vec![0, 72], captured_at: captured.map(at) })
            .collect();
        let frames = facts(&frames);
        let received_at = at("2026-11-22T11:00:00Z");
        let tables = Tables::load().unwrap();
        let mut found: Vec<Found> = readings
            .iter()
            .map(|reading| {
                let mut context = InterpretContext::new(received_at, chrono_tz::UTC);
                context.captured_at = captured_at(reading, &frames);
                Found { interpreted: interpret(reading, &context, &tables), slot: String::new() }
            })
            .collect();
        settle_repeats(&mut found, readings, &frames, received_at, TimeDelta::seconds(60));
        let identities = found.iter().map(|found| &found.interpreted.identity);
        let keys: std::collections::HashSet<String> = identities
            .clone()
            .filter(|identity| !identity.is_repeat)
            .map(|identity| identity.record_key("u"))
            .collect();
        (keys.len(), identities.filter(|identity| identity.is_repeat).count())
    }

    #[test]
    fn equal_frames_are_one_transmission_within_the_window_and_measurements_beyond() {
        let (near, far) = ("2026-11-22T10:00:10Z", "2026-11-22T10:05:00Z");
        let first = Some("2026-11-22T10:00:00Z");
        let two = [beat(Some(0)), beat(Some(1))];
        assert_eq!(settled(&two, &[first, Some(near)]), (1, 1));
        assert_eq!(settled(&two, &[first, Some(far)]), (2, 0));
        assert_eq!(settled(&two, &[Some(far), first]), (2, 0), "the order of the frames means nothing");
        assert_eq!(settled(&two, &[None, None]), (1, 1), "both came with the receipt");
        let three = [beat(Some(0)), beat(Some(1)), beat(Some(2))];
        assert_eq!(settled(&three, &[first, Some(near), Some(far)]), (2, 1));
    }

    #[test]
    fn equal_readings_of_one_frame_or_of_unknown_frames_are_all_kept() {
        let first = Some("2026-11-22T10:00:00Z");
        assert_eq!(settled(&[beat(None), beat(None)], &[first]), (2, 0));
        assert_eq!(settled(&[beat(None), beat(None)], &[None, None]), (2, 0));
        assert_eq!(settled(&[beat(Some(7)), beat(Some(7))], &[None, None]), (2, 0), "there is no such frame");
    }
}
