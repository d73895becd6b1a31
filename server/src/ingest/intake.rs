//! The queue in front of the group commit: bounded in rows and bytes. Full means 503 now, never memory that grows.

use std::sync::Arc;

use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::Receipt;
use super::model::Submission;
use crate::error::{Error, Kind};

/// An uplink that waits for the commit, and who waits for it.
pub struct Waiting {
    pub(super) submission: Submission,
    pub(super) reply: oneshot::Sender<Result<Receipt, Error>>,
    /// Room in the queue, given back when the uplink is answered.
    pub(super) _bytes: OwnedSemaphorePermit,
}

/// Where uplinks queue.
#[derive(Clone)]
pub struct Intake {
    sender: mpsc::Sender<Waiting>,
    receiver: Arc<Mutex<mpsc::Receiver<Waiting>>>,
    bytes: Arc<Semaphore>,
    closing: CancellationToken,
}

impl Intake {
    /// A queue of so many uplinks and bytes.
    #[must_use]
    pub fn new(rows: usize, bytes: usize) -> Self {
        let (sender, receiver) = mpsc::channel(rows);
        Self {
            sender,
            receiver: Arc::new(Mutex::new(receiver)),
            bytes: Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))),
            closing: CancellationToken::new(),
        }
    }

    /// Uplinks that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.sender.max_capacity() - self.sender.capacity()
    }

    /// Takes nothing new; committers end when the queue is empty.
    pub fn close(&self) {
        self.closing.cancel();
    }

    /// Queues an uplink and waits until it is committed.
    ///
    /// # Errors
    /// 503 when the queue is full or the server stops; otherwise what the commit says.
    pub(super) async fn submit(&self, submission: Submission) -> Result<Receipt, Error> {
        let weight = u32::try_from(submission.weight()).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.bytes).try_acquire_many_owned(weight).map_err(|_full| full())?;
        let (reply, answer) = oneshot::channel();
        self.sender.try_send(Waiting { submission, reply, _bytes: permit }).map_err(|_full| full())?;
        answer.await.map_err(|_dropped| {
            Error::new(Kind::Unavailable(1), "ingest.stopping", "The server is stopping; whether this was stored is not known here. Send it again: it will not be stored twice.")
        })?
    }

    /// The next batch: waits for the first uplink, then takes what is there, up to so many rows and bytes. Empty when the
    /// queue was closed.
    pub(super) async fn next_batch(&self, rows: usize, bytes: usize) -> Vec<Waiting> {
        let mut batch = Vec::new();
        let mut receiver = self.receiver.lock().await;
        let first = tokio::select! {
            biased;
            first = receiver.recv() => first,
            () = self.closing.cancelled() => None,
        };
        let Some(first) = first else { return batch };
        let mut weight = first.submission.weight();
        batch.push(first);
        while batch.len() < rows && weight < bytes {
            let Ok(next) = receiver.try_recv() else { break };
            weight += next.submission.weight();
            batch.push(next);
        }
        batch
    }
}

fn full() -> Error {
    Error::new(
        Kind::Unavailable(1),
        "ingest.full",
        "More uplinks wait than can be stored at the moment; nothing of this one was kept. Send it again shortly.",
    )
}
