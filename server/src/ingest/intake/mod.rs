//! The queue in front of the group commit: bounded in uplinks, in bytes and in time. Full means 503 now, never memory
//! that grows; what waited too long is answered 503 and is not stored.
//!
//! An uplink is let in with a [`Ticket`], which holds its place among the rows and its bytes from the end of its body to
//! its answer: waiting for a sandbox, decoded, waiting for the commit. `body` counts bytes while they arrive.

mod body;
mod pace;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::pace::Pace;
use super::Receipt;
use super::model::Submission;
use crate::error::{Error, Kind};
use crate::platform::metrics::BoundLabel;

/// How much may wait, and how long.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Uplinks between the end of their body and their answer.
    pub rows: usize,
    /// Bytes of them: as received and as decoded, and of the bodies that are arriving.
    pub bytes: usize,
    /// How long one may wait until a commit takes it.
    pub wait: Duration,
}

/// Which bound was met; the label of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Too many uplinks.
    Rows,
    /// Too many bytes.
    Bytes,
    /// No sandbox was free in time.
    Decode,
    /// No commit took it in time.
    Wait,
}

impl Bound {
    /// As metric label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rows => "rows",
            Self::Bytes => "bytes",
            Self::Decode => "decode",
            Self::Wait => "wait",
        }
    }
}

/// The place of an uplink that was let in.
pub(super) struct Ticket {
    _row: OwnedSemaphorePermit,
    bytes: OwnedSemaphorePermit,
    deadline: Instant,
}

/// An uplink that waits for the commit, and who waits for it.
pub struct Waiting {
    pub(super) submission: Submission,
    pub(super) reply: oneshot::Sender<Result<Receipt, Error>>,
    /// Set by whoever decides first what becomes of it: a committer that takes it, or its request that gives up.
    decided: Arc<AtomicBool>,
    /// Given back when the uplink is answered.
    ticket: Ticket,
}

impl Waiting {
    /// Until when it may wait.
    pub(super) fn deadline(&self) -> Instant {
        self.ticket.deadline
    }
}

/// Where uplinks queue.
#[derive(Clone)]
pub struct Intake {
    sender: mpsc::Sender<Waiting>,
    receiver: Arc<Mutex<mpsc::Receiver<Waiting>>>,
    rows: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    bounds: Bounds,
    pace: Arc<Pace>,
    refusals: Family<BoundLabel, Counter>,
    closing: CancellationToken,
}

impl Intake {
    /// A queue with these bounds, which counts whom it turns away.
    #[must_use]
    pub fn new(bounds: Bounds, refusals: Family<BoundLabel, Counter>) -> Self {
        let bounds = Bounds { rows: bounds.rows.max(1), bytes: bounds.bytes.min(Semaphore::MAX_PERMITS), ..bounds };
        // The channel has room for everybody with a ticket.
        let (sender, receiver) = mpsc::channel(bounds.rows);
        Self {
            sender,
            receiver: Arc::new(Mutex::new(receiver)),
            rows: Arc::new(Semaphore::new(bounds.rows)),
            bytes: Arc::new(Semaphore::new(bounds.bytes)),
            bounds,
            pace: Arc::new(Pace::new(Instant::now())),
            refusals,
            closing: CancellationToken::new(),
        }
    }

