//! Every number that bounds a decoder, in one place.

use std::time::Duration;

/// What a decoder may take. One uplink is judged by these numbers whatever the decoder's origin.
///
/// The defaults leave a good decoder two orders of magnitude of room, and keep the whole sandbox within about
/// 100 MiB of memory. They may be changed field by field: `Limits { fuel: 50_000_000, ..Limits::default() }`.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Instructions for one call (about one unit each), instantiation included. This is the tight limit, because it is
    /// deterministic: a blood pressure burns 20,000 and a year of steps in JSON 3 million. 20 million is some 20 ms.
    pub fuel: u64,
    /// Wall time for one call. Only the safety net: on a busy machine a good decoder may wait long for its turn, so
    /// that anything under a second kills good decodes. Not less than 1 s.
    pub deadline: Duration,
    /// How often the clock of the deadline ticks, and so how exact it is.
    pub deadline_tick: Duration,
    /// Bytes of linear memory of one instance. A Rust decoder starts with 1.1 MiB; 16 MiB holds an hour of ECG many
    /// times over, a `QuickJS`, and a `CPython` that begins with 12.5 MiB.
    pub memory_bytes: usize,
    /// Bytes of stack of one call, taken from the calling thread, whose own must be at least twice that.
    pub stack_bytes: usize,
    /// Elements of one function table: `QuickJS` has about 2,000, `CPython` 5,700.
    pub table_elements: usize,
    /// Core modules that one component may be made of. Ours have one; JavaScript has eleven and Python some 45, with the stubs that stand for WASI,
    /// and the engine's adapters between them.
    pub core_instances: u32,
    /// Calls that run at the same time; the next ones wait for a place. Decoding is CPU work, so that more places than
    /// a few times the cores gain nothing.
    pub concurrent_calls: u32,
    /// Bytes of each instance's memory that stay resident between calls, so that the next call has no page faults.
    /// Those that were written are overwritten with the module's initial image: nothing of one call is left for the
    /// next. It should be more than the 1.2 MiB that a Rust decoder uses (17 µs a decode instead of 25). With
    /// `concurrent_calls` it bounds the idle footprint, 32 × 2 MiB, of which only written pages count.
    pub resident_bytes: usize,
    /// Bytes of a component before it is compiled: a Rust decoder has 100 KiB, JavaScript 1 to 12 MiB, Python 18.
    pub component_bytes: usize,
    /// Bytes of all frames, variables and texts of one call.
    pub input_bytes: usize,
    /// Frames of one call.
    pub input_frames: usize,
    /// Bytes that the host allocates for one answer *before* it has looked at it: strings by length, lists by the size
    /// of the host's own elements. It is larger than `output_bytes`, because a reading takes 600 bytes here.
    pub lift_bytes: usize,
    /// Bytes of one checked answer: text, numbers, and samples as they are written in FHIR (`-512 ` is 5).
    pub output_bytes: usize,
    /// Readings of one answer (a hub: over all of its devices). A year of steps by day is 365.
    pub readings: usize,
    /// Samples of one waveform, and of all waveforms of one answer: half a minute of twelve leads at 500 Hz is 180,000.
    pub samples: usize,
    /// Seconds that one waveform may last. A recording that is longer is sent, and kept, in pieces.
    pub waveform_seconds: u32,
    /// Elements of any other list but samples: components, codings, flags, facts, warnings, extras.
    pub list_elements: usize,
    /// Bytes of one text.
    pub text_bytes: usize,
    /// Bytes of what becomes a key or a column: record key, user slot, claimed identity.
    pub key_bytes: usize,
    /// Examples of one decoder, which run whenever it is loaded.
    pub examples: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fuel: 20_000_000,
            deadline: Duration::from_secs(2),
            deadline_tick: Duration::from_millis(100),
            memory_bytes: 16 << 20,
            stack_bytes: 512 << 10,
            table_elements: 20_000,
            core_instances: 64,
            concurrent_calls: 32,
            resident_bytes: 2 << 20,
            component_bytes: 32 << 20,
            input_bytes: 1 << 20,
            input_frames: 4_096,
            lift_bytes: 8 << 20,
            output_bytes: 3 << 19,
            readings: 2_000,
            samples: 200_000,
            waveform_seconds: 3_600,
            list_elements: 512,
            text_bytes: 64 << 10,
            key_bytes: 512,
            examples: 500,
        }
    }
}

impl Limits {
    /// Ticks of the deadline's clock after which a call is stopped. One more than the quotient, because the first tick
    /// may come at once.
    pub(crate) fn deadline_ticks(&self) -> u64 {
        let tick = self.deadline_tick.as_millis().max(1);
        let ticks = self.deadline.as_millis().div_ceil(tick);
        u64::try_from(ticks).unwrap_or(u64::MAX - 1).saturating_add(1)
    }

    /// What is wrong with these numbers, as a sentence.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        if self.deadline < Duration::from_secs(1) {
            Some("the deadline is under 1 s: wall time that short stops good decoders on a busy machine")
        } else if self.deadline_tick.is_zero() || self.deadline_tick > self.deadline {
            Some("the deadline's tick must be longer than zero and not longer than the deadline")
        } else if self.concurrent_calls == 0 || self.core_instances == 0 {
            Some("at least one call must be able to run")
        } else if self.fuel == 0 || self.memory_bytes < 64 << 10 || self.stack_bytes < 64 << 10 {
            Some("fuel, memory (64 KiB) or stack (64 KiB) is too small for any decoder")
        } else {
            None
        }
    }
}
