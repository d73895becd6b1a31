//! Devices that send: plausible values around a level of each person, encoded as the Bluetooth SIG says, and now and then a
//! payload from the decoder's own vectors: failed measurements, quirks and nonsense, as real fleets send them.

use std::time::Duration;

use chrono::{DateTime, Datelike, Timelike};
use chrono_tz::Tz;
use tokio_util::sync::CancellationToken;

use super::api::Api;
use super::seed::{Demo, ZONE};
use crate::platform::clock::Clock;

/// One frame every so often, over all devices.
const PACE: Duration = Duration::from_millis(250);
/// Every so many frames one comes from the vectors.
const ODD_ONE: u64 = 12;

const VECTORS: [(&str, &str); 4] = [
    ("2A35", include_str!("../../../../../plugins/bluetooth-sig/vectors/gatt-2A35.jsonl")),
    ("2A9D", include_str!("../../../../../plugins/bluetooth-sig/vectors/gatt-2A9D.jsonl")),
    ("2A1C", include_str!("../../../../../plugins/bluetooth-sig/vectors/gatt-2A1C.jsonl")),
    ("2A5E", include_str!("../../../../../plugins/bluetooth-sig/vectors/gatt-2A5E.jsonl")),
];

/// Sends until the server stops.
pub(super) async fn run(api: &Api, demo: &Demo, stop: CancellationToken) {
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    let clock = Clock;
    let zone: Tz = ZONE.parse().unwrap_or(Tz::UTC);
    for count in 0u64.. {
        let device = demo.devices.get(usize::try_from(count).unwrap_or_default() % demo.devices.len().max(1));
        if let Some(device) = device {
            let frame = if count % ODD_ONE == ODD_ONE - 1 {
                odd_frame(device.channel, &mut random)
            } else {
                frame(device.channel, device.person, clock.now().with_timezone(&zone), &mut random)
            };
            // What the server says is counted by the server; a demo device that is offline just tries the next.
            if let Err(error) = api.send_frame(&device.token, device.channel, frame).await {
                tracing::debug!(%error, "a demo device could not send");
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PACE) => {}
        }
    }
}

/// A frame of the vectors of that characteristic.
fn odd_frame(channel: &str, random: &mut Random) -> Vec<u8> {
    let lines = VECTORS.iter().find(|(name, _)| *name == channel).map(|(_, text)| *text).unwrap_or_default();
    let payloads: Vec<Vec<u8>> = lines
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|vector| hex::decode(vector.get("payload_hex")?.as_str()?).ok())
        .filter(|payload| !payload.is_empty())
        .collect();
    let place = random.below(u16::try_from(payloads.len()).unwrap_or(u16::MAX).max(1));
    payloads.into_iter().nth(usize::from(place)).unwrap_or_else(|| vec![0])
}

/// A frame with plausible values: layouts of the Bluetooth SIG, little-endian, SFLOAT and FLOAT of IEEE 11073-20601.
fn frame(channel: &str, person: usize, now: DateTime<Tz>, random: &mut Random) -> Vec<u8> {
    let level = u16::try_from(person).unwrap_or_default();
    let time = date_time(now);
    match channel {
        // Blood Pressure Measurement: mmHg, time stamp, pulse.
        "2A35" => {
            let (systolic, diastolic) = (118 + 6 * level + random.below(16), 72 + 3 * level + random.below(10));
            let mean = diastolic + (systolic - diastolic) / 3;
            let pulse = 62 + 4 * level + random.below(14);
            [
                &[0b0000_0110],
                &u16_bytes(systolic)[..],
                &u16_bytes(diastolic),
                &u16_bytes(mean),
                &time,
                &u16_bytes(pulse),
            ]
            .concat()
        }
        // Weight Measurement: SI, time stamp; steps of 0.005 kg.
        "2A9D" => [&[0b0000_0010], &u16_bytes(12_400 + 1_700 * level + random.below(160))[..], &time].concat(),
        // PLX Spot-Check: time stamp.
        "2A5E" => {
            [&[0b0000_0001], &u16_bytes(95 + random.below(5))[..], &u16_bytes(60 + 4 * level + random.below(16)), &time]
                .concat()
        }
        // Temperature Measurement: Celsius, time stamp, type mouth; FLOAT with exponent -1.
        _ => {
            let [low, high] = u16_bytes(364 + random.below(11));
            [&[0b0000_0110, low, high, 0x00, 0xFF], &time[..], &[6]].concat()
        }
    }
}

/// As a two-byte little-endian number; below 2046 it is the SFLOAT with exponent 0 as well.
fn u16_bytes(value: u16) -> [u8; 2] {
    value.to_le_bytes()
}

/// Date Time (0x2A08): the wall clock, without a zone.
fn date_time(now: DateTime<Tz>) -> Vec<u8> {
    let small = |part: u32| u8::try_from(part).unwrap_or_default();
    let mut bytes = u16::try_from(now.year()).unwrap_or_default().to_le_bytes().to_vec();
    bytes.extend([small(now.month()), small(now.day()), small(now.hour()), small(now.minute()), small(now.second())]);
    bytes
}

/// A small generator with a fixed seed (xorshift64*): every demo sends the same values.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u16) -> u16 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let mixed = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        u16::try_from(mixed % u64::from(bound.max(1))).unwrap_or_default()
    }
}
