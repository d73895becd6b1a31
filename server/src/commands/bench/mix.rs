//! What is sent: a fixed mix of payloads, as a monitoring fleet sends it. Every payload has a time of its own, so that none
//! is a repeat.
//!
//! High blood pressure and heart failure are what patients at home are monitored for most, so that cuffs and scales send
//! most of it, followed by pulse oximeters (lungs, heart) and thermometers. The proportions are ours, written down so that
//! runs compare; a decoder that comes later gets a line here.

use chrono::{DateTime, Datelike, Duration, Timelike};

/// A kind of device, and its share of what is sent.
#[derive(Debug)]
pub(super) struct Kind {
    /// The device model.
    pub(super) model: &'static str,
    /// The channel (characteristic) that its payloads name.
    pub(super) channel: &'static str,
    /// Of [`PATTERN`] payloads.
    pub(super) share: u32,
    /// Writes the `number`th payload of one device.
    write: fn(u32, &mut Vec<u8>),
}

/// The mix.
pub(super) const MIX: &[Kind] = &[
    Kind { model: "gatt-2A35", channel: "2A35", share: 9, write: blood_pressure },
    Kind { model: "gatt-2A9D", channel: "2A9D", share: 5, write: weight },
    Kind { model: "gatt-2A5E", channel: "2A5E", share: 4, write: spot_check },
    Kind { model: "gatt-2A1C", channel: "2A1C", share: 2, write: temperature },
];

/// The shares' sum: so many devices and payloads in a row have the exact mix.
pub(super) const PATTERN: u32 = 20;
/// Has no divisor in common with [`PATTERN`], so that kinds alternate.
const STRIDE: u32 = 7;
/// 2025-04-01T00:00:00 in Unix seconds: the devices' wall clocks start here.
const FIRST: i64 = 1_743_465_600;

/// The kind of the device with this number.
pub(super) fn kind_of(device: u32) -> &'static Kind {
    let mut place = device * STRIDE % PATTERN;
    for kind in MIX {
        match place.checked_sub(kind.share) {
            Some(beyond) => place = beyond,
            None => return kind,
        }
    }
    &MIX[0]
}

impl Kind {
    /// Appends the `number`th measurement of a device: one a minute of its clock.
    pub(super) fn write(&self, number: u32, frame: &mut Vec<u8>) {
        (self.write)(number, frame);
    }

    /// The same, by itself.
    pub(super) fn frame(&self, number: u32) -> Vec<u8> {
        let mut frame = Vec::with_capacity(16);
        self.write(number, &mut frame);
        frame
    }
}

fn vary(number: u32, bound: u32) -> u16 {
    u16::try_from(number % bound).unwrap_or_default()
}

/// Bluetooth's Date Time.
fn date_time(number: u32, frame: &mut Vec<u8>) {
    let time = DateTime::from_timestamp(FIRST, 0).unwrap_or_default() + Duration::minutes(i64::from(number));
    let small = |part: u32| u8::try_from(part).unwrap_or_default();
    frame.extend(u16::try_from(time.year()).unwrap_or_default().to_le_bytes());
    frame.extend([small(time.month()), small(time.day()), small(time.hour()), small(time.minute()), 0]);
}

/// Blood Pressure Measurement (2A35): mmHg, time stamp, pulse rate.
fn blood_pressure(number: u32, frame: &mut Vec<u8>) {
    let (systolic, diastolic) = (112 + vary(number, 31), 70 + vary(number, 17));
    frame.push(0b0000_0110);
    for value in [systolic, diastolic, diastolic + (systolic - diastolic) / 3] {
        frame.extend(value.to_le_bytes());
    }
    date_time(number, frame);
    frame.extend((58 + vary(number, 23)).to_le_bytes());
}

/// Weight Measurement (2A9D): steps of 0.005 kg, time stamp.
fn weight(number: u32, frame: &mut Vec<u8>) {
    frame.push(0b0000_0010);
    frame.extend((15_600 + vary(number, 487)).to_le_bytes());
    date_time(number, frame);
}

/// PLX Spot-Check Measurement (2A5E): saturation, pulse rate, time stamp.
fn spot_check(number: u32, frame: &mut Vec<u8>) {
    frame.push(0b0000_0001);
    frame.extend((94 + vary(number, 6)).to_le_bytes());
    frame.extend((58 + vary(number, 23)).to_le_bytes());
    date_time(number, frame);
}

/// Temperature Measurement (2A1C): tenths of a degree Celsius, time stamp, in the mouth.
fn temperature(number: u32, frame: &mut Vec<u8>) {
    frame.push(0b0000_0110);
    frame.extend((0xFF00_0000_u32 | (362 + number % 14)).to_le_bytes());
    date_time(number, frame);
    frame.push(6);
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{MIX, PATTERN, kind_of};

    #[test]
    fn a_pattern_of_devices_has_the_shares() {
        assert_eq!(MIX.iter().map(|kind| kind.share).sum::<u32>(), PATTERN);
        for kind in MIX {
            for start in [0, PATTERN, 7 * PATTERN] {
                let count = (start..start + PATTERN).filter(|device| kind_of(*device).model == kind.model).count();
                assert_eq!(u32::try_from(count), Ok(kind.share), "{}", kind.model);
            }
        }
    }

    #[test]
    fn no_two_payloads_of_a_device_are_alike() {
        assert_eq!(MIX[0].frame(0), [6, 112, 0, 70, 0, 84, 0, 0xE9, 0x07, 4, 1, 0, 0, 0, 58, 0]);
        for kind in MIX {
            let all: HashSet<Vec<u8>> = (0..100_000).map(|number| kind.frame(number)).collect();
            assert_eq!(all.len(), 100_000, "{}", kind.model);
        }
    }
}
