//! The WebAssembly engine: how code is compiled, where instances live, and the clock that stops them.

use std::num::NonZeroUsize;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmtime::{
    Config, Enabled, Engine, EngineWeak, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails,
};

use crate::{HostError, Limits};

/// Linear memories of one component: its own, and those of the stubs that stand for WASI in a JavaScript component, which hold
/// no byte. The limit on memory is that of all together.
pub(crate) const MEMORIES: u32 = 3;

/// Function tables of one component: its own, and those by which adapters and stubs call late-bound functions.
pub(crate) const TABLES: u32 = 6;

/// What is known of a decoder that stops itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Traps {
    /// That it stopped. Decoders that serve are stripped of names, so that a backtrace says nothing, and collecting it costs
    /// at every trap.
    Brief,
    /// Where: function, file and line, as far as they are in the component.
    Located,
}

/// Frames that are collected where traps are located.
const FRAMES: Option<NonZeroUsize> = NonZeroUsize::new(64);

/// An engine for decoders under these limits.
pub(crate) fn build(limits: &Limits, traps: Traps) -> Result<Engine, HostError> {
    let located = traps == Traps::Located;
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        // Decoders are synchronous; without this every store would carry the machinery for concurrent calls.
        .concurrency_support(false)
        .consume_fuel(true)
        .epoch_interruption(true)
        // Fresh instances get their memory by mapping the module's image, and pages are copied when written.
        .memory_init_cow(true)
        .max_wasm_stack(limits.stack_bytes)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(limits)))
        // The same payload must come to the same answer on every machine, for replays are compared.
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false)
        // More than decoders need only widens what has to be trusted.
        .wasm_memory64(false)
        // The adapters that the engine itself makes between the parts of a composed component name the memories of both sides;
        // without this it panics over them instead of refusing the component.
        .wasm_multi_memory(true)
        .wasm_backtrace_max_frames(FRAMES.filter(|_| located))
        .wasm_backtrace_details(if located { WasmBacktraceDetails::Enable } else { WasmBacktraceDetails::Disable })
        .generate_address_map(located)
        .native_unwind_info(false);
    Engine::new(&config).map_err(|error| HostError::Engine(format!("{error:#}")))
}

/// Where instances live: places that are reserved once and reused, sized by the limits.
fn pool(limits: &Limits) -> PoolingAllocationConfig {
    let calls = limits.concurrent_calls;
    // Where the system cannot tell which pages were written, all resident ones would be overwritten for every call: that
    // is slower than to give the pages back.
    let resident = if PoolingAllocationConfig::is_pagemap_scan_available() { limits.resident_bytes } else { 0 };
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(calls)
        .max_core_instances_per_component(limits.core_instances)
        .total_core_instances(calls.saturating_mul(limits.core_instances))
        .max_memories_per_component(MEMORIES)
        .total_memories(calls.saturating_mul(MEMORIES))
        .max_tables_per_component(TABLES)
        .total_tables(calls.saturating_mul(TABLES))
        .table_elements(limits.table_elements)
        .max_memory_size(limits.memory_bytes)
        .linear_memory_keep_resident(resident)
        // The whole function table of a Rust decoder.
        .table_keep_resident(16 << 10)
        // Linux 6.7 tells which pages were written, and only those are reset: a fresh decode takes half the time.
        .pagemap_scan(Enabled::Auto)
        // A place is reused for the decoder that had it last; few stay behind for others.
        .max_unused_warm_slots(calls.min(8));
    pool
}

/// Moves the engine's epoch forward on its own thread, for an executor's task might itself be kept waiting by the very
/// load that it has to stop. Ends when dropped.
#[derive(Debug)]
pub(crate) struct Ticker {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    /// Ticks until dropped.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub(crate) fn start(engine: &Engine, period: Duration) -> Result<Self, HostError> {
        let (stop, stopped) = channel::<()>();
        let engine: EngineWeak = engine.weak();
        let thread = std::thread::Builder::new()
            .name("decoder-deadline".to_owned())
            .spawn(move || {
                while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(period) {
                    let Some(engine) = engine.upgrade() else {
                        return;
                    };
                    engine.increment_epoch();
                }
            })
            .map_err(HostError::Thread)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        // Closing the channel wakes the thread at once.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It cannot have panicked, and nothing could be done about it here.
            let _ = thread.join();
        }
    }
}
