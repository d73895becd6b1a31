//! What can go wrong, in the host's words: at start, when a decoder is loaded, and when it runs.

use std::path::PathBuf;

use wasmtime::{Trap, WasmBacktrace};

use crate::guest::Guest;
use crate::located;

/// The sandbox itself cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The limits contradict themselves.
    #[error("the sandbox's limits are unusable: {0}")]
    Limits(&'static str),
    /// The engine refused its configuration, usually for want of address space.
    #[error("the WebAssembly engine cannot start: {0}")]
    Engine(String),
    /// No thread for the deadline's clock.
    #[error("the thread of the decoders' deadline cannot start")]
    Thread(#[source] std::io::Error),
    /// The directory for compiled decoders cannot be made or is not ours alone.
    #[error("the directory for compiled decoders, {path}, is unusable: {reason}")]
    Cache {
        /// The directory.
        path: PathBuf,
        /// A sentence.
        reason: String,
    },
}

/// A decoder is refused. Nothing of it is kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// More bytes than a decoder may have.
    #[error("the component has {bytes} bytes; at most {limit} are taken")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// [`crate::Limits::component_bytes`].
        limit: usize,
    },
    /// Not a valid WebAssembly component, or one that needs more than the sandbox gives.
    #[error("not a component that this server can run: {0}")]
    Invalid(String),
    /// It wants something from outside. Decoders have no clock, files, network or randomness.
    #[error(
        "the component imports `{0}`; a decoder may import nothing (build for wasm32-unknown-unknown, without WASI)"
    )]
    Import(String),
    /// It exports no interface of the decoder contract.
    #[error("the component exports no `afferent:decoder` interface; it exports: {0}")]
    NotADecoder(String),
    /// Another generation of the contract.
    #[error("built for decoder {found}, this server hosts {hosted}")]
    UnsupportedVersion {
        /// The version that it exports.
        found: String,
        /// The versions that this server hosts.
        hosted: &'static str,
    },
    /// The right name and version with other types.
    #[error("the component's types differ from the contract: {0}")]
    Contract(String),
    /// `describe` failed.
    #[error("the decoder cannot describe itself: {0}")]
    Describe(#[source] DecodeFailure),
    /// The manifest says something that is not allowed. The first twenty problems, one sentence each.
    #[error("the decoder's manifest is refused: {}", .0.join("; "))]
    Manifest(Vec<String>),
    /// It fails its own example.
    #[error("example `{example}` fails: expected {expected}, got {got}")]
    Example {
        /// The example's name.
        example: String,
        /// Outcome and value lines as declared.
        expected: String,
        /// Outcome and value lines, or the failure.
        got: String,
    },
}

/// Why a call gave no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// The guest stopped itself: a panic, a bad memory access, its stack ran out.
    Trap,
    /// It ran longer than its fuel.
    OutOfFuel,
    /// It ran longer than the wall clock allows.
    Deadline,
    /// It failed after more memory was denied.
    Memory,
    /// The answer is larger than the host takes.
    OutputTooLarge,
    /// The answer contradicts the contract or uses words that are not registered.
    InvalidOutput,
    /// The payload is larger than a decoder is given.
    InputTooLarge,
    /// A hub's decoder was called for a device, or the reverse. The caller's mistake.
    WrongSurface,
    /// The host could not make an instance. Not the decoder's fault: to be tried again.
    Host,
}

impl FailureKind {
    /// A stable word for metrics and records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trap => "trap",
            Self::OutOfFuel => "out-of-fuel",
            Self::Deadline => "deadline",
            Self::Memory => "memory",
            Self::OutputTooLarge => "output-too-large",
            Self::InvalidOutput => "invalid-output",
            Self::InputTooLarge => "input-too-large",
            Self::WrongSurface => "wrong-surface",
            Self::Host => "host",
        }
    }
}

/// A call that gave no answer. The message holds no part of the payload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", .kind.as_str())]
pub struct DecodeFailure {
    /// Which limit or rule.
    pub kind: FailureKind,
    /// A sentence for the decoder's author.
    pub message: String,
    /// Fuel burnt until then.
    pub fuel_used: u64,
}

/// A text of a component's own making, cut to what a person reads: names and values in it may be megabytes long.
pub(crate) fn brief(text: &str) -> String {
    const CHARACTERS: usize = 400;
    match text.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Where a call was when it failed, for the same error means different things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Making the instance.
    Instantiate,
    /// Calling it and reading its answer.
    Call,
}

/// Which limit or rule stands behind an engine's error.
pub(crate) fn classify(error: &wasmtime::Error, stage: Stage, guest: &Guest) -> (FailureKind, String) {
    let (kind, message) = classify_briefly(error, stage, guest);
    match error.downcast_ref::<WasmBacktrace>().and_then(located::place) {
        Some(place) => (kind, brief(&format!("{message}, {place}"))),
        None => (kind, message),
    }
}

fn classify_briefly(error: &wasmtime::Error, stage: Stage, guest: &Guest) -> (FailureKind, String) {
    // The engine's own type for this is private; the sentence is pinned by a test.
    let lifted_too_much = || error.chain().any(|cause| cause.to_string().contains("fuel allocated for hostcalls"));
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => (FailureKind::OutOfFuel, "it ran longer than its fuel".to_owned()),
        Some(Trap::Interrupt) => (FailureKind::Deadline, "it ran longer than the wall clock allows".to_owned()),
        Some(trap) if guest.memory_denied() => {
            (FailureKind::Memory, format!("it stopped ({trap}) after more memory than the limit was denied"))
        }
        Some(
            trap @ (Trap::StringOutOfBounds | Trap::ListOutOfBounds | Trap::InvalidDiscriminant | Trap::InvalidChar),
        ) => (FailureKind::InvalidOutput, trap.to_string()),
        Some(trap) => (FailureKind::Trap, trap.to_string()),
        None if lifted_too_much() => {
            (FailureKind::OutputTooLarge, "its answer is larger than the host takes".to_owned())
        }
        None if stage == Stage::Instantiate => {
            (FailureKind::Host, brief(&format!("no instance could be made: {error:#}")))
        }
        None => (FailureKind::InvalidOutput, brief(&format!("its answer contradicts the contract: {error:#}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::brief;

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(brief("short"), "short");
        assert_eq!(brief(&"ä".repeat(1_000_000)), format!("{}…", "ä".repeat(400)));
    }
}
