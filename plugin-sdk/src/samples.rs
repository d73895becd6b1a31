//! Waveforms: how a sample says that it is no number, and what the host will check of them.

use core::cmp::Ordering;

use crate::{Decimal, SampledData, Value};

impl SampledData {
    /// In place of a sample that was not measured (lead off, lost packet): FHIR's `E`.
    pub const MISSING: i32 = i32::MIN;
    /// In place of a sample below the lower limit, which has to be told then: FHIR's `L`.
    pub const BELOW_LIMIT: i32 = i32::MIN + 1;
    /// In place of a sample above the upper limit, which has to be told then: FHIR's `U`.
    pub const ABOVE_LIMIT: i32 = i32::MAX;

    /// One lead without limits, whose raw zero is 0: `unit` is UCUM's (`mV`, `uV`, `1`), `period_ms` milliseconds between
    /// samples, `factor` what one count is.
    #[must_use]
    pub fn new(unit: &str, period_ms: Decimal, factor: Decimal, samples: Vec<i32>) -> Self {
        Self {
            origin: Decimal::new(0, 0),
            period_ms,
            factor,
            unit: unit.to_owned(),
            lower_limit: None,
            upper_limit: None,
            dimensions: 1,
            samples,
            extra: Vec::new(),
        }
    }

    /// The limits of detection, in the unit. Samples beyond them are [`SampledData::BELOW_LIMIT`] or
    /// [`SampledData::ABOVE_LIMIT`].
    #[must_use]
    pub fn between(mut self, lower: Decimal, upper: Decimal) -> Self {
        self.lower_limit = Some(lower);
        self.upper_limit = Some(upper);
        self
    }

    /// The letter that FHIR writes in place of a sample that is no number; none for a number.
    #[must_use]
    pub const fn letter(sample: i32) -> Option<&'static str> {
        match sample {
            Self::MISSING => Some("E"),
            Self::BELOW_LIMIT => Some("L"),
            Self::ABOVE_LIMIT => Some("U"),
            _ => None,
        }
    }

    /// Whether no sample was measured.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.samples.iter().all(|sample| *sample == Self::MISSING)
    }

    /// The samples as FHIR writes them: `-12 0 E 44`.
    #[must_use]
    pub fn data(&self) -> String {
        let text = |sample: &i32| Self::letter(*sample).map_or_else(|| sample.to_string(), str::to_owned);
        self.samples.iter().map(text).collect::<Vec<_>>().join(" ")
    }

    /// How long it lasts, in whole milliseconds, the last sample's own time included; none where that cannot be said.
    #[must_use]
    pub fn duration_ms(&self) -> Option<i64> {
        let points = self.samples.len().checked_div(usize::try_from(self.dimensions).ok()?)?;
        let line = Line { factor: self.period_ms, origin: Decimal::new(0, 0) };
        let (value, exponent) = line.value(i64::try_from(points).ok()?, 0)?;
        let scale = 10_i128.checked_pow(exponent.checked_neg()?.try_into().ok()?)?;
        i64::try_from(value.checked_div(scale)?).ok()
    }

    /// Whether the time between samples is at most this.
    #[must_use]
    pub fn is_faster_than(&self, period_ms: Decimal) -> bool {
        let line = Line { factor: self.period_ms, origin: Decimal::new(0, 0) };
        line.compare(1, period_ms).is_some_and(Ordering::is_le)
    }

    /// The values of the least and the greatest number among the samples; none where there is no number, or where they do
    /// not fit a decimal.
    #[must_use]
    pub fn extremes(&self) -> Option<[Decimal; 2]> {
        let (least, greatest) = self.range()?;
        let line = Line { factor: self.factor, origin: self.origin };
        let value = |raw: i32| {
            let (value, exponent) = line.value(raw.into(), i32::MAX)?;
            Some(Decimal::new(i64::try_from(value).ok()?, exponent))
        };
        Some([value(least)?, value(greatest)?])
    }

    /// What the host would refuse it for; none when all is well.
    #[must_use]
    pub fn problem(&self) -> Option<&'static str> {
        let dimensions = usize::try_from(self.dimensions).unwrap_or(usize::MAX);
        let has = |letter: i32| self.samples.contains(&letter);
        let line = Line { factor: self.factor, origin: self.origin };
        let crosses = |limit: Option<Decimal>, beyond: Ordering| {
            let (Some(limit), Some((least, greatest))) = (limit, self.range()) else { return false };
            [least, greatest].iter().any(|raw| line.compare((*raw).into(), limit).is_none_or(|found| found == beyond))
        };
        if self.period_ms.mantissa <= 0 {
            Some("the time between samples is not above zero")
        } else if self.factor.mantissa == 0 {
            Some("the factor is zero: every sample would be the same")
        } else if self.samples.is_empty() || self.samples.len().checked_rem(dimensions) != Some(0) {
            Some("there are no samples, or their number is no multiple of the dimensions")
        } else if self.is_missing() {
            Some("every sample is missing; such a waveform is absent with the reason")
        } else if has(Self::BELOW_LIMIT) && self.lower_limit.is_none() {
            Some("a sample is below the lower limit, and there is none")
        } else if has(Self::ABOVE_LIMIT) && self.upper_limit.is_none() {
            Some("a sample is above the upper limit, and there is none")
        } else if crosses(self.lower_limit, Ordering::Less) {
            Some("a sample is below the lower limit; such a one is said to be below it")
        } else if crosses(self.upper_limit, Ordering::Greater) {
            Some("a sample is above the upper limit; such a one is said to be above it")
        } else {
            None
        }
    }

    /// The least and greatest number.
    fn range(&self) -> Option<(i32, i32)> {
        let numbers = self.samples.iter().copied().filter(|sample| Self::letter(*sample).is_none());
        let range = numbers.fold((i32::MAX, i32::MIN), |(least, greatest), raw| (least.min(raw), greatest.max(raw)));
        (range.0 <= range.1).then_some(range)
    }
}

