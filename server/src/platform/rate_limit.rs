//! How many requests a second somebody may make: a token bucket a key (GCRA), in memory.

use std::hash::Hash;
use std::num::NonZeroU32;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use uuid::Uuid;

use crate::config::Rate;
use crate::error::{Error, Kind};

/// A limit for each key.
pub struct RateLimit<K: Hash + Eq + Clone = Uuid> {
    limiter: DefaultKeyedRateLimiter<K>,
    rate: Rate,
}

impl<K: Hash + Eq + Clone> RateLimit<K> {
    /// So many a second in the long run, so many at once.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        let per_second = NonZeroU32::new(rate.per_second).unwrap_or(NonZeroU32::MIN);
        let burst = NonZeroU32::new(rate.burst).unwrap_or(NonZeroU32::MIN);
        Self { limiter: RateLimiter::keyed(Quota::per_second(per_second).allow_burst(burst)), rate }
    }

    /// Counts one request of a key.
    ///
    /// # Errors
    /// 429 with the seconds to wait.
    pub fn check(&self, key: &K) -> Result<(), Error> {
        self.limiter.check_key(key).map_err(|not_yet| {
            let wait = not_yet.wait_time_from(DefaultClock::default().now()).as_secs() + 1;
            Error::new(
                Kind::Throttled(wait),
                "rate",
                format!(
                    "More than {} requests a second (or {} at once). Slow down.",
                    self.rate.per_second, self.rate.burst
                ),
            )
        })
    }

    /// Forgets keys that have been quiet, so that memory follows the keys in use.
    pub fn forget_quiet(&self) {
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
    }
}
