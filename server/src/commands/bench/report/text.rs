//! The table for people.

use std::fmt::{Result, Write};

use super::super::decode::{DecodeReport, ModelCost, PeerCost};
use super::super::overload::Overload;
use super::super::scale::Scale;
use super::super::shadow::ShadowCost;
use super::{IngestRow, Report, mebibytes};

/// Width of the column of names, and of a column of numbers.
const NAME: usize = 42;

impl Report {
    /// The table.
    pub(in super::super) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write_text(&mut text);
        text
    }

    fn write_text(&self, out: &mut String) -> Result {
        let machine = &self.machine;
        write!(out, "{}, {} × {}", self.date, machine.cores, machine.processor)?;
        writeln!(out, ", load average before {:.1}", machine.load_average.unwrap_or(f64::NAN))?;
        match &machine.postgres {
            Some(postgres) => writeln!(out, "PostgreSQL {postgres}, {} build", machine.profile)?,
            None => writeln!(out, "{} build", machine.profile)?,
        }
        if machine.profile != "release" {
            writeln!(out, "Not an optimised build: its figures say nothing about what is deployed (make bench).")?;
        }
        if !self.machine_quiet() {
            writeln!(out, "Machine not quiet: the floor before and after a measurement differ by more than 10 %.")?;
        }
        self.floor_text(out)?;
        ingest_text(&self.ingest, out)?;
        self.decode.as_ref().map_or(Ok(()), |decode| decode_text(decode, out))?;
        self.memory_text(out)?;
        self.scale.as_ref().map_or(Ok(()), |scale| scale_text(scale, out))?;
        self.overload.as_ref().map_or(Ok(()), |overload| overload_text(overload, out))?;
        self.shadow.as_ref().map_or(Ok(()), |shadow| shadow_text(shadow, out))
    }

    fn floor_text(&self, out: &mut String) -> Result {
        let Some(floor) = &self.floor else { return Ok(()) };
        writeln!(out, "\nfloor: bare inserts of the same texts, {} payloads", floor.payloads)?;
        line(out, "µs a payload", floor.microseconds_per_payload, 1)?;
        let each: Vec<String> = floor.each_microseconds.iter().map(|each| format!("{each:.1}")).collect();
        writeln!(out, "{:<NAME$}{:>12}", "  each measurement", each.join(", "))?;
        line(out, "CPU-ms a payload, writer included", floor.cpu_ms_per_payload.unwrap_or(f64::NAN), 3)?;
        line(out, "rows a payload", 1.0 + floor.observations_per_payload, 2)?;
        line(out, "WAL bytes a payload", floor.wal_bytes_per_payload, 0)
    }

    fn memory_text(&self, out: &mut String) -> Result {
        if let Some(start) = &self.cold_start {
            writeln!(out, "\ncold start, from exec to ready")?;
            line(out, "new folder (initdb, decoders compiled), ms", start.new_folder_ms, 0)?;
            line(out, "existing folder, ms", start.existing_folder_ms, 0)?;
        }
        if !self.memory.is_empty() {
            writeln!(out, "\n{:<NAME$}{:>12}{:>12}{:>12}", "memory, MiB", "server", "its peak", "Postgres")?;
        }
        for row in &self.memory {
            let (now, peak) = (mebibytes(row.server_bytes), mebibytes(row.server_peak_bytes));
            let postgres = row.postgres_bytes.map_or(f64::NAN, mebibytes);
            writeln!(out, "{:<NAME$}{now:>12.1}{peak:>12.1}{postgres:>12.1}", row.moment)?;
        }
        Ok(())
    }
}

fn line(out: &mut String, what: &str, value: f64, digits: usize) -> Result {
    writeln!(out, "{what:<NAME$}{value:>12.digits$}")
}

/// A column for each number of connections.
fn ingest_text(rows: &[IngestRow], out: &mut String) -> Result {
    let Some(first) = rows.first() else { return Ok(()) };
    writeln!(out, "\ningest, {} payloads each", first.cost.payloads)?;
    let mut line = |what: &str, digits: usize, value: &dyn Fn(&IngestRow) -> Option<f64>| {
        write!(out, "{what:<NAME$}")?;
        for row in rows {
            match value(row) {
                Some(value) => write!(out, "{value:>12.digits$}")?,
                None => write!(out, "{:>12}", "-")?,
            }
        }
        writeln!(out)
    };
    line("connections", 0, &|row| Some(f64::from(row.cost.connections)))?;
    line("ratio: floor ÷ ours, wall time", 3, &|row| Some(row.ratio.as_ref()?.wall))?;
    line("ratio: floor ÷ ours, processor time", 3, &|row| row.ratio.as_ref()?.cpu)?;
    line("µs a payload", 1, &|row| Some(row.cost.microseconds_per_payload))?;
    line("payloads/s", 0, &|row| Some(row.cost.payloads_per_second))?;
    line("latency p50, ms", 2, &|row| Some(row.cost.p50_ms))?;
    line("latency p99, ms", 2, &|row| Some(row.cost.p99_ms))?;
    line("latency p99.9, ms", 2, &|row| Some(row.cost.p999_ms))?;
    line("payloads a group commit", 1, &|row| Some(row.cost.payloads_per_commit))?;
    line("WAL syncs a payload", 4, &|row| Some(row.cost.wal_syncs_per_payload))?;
    line("WAL bytes a payload", 0, &|row| Some(row.cost.wal_bytes_per_payload))?;
    line("CPU-ms a payload", 3, &|row| Some(row.cost.cpu_ms_per_payload?.sum))?;
    line("  server", 3, &|row| Some(row.cost.cpu_ms_per_payload?.server))?;
    line("  Postgres", 3, &|row| Some(row.cost.cpu_ms_per_payload?.postgres))?;
    line("  load generator", 3, &|row| Some(row.cost.cpu_ms_per_payload?.load))?;
    line("rows a payload", 2, &|row| Some(row.cost.rows_per_payload))?;
    for table in first.cost.rows_by_table.keys() {
        line(&format!("  {table}"), 2, &|row| row.cost.rows_by_table.get(table).copied())?;
    }
    Ok(())
}