impl Value {
    /// A waveform; absent for this reason of FHIR's data-absent-reason when none of its samples was measured.
    #[must_use]
    pub fn waveform(sampled: SampledData, reason: &str) -> Self {
        if sampled.is_missing() { Self::absent(reason) } else { Self::Sampled(sampled) }
    }
}

/// `raw × factor + origin`, exactly.
#[derive(Clone, Copy)]
struct Line {
    factor: Decimal,
    origin: Decimal,
}

impl Line {
    /// Mantissa and exponent, which is not above `most`; none when the numbers are too far apart.
    fn value(self, raw: i64, most: i32) -> Option<(i128, i32)> {
        let parts = [self.factor, self.origin].into_iter().filter(|number| number.mantissa != 0);
        let exponent = parts.map(|number| number.exponent).min().unwrap_or(0).min(most);
        let value = scaled(self.factor, exponent)?.checked_mul(raw.into())?;
        Some((value.checked_add(scaled(self.origin, exponent)?)?, exponent))
    }

    fn compare(self, raw: i64, limit: Decimal) -> Option<Ordering> {
        let most = if limit.mantissa == 0 { i32::MAX } else { limit.exponent };
        let (value, exponent) = self.value(raw, most)?;
        Some(value.cmp(&scaled(limit, exponent)?))
    }
}

/// The mantissa of a number at another exponent, which is not above its own; a zero has no digits to lose.
fn scaled(number: Decimal, exponent: i32) -> Option<i128> {
    if number.mantissa == 0 {
        return Some(0);
    }
    let shift = u32::try_from(number.exponent.checked_sub(exponent)?).ok()?;
    i128::from(number.mantissa).checked_mul(10_i128.checked_pow(shift)?)
}

#[cfg(test)]
mod tests {
    use crate::{Decimal, SampledData, Value};

    /// Counts of 4.88 µV at 500 Hz, between -1 and 1 mV.
    fn lead(samples: Vec<i32>) -> SampledData {
        SampledData::new("uV", Decimal::new(2, 0), Decimal::new(488, -2), samples)
            .between(Decimal::new(-1000, 0), Decimal::new(1000, 0))
    }

    #[test]
    fn samples_are_numbers_or_letters() {
        let letters = vec![-12, 0, SampledData::MISSING, SampledData::BELOW_LIMIT, SampledData::ABOVE_LIMIT, 44];
        assert_eq!(lead(letters.clone()).data(), "-12 0 E L U 44");
        assert_eq!(lead(letters).problem(), None);
        assert_eq!(Value::waveform(lead(vec![SampledData::MISSING; 2]), "error"), Value::absent("error"));
    }

    #[test]
    fn extremes_and_length_are_exact() {
        let text = |samples| lead(samples).extremes().map(|both| both.map(|value| value.to_string()));
        assert_eq!(text(vec![3, SampledData::MISSING, -7]), Some(["-34.16".into(), "14.64".into()]));
        assert_eq!(text(vec![SampledData::ABOVE_LIMIT]), None);
        assert_eq!(lead(vec![0; 15_000]).duration_ms(), Some(30_000));
        let slow = SampledData { period_ms: Decimal::new(7_692_308, -6), ..lead(vec![0; 130]) };
        assert_eq!(slow.duration_ms(), Some(1000));
        assert_eq!(SampledData { period_ms: Decimal::new(1, 3), ..lead(vec![0; 2]) }.duration_ms(), Some(2000));
    }

    #[test]
    fn what_the_host_refuses_is_told_before() {
        let problem = |sampled: SampledData| sampled.problem().unwrap_or_default();
        assert!(problem(lead(vec![205])).starts_with("a sample is above"));
        assert!(problem(lead(vec![-205])).starts_with("a sample is below"));
        assert!(problem(lead(Vec::new())).starts_with("there are no samples"));
        assert!(problem(lead(vec![SampledData::MISSING])).starts_with("every sample is missing"));
        let unlimited = SampledData { lower_limit: None, ..lead(vec![1, SampledData::BELOW_LIMIT]) };
        assert!(problem(unlimited).ends_with("and there is none"));
        assert!(problem(SampledData { dimensions: 2, ..lead(vec![0; 3]) }).starts_with("there are no samples"));
        assert!(problem(SampledData { factor: Decimal::new(0, 0), ..lead(vec![0]) }).starts_with("the factor"));
        assert!(problem(SampledData { period_ms: Decimal::new(-2, 0), ..lead(vec![0]) }).starts_with("the time"));
    }
}
