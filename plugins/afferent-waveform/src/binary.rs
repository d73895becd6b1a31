//! The compact frame: a header, the leads' codes, the samples lead after lead, a checksum. Little-endian.

use afferent_plugin_sdk::registry::kinds;
use afferent_plugin_sdk::{Decimal, DecodeError, Reader, SampledData, Timestamp};

use crate::crc32::crc32;
use crate::recording::{Recording, Wave, lead_by_code};

/// How every frame begins: `AFWF`.
pub const MAGIC: [u8; 4] = *b"AFWF";

/// The only version there is.
const VERSION: u8 = 1;
/// Bytes of the checksum at the end.
const CHECKSUM: usize = 4;

const ECG: u8 = 1;
const PLETHYSMOGRAM: u8 = 2;

/// Samples as 16 bits.
const WORDS: u8 = 0;
/// Samples as 8-bit differences; [`ESCAPE`] announces a sample as 16 bits.
const DIFFERENCES: u8 = 1;
const ESCAPE: i8 = i8::MIN;

/// In place of a sample: not measured, below, above the range.
const MISSING: i16 = i16::MIN;
const BELOW: i16 = i16::MIN + 1;
const ABOVE: i16 = i16::MAX;
/// The greatest number, in both directions.
const RANGE: i16 = i16::MAX - 1;

/// The bit of the flags that says that the clock was not set.
const CLOCK_NOT_SET: u16 = 0b1;

/// Reads a frame.
///
/// # Errors
///
/// It is none, its checksum is another, or a field says what the format does not know.
pub fn read(data: &[u8]) -> Result<Recording, DecodeError> {
    let (body, checksum) = data
        .len()
        .checked_sub(CHECKSUM)
        .and_then(|end| data.split_at_checked(end))
        .ok_or_else(|| DecodeError::malformed("truncated: a frame has more than 4 bytes"))?;
    if Reader::new(checksum).u32_le()? != crc32(body) {
        return Err(DecodeError::malformed("the checksum is not that of the frame").at(body.len()));
    }
    let mut reader = Reader::new(body);
    if reader.bytes(MAGIC.len())? != MAGIC {
        return Err(DecodeError::not_for_me("the frame does not begin with AFWF").at(0));
    }
    let version = reader.u8()?;
    if version != VERSION {
        return Err(DecodeError::unsupported(format!("version {version} of the format; this decoder knows 1")).at(4));
    }
    let wave = match reader.u8()? {
        ECG => Wave::Ecg,
        PLETHYSMOGRAM => Wave::Plethysmogram,
        _ => return Err(DecodeError::unsupported("a wave that is neither 1 (ECG) nor 2 (plethysmogram)").at(5)),
    };
    let encoding = reader.u8()?;
    let leads = reader.u8()?;
    let start_ms = reader.bytes(8)?.first_chunk().copied().map(u64::from_le_bytes).unwrap_or_default();
    let number = reader.u32_le()?;
    let piece = reader.u16_le()?;
    let flags = reader.flags_u16_le(CLOCK_NOT_SET)?;
    let (period_us, resolution, count) = (reader.u32_le()?, reader.u32_le()?, reader.u32_le()?);
    let kinds = lead_kinds(wave, reader.bytes(usize::from(leads))?, reader.position())?;
    let scale = Scale { wave, period_us, resolution };
    scale.check()?;
    let mut samples = Vec::with_capacity(kinds.len());
    for kind in kinds {
        let read = match encoding {
            WORDS => words(&mut reader, count)?,
            DIFFERENCES => differences(&mut reader, count)?,
            _ => {
                return Err(DecodeError::unsupported("an encoding that is neither 0 (words) nor 1 (differences)").at(6));
            }
        };
        samples.push((kind, scale.sampled(read)));
    }
    reader.finish()?;
    Ok(Recording { wave, number, piece, start: start(start_ms)?, clock_not_set: flags.has(0), leads: samples })
}

