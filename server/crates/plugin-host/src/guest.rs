//! What the host keeps beside one instance: the memory it was given, and whether it was denied more.

use wasmtime::ResourceLimiter;

use crate::Limits;
use crate::engine::{MEMORIES, TABLES};

/// The data of one store; it lives as long as one call.
#[derive(Debug)]
pub(crate) struct Guest {
    memory_limit: usize,
    table_limit: usize,
    instance_limit: usize,
    /// Of all its memories together.
    memory_bytes: usize,
    memory_denied: bool,
}

impl Guest {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            memory_limit: limits.memory_bytes,
            table_limit: limits.table_elements,
            instance_limit: usize::try_from(limits.core_instances).unwrap_or(usize::MAX),
            memory_bytes: 0,
            memory_denied: false,
        }
    }

    /// The most linear memory it had.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// Whether it ever asked for more than the limit.
    pub(crate) fn memory_denied(&self) -> bool {
        self.memory_denied
    }
}

impl ResourceLimiter for Guest {
    /// Denial is the instruction's own `-1`, not a trap: an interpreter inside may collect its garbage and go on.
    ///
    /// The limit is that of all memories together: stubs of other languages' toolchains bring some of their own, nearly empty.
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.memory_bytes.saturating_sub(current).saturating_add(desired);
        let granted = total <= self.memory_limit;
        if granted {
            self.memory_bytes = total;
        } else {
            self.memory_denied = true;
        }
        Ok(granted)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= self.table_limit)
    }

    fn instances(&self) -> usize {
        self.instance_limit
    }

    fn tables(&self) -> usize {
        usize::try_from(TABLES).unwrap_or(usize::MAX)
    }

    fn memories(&self) -> usize {
        usize::try_from(MEMORIES).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two memories of a composed component: each alone would be within the limit.
    #[test]
    fn the_limit_is_that_of_all_memories_together() {
        let limits = Limits { memory_bytes: 10 << 20, ..Limits::default() };
        let mut guest = Guest::new(&limits);
        let mut granted = |from, to| matches!(guest.memory_growing(from, to, None), Ok(true));
        assert!(granted(0, 6 << 20));
        assert!(!granted(0, 6 << 20));
        assert!(granted(0, 4 << 20));
        assert!(!granted(4 << 20, 5 << 20));
        assert_eq!(guest.memory_bytes, 10 << 20);
    }
}
