//! The electrocardiogram of a Polar H10: notifications of Polar's Measurement Data characteristic
//! (FB005C82-02E7-F387-1CAD-8ACD2D8DF0C8), one frame each, as the phone or hub collected them.
//!
//! `type u8 = 0 (ECG) | time of the last sample u64, ns since 2000-01-01 by the sensor's clock | frame type u8 = 0 |
//! samples i24, µV`, little-endian. The sensor counts 130 samples a second.

use afferent_plugin_sdk::registry::kinds;
use afferent_plugin_sdk::{
    Decimal, DecodeError, Decoded, DeviceTime, Frame, OnChange, Outcome, Reader, Reading, SampledData, Value,
};

/// The measurement type of an electrocardiogram.
const ECG: u8 = 0;
/// The frame type of samples of 24 bits in microvolts.
const MICROVOLTS: u8 = 0;
/// Bytes of a sample.
const SAMPLE: usize = 3;
/// Samples of a notification. The sensor sends no shorter ones, so that one was cut on its way.
const SAMPLES: usize = 73;

/// Nanoseconds that a notification lasts: 73 samples of 1/130 s.
const NOTIFICATION_NS: i64 = 561_538_462;
/// How far the sensor's rate may be from that, in parts of a hundred: its oscillator, never a sample.
const TOLERANCE_PERCENT: i64 = 1;
/// Notifications that may be lost in a row before another recording begins: some five seconds.
const MOST_LOST: i64 = 9;

/// A notification as the sensor would send it, of these samples over and over: for examples.
pub fn notification(time_ns: i64, samples: &[i32]) -> Vec<u8> {
    let mut frame = vec![ECG];
    frame.extend(time_ns.to_le_bytes());
    frame.push(MICROVOLTS);
    for sample in samples.iter().cycle().take(SAMPLES) {
        frame.extend(sample.to_le_bytes().iter().take(SAMPLE));
    }
    frame
}

/// A notification.
struct Notification {
    /// Of the last sample, nanoseconds.
    time_ns: i64,
    samples: Vec<i32>,
}

/// Decodes the notifications of an uplink, in order: one electrocardiogram for each stretch without a long gap.
///
/// # Errors
///
/// One is malformed, of another measurement, or does not follow on the one before.
pub fn decode(frames: &[Frame]) -> Result<Outcome, DecodeError> {
    let mut decoded = Decoded::from(Vec::new());
    let mut stretch: Option<Stretch> = None;
    for (index, frame) in frames.iter().enumerate() {
        let told = |mut error: DecodeError| {
            error.message = format!("frame {}: {}", index + 1, error.message);
            error
        };
        let notification = read(&frame.data).map_err(told)?;
        stretch = Some(match stretch {
            None => Stretch::new(notification, index),
            Some(mut before) => match before.lost(&notification).map_err(told)? {
                Some(lost) => {
                    before.append(notification, lost, index);
                    before
                }
                None => {
                    decoded.readings.push(before.reading()?);
                    Stretch::new(notification, index)
                }
            },
        });
    }
    let last = stretch.ok_or_else(|| DecodeError::malformed("there is no frame"))?;
    decoded.readings.push(last.reading()?);
    Ok(decoded.into())
}

fn read(data: &[u8]) -> Result<Notification, DecodeError> {
    let mut reader = Reader::new(data);
    if reader.u8()? != ECG {
        return Err(DecodeError::unsupported("the notification is not of the electrocardiogram (type 0)").at(0));
    }
    let time = reader.bytes(8)?.first_chunk().copied().map(i64::from_le_bytes).unwrap_or_default();
    if time <= 0 {
        return Err(DecodeError::malformed("the time of the last sample is none").at(1));
    }
    if reader.u8()? != MICROVOLTS {
        return Err(DecodeError::unsupported("the frame type is not 0: its samples are laid out otherwise").at(9));
    }
    let bytes = reader.bytes(SAMPLES * SAMPLE)?;
    reader.finish()?;
    let samples = bytes.as_chunks::<SAMPLE>().0.iter().map(|[low, middle, high]| {
        // The sign comes with the highest byte.
        i32::from_le_bytes([0, *low, *middle, *high]) >> 8
    });
    Ok(Notification { time_ns: time, samples: samples.collect() })
}

/// Notifications that follow on one another.
struct Stretch {
    /// The sensor's time of the first notification.
    first_ns: i64,
    last_ns: i64,
    samples: Vec<i32>,
    /// Which of the uplink's frames is the last.
    frame: usize,
}

impl Stretch {
    fn new(first: Notification, frame: usize) -> Self {
        Self { first_ns: first.time_ns, last_ns: first.time_ns, samples: first.samples, frame }
    }

    /// How many notifications are missing before this one; none where so many are that it begins another stretch.
    fn lost(&self, next: &Notification) -> Result<Option<i64>, DecodeError> {
        let malformed =
            || DecodeError::malformed("the time of the last sample does not follow on the frame before").at(1);
        let gap = next.time_ns.checked_sub(self.last_ns).filter(|gap| *gap > 0).ok_or_else(malformed)?;
        let steps = (gap + NOTIFICATION_NS / 2) / NOTIFICATION_NS;
        if steps > MOST_LOST + 1 {
            return Ok(None);
        }
        let expected = steps * NOTIFICATION_NS;
        if steps == 0 || (gap - expected).abs() > expected * TOLERANCE_PERCENT / 100 {
            return Err(malformed());
        }
        Ok(Some(steps - 1))
    }

    /// What was lost on the way was not measured: its samples are missing.
    fn append(&mut self, mut next: Notification, lost: i64, frame: usize) {
        let missing = usize::try_from(lost).unwrap_or_default() * SAMPLES;
        self.samples.resize(self.samples.len() + missing, SampledData::MISSING);
        self.samples.append(&mut next.samples);
        self.last_ns = next.time_ns;
        self.frame = frame;
    }

    fn reading(self) -> Result<Reading, DecodeError> {
        let length = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let after_the_first = length(self.samples.len().saturating_sub(SAMPLES));
        // The sensor's own clock says how fast it sampled; of a single notification only the nominal rate is known.
        let period_ns = match self.last_ns - self.first_ns {
            0 => NOTIFICATION_NS / length(SAMPLES),
            elapsed => (elapsed + after_the_first / 2) / after_the_first.max(1),
        };
        let elapsed_ms = period_ns.saturating_mul(length(self.samples.len())) / 1_000_000;
        let before =
            u64::try_from(elapsed_ms).map_err(|_negative| DecodeError::malformed("the recording has no length"))?;
        let period = Decimal::new(period_ns, -6);
        let sampled = SampledData::new("uV", period, Decimal::new(1, 0), self.samples);
        let mut reading = Reading::new(kinds::ECG, Value::None)
            .component(kinds::ECG_LEAD_UNSPECIFIED, Value::Sampled(sampled))
            .at(DeviceTime::BeforeCapture(before))
            .until(DeviceTime::BeforeCapture(0))
            .record_key(Some(format!("ecg@{}", self.first_ns)), OnChange::Distinct);
        // The capture is that of the last notification: its last sample had just been taken.
        reading.extra.push(afferent_plugin_sdk::NameValue { name: "frame".to_owned(), value: self.frame.to_string() });
        Ok(reading)
    }
}
