//! The clock, handed in: rules take a time, and only this file reads the machine's.

use chrono::{DateTime, SubsecRound, Utc};

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
