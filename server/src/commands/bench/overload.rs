//! More than can be served: payloads arrive by the clock, whether earlier ones were answered or not. What is refused must
//! be refused quickly, what is accepted must be answered in bounded time, and memory must not grow.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::{JoinSet, LocalSet};

use super::client::Connection;
use super::clinic::Clinic;
use super::ingest::CpuCost;
use super::percentile::Sorted;
use super::postgres;
use super::processes::Resident;
use super::stage::{Stage, progress};

/// How long answers are waited for after the last arrival. Devices wait longer than they should.
const PATIENCE: Duration = Duration::from_secs(30);
/// Where the clock is looked at.
const TICK: Duration = Duration::from_millis(1);

/// How much is offered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Offer {
    /// Payloads a second.
    pub(super) rate: f64,
    pub(super) duration: Duration,
    pub(super) connections: u32,
}

/// What became of it. Rates are a second of the time in which payloads arrived.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Overload {
    pub(super) seconds: f64,
    pub(super) connections: u32,
    pub(super) offered_per_second: f64,
    /// 201.
    pub(super) accepted_per_second: f64,
    /// 503 with `Retry-After`.
    pub(super) refused_per_second: f64,
    /// Not sent, for every connection waited for an answer.
    pub(super) without_connection_per_second: f64,
    /// Connections that broke, or were not answered within half a minute: unknown to the device, sent again by it.
    pub(super) unanswered: u32,
    /// Latency of what was accepted, from the moment when it was due: waiting for a connection's turn counts.
    pub(super) accepted_p50_ms: f64,
    pub(super) accepted_p99_ms: f64,
    pub(super) accepted_max_ms: f64,
    /// Latency of what was refused.
    pub(super) refused_p50_ms: f64,
    pub(super) refused_p99_ms: f64,
    /// Memory of the server: before, the most meanwhile, and five seconds after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) resident_before_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) resident_peak_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) resident_after_bytes: Option<u64>,
    /// Of a payload that was offered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cpu_ms_per_offered_payload: Option<CpuCost>,
}

/// What the connections saw.
#[derive(Default)]
struct Seen {
    accepted: Vec<Duration>,
    refused: Vec<Duration>,
    unanswered: u32,
    without_connection: u32,
    offered: u32,
    /// An answer that is neither.
    surprise: Option<String>,
}

/// Offers it, and checks that what was acknowledged is there and that nothing else is.
pub(super) async fn measure(stage: &mut Stage, offer: Offer) -> anyhow::Result<Overload> {
    let before = postgres::rows(&mut stage.observer).await?;
    let processes = stage.server.processes;
    processes.forget_peak();
    let resident_before = processes.resident();
    let time_before = processes.processor_time()?;
    let (address, clinic, from) = (stage.server.address, Arc::clone(&stage.clinic), stage.next);
    let seen = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut connections = Vec::new();
        for _ in 0..offer.connections {
            connections.push(runtime.block_on(Connection::open(address))?);
        }
        LocalSet::new().block_on(&runtime, offer_by_the_clock(connections, clinic, from, offer))
    });
    let seen = seen.await.context("the load ended early")??;
    stage.next += seen.offered;
    let time = processes.processor_time()?.zip(time_before).map(|(after, before)| after.since(before));
    let peak = processes.resident();
    ensure!(seen.surprise.is_none(), "neither accepted nor refused: {}", seen.surprise.unwrap_or_default());
    let grown = postgres::grown(postgres::rows(&mut stage.observer).await?, &before);
    let stored = grown.get("uplink").copied().unwrap_or_default();
    let accepted = i64::try_from(seen.accepted.len())?;
    ensure!(
        (accepted..=accepted + i64::from(seen.unanswered)).contains(&stored),
        "{accepted} payloads were accepted under overload, {stored} are stored"
    );
    tokio::time::sleep(Duration::from_secs(5).min(offer.duration)).await;
    let after = processes.resident();
    let cost = time.map(|time| CpuCost::new(time, seen.offered.max(1)));
    Ok(Overload::new(seen, offer, [resident_before, peak, after], cost))
}

