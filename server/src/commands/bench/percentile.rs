//! Percentiles of durations, by nearest rank: always a duration that was measured.

use std::time::Duration;

/// Durations in ascending order.
pub(super) struct Sorted(Vec<Duration>);

impl Sorted {
    pub(super) fn new(mut durations: Vec<Duration>) -> Self {
        durations.sort_unstable();
        Self(durations)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The smallest duration that at least `per_mille` of all do not exceed, in microseconds; 0 for none at all.
    pub(super) fn microseconds(&self, per_mille: usize) -> f64 {
        let rank = (self.0.len() * per_mille).div_ceil(1000).max(1);
        self.0.get(rank - 1).map_or(0.0, |duration| duration.as_secs_f64() * 1e6)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Sorted;

    #[test]
    fn a_percentile_is_the_nearest_rank() {
        let sorted = Sorted::new((1..=1000).rev().map(Duration::from_micros).collect());
        for (per_mille, microseconds) in [(0, 1.0), (500, 500.0), (990, 990.0), (999, 999.0), (1000, 1000.0)] {
            assert!((sorted.microseconds(per_mille) - microseconds).abs() < 1e-6, "{per_mille}");
        }
        assert!(Sorted::new(Vec::new()).microseconds(500).abs() < 1e-6);
    }
}
