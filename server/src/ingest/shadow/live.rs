//! A version beside the one that serves, on a share of the live uplinks: after their commit, never waited for.
//!
//! An uplink that is chosen is put into a bounded queue when its answer is known; a full queue drops it and counts that. One
//! task decodes it with both versions and counts into the same report as a shadow replay, which is written every other second.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use db::ShadowReplayId;
use plugin_host::Decoder;
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

use super::begin::ShadowScope;
use super::model::Report;
use super::run_both::{Ran, run_both};
use super::store;
use crate::app::App;
use crate::error::Error;
use crate::fleet::DeviceSnapshot;
use crate::ingest::model::Received;
use crate::ingest::replays::{DecoderVersion, version};

/// Uplinks that wait for their comparison.
const QUEUE: usize = 1_000;
/// Their bytes.
const QUEUE_BYTES: usize = 16 << 20;
/// How often it is asked which live shadows there are.
const ASKED: Duration = Duration::from_secs(1);
/// How often reports are written.
const WRITTEN: Duration = Duration::from_secs(2);

/// A live shadow.
#[derive(Debug, Clone)]
struct Live {
    id: ShadowReplayId,
    decoder: Arc<Decoder>,
    models: Vec<String>,
    tenants: Option<Vec<db::TenantId>>,
    /// Percent.
    share: u8,
}

impl Live {
    /// Whether it wants an uplink: decided by the random part of its id, alike in every process.
    fn wants(&self, device: &DeviceSnapshot, received: &Received) -> bool {
        let lot = received.id.0.as_u64_pair().1 % 100;
        lot < u64::from(self.share)
            && self.models.contains(&device.model)
            && self.tenants.as_ref().is_none_or(|tenants| tenants.contains(&device.tenant))
    }
}

/// An uplink that a live shadow wants.
#[derive(Debug)]
pub struct Sample {
    device: DeviceSnapshot,
    received: Received,
}

/// The live shadows of this process.
pub struct Shadows {
    any: AtomicBool,
    live: RwLock<Arc<Vec<Live>>>,
    sender: mpsc::Sender<Sample>,
    receiver: Mutex<mpsc::Receiver<Sample>>,
    bytes: AtomicUsize,
    dropped: AtomicU64,
}

impl Default for Shadows {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        Self {
            any: AtomicBool::new(false),
            live: RwLock::default(),
            sender,
            receiver: Mutex::new(receiver),
            bytes: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
        }
    }
}

impl Shadows {
    /// What has to be kept of an uplink, if a live shadow wants it. Without any, this is one load of a flag.
    #[must_use]
    pub fn sample(&self, device: &DeviceSnapshot, received: &Received) -> Option<Sample> {
        if !self.any.load(Ordering::Relaxed) {
            return None;
        }
        let wanted = self.live().iter().any(|live| live.wants(device, received));
        wanted.then(|| Sample { device: device.clone(), received: received.clone() })
    }

    /// Hands a sample over, when its uplink is committed. Never waits: where there is no room it is dropped and counted.
    pub fn offer(&self, sample: Option<Sample>) {
        let Some(sample) = sample else { return };
        let size = sample.received.body.len();
        if self.bytes.fetch_add(size, Ordering::Relaxed) + size > QUEUE_BYTES || self.sender.try_send(sample).is_err() {
            self.bytes.fetch_sub(size, Ordering::Relaxed);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn live(&self) -> Arc<Vec<Live>> {
        Arc::clone(&self.live.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set(&self, live: Vec<Live>) {
        self.any.store(!live.is_empty(), Ordering::Relaxed);
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(live);
    }
}

/// Compares what is offered, until it is told to stop.
pub async fn run_live(app: Arc<App>, stop: CancellationToken) {
    let mut receiver = app.shadows.receiver.lock().await;
    let mut reports: HashMap<ShadowReplayId, Report> = HashMap::new();
    let (mut ask, mut write) = (tokio::time::interval(ASKED), tokio::time::interval(WRITTEN));
    ask.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    write.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            _ = ask.tick() => {
                if let Err(error) = refresh(&app).await {
                    tracing::debug!(%error, "live shadows could not be looked up; they are asked for again");
                }
            }
            _ = write.tick() => flush(&app, &mut reports).await,
            Some(sample) = receiver.recv() => {
                app.shadows.bytes.fetch_sub(sample.received.body.len(), Ordering::Relaxed);
                compare(&app, &sample, &mut reports).await;
                tokio::task::yield_now().await;
            }
        }
    }
    flush(&app, &mut reports).await;
}

/// Which live shadows there are. One whose version is not in this process is another's.
async fn refresh(app: &App) -> Result<(), Error> {
    let mut transaction = app.db.begin_worker().await?;
    let rows = store::live(&mut transaction).await?;
    transaction.commit().await?;
    let mut live = Vec::new();
    for row in rows {
        let scope: ShadowScope = serde_json::from_value(row.scope).map_err(Error::internal)?;
        let wanted = DecoderVersion { name: row.decoder_name, version: row.decoder_version };
        if let Ok(decoder) = version(app, &wanted, "/decoder").await {
            let (models, tenants) = (scope.models.unwrap_or_default(), scope.tenants);
            live.push(Live { id: row.id, decoder, models, tenants, share: scope.share.unwrap_or_default() });
        }
    }
    app.shadows.set(live);
    Ok(())
}

async fn compare(app: &App, sample: &Sample, reports: &mut HashMap<ShadowReplayId, Report>) {
    for live in app.shadows.live().iter().filter(|live| live.wants(&sample.device, &sample.received)) {
        let report = reports.entry(live.id).or_default();
        match run_both(app, &sample.device, &sample.received, &live.decoder).await {
            Ok(Ran::Compared(compared, _)) => report.add(sample.device.tenant, sample.received.id, &compared),
            Ok(Ran::Skipped(reason)) => report.skip(reason),
            Err(error) => {
                tracing::debug!(%error, "a live shadow did not run");
                report.skip("not-run");
            }
        }
    }
}

/// Adds what was counted to the stored reports; what could not be written is kept for the next time.
async fn flush(app: &App, reports: &mut HashMap<ShadowReplayId, Report>) {
    let dropped = app.shadows.dropped.swap(0, Ordering::Relaxed);
    if dropped > 0 {
        for live in app.shadows.live().iter() {
            reports.entry(live.id).or_default().dropped += dropped;
        }
    }
    let ids: Vec<ShadowReplayId> = reports.keys().copied().collect();
    for id in ids {
        let Some(report) = reports.remove(&id) else { continue };
        if let Err(error) = write(app, id, &report).await {
            tracing::debug!(%error, "the report of a live shadow could not be written; it is tried again");
            reports.insert(id, report);
        }
    }
}

async fn write(app: &App, id: ShadowReplayId, report: &Report) -> Result<(), Error> {
    let mut transaction = app.db.begin_worker().await?;
    if let Some(stored) = store::lock_report(&mut transaction, id).await? {
        let mut stored: Report = serde_json::from_value(stored).map_err(Error::internal)?;
        stored.merge(report);
        let stored = serde_json::to_value(&stored).map_err(Error::internal)?;
        store::write_report(&mut transaction, id, &stored, app.clock.now()).await?;
    }
    transaction.commit().await?;
    Ok(())
}
