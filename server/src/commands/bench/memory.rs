//! What the server takes before anybody sends anything, under load, and after it; and how long it takes to start.

use std::time::Duration;

use serde::Serialize;

use super::processes::Processes;

/// From the start of the process until `/readyz` says yes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ColdStart {
    /// In an empty folder: a new database cluster, migrations, and every decoder compiled.
    pub(super) new_folder_ms: f64,
    /// With the folder of a server that ran before: decoders come compiled from the cache.
    pub(super) existing_folder_ms: f64,
}

impl ColdStart {
    pub(super) fn new(new_folder: Duration, existing_folder: Duration) -> Self {
        Self { new_folder_ms: new_folder.as_secs_f64() * 1e3, existing_folder_ms: existing_folder.as_secs_f64() * 1e3 }
    }
}

/// Memory at one moment.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MemoryRow {
    /// Which.
    pub(super) moment: String,
    /// Resident set of the server.
    pub(super) server_bytes: u64,
    /// The most since the row before, or since the start.
    pub(super) server_peak_bytes: u64,
    /// Postgres with its cache; what its processes share counts once. Not told to other accounts than root's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) postgres_bytes: Option<u64>,
}

/// Reads it; nothing where the system does not tell.
pub(super) fn read(processes: Processes, moment: impl Into<String>) -> Option<MemoryRow> {
    let resident = processes.resident()?;
    let postgres_bytes = processes.postgres_memory();
    processes.forget_peak();
    Some(MemoryRow {
        moment: moment.into(),
        server_bytes: resident.now,
        server_peak_bytes: resident.peak,
        postgres_bytes,
    })
}
