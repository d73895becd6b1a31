//! The rules of a waveform: how much of it there may be, and that every sample is a number within the limits, or says why not.

use super::{Breach, Check, Checked, invalid, too_large};
use crate::{Decimal, SampledData};

/// Bytes that a comma, a bracket or a name around the samples counts for.
const SEPARATOR_BYTES: usize = 1;

impl Check<'_> {
    /// FHIR's SampledData (<https://hl7.org/fhir/R4/datatypes.html#SampledData>), with what that page says in words.
    pub(super) fn sampled(&mut self, place: &str, sampled: &SampledData) -> Checked {
        let numbers = [sampled.origin, sampled.period_ms, sampled.factor].into_iter();
        for number in numbers.chain(sampled.lower_limit).chain(sampled.upper_limit) {
            self.decimal(place, number)?;
        }
        self.unit(place, &sampled.unit)?;
        self.how_many(place, sampled)?;
        if sampled.factor.mantissa == 0 {
            return Err(invalid(place, "the factor is zero: every sample would be the same"));
        }
        let range = self.numbers(place, sampled)?;
        limits(place, sampled, range)
    }

    /// Count, rate and length of the recording.
    fn how_many(&mut self, place: &str, sampled: &SampledData) -> Checked {
        let count = sampled.samples.len();
        self.samples = self.samples.saturating_add(count);
        if self.samples > self.limits.samples {
            let message = format!("{} samples; at most {} in one answer", self.samples, self.limits.samples);
            return Err(too_large(place, message));
        }
        if count == 0 {
            return Err(invalid(place, "no samples; a waveform that was not measured is `absent` with the reason"));
        }
        if sampled.period_ms.mantissa <= 0 {
            return Err(invalid(place, "the time between samples is not above zero"));
        }
        let dimensions = usize::try_from(sampled.dimensions).unwrap_or(usize::MAX);
        if count.checked_rem(dimensions) != Some(0) {
            return Err(invalid(place, "the number of samples is no multiple of the dimensions"));
        }
        let points = i64::try_from(count.checked_div(dimensions).unwrap_or(count)).unwrap_or(i64::MAX);
        let most_ms = Decimal { mantissa: i64::from(self.limits.waveform_seconds).saturating_mul(1_000), exponent: 0 };
        if Line::through_zero(sampled.period_ms).exceeds(points, most_ms) != Some(false) {
            let message = format!("the waveform lasts more than {} s", self.limits.waveform_seconds);
            return Err(too_large(place, message));
        }
        Ok(())
    }

    /// Counts the bytes that the samples take in FHIR, and gives the least and greatest number among them.
    fn numbers(&mut self, place: &str, sampled: &SampledData) -> Result<Option<(i32, i32)>, Breach> {
        let mut range: Option<(i32, i32)> = None;
        let mut bytes = 0_usize;
        for &sample in &sampled.samples {
            bytes += SEPARATOR_BYTES;
            let needed = match sample {
                SampledData::MISSING => None,
                SampledData::BELOW_LIMIT => Some(("a sample is below the lower limit", sampled.lower_limit)),
                SampledData::ABOVE_LIMIT => Some(("a sample is above the upper limit", sampled.upper_limit)),
                number => {
                    bytes += digits(number);
                    let (least, greatest) = range.unwrap_or((number, number));
                    range = Some((least.min(number), greatest.max(number)));
                    continue;
                }
            };
            bytes += 1;
            if let Some((what, None)) = needed {
                return Err(invalid(place, format!("{what}, and there is none")));
            }
        }
        self.count(place, bytes)?;
        // What was above or below the limits was measured.
        let measured = sampled.samples.iter().any(|sample| *sample != SampledData::MISSING);
        if measured {
            Ok(range)
        } else {
            Err(invalid(place, "every sample is missing; such a waveform is `absent` with the reason"))
        }
    }
}

/// The numbers lie between the limits of detection: what does not is said to be above or below, for the device could not
/// measure it.
fn limits(place: &str, sampled: &SampledData, range: Option<(i32, i32)>) -> Checked {
    let line = Line { factor: sampled.factor, origin: sampled.origin };
    if let (Some(lower), Some(upper)) = (sampled.lower_limit, sampled.upper_limit)
        && Line::through_zero(lower).exceeds(1, upper) != Some(false)
    {
        return Err(invalid(place, "the lower limit is above the upper one"));
    }
    let Some((least, greatest)) = range else { return Ok(()) };
    for raw in [least, greatest].map(i64::from) {
        if let Some(upper) = sampled.upper_limit
            && line.exceeds(raw, upper) != Some(false)
        {
            return Err(invalid(place, "a sample is above the upper limit; such a one is said to be above it"));
        }
        if let Some(lower) = sampled.lower_limit
            && line.falls_below(raw, lower) != Some(false)
        {
            return Err(invalid(place, "a sample is below the lower limit; such a one is said to be below it"));
        }
    }
    Ok(())
}

/// `raw × factor + origin`, exactly.
#[derive(Debug, Clone, Copy)]
struct Line {
    factor: Decimal,
    origin: Decimal,
}

impl Line {
    fn through_zero(factor: Decimal) -> Self {
        Self { factor, origin: Decimal { mantissa: 0, exponent: 0 } }
    }

    /// Whether the value of a raw sample is above `limit`; none when the numbers are too far apart to be compared.
    fn exceeds(self, raw: i64, limit: Decimal) -> Option<bool> {
        self.compare(raw, limit).map(std::cmp::Ordering::is_gt)
    }

    /// Whether the value of a raw sample is below `limit`.
    fn falls_below(self, raw: i64, limit: Decimal) -> Option<bool> {
        self.compare(raw, limit).map(std::cmp::Ordering::is_lt)
    }

    fn compare(self, raw: i64, limit: Decimal) -> Option<std::cmp::Ordering> {
        // A zero has no digits that could be lost.
        let parts = [self.factor, self.origin, limit].into_iter().filter(|number| number.mantissa != 0);
        let exponent = parts.map(|number| number.exponent).min().unwrap_or(0);
        let scaled = |number: Decimal| {
            if number.mantissa == 0 {
                return Some(0);
            }
            let shift = u32::try_from(number.exponent.checked_sub(exponent)?).ok()?;
            i128::from(number.mantissa).checked_mul(10_i128.checked_pow(shift)?)
        };
        let value = scaled(self.factor)?.checked_mul(i128::from(raw))?.checked_add(scaled(self.origin)?)?;
        Some(value.cmp(&scaled(limit)?))
    }
}

/// Characters of a number.
fn digits(number: i32) -> usize {
    let digits = usize::try_from(number.unsigned_abs().checked_ilog10().unwrap_or(0)).unwrap_or(0);
    digits + 1 + usize::from(number < 0)
}
