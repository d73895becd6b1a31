//! Waveforms of a payload that lost something: what is left of them must be a part of what the whole says, with nothing in
//! between but what is told to be missing.

use super::subject::Answer;
use crate::{SampledData, Value};

/// Every waveform of an answer.
pub(super) fn waves(answer: &Answer) -> Vec<SampledData> {
    let readings = answer.decoded().into_iter().flat_map(|decoded| &decoded.readings);
    let values = readings.flat_map(|reading| {
        core::iter::once(&reading.value).chain(reading.components.iter().map(|component| &component.value))
    });
    let sampled = values.filter_map(|value| match value {
        Value::Sampled(sampled) => Some(sampled.clone()),
        _ => None,
    });
    sampled.collect()
}

/// Whether a waveform is a stretch of another, some of whose samples may be missing.
pub(super) fn is_part(part: &SampledData, whole: &SampledData) -> bool {
    let same_scale = part.unit == whole.unit && part.factor == whole.factor && part.origin == whole.origin;
    let fits = |stretch: &[i32]| {
        stretch.iter().zip(&part.samples).all(|(said, left)| *left == SampledData::MISSING || left == said)
    };
    same_scale && !part.samples.is_empty() && whole.samples.windows(part.samples.len()).any(fits)
}

#[cfg(test)]
mod tests {
    use super::is_part;
    use crate::{Decimal, SampledData};

    #[test]
    fn a_stretch_is_a_part_and_another_number_is_none() {
        let wave = |samples: &[i32]| SampledData::new("uV", Decimal::new(2, 0), Decimal::new(1, 0), samples.to_vec());
        let whole = wave(&[1, 2, 3, 4]);
        assert!(is_part(&wave(&[2, 3]), &whole) && is_part(&wave(&[1, SampledData::MISSING, 3]), &whole));
        assert!(!is_part(&wave(&[2, 4]), &whole) && !is_part(&wave(&[1, 2, 3, 4, 5]), &whole));
        assert!(!is_part(&SampledData { unit: "mV".into(), ..wave(&[2]) }, &whole));
    }
}
