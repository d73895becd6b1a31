//! What the host keeps beside one instance: the memory it was given, and whether it was denied more.

use wasmtime::ResourceLimiter;

use crate::Limits;

/// The data of one store; it lives as long as one call.
#[derive(Debug)]
pub(crate) struct Guest {
    memory_limit: usize,
    table_limit: usize,
    instance_limit: usize,
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
    fn memory_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let granted = desired <= self.memory_limit;
        if granted {
            self.memory_bytes = self.memory_bytes.max(desired);
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
        2
    }

    fn memories(&self) -> usize {
        1
    }
}
