//! As many places as the pool has instances; who comes later waits for one.

use std::sync::{Condvar, Mutex, PoisonError};

/// A counting semaphore for threads.
///
/// The wait needs no time limit: whoever holds a place leaves it within the deadline of a call. How many threads may
/// wait is bounded by the caller, who owns the threads.
#[derive(Debug)]
pub(crate) struct Gate {
    free: Mutex<u32>,
    left: Condvar,
}

/// A place, given back when dropped.
#[derive(Debug)]
pub(crate) struct Place<'a>(&'a Gate);

impl Gate {
    pub(crate) fn new(places: u32) -> Self {
        Self { free: Mutex::new(places), left: Condvar::new() }
    }

    /// Waits for a place. A poisoned lock only means that another thread panicked; the number is still right.
    pub(crate) fn enter(&self) -> Place<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.left.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Place(self)
    }

    /// A place, if one is free now.
    pub(crate) fn try_enter(&self) -> Option<Place<'_>> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        *free = free.checked_sub(1)?;
        Some(Place(self))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.left.notify_one();
    }
}
