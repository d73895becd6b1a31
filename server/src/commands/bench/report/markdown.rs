//! The tables of docs/benchmarks.md, ready to be put there.

use std::fmt::{Result, Write};

use super::super::decode::{DecodeReport, ModelCost, PeerCost};
use super::super::overload::Overload;
use super::super::scale::Scale;
use super::super::shadow::ShadowCost;
use super::{Report, mebibytes};

impl Report {
    /// The tables.
    pub(in super::super) fn markdown(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write_markdown(&mut text);
        text
    }

    fn write_markdown(&self, out: &mut String) -> Result {
        let machine = &self.machine;
        let postgres = machine.postgres.as_ref().map(|version| format!(", PostgreSQL {version}")).unwrap_or_default();
        let quiet = if self.machine_quiet() { "" } else { " **The machine was not quiet.**" };
        writeln!(
            out,
            "{}, {} × {}{postgres}, {} build, load average before {:.1}.{quiet}\n",
            self.date,
            machine.cores,
            machine.processor,
            machine.profile,
            machine.load_average.unwrap_or(f64::NAN)
        )?;
        self.ingest_markdown(out)?;
        self.decode.as_ref().map_or(Ok(()), |decode| decode_markdown(decode, out))?;
        self.memory_markdown(out)?;
        self.scale.as_ref().map_or(Ok(()), |scale| scale_markdown(scale, out))?;
        self.overload.as_ref().map_or(Ok(()), |overload| overload_markdown(overload, out))?;
        self.shadow.as_ref().map_or(Ok(()), |shadow| shadow_markdown(shadow, out))
    }

    fn ingest_markdown(&self, out: &mut String) -> Result {
        if self.floor.is_none() && self.ingest.is_empty() {
            return Ok(());
        }
        head(
            out,
            "connections | ratio, wall | ratio, CPU | µs | payloads/s | p50 / p99 / p99.9, ms | payloads a commit | rows | WAL bytes | WAL syncs | CPU-ms: server + Postgres + load",
        )?;
        for row in &self.ingest {
            let (cost, bold) = (&row.cost, if row.headline { "**" } else { "" });
            let ratio = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.2}"));
            let wall = ratio(row.ratio.as_ref().map(|ratio| ratio.wall));
            let cpu_ratio = ratio(row.ratio.as_ref().and_then(|ratio| ratio.cpu));
            let cpu = cost.cpu_ms_per_payload.map_or_else(
                || "–".to_owned(),
                |cpu| format!("{:.3} + {:.3} + {:.3}", cpu.server, cpu.postgres, cpu.load),
            );
            writeln!(
                out,
                "| {bold}{}{bold} | {bold}{wall}{bold} | {bold}{cpu_ratio}{bold} | {:.1} | {:.0} | {:.1} / {:.1} / {:.1} | {:.1} | {:.2} | {:.0} | {:.4} | {cpu} |",
                cost.connections,
                cost.microseconds_per_payload,
                cost.payloads_per_second,
                cost.p50_ms,
                cost.p99_ms,
                cost.p999_ms,
                cost.payloads_per_commit,
                cost.rows_per_payload,
                cost.wal_bytes_per_payload,
                cost.wal_syncs_per_payload,
            )?;
        }
        if let Some(floor) = &self.floor {
            let cpu = floor.cpu_ms_per_payload.unwrap_or(f64::NAN);
            writeln!(
                out,
                "| floor | 1 | 1 | {:.1} | {:.0} | – | 200 | {:.2} | {:.0} | 0.0050 | {cpu:.3} |",
                floor.microseconds_per_payload,
                1e6 / floor.microseconds_per_payload,
                1.0 + floor.observations_per_payload,
                floor.wal_bytes_per_payload
            )?;
        }
        if let Some(row) = self.ingest.first() {
            let tables = row.cost.rows_by_table.iter().map(|(table, rows)| format!("{table} {rows:.2}"));
            writeln!(out, "\nRows a payload: {}.", tables.collect::<Vec<_>>().join(", "))?;
        }
        writeln!(out)
    }

    fn memory_markdown(&self, out: &mut String) -> Result {
        if let Some(start) = &self.cold_start {
            head(out, "cold start | ms")?;
            writeln!(out, "| new folder: initdb, migrations, decoders compiled | {:.0} |", start.new_folder_ms)?;
            writeln!(out, "| existing folder | {:.0} |\n", start.existing_folder_ms)?;
        }
        if self.memory.is_empty() {
            return Ok(());
        }
        head(out, "memory, MiB | server | its peak since the row above | Postgres")?;
        for row in &self.memory {
            let (now, peak) = (mebibytes(row.server_bytes), mebibytes(row.server_peak_bytes));
            let postgres =
                row.postgres_bytes.map_or_else(|| "–".to_owned(), |bytes| format!("{:.0}", mebibytes(bytes)));
            writeln!(out, "| {} | {now:.1} | {peak:.1} | {postgres} |", row.moment)?;
        }
        writeln!(out)
    }
}

/// The head of a table and the line below it.
fn head(out: &mut String, columns: &str) -> Result {
    writeln!(out, "| {columns} |")?;
    writeln!(out, "|{}", "---|".repeat(columns.split(" | ").count()))
}