fn decode_text(decode: &DecodeReport, out: &mut String) -> Result {
    writeln!(out, "\n{:<NAME$}{:>12}{:>12}{:>12}", DecodeReport::title(), "median µs", "p99 µs", "× native")?;
    for PeerCost { way, median_us, p99_us, times_native, .. } in &decode.ways {
        writeln!(out, "{way:<NAME$}{median_us:>12.1}{p99_us:>12.1}{:>12.1}", times_native.unwrap_or(f64::NAN))?;
    }
    if let Some(note) = decode.note() {
        writeln!(out, "{note}")?;
    }
    writeln!(out, "\n{:<NAME$}{:>12}{:>12}{:>12}", "fresh sandbox, by model", "median µs", "p99 µs", "fuel")?;
    for ModelCost { model, median_us, p99_us, fuel, .. } in &decode.models {
        writeln!(out, "{model:<NAME$}{median_us:>12.1}{p99_us:>12.1}{fuel:>12}")?;
    }
    Ok(())
}

fn scale_text(scale: &Scale, out: &mut String) -> Result {
    writeln!(out, "\n{:<NAME$}{:>12}{:>12}{:>12}", "cost against more rows", "base", "filled", "ratio")?;
    let (base, filled) = (&scale.base.cost, &scale.filled.cost);
    let mut both = |what: &str, base: f64, filled: f64, digits: usize| {
        writeln!(out, "{what:<NAME$}{base:>12.digits$}{filled:>12.digits$}{:>12.3}", filled / base)
    };
    both("µs a payload", base.microseconds_per_payload, filled.microseconds_per_payload, 1)?;
    if let Some((base, filled)) = base.cpu_ms_per_payload.zip(filled.cpu_ms_per_payload) {
        both("CPU-ms a payload, server and Postgres", base.server + base.postgres, filled.server + filled.postgres, 3)?;
        both("  Postgres", base.postgres, filled.postgres, 3)?;
    }
    both("WAL bytes a payload", base.wal_bytes_per_payload, filled.wal_bytes_per_payload, 0)?;
    both("latency p99, ms", base.p99_ms, filled.p99_ms, 1)?;
    line(out, "the floor after ÷ before", scale.floor_ratio, 3)?;
    line(out, "bytes an Observation, with its indexes", scale.bytes_per_observation, 0)?;
    line(out, "bytes of the database an Observation", scale.database_bytes_per_observation, 0)?;
    writeln!(out, "{:<NAME$}{:>12}{:>12}{:>12}", "  table, filled", "rows", "table, MiB", "indexes, MiB")?;
    for table in &scale.filled.tables {
        let size = |bytes: i64| mebibytes(u64::try_from(bytes).unwrap_or_default());
        let (rows, indexes) = (table.rows, size(table.index_bytes));
        writeln!(out, "  {:<40}{rows:>12}{:>12.1}{indexes:>12.1}", table.table, size(table.table_bytes))?;
    }
    Ok(())
}

fn overload_text(overload: &Overload, out: &mut String) -> Result {
    writeln!(out, "\noverload: {} connections, {:.0} s", overload.connections, overload.seconds)?;
    line(out, "offered/s", overload.offered_per_second, 0)?;
    line(out, "accepted/s", overload.accepted_per_second, 0)?;
    line(out, "refused/s (503)", overload.refused_per_second, 0)?;
    line(out, "without a free connection/s", overload.without_connection_per_second, 0)?;
    line(out, "not answered", f64::from(overload.unanswered), 0)?;
    line(out, "accepted, p50, ms", overload.accepted_p50_ms, 1)?;
    line(out, "accepted, p99, ms", overload.accepted_p99_ms, 1)?;
    line(out, "accepted, longest, ms", overload.accepted_max_ms, 1)?;
    line(out, "refused, p50, ms", overload.refused_p50_ms, 1)?;
    line(out, "refused, p99, ms", overload.refused_p99_ms, 1)?;
    for (what, bytes) in [
        ("server's memory before, MiB", overload.resident_before_bytes),
        ("  the most meanwhile", overload.resident_peak_bytes),
        ("  after", overload.resident_after_bytes),
    ] {
        line(out, what, bytes.map_or(f64::NAN, mebibytes), 1)?;
    }
    Ok(())
}

fn shadow_text(shadow: &ShadowCost, out: &mut String) -> Result {
    writeln!(out, "\nshadow replay of {} retained uplinks, {}", shadow.uplinks, shadow.decoder)?;
    line(out, "uplinks a second, each decoded twice", shadow.uplinks_per_second, 0)?;
    line(out, "server's memory before, MiB", shadow.server_before_bytes.map_or(f64::NAN, mebibytes), 0)?;
    line(out, "its peak meanwhile, MiB", shadow.server_peak_bytes.map_or(f64::NAN, mebibytes), 0)?;
    for live in &shadow.live {
        writeln!(out, "live shadow of {} %: {} compared, {} dropped", live.share, live.compared, live.dropped)?;
        line(out, "  payloads a second", live.payloads_per_second, 0)?;
        line(out, "  p99, ms", live.p99_ms, 1)?;
        line(out, "  CPU-ms of the server a payload", live.cpu_ms_per_payload.map_or(f64::NAN, |cpu| cpu.server), 3)?;
    }
    Ok(())
}
