//! The clock, handed in: rules take a time, and only this file reads the machine's.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

/// Reads the server's clock.
#[derive(Debug, Clone, Default)]
pub struct Clock;

impl Clock {
    /// Now, in UTC, to the millisecond: what is stored and what is shown must not differ.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    pub fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(3)
    }
}

/// The clock as the app has it: the machine's, which tests can set wrong to see what a server makes of that.
#[derive(Debug, Clone, Default)]
pub struct AppClock {
    /// How far it is ahead.
    pub wrong_by: TimeDelta,
}

impl AppClock {
    /// Now, as [`Clock::now`].
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        Clock.now() + self.wrong_by
    }
}
