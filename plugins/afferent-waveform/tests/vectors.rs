//! The decoder against its vectors and manifest, and what no vector shows.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use afferent_plugin_sdk::vectors::{Runner, example_problems};
use afferent_plugin_sdk::{DecodeError, Decoded, Decoder, DeviceTime, ErrorKind, Input, OnChange, Outcome, Value};
use afferent_waveform::{AfferentWaveform, MAGIC, crc32};

#[test]
fn every_vector_passes() {
    for format in ["afferent-waveform", "afferent-waveform-json"] {
        let runner: Runner<AfferentWaveform> = Runner::new().file(format!("vectors/{format}.jsonl"));
        assert!(!runner.is_empty(), "vectors are missing");
        runner.assert_all();
    }
    let problems = example_problems::<AfferentWaveform>();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// A frame with a right checksum: start, recording and piece, flags, lead codes, samples lead after lead.
fn frame(start_ms: u64, flags: u16, leads: &[u8], samples: &[i16]) -> Vec<u8> {
    let count = samples.len() / leads.len().max(1);
    let mut frame = MAGIC.to_vec();
    frame.extend([1, 1, 0, u8::try_from(leads.len()).unwrap()]);
    frame.extend(start_ms.to_le_bytes());
    frame.extend(17_u32.to_le_bytes());
    frame.extend(3_u16.to_le_bytes());
    frame.extend(flags.to_le_bytes());
    frame.extend([2_000_u32, 4_880, u32::try_from(count).unwrap()].iter().flat_map(|number| number.to_le_bytes()));
    frame.extend(leads);
    frame.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    sealed(frame)
}

fn sealed(mut frame: Vec<u8>) -> Vec<u8> {
    frame.extend(crc32(&frame).to_le_bytes());
    frame
}

fn decode(data: &[u8]) -> Result<Outcome, DecodeError> {
    AfferentWaveform::decode(&Input::new("afferent-waveform", "", data))
}

fn decoded(data: &[u8]) -> Decoded {
    match decode(data).unwrap() {
        Outcome::Readings(decoded) => decoded,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_checksum_is_that_of_ieee_802_3() {
    assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
}

#[test]
fn a_recording_has_its_time_and_a_key_of_its_numbers() {
    let reading = decoded(&frame(1_773_144_000_000, 0, &[1], &[0; 500])).readings.remove(0);
    assert_eq!(reading.time, DeviceTime::Zoned("2026-03-10T12:00:00Z".into()));
    assert_eq!(reading.time_end, DeviceTime::Zoned("2026-03-10T12:00:01Z".into()));
    assert_eq!(reading.record_key.as_deref(), Some("17.3@1773144000000"));
    assert_eq!(reading.on_change, OnChange::Distinct);
    // A clock that was never set says nothing, not even which recording it is.
    let unset = decoded(&frame(86_400_000, 1, &[1], &[0; 5])).readings.remove(0);
    assert_eq!((unset.clock_state.as_str(), unset.record_key.as_deref()), ("not-set", Some("17.3")));
    let without = decoded(&frame(0, 0, &[1], &[0; 5])).readings.remove(0);
    assert_eq!((without.time, without.record_key.as_deref()), (DeviceTime::None, Some("17.3")));
}

#[test]
fn half_a_minute_of_twelve_leads_at_500_hz_is_one_frame() {
    let leads = [1, 2, 61, 62, 63, 64, 3, 4, 5, 6, 7, 8];
    let samples: Vec<i16> = (0..180_000_i32).map(|at| i16::try_from(at * 7 % 4_001 - 2_000).unwrap()).collect();
    let reading = decoded(&frame(1_773_144_000_000, 0, &leads, &samples)).readings.remove(0);
    assert_eq!(reading.components.len(), 12);
    let Value::Sampled(last) = &reading.components[11].value else { panic!("no samples") };
    assert_eq!((last.samples.len(), last.samples[14_999]), (15_000, i32::from(samples[179_999])));
    assert_eq!(last.duration_ms(), Some(30_000));
}

#[test]
fn what_the_format_does_not_know_is_refused() {
    let kind = |data: &[u8]| decode(data).unwrap_err().kind;
    let good = frame(0, 0, &[1], &[1, 2, 3]);
    let changed = |at: usize, byte: u8| {
        let mut body = good[..good.len() - 4].to_vec();
        body[at] = byte;
        sealed(body)
    };
    assert_eq!(kind(&changed(0, b'B')), ErrorKind::NotForMe);
    for (at, byte) in [(4, 2), (5, 3), (6, 2), (36, 9)] {
        assert_eq!(kind(&changed(at, byte)), ErrorKind::Unsupported, "byte {at}");
    }
    // An unknown flag, no lead, no rate, no resolution, more samples than bytes, fewer samples than bytes.
    assert!(decode(&changed(22, 2)).is_err());
    for (at, byte) in [(7, 0), (32, 4), (32, 2)] {
        assert_eq!(kind(&changed(at, byte)), ErrorKind::Malformed, "byte {at}");
    }
    for zero in [24..28, 28..32] {
        let mut body = good[..good.len() - 4].to_vec();
        body[zero].fill(0);
        assert_eq!(kind(&sealed(body)), ErrorKind::Malformed);
    }
    assert_eq!(kind(&frame(0, 0, &[1, 1], &[1, 2])), ErrorKind::Malformed, "a lead twice");
    assert_eq!(kind(&frame(0, 0, &[1], &[])), ErrorKind::Malformed, "no samples");
    assert_eq!(kind(&frame(u64::MAX, 0, &[1], &[1])), ErrorKind::Malformed, "no time");
    let other = AfferentWaveform::decode(&Input::new("gatt-2A37", "", good)).unwrap_err();
    assert_eq!(other.kind, ErrorKind::NotForMe);
}

#[test]
fn every_flipped_bit_and_every_truncation_of_a_frame_is_refused() {
    let good = frame(1_773_144_000_000, 0, &[1, 2], &[0, 5, -9, 1_000, 3, 2]);
    for bit in 0..good.len() * 8 {
        let mut flipped = good.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(decode(&flipped).is_err(), "bit {bit}");
    }
    assert!((0..good.len()).all(|length| decode(&good[..length]).is_err()));
}