    /// Uplinks that were let in and are not answered.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.bounds.rows.saturating_sub(self.rows.available_permits())
    }

    /// Those of them that are decoded and wait for a commit to take them.
    #[must_use]
    pub fn decoded(&self) -> usize {
        self.sender.max_capacity() - self.sender.capacity()
    }

    /// Bytes of them, and of the bodies that are arriving.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.bounds.bytes.saturating_sub(self.bytes.available_permits())
    }

    /// Takes nothing new; committers end when the queue is empty.
    pub fn close(&self) {
        self.closing.cancel();
    }

    /// How fast uplinks are answered.
    pub(super) fn pace(&self) -> &Pace {
        &self.pace
    }

    /// Seconds after which the queue should have room: `Retry-After`.
    #[must_use]
    pub fn retry_after(&self) -> u64 {
        self.pace.seconds_for(self.waiting(), Instant::now())
    }

    /// Lets an uplink in that has so many bytes.
    ///
    /// # Errors
    /// The bound that is met.
    pub(super) fn admit(&self, bytes: usize) -> Result<Ticket, Bound> {
        let bytes = self.room(bytes)?;
        self.admit_with(bytes)
    }

    fn admit_with(&self, bytes: OwnedSemaphorePermit) -> Result<Ticket, Bound> {
        let row = Arc::clone(&self.rows).try_acquire_owned().map_err(|_full| Bound::Rows)?;
        Ok(Ticket { _row: row, bytes, deadline: Instant::now() + self.bounds.wait })
    }

    /// Room for so many bytes.
    fn room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Bound> {
        let bytes = u32::try_from(bytes).map_err(|_huge| Bound::Bytes)?;
        Arc::clone(&self.bytes).try_acquire_many_owned(bytes).map_err(|_full| Bound::Bytes)
    }

    /// Waits for a sandbox, as long as the uplink may.
    ///
    /// # Errors
    /// The bound that is met.
    pub(super) async fn decode_slot(
        &self,
        slots: &Arc<Semaphore>,
        ticket: &Ticket,
    ) -> Result<OwnedSemaphorePermit, Bound> {
        match tokio::time::timeout_at(ticket.deadline, Arc::clone(slots).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            _closed_or_late => Err(Bound::Decode),
        }
    }

    /// Queues an uplink and waits until it is committed.
    ///
    /// # Errors
    /// 503 when a bound is met or the server stops; otherwise what the commit says.
    pub(super) async fn submit(&self, submission: Submission, mut ticket: Ticket) -> Result<Receipt, Error> {
        // What was decoded weighs more than what came in.
        let weight = submission.weight();
        if let Some(more) = weight.checked_sub(ticket.bytes.num_permits()) {
            ticket.bytes.merge(self.room(more).map_err(|bound| self.refusal(bound))?);
        }
        let deadline = ticket.deadline;
        let decided = Arc::new(AtomicBool::new(false));
        let (reply, mut answer) = oneshot::channel();
        let waiting = Waiting { submission, reply, decided: Arc::clone(&decided), ticket };
        self.sender.try_send(waiting).map_err(|_full| self.refusal(Bound::Rows))?;
        let answered = match tokio::time::timeout_at(deadline, &mut answer).await {
            Ok(answered) => answered,
            // Never both: either the commit has it, and what it says counts, or it is out.
            Err(_elapsed) if decided.swap(true, Ordering::AcqRel) => answer.await,
            Err(_elapsed) => return Err(self.refusal(Bound::Wait)),
        };
        answered.map_err(|_dropped| self.unknown())?
    }

    /// The next batch: waits for the first uplink, then takes what is there, up to so many rows and bytes. Empty when the
    /// queue was closed.
    pub(super) async fn next_batch(&self, rows: usize, bytes: usize) -> Vec<Waiting> {
        let mut batch = Vec::new();
        let mut weight = 0;
        let mut receiver = self.receiver.lock().await;
        while batch.is_empty() {
            let first = tokio::select! {
                biased;
                first = receiver.recv() => first,
                () = self.closing.cancelled() => None,
            };
            let Some(first) = first else { return batch };
            take(first, &mut batch, &mut weight);
        }
        while batch.len() < rows && weight < bytes {
            let Ok(next) = receiver.try_recv() else { break };
            take(next, &mut batch, &mut weight);
        }
        batch
    }

    /// 503 for a bound that was met: nothing was kept.
    pub(super) fn refusal(&self, bound: Bound) -> Error {
        let (code, text) = match bound {
            Bound::Rows | Bound::Bytes => (
                "ingest.full",
                "More uplinks wait than can be stored at the moment; nothing of this one was kept. Send it again after the time in Retry-After.",
            ),
            Bound::Decode | Bound::Wait => (
                "ingest.waited",
                "This waited too long for its turn, and nothing of it was kept. Send it again after the time in Retry-After.",
            ),
        };
        self.refusals.get_or_create(&BoundLabel { bound: bound.as_str() }).inc();
        Error::new(Kind::Unavailable(self.retry_after()), code, text)
    }

    fn unknown(&self) -> Error {
        Error::new(
            Kind::Unavailable(self.retry_after()),
            "ingest.unknown",
            "The server could not finish this; whether it was stored is not known here. Send it again, with the same Idempotency-Key if it had one.",
        )
    }
}

/// Takes an uplink into a batch, unless its request gave up.
fn take(waiting: Waiting, batch: &mut Vec<Waiting>, weight: &mut usize) {
    if !waiting.decided.swap(true, Ordering::AcqRel) {
        *weight += waiting.submission.weight();
        batch.push(waiting);
    }
}