fn decode_markdown(decode: &DecodeReport, out: &mut String) -> Result {
    head(out, &format!("{} | median µs | p99 µs | × native", DecodeReport::title()))?;
    for PeerCost { way, median_us, p99_us, times_native, .. } in &decode.ways {
        writeln!(out, "| {way} | {median_us:.1} | {p99_us:.1} | {:.1} |", times_native.unwrap_or(f64::NAN))?;
    }
    if let Some(note) = decode.note() {
        writeln!(out, "| {note} | – | – | – |")?;
    }
    writeln!(out)?;
    head(out, "fresh sandbox, by model | median µs | p99 µs | fuel")?;
    for ModelCost { model, median_us, p99_us, fuel, .. } in &decode.models {
        writeln!(out, "| {model} | {median_us:.1} | {p99_us:.1} | {fuel} |")?;
    }
    writeln!(out)
}

fn scale_markdown(scale: &Scale, out: &mut String) -> Result {
    let (base, filled) = (&scale.base.cost, &scale.filled.cost);
    head(out, "a payload | base | filled | filled ÷ base")?;
    let mut both = |what: &str, base: f64, filled: f64, digits: usize| {
        writeln!(out, "| {what} | {base:.digits$} | {filled:.digits$} | {:.2} |", filled / base)
    };
    both("µs", base.microseconds_per_payload, filled.microseconds_per_payload, 1)?;
    if let Some((base, filled)) = base.cpu_ms_per_payload.zip(filled.cpu_ms_per_payload) {
        both("CPU-ms, server and Postgres", base.server + base.postgres, filled.server + filled.postgres, 3)?;
    }
    both("WAL bytes", base.wal_bytes_per_payload, filled.wal_bytes_per_payload, 0)?;
    both("p99, ms", base.p99_ms, filled.p99_ms, 1)?;
    writeln!(out, "| the floor, µs: after ÷ before | | | {:.2} |\n", scale.floor_ratio)?;
    head(out, "table | rows, base | rows, filled | table, MiB | indexes, MiB")?;
    for (before, table) in scale.base.tables.iter().zip(&scale.filled.tables) {
        let size = |bytes: i64| mebibytes(u64::try_from(bytes).unwrap_or_default());
        let (few, rows, indexes) = (before.rows, table.rows, size(table.index_bytes));
        writeln!(out, "| {} | {few} | {rows} | {:.0} | {indexes:.0} |", table.table, size(table.table_bytes))?;
    }
    writeln!(
        out,
        "\n{:.0} bytes an Observation with its indexes; {:.0} bytes of the whole database for each.\n",
        scale.bytes_per_observation, scale.database_bytes_per_observation
    )
}

fn overload_markdown(overload: &Overload, out: &mut String) -> Result {
    head(
        out,
        "offered/s | accepted/s | refused/s | no free connection/s | accepted p50 / p99 / longest, ms | refused p50 / p99, ms | server before / peak / after, MiB",
    )?;
    let memory = [overload.resident_before_bytes, overload.resident_peak_bytes, overload.resident_after_bytes]
        .map(|bytes| bytes.map_or_else(|| "–".to_owned(), |bytes| format!("{:.0}", mebibytes(bytes))));
    writeln!(
        out,
        "| {:.0} | {:.0} | {:.0} | {:.0} | {:.0} / {:.0} / {:.0} | {:.1} / {:.1} | {} |\n",
        overload.offered_per_second,
        overload.accepted_per_second,
        overload.refused_per_second,
        overload.without_connection_per_second,
        overload.accepted_p50_ms,
        overload.accepted_p99_ms,
        overload.accepted_max_ms,
        overload.refused_p50_ms,
        overload.refused_p99_ms,
        memory.join(" / ")
    )
}

fn shadow_markdown(shadow: &ShadowCost, out: &mut String) -> Result {
    let memory = |bytes: Option<u64>| bytes.map_or_else(|| "–".to_owned(), |bytes| format!("{:.0}", mebibytes(bytes)));
    head(
        out,
        "shadow replay | retained uplinks | seconds | uplinks/s | server's memory before, MiB | its peak meanwhile",
    )?;
    writeln!(
        out,
        "| {} | {} | {:.1} | {:.0} | {} | {} |",
        shadow.decoder,
        shadow.uplinks,
        shadow.seconds,
        shadow.uplinks_per_second,
        memory(shadow.server_before_bytes),
        memory(shadow.server_peak_bytes)
    )?;
    writeln!(out)?;
    head(out, "live shadow, share | payloads/s | µs | p99, ms | server's CPU-ms | compared | dropped")?;
    for live in &shadow.live {
        let cpu = live.cpu_ms_per_payload.map_or_else(|| "–".to_owned(), |cpu| format!("{:.3}", cpu.server));
        writeln!(
            out,
            "| {} % | {:.0} | {:.1} | {:.1} | {cpu} | {} | {} |",
            live.share,
            live.payloads_per_second,
            live.microseconds_per_payload,
            live.p99_ms,
            live.compared,
            live.dropped
        )?;
    }
    writeln!(out)
}