/// Milliseconds since 1970 in UTC; 0 where the recorder has no clock.
fn start(start_ms: u64) -> Result<Option<Timestamp>, DecodeError> {
    match i64::try_from(start_ms) {
        Ok(0) => Ok(None),
        Ok(start_ms) => Timestamp::from_epoch_ms(start_ms).map(Some).map_err(|error| error.at(8)),
        Err(_) => Err(DecodeError::malformed("the start is no time").at(8)),
    }
}

fn lead_kinds(wave: Wave, codes: &[u8], end: usize) -> Result<Vec<&'static str>, DecodeError> {
    let start = end.saturating_sub(codes.len());
    match (wave, codes) {
        (Wave::Plethysmogram, [0]) => Ok(vec![kinds::PLETHYSMOGRAM]),
        (Wave::Plethysmogram, _) => {
            Err(DecodeError::malformed("a plethysmogram has one lead, of the code 0").at(start))
        }
        (Wave::Ecg, []) => Err(DecodeError::malformed("an electrocardiogram has at least one lead").at(7)),
        (Wave::Ecg, codes) => {
            let kind = |(at, code): (usize, &u8)| {
                lead_by_code(*code).ok_or_else(|| {
                    DecodeError::unsupported(format!("a lead of the code {code}, which is none of the twelve"))
                        .at(start + at)
                })
            };
            codes.iter().enumerate().map(kind).collect()
        }
    }
}

/// What a count is.
struct Scale {
    wave: Wave,
    period_us: u32,
    /// Thousandths of the unit (µV, or 1) a count.
    resolution: u32,
}

impl Scale {
    fn check(&self) -> Result<(), DecodeError> {
        match (self.period_us, self.resolution) {
            (0, _) => Err(DecodeError::malformed("the time between samples is 0").at(24)),
            (_, 0) => Err(DecodeError::malformed("the resolution is 0").at(28)),
            _ => Ok(()),
        }
    }

    fn sampled(&self, samples: Vec<i32>) -> SampledData {
        let unit = match self.wave {
            Wave::Ecg => "uV",
            Wave::Plethysmogram => "1",
        };
        let thousandths = |counts: i64| Decimal::new(counts * i64::from(self.resolution), -3);
        let limit = i64::from(RANGE);
        SampledData::new(unit, Decimal::new(self.period_us.into(), -3), thousandths(1), samples)
            .between(thousandths(-limit), thousandths(limit))
    }
}

fn sample(word: i16) -> i32 {
    match word {
        MISSING => SampledData::MISSING,
        BELOW => SampledData::BELOW_LIMIT,
        ABOVE => SampledData::ABOVE_LIMIT,
        number => number.into(),
    }
}

fn words(reader: &mut Reader<'_>, count: u32) -> Result<Vec<i32>, DecodeError> {
    let bytes = usize::try_from(count).ok().and_then(|count| count.checked_mul(2));
    let bytes = bytes.ok_or_else(|| reader.error("more samples than a frame has bytes"))?;
    let words = reader.bytes(bytes)?.as_chunks::<2>().0.iter();
    Ok(words.map(|word| sample(i16::from_le_bytes(*word))).collect())
}

fn differences(reader: &mut Reader<'_>, count: u32) -> Result<Vec<i32>, DecodeError> {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    // Each sample has a byte at least.
    let mut samples = Vec::with_capacity(count.min(reader.remaining()));
    let mut before: i16 = 0;
    while samples.len() < count {
        let difference = reader.i8()?;
        let word = if difference == ESCAPE {
            reader.i16_le()?
        } else {
            let sum = before.checked_add(difference.into()).filter(|sum| (-RANGE..=RANGE).contains(sum));
            sum.ok_or_else(|| reader.error("a difference leads beyond the range of samples"))?
        };
        // What is no number leaves the last number as the one that the next difference counts from.
        if (-RANGE..=RANGE).contains(&word) {
            before = word;
        }
        samples.push(sample(word));
    }
    Ok(samples)
}