impl Overload {
    fn new(seen: Seen, offer: Offer, memory: [Option<Resident>; 3], cost: Option<CpuCost>) -> Self {
        let [before, peak, after] = memory;
        let seconds = offer.duration.as_secs_f64();
        let (accepted, refused) = (Sorted::new(seen.accepted), Sorted::new(seen.refused));
        let rate = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / seconds;
        Self {
            seconds,
            connections: offer.connections,
            offered_per_second: f64::from(seen.offered) / seconds,
            accepted_per_second: rate(accepted.len()),
            refused_per_second: rate(refused.len()),
            without_connection_per_second: f64::from(seen.without_connection) / seconds,
            unanswered: seen.unanswered,
            accepted_p50_ms: accepted.microseconds(500) / 1e3,
            accepted_p99_ms: accepted.microseconds(990) / 1e3,
            accepted_max_ms: accepted.microseconds(1000) / 1e3,
            refused_p50_ms: refused.microseconds(500) / 1e3,
            refused_p99_ms: refused.microseconds(990) / 1e3,
            resident_before_bytes: before.map(|memory| memory.now),
            resident_peak_bytes: peak.map(|memory| memory.peak),
            resident_after_bytes: after.map(|memory| memory.now),
            cpu_ms_per_offered_payload: cost,
        }
    }
}

/// A payload that is due.
struct Arrival {
    number: u32,
    due: Instant,
}

/// What all connections of the one thread share.
#[derive(Default)]
struct Shared {
    /// Connections without a request, by their place.
    idle: RefCell<Vec<usize>>,
    seen: RefCell<Seen>,
}

async fn offer_by_the_clock(
    connections: Vec<Connection>,
    clinic: Arc<Clinic>,
    from: u32,
    offer: Offer,
) -> anyhow::Result<Seen> {
    let shared = Rc::new(Shared::default());
    let (mut senders, mut tasks) = (Vec::new(), JoinSet::new());
    for (place, connection) in connections.into_iter().enumerate() {
        let (sender, arrivals) = mpsc::channel(1);
        senders.push(sender);
        shared.idle.borrow_mut().push(place);
        tasks.spawn_local(serve(place, connection, arrivals, Arc::clone(&clinic), Rc::clone(&shared)));
    }
    let started = Instant::now();
    let mut offered = 0_u32;
    let mut said = 0;
    while started.elapsed() < offer.duration {
        let elapsed = started.elapsed();
        while f64::from(offered) < elapsed.as_secs_f64() * offer.rate {
            let due = started + Duration::from_secs_f64(f64::from(offered) / offer.rate);
            let idle = shared.idle.borrow_mut().pop();
            match idle.and_then(|place| senders.get(place)) {
                Some(sender) => {
                    let arrival = Arrival { number: from + offered, due };
                    if sender.try_send(arrival).is_err() {
                        shared.seen.borrow_mut().unanswered += 1;
                    }
                }
                None => shared.seen.borrow_mut().without_connection += 1,
            }
            offered += 1;
        }
        if elapsed.as_secs() > said {
            said = elapsed.as_secs();
            progress(&format!("  {said} of {} s at {:.0} payloads/s", offer.duration.as_secs(), offer.rate));
        }
        tokio::time::sleep(TICK).await;
    }
    progress("");
    drop(senders);
    let ended = tokio::time::timeout(PATIENCE, async { while tasks.join_next().await.is_some() {} }).await;
    let mut seen = shared.seen.take();
    if ended.is_err() {
        seen.unanswered += u32::try_from(tasks.len())?;
    }
    seen.offered = offered;
    Ok(seen)
}

/// Sends what arrives on one connection, until no more will come or the connection breaks.
async fn serve(
    place: usize,
    mut connection: Connection,
    mut arrivals: mpsc::Receiver<Arrival>,
    clinic: Arc<Clinic>,
    shared: Rc<Shared>,
) {
    let mut request = Vec::with_capacity(512);
    while let Some(Arrival { number, due }) = arrivals.recv().await {
        clinic.request(number, &mut request);
        let answer = connection.exchange(&request).await;
        let mut seen = shared.seen.borrow_mut();
        match answer {
            Ok(answer) if answer.status == 201 => seen.accepted.push(due.elapsed()),
            Ok(answer) if answer.status == 503 => seen.refused.push(due.elapsed()),
            Ok(answer) => seen.surprise = Some(format!("{} {}", answer.status, answer.text())),
            Err(_broken) => {
                seen.unanswered += 1;
                return;
            }
        }
        drop(seen);
        shared.idle.borrow_mut().push(place);
    }
}
