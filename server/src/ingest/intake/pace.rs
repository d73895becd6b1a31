//! How fast uplinks are answered, and from that, when it is worth coming again.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The bounds of `Retry-After`, in seconds.
const SOONEST: u64 = 1;
const LATEST: u64 = 30;
/// The rate is measured over so long; without a success for twice that there is none.
const WINDOW: Duration = Duration::from_secs(1);

/// The measured pace.
pub(in crate::ingest) struct Pace {
    state: Mutex<State>,
}

struct State {
    /// Since when `count` is counted.
    since: Instant,
    count: usize,
    /// Uplinks a second in the last window.
    rate: f64,
    /// The last success.
    last: Instant,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { state: Mutex::new(State { since: now, count: 0, rate: 0.0, last: now }) }
    }

    /// Counts uplinks that were answered with success.
    pub(in crate::ingest) fn answered(&self, count: usize, now: Instant) {
        if count == 0 {
            return;
        }
        let mut state = self.lock();
        state.count += count;
        state.last = now;
        let elapsed = now.duration_since(state.since);
        if elapsed >= WINDOW {
            state.rate = f64::from(u32::try_from(state.count).unwrap_or(u32::MAX)) / elapsed.as_secs_f64();
            (state.since, state.count) = (now, 0);
        }
    }

    /// Seconds until so many are answered at the present pace. Where nothing succeeds: as long again as that has lasted.
    pub(super) fn seconds_for(&self, waiting: usize, now: Instant) -> u64 {
        let state = self.lock();
        let quiet = now.duration_since(state.last);
        if quiet > 2 * WINDOW || state.rate <= 0.0 {
            return if waiting == 0 { SOONEST } else { quiet.as_secs().clamp(SOONEST, LATEST) };
        }
        let seconds = f64::from(u32::try_from(waiting).unwrap_or(u32::MAX)) / state.rate;
        Duration::try_from_secs_f64(seconds.ceil()).map_or(LATEST, |seconds| seconds.as_secs().clamp(SOONEST, LATEST))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic between two assignments of numbers leaves nothing broken.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_follows_the_queue() {
        let start = Instant::now();
        let pace = Pace::new(start);
        assert_eq!(pace.seconds_for(0, start), 1);
        let later = start + WINDOW;
        pace.answered(100, later);
        assert_eq!(pace.seconds_for(50, later), 1, "half a second is rounded up");
        assert_eq!(pace.seconds_for(250, later), 3);
        assert_eq!(pace.seconds_for(1_000_000, later), 30);
    }

    #[test]
    fn an_outage_is_waited_out_as_long_again() {
        let start = Instant::now();
        let pace = Pace::new(start);
        pace.answered(100, start + WINDOW);
        let after = |seconds| start + WINDOW + Duration::from_secs(seconds);
        assert_eq!(pace.seconds_for(10, after(7)), 7);
        assert_eq!(pace.seconds_for(10, after(700)), 30);
        assert_eq!(pace.seconds_for(0, after(700)), 1, "nobody waits: the next one may try");
    }
}
