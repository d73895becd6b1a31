//! Decoding alone, on one thread, without database and HTTP: each bundled decoder in a fresh sandbox as production runs it,
//! and one decoder in several ways beside each other.

mod fresh;
mod shown;
mod ways;

use std::path::Path;

use serde::Serialize;

pub(super) use self::fresh::ModelCost;
use crate::fleet::Decoders;
use crate::ingest::Tables;

/// Runs before those that count.
const WARM_UP: u32 = 50;

/// Everything about decoding.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DecodeReport {
    /// One decoder and payload in several ways, fastest first.
    pub(super) ways: Vec<PeerCost>,
    /// Whether native code, QuickJS and the empty component are among them.
    pub(super) peers: bool,
    /// Every bundled model, fresh.
    pub(super) models: Vec<ModelCost>,
}

/// What decoding the same payload costs in one way.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PeerCost {
    /// A stable name for scripts: `native`, `reused`, `fresh`, `empty`, `quickjs`, `quickjs-bytecode`.
    pub(super) id: String,
    /// For people.
    pub(super) way: String,
    pub(super) calls: usize,
    /// Microseconds: everything from the bytes to the outcome, and its end.
    pub(super) median_us: f64,
    pub(super) p99_us: f64,
    /// Median ÷ that of native code, where it was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) times_native: Option<f64>,
}

impl DecodeReport {
    pub(super) fn title() -> &'static str {
        "decode, one blood pressure (2A35)"
    }

    /// What to say when the peers are missing.
    pub(super) fn note(&self) -> Option<&'static str> {
        (!self.peers).then_some("native, QuickJS and empty component: not measured (--peers; make bench does it)")
    }
}

/// Measures; CPU work on the calling thread.
pub(super) fn measure(calls: u32, peers: Option<&Path>) -> anyhow::Result<DecodeReport> {
    let tables = Tables::load()?;
    let decoders = Decoders::open(None, None, &tables.units, &tables.vitals)?;
    let models = fresh::measure(&decoders, calls)?;
    Ok(DecodeReport { ways: ways::measure(&decoders, calls, peers)?, peers: peers.is_some(), models })
}
