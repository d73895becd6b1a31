//! What the run came to: ratios first, for those carry over to other machines. As a text for people, as JSON, and as the
//! tables of docs/benchmarks.md.

mod markdown;
mod text;

use serde::Serialize;

use super::decode::DecodeReport;
use super::floor::FloorRun;
use super::ingest::{IngestCost, ratio};
use super::memory::{ColdStart, MemoryRow};
use super::overload::Overload;
use super::scale::Scale;
use super::shadow::ShadowCost;

/// Two measurements of the floor that differ by more say that the machine was busy with something else.
const QUIET: f64 = 0.10;

/// The whole result; parts that were not wanted are left out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    /// When it began, UTC.
    pub(super) date: String,
    pub(super) machine: Machine,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) floor: Option<FloorCost>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) ingest: Vec<IngestRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) decode: Option<DecodeReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cold_start: Option<ColdStart>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) memory: Vec<MemoryRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) scale: Option<Scale>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) overload: Option<Overload>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) shadow: Option<ShadowCost>,
}

/// Where it ran.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Machine {
    pub(super) processor: String,
    pub(super) cores: usize,
    /// Before the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) load_average: Option<f64>,
    /// Its version; none when nothing was stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) postgres: Option<String>,
    /// `release` or `debug`.
    pub(super) profile: &'static str,
}

/// What the floor costs, over all of its measurements.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FloorCost {
    pub(super) payloads: u32,
    pub(super) microseconds_per_payload: f64,
    /// Each measurement by itself, in order.
    pub(super) each_microseconds: Vec<f64>,
    pub(super) observations_per_payload: f64,
    pub(super) wal_bytes_per_payload: f64,
    /// Processor time of Postgres and of what writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cpu_ms_per_payload: Option<f64>,
}

impl FloorCost {
    pub(super) fn of(runs: &[FloorRun]) -> Option<Self> {
        if runs.is_empty() {
            return None;
        }
        let payloads = runs.iter().map(|run| run.payloads).sum();
        let observations: usize = runs.iter().map(|run| run.observations).sum();
        let seconds: f64 = runs.iter().map(|run| run.elapsed.as_secs_f64()).sum();
        let cpu: Option<f64> = runs.iter().map(|run| run.processor_time.map(|time| time.as_secs_f64())).sum();
        Some(Self {
            payloads,
            microseconds_per_payload: seconds * 1e6 / f64::from(payloads),
            each_microseconds: runs.iter().map(microseconds).collect(),
            observations_per_payload: ratio(i64::try_from(observations).unwrap_or(i64::MAX), payloads),
            wal_bytes_per_payload: ratio(runs.iter().map(|run| run.wal_bytes).sum(), payloads),
            cpu_ms_per_payload: cpu.map(|cpu| cpu * 1e3 / f64::from(payloads)),
        })
    }
}

fn microseconds(run: &FloorRun) -> f64 {
    run.elapsed.as_secs_f64() * 1e6 / f64::from(run.payloads)
}

/// Ingest with one number of connections.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct IngestRow {
    /// The row that the goal is about.
    pub(super) headline: bool,
    #[serde(flatten)]
    pub(super) cost: IngestCost,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ratio: Option<Ratio>,
}

/// Floor ÷ ours; 1 would be as cheap as the bare inserts.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ratio {
    /// By wall time.
    pub(super) wall: f64,
    /// By processor time of all that take part, load and writer of the floor included: hardly moved by other work on the
    /// machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cpu: Option<f64>,
    /// Time of the floor before and after, µs a payload.
    pub(super) floor_before: f64,
    pub(super) floor_after: f64,
    /// Whether those two agree to 10 %.
    pub(super) machine_quiet: bool,
}

impl IngestRow {
    /// `around`: the floor before and after.
    pub(super) fn new(cost: IngestCost, around: Option<(FloorRun, FloorRun)>, headline: bool) -> Self {
        let ratio = around.map(|(before, after)| {
            let (floor_before, floor_after) = (microseconds(&before), microseconds(&after));
            let floor = FloorCost::of(&[before, after]);
            let ours = cost.cpu_ms_per_payload.map(|cpu| cpu.sum);
            Ratio {
                wall: f64::midpoint(floor_before, floor_after) / cost.microseconds_per_payload,
                cpu: floor.and_then(|floor| floor.cpu_ms_per_payload).zip(ours).map(|(floor, ours)| floor / ours),
                floor_before,
                floor_after,
                machine_quiet: (floor_before - floor_after).abs() <= QUIET * floor_before.min(floor_after),
            }
        });
        Self { headline, cost, ratio }
    }
}

impl Report {
    pub(super) fn new(date: String, machine: Machine) -> Self {
        Self {
            date,
            machine,
            floor: None,
            ingest: Vec::new(),
            decode: None,
            cold_start: None,
            memory: Vec::new(),
            scale: None,
            overload: None,
            shadow: None,
        }
    }

    /// Whether the floor stayed where it was during the whole run.
    fn machine_quiet(&self) -> bool {
        self.ingest.iter().filter_map(|row| row.ratio.as_ref()).all(|ratio| ratio.machine_quiet)
    }
}

/// Mebibytes, for people.
#[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}
