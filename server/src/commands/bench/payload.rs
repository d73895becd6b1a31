//! The payloads: Blood Pressure Measurements (Bluetooth SIG 0x2A35), each with a time of its own, so that none is a repeat.

use chrono::{DateTime, Datelike, Duration, Timelike};

/// The characteristic, as sources name it.
pub(super) const CHANNEL: &str = "2A35";
/// 2025-04-01T00:00:00 in Unix seconds: the cuffs' wall clocks start here.
const FIRST: i64 = 1_743_465_600;

/// The `number`th measurement of a cuff: mmHg, time stamp, pulse rate; one a minute.
pub(super) fn blood_pressure(number: u32) -> Vec<u8> {
    let vary = |bound: u32| u16::try_from(number % bound).unwrap_or_default();
    let (systolic, diastolic, pulse) = (112 + vary(31), 70 + vary(17), 58 + vary(23));
    let mean = diastolic + (systolic - diastolic) / 3;
    let time = DateTime::from_timestamp(FIRST, 0).unwrap_or_default() + Duration::minutes(i64::from(number));
    let small = |part: u32| u8::try_from(part).unwrap_or_default();
    let mut frame = vec![0b0000_0110];
    for value in [systolic, diastolic, mean, u16::try_from(time.year()).unwrap_or_default()] {
        frame.extend(value.to_le_bytes());
    }
    frame.extend([small(time.month()), small(time.day()), small(time.hour()), small(time.minute()), 0]);
    frame.extend(pulse.to_le_bytes());
    frame
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::blood_pressure;

    #[test]
    fn no_two_payloads_of_a_cuff_are_alike() {
        assert_eq!(blood_pressure(0), [6, 112, 0, 70, 0, 84, 0, 0xE9, 0x07, 4, 1, 0, 0, 0, 58, 0]);
        let all: HashSet<Vec<u8>> = (0..100_000).map(blood_pressure).collect();
        assert_eq!(all.len(), 100_000);
    }
}
