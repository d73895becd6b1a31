//! Frames as devices send them: Bluetooth SIG layouts, little-endian.

/// Blood Pressure Measurement (0x2A35): mmHg, a time in the past that the number makes unique, pulse.
pub fn blood_pressure(number: u32) -> Vec<u8> {
    let day = u8::try_from(1 + number / 86_400 % 28).unwrap();
    let (hour, minute, second) = (number / 3600 % 24, number / 60 % 60, number % 60);
    blood_pressure_at(
        120 + u16::try_from(number % 30).unwrap(),
        80,
        62,
        [2025, 3, u16::from(day), small(hour), small(minute), small(second)],
    )
}

fn small(number: u32) -> u16 {
    u16::try_from(number).unwrap()
}

/// Blood Pressure Measurement with these values and this wall-clock time (year, month, day, hour, minute, second).
pub fn blood_pressure_at(systolic: u16, diastolic: u16, pulse: u16, time: [u16; 6]) -> Vec<u8> {
    let mean = diastolic + (systolic - diastolic) / 3;
    let mut frame = vec![0b0000_0110];
    for value in [systolic, diastolic, mean] {
        frame.extend(value.to_le_bytes());
    }
    frame.extend(time[0].to_le_bytes());
    frame.extend(time[1..].iter().map(|part| u8::try_from(*part).unwrap()));
    frame.extend(pulse.to_le_bytes());
    frame
}

/// Weight Measurement (0x2A9D): SI, no time at all; steps of 5 g.
pub fn weight(steps: u16) -> Vec<u8> {
    let [low, high] = steps.to_le_bytes();
    vec![0, low, high]
}

/// Weight Measurement (0x2A9D) with the wall clock's time (year, month, day, hour, minute, second); steps of 5 g.
pub fn weight_at(steps: u16, time: [u16; 6]) -> Vec<u8> {
    let mut frame = vec![0b0000_0010];
    frame.extend(steps.to_le_bytes());
    frame.extend(time[0].to_le_bytes());
    frame.extend(time[1..].iter().map(|part| u8::try_from(*part).unwrap()));
    frame
}
