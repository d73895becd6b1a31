//! The closed loop: connections that each post one payload after the other, as fast as they are answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde::Deserialize;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::client::Connection;
use super::clinic::Clinic;

/// What is sent.
#[derive(Clone)]
pub(super) struct Load {
    pub(super) address: SocketAddr,
    pub(super) clinic: Arc<Clinic>,
    /// Number of the payload after the last. No number is ever sent twice.
    pub(super) until: u32,
    pub(super) connections: u32,
    /// Whether the ids of the stored Observations are wanted.
    pub(super) receipts: bool,
    /// The next number, from the first on: shows how far it is.
    pub(super) next: Arc<AtomicU32>,
    pub(super) stop: CancellationToken,
}

/// What came of it.
#[derive(Default)]
pub(super) struct Driven {
    /// From the first request to the last answer, with every connection open before.
    pub(super) elapsed: Duration,
    /// From a request to its answer.
    pub(super) latencies: Vec<Duration>,
    /// If they were wanted: each payload's number, and the Observations that it became.
    pub(super) receipts: Vec<(u32, Vec<String>)>,
}

/// Of the answer to an uplink.
#[derive(Deserialize)]
struct Receipt {
    observations: Vec<String>,
}

/// Runs the load on the calling thread alone, so that it takes no more than one processor.
///
/// # Errors
/// The first answer that is not 201.
pub(super) fn drive(load: &Load) -> anyhow::Result<Driven> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let mut connections = Vec::new();
        for _ in 0..load.connections {
            connections.push(Connection::open(load.address).await?);
        }
        let started = Instant::now();
        let mut senders = JoinSet::new();
        for connection in connections {
            senders.spawn(send(load.clone(), connection));
        }
        let mut all = Driven::default();
        while let Some(sent) = senders.join_next().await {
            let sent = sent??;
            all.latencies.extend(sent.latencies);
            all.receipts.extend(sent.receipts);
        }
        all.elapsed = started.elapsed();
        all.receipts.sort_unstable();
        Ok(all)
    })
}

async fn send(load: Load, mut connection: Connection) -> anyhow::Result<Driven> {
    let mut sent = Driven::default();
    let mut request = Vec::with_capacity(512);
    while !load.stop.is_cancelled() {
        let number = load.next.fetch_add(1, Ordering::Relaxed);
        if number >= load.until {
            break;
        }
        load.clinic.request(number, &mut request);
        let started = Instant::now();
        let answer = connection.exchange(&request).await?;
        sent.latencies.push(started.elapsed());
        ensure!(answer.status == 201, "a payload was answered {}, not 201: {}", answer.status, answer.text());
        if load.receipts {
            let receipt: Receipt = serde_json::from_slice(answer.body)?;
            sent.receipts.push((number, receipt.observations));
        }
    }
    Ok(sent)
}
