//! The load: connections that each post one payload after the other, as fast as they are answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use nix::sys::resource::{Usage, UsageWho, getrusage};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::client::{Connection, Request};
use super::clinic::Cuff;
use super::payload::{self, blood_pressure};

/// What is sent.
#[derive(Clone)]
pub(super) struct Load {
    pub(super) address: SocketAddr,
    pub(super) cuffs: Arc<[Cuff]>,
    /// Number of the first payload, and of the one after the last. No number is ever sent twice.
    pub(super) from: u32,
    pub(super) until: u32,
    pub(super) connections: u16,
    /// The next number: shows how far it is.
    pub(super) next: Arc<AtomicU32>,
    pub(super) stop: CancellationToken,
}

/// What came of it.
pub(super) struct Driven {
    /// From the first request to the last answer, with every connection open before.
    pub(super) elapsed: Duration,
    /// From a request to its answer.
    pub(super) latencies: Vec<Duration>,
    /// Processor time of this process meanwhile: server and load.
    pub(super) process_cpu: Duration,
    /// Processor time of the load alone, where the system tells it of a thread.
    pub(super) load_cpu: Option<Duration>,
}

/// Runs the load on the calling thread alone, so that its processor time can be told from the server's.
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
        load.next.store(load.from, Ordering::Relaxed);
        let (process, thread) = (processor_time()?, thread_processor_time()?);
        let started = Instant::now();
        let mut senders = JoinSet::new();
        for connection in connections {
            senders.spawn(send(load.clone(), connection));
        }
        let mut latencies = Vec::new();
        while let Some(sent) = senders.join_next().await {
            latencies.extend(sent??);
        }
        let elapsed = started.elapsed();
        let process_cpu = processor_time()?.saturating_sub(process);
        let load_cpu = thread_processor_time()?.zip(thread).map(|(after, before)| after.saturating_sub(before));
        Ok(Driven { elapsed, latencies, process_cpu, load_cpu })
    })
}

async fn send(load: Load, mut connection: Connection) -> anyhow::Result<Vec<Duration>> {
    let path = format!("/ingest/v1/uplinks?channel={}", payload::CHANNEL);
    let devices = u32::try_from(load.cuffs.len())?;
    let mut latencies = Vec::new();
    while !load.stop.is_cancelled() {
        let number = load.next.fetch_add(1, Ordering::Relaxed);
        if number >= load.until {
            break;
        }
        let Some(cuff) = load.cuffs.get(usize::try_from(number % devices)?) else { break };
        let body = blood_pressure(number / devices);
        let request = Request {
            method: "POST",
            path: &path,
            token: &cuff.token,
            media_type: "application/octet-stream",
            body: &body,
        };
        let started = Instant::now();
        let answer = connection.send(&request).await?;
        latencies.push(started.elapsed());
        let text = || String::from_utf8_lossy(&answer.body).into_owned();
        ensure!(answer.status == 201, "a payload was answered {}, not 201: {}", answer.status, text());
    }
    Ok(latencies)
}

fn processor_time() -> anyhow::Result<Duration> {
    Ok(sum(&getrusage(UsageWho::RUSAGE_SELF)?))
}

#[cfg(target_os = "linux")]
fn thread_processor_time() -> anyhow::Result<Option<Duration>> {
    Ok(Some(sum(&getrusage(UsageWho::RUSAGE_THREAD)?)))
}

#[cfg(not(target_os = "linux"))]
fn thread_processor_time() -> anyhow::Result<Option<Duration>> {
    Ok(None)
}

fn sum(usage: &Usage) -> Duration {
    let microseconds = |time: nix::sys::time::TimeVal| {
        u64::try_from(time.tv_sec()).unwrap_or_default() * 1_000_000 + u64::try_from(time.tv_usec()).unwrap_or_default()
    };
    Duration::from_micros(microseconds(usage.user_time()) + microseconds(usage.system_time()))
}
