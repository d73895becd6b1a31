//! What the run came to: a table for people, ratios first, or JSON.

use std::fmt::Write;

use serde::Serialize;

use super::decode::ModelCost;
use super::floor::FloorRun;
use super::ingest::{IngestCost, ratio};

/// The whole result.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    /// When it began, UTC.
    pub(super) date: String,
    pub(super) machine: Machine,
    /// What is compared with what; only these carry over from machine to machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ratios: Option<Ratios>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ingest: Option<IngestCost>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) floor: Option<FloorCost>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) decode: Option<Vec<ModelCost>>,
}

/// Where it ran.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Machine {
    pub(super) processor: String,
    pub(super) cores: usize,
    pub(super) postgres: String,
    /// `release` or `debug`.
    pub(super) profile: &'static str,
}

/// Time of the floor ÷ our time, a payload; 1 would be as fast as the bare inserts.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ratios {
    /// Against both measurements of the floor together.
    pub(super) ingest_to_floor: f64,
    /// Against the one before ours, and the one after: they are apart when the machine was not quiet.
    pub(super) against_floor_before: f64,
    pub(super) against_floor_after: f64,
}

/// What the floor costs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FloorCost {
    pub(super) payloads: u32,
    pub(super) microseconds_per_payload: f64,
    pub(super) observations_per_payload: f64,
    pub(super) wal_bytes_per_payload: f64,
}

impl Ratios {
    pub(super) fn new(before: &FloorRun, after: &FloorRun, ingest: &IngestCost) -> Self {
        let against = |floor: f64| floor / ingest.microseconds_per_payload;
        Self {
            ingest_to_floor: against(FloorCost::new(before, after).microseconds_per_payload),
            against_floor_before: against(microseconds(before)),
            against_floor_after: against(microseconds(after)),
        }
    }
}

impl FloorCost {
    pub(super) fn new(before: &FloorRun, after: &FloorRun) -> Self {
        let payloads = before.payloads + after.payloads;
        let observations = i64::try_from(before.observations + after.observations).unwrap_or(i64::MAX);
        Self {
            payloads,
            microseconds_per_payload: (before.elapsed + after.elapsed).as_secs_f64() * 1e6 / f64::from(payloads),
            observations_per_payload: ratio(observations, payloads),
            wal_bytes_per_payload: ratio(before.wal_bytes + after.wal_bytes, payloads),
        }
    }
}

fn microseconds(run: &FloorRun) -> f64 {
    run.elapsed.as_secs_f64() * 1e6 / f64::from(run.payloads)
}

impl Report {
    /// The table.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let Self { date, machine, .. } = self;
        writeln!(out, "{date}, {} × {}", machine.cores, machine.processor)?;
        writeln!(out, "PostgreSQL {}, {} build", machine.postgres, machine.profile)?;
        if machine.profile != "release" {
            writeln!(out, "Not an optimised build: its figures say nothing about what is deployed (make bench).")?;
        }
        self.ratios.as_ref().map_or(Ok(()), |ratios| ratios.write(out))?;
        self.floor.as_ref().map_or(Ok(()), |floor| floor.write(out))?;
        self.ingest.as_ref().map_or(Ok(()), |ingest| ingest.write(out))?;
        if let Some(decode) = &self.decode {
            writeln!(
                out,
                "\n{:<20}{:>9}{:>14}{:>12}{:>12}",
                "decode, fresh", "examples", "median µs", "p99 µs", "fuel"
            )?;
            for cost in decode {
                let ModelCost { model, examples, median_us, p99_us, fuel, .. } = cost;
                writeln!(out, "{model:<20}{examples:>9}{median_us:>14.1}{p99_us:>12.1}{fuel:>12}")?;
            }
        }
        Ok(())
    }
}

fn line(out: &mut String, what: &str, value: f64, digits: usize) -> std::fmt::Result {
    writeln!(out, "{what:<40}{value:>12.digits$}")
}

impl Ratios {
    fn write(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "\nratio: time of the floor ÷ our time, a payload (1: as fast as bare inserts)")?;
        line(out, "ingest", self.ingest_to_floor, 2)?;
        line(out, "  against the floor before", self.against_floor_before, 2)?;
        line(out, "  against the floor after", self.against_floor_after, 2)
    }
}

impl FloorCost {
    fn write(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "\nfloor: {} payloads", self.payloads)?;
        line(out, "µs a payload", self.microseconds_per_payload, 1)?;
        line(out, "rows a payload", 1.0 + self.observations_per_payload, 2)?;
        line(out, "WAL bytes a payload", self.wal_bytes_per_payload, 0)
    }
}

impl IngestCost {
    fn write(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "\ningest: {} payloads, {} connections", self.payloads, self.connections)?;
        line(out, "µs a payload", self.microseconds_per_payload, 1)?;
        line(out, "payloads/s", self.payloads_per_second, 0)?;
        line(out, "latency p50, ms", self.p50_ms, 2)?;
        line(out, "latency p99, ms", self.p99_ms, 2)?;
        line(out, "latency p99.9, ms", self.p999_ms, 2)?;
        line(out, "payloads a group commit", self.payloads_per_commit, 1)?;
        line(out, "rows a payload", self.rows_per_payload, 2)?;
        line(out, "Observations a payload", self.observations_per_payload, 2)?;
        line(out, "deliveries a payload", self.deliveries_per_payload, 2)?;
        line(out, "WAL bytes a payload", self.wal_bytes_per_payload, 0)?;
        line(out, "WAL syncs a payload", self.wal_syncs_per_payload, 4)?;
        match self.load_cpu_ms_per_payload {
            Some(load) => {
                line(out, "CPU-ms a payload, server", self.server_cpu_ms_per_payload, 3)?;
                line(out, "CPU-ms a payload, load generator", load, 3)
            }
            None => line(out, "CPU-ms a payload, server and load", self.server_cpu_ms_per_payload, 3),
        }
    }
}
