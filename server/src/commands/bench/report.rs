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
    pub(super) ratios: Ratios,
    pub(super) ingest: IngestCost,
    pub(super) floor: FloorCost,
    pub(super) decode: Vec<ModelCost>,
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
        let Self { date, machine, ratios, ingest, floor, decode } = self;
        writeln!(out, "{date}, {} × {}", machine.cores, machine.processor)?;
        writeln!(out, "PostgreSQL {}, {} build", machine.postgres, machine.profile)?;
        if machine.profile != "release" {
            writeln!(out, "Not an optimised build: its figures say nothing about what is deployed (make bench).")?;
        }
        writeln!(out, "\nratio: time of the floor ÷ our time, a payload (1: as fast as bare inserts)")?;
        writeln!(out, "{:<40}{:>12.2}", "ingest", ratios.ingest_to_floor)?;
        writeln!(out, "{:<40}{:>12.2}", "  against the floor before", ratios.against_floor_before)?;
        writeln!(out, "{:<40}{:>12.2}", "  against the floor after", ratios.against_floor_after)?;

        writeln!(out, "\n{:<40}{:>12}{:>12}", "a payload", "ours", "floor")?;
        let mut pair = |what: &str, ours: f64, floor: f64, digits: usize| {
            writeln!(out, "{what:<40}{ours:>12.digits$}{floor:>12.digits$}")
        };
        pair("µs", ingest.microseconds_per_payload, floor.microseconds_per_payload, 1)?;
        pair("Observations", ingest.observations_per_payload, floor.observations_per_payload, 2)?;
        pair("rows", ingest.rows_per_payload, 1.0 + floor.observations_per_payload, 2)?;
        pair("WAL bytes", ingest.wal_bytes_per_payload, floor.wal_bytes_per_payload, 0)?;

        let connections = ingest.connections;
        writeln!(out, "\ningest: {} payloads, {connections} connections", ingest.payloads)?;
        let mut line = |what: &str, value: f64, digits: usize| writeln!(out, "{what:<40}{value:>12.digits$}");
        line("payloads/s", ingest.payloads_per_second, 0)?;
        line("latency p50, ms", ingest.p50_ms, 2)?;
        line("latency p99, ms", ingest.p99_ms, 2)?;
        line("latency p99.9, ms", ingest.p999_ms, 2)?;
        line("payloads a group commit", ingest.payloads_per_commit, 1)?;
        line("deliveries a payload", ingest.deliveries_per_payload, 2)?;
        line("WAL syncs a payload", ingest.wal_syncs_per_payload, 4)?;
        match ingest.load_cpu_ms_per_payload {
            Some(load) => {
                line("CPU-ms a payload, server", ingest.server_cpu_ms_per_payload, 3)?;
                line("CPU-ms a payload, load generator", load, 3)?;
            }
            None => line("CPU-ms a payload, server and load", ingest.server_cpu_ms_per_payload, 3)?,
        }

        writeln!(out, "\n{:<20}{:>9}{:>14}{:>12}{:>12}", "decode, fresh", "examples", "median µs", "p99 µs", "fuel")?;
        for cost in decode {
            let ModelCost { model, examples, median_us, p99_us, fuel, .. } = cost;
            writeln!(out, "{model:<20}{examples:>9}{median_us:>14.1}{p99_us:>12.1}{fuel:>12}")?;
        }
        Ok(())
    }
}
