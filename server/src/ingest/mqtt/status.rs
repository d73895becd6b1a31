//! What a process knows of a session that it holds: told by the session, written down by whoever holds the lease.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use super::store::sessions::{Report, SessionKey};

/// The state of a session, shared by its task and the holder.
#[derive(Debug, Default)]
pub struct Status {
    state: Mutex<State>,
    received: AtomicI64,
    acknowledged: AtomicI64,
    refused: AtomicI64,
}

#[derive(Debug, Default)]
struct State {
    connected_since: Option<DateTime<Utc>>,
    last_error: Option<(String, DateTime<Utc>)>,
    last_refusal: Option<(String, DateTime<Utc>)>,
}

impl Status {
    /// It is connected and subscribed.
    pub fn connected(&self, now: DateTime<Utc>) {
        self.lock().connected_since = Some(now);
    }

    /// It is not connected (any more), and why.
    pub fn failed(&self, why: String, now: DateTime<Utc>) {
        let mut state = self.lock();
        state.connected_since = None;
        state.last_error = Some((why, now));
    }

    /// A message came.
    pub fn received(&self) {
        self.received.fetch_add(1, Ordering::Relaxed);
    }

    /// One was acknowledged.
    pub fn acknowledged(&self) {
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
    }

    /// One was refused, and why.
    pub fn refused(&self, why: String, now: DateTime<Utc>) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        self.lock().last_refusal = Some((why, now));
    }

    /// What is new since the last report.
    pub fn report(&self, key: SessionKey) -> Report {
        let mut state = self.lock();
        Report {
            key,
            state: if state.connected_since.is_some() { "connected" } else { "connecting" },
            connected_since: state.connected_since,
            last_error: state.last_error.take(),
            last_refusal: state.last_refusal.take(),
            counted: [&self.received, &self.acknowledged, &self.refused].map(|count| count.swap(0, Ordering::Relaxed)),
        }
    }

    /// A report that was not written: it is part of the next.
    pub fn take_back(&self, report: Report) {
        let mut state = self.lock();
        state.last_error = state.last_error.take().or(report.last_error);
        state.last_refusal = state.last_refusal.take().or(report.last_refusal);
        let counts = [&self.received, &self.acknowledged, &self.refused];
        for (count, missed) in counts.into_iter().zip(report.counted) {
            count.fetch_add(missed, Ordering::Relaxed);
        }
    }

    /// Whether it is connected.
    pub fn is_connected(&self) -> bool {
        self.lock().connected_since.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic between two assignments leaves nothing broken.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
