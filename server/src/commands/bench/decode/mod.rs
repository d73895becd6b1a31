//! Decoding alone, on one thread, without database and HTTP: each bundled decoder in a fresh sandbox as production runs it,
//! and one decoder in several ways beside each other.

mod fresh;

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
    /// One decoder and payload in several ways, native first.
    pub(super) ways: Vec<PeerCost>,
    /// Ways that this build does not have, and why.
    pub(super) missing: Vec<String>,
    /// Every bundled model, fresh.
    pub(super) models: Vec<ModelCost>,
}

impl DecodeReport {
    pub(super) fn title(&self) -> &'static str {
        "decode, one blood pressure (2A35)"
    }
}

/// What decoding the same payload costs in one way.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PeerCost {
    /// A stable name for scripts: `native`, `reused`, `fresh`, `empty`, `quickjs`, `quickjs-bytecode`.
    pub(super) id: &'static str,
    /// For people.
    pub(super) way: &'static str,
    pub(super) calls: usize,
    /// Microseconds: everything from the bytes to the outcome in the host's own types, and its end.
    pub(super) median_us: f64,
    pub(super) p99_us: f64,
    pub(super) times_native: f64,
}

/// Measures; CPU work on the calling thread.
pub(super) fn measure(calls: u32) -> anyhow::Result<DecodeReport> {
    let tables = Tables::load()?;
    let decoders = Decoders::open(None, None, &tables.units, &tables.vitals)?;
    let models = fresh::measure(&decoders, calls)?;
    let (ways, missing) = ways(&decoders, calls)?;
    Ok(DecodeReport { ways, missing, models })
}

#[cfg(not(feature = "bench-peers"))]
#[expect(clippy::unnecessary_wraps, reason = "the other build of it can fail")]
fn ways(_decoders: &Decoders, _calls: u32) -> anyhow::Result<(Vec<PeerCost>, Vec<String>)> {
    let missing =
        "native, reused, empty and QuickJS are not in this build: make bench turns the feature bench-peers on";
    Ok((Vec::new(), vec![missing.to_owned()]))
}
