//! After a COMMIT that was not answered: waits until the transaction is over, and looks whether its rows are there.

use std::time::Duration;

use db::{DbError, Fence};
use tokio::time::Instant;

use super::Answer;
use crate::app::App;
use crate::ingest::model::Submission;
use crate::ingest::store;

/// How long it is asked, and how often.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(100);

/// What became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Its rows are there.
    Committed,
    /// It is over, and left nothing: it can be run again.
    RolledBack,
    /// The database stayed away, or the transaction is still running.
    Unknown,
}

impl Fate {
    /// As metric label.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::RolledBack => "rolled-back",
            Self::Unknown => "unknown",
        }
    }
}

/// Finds out what became of a transaction.
///
/// One transaction: all of the part is there, or none of it, so any uplink of it tells. A part that writes no uplink
/// (requests known already, replays) counts as rolled back: running it again gives the same answers.
pub(super) async fn resolve(app: &App, fence: Fence, part: &[&Submission], answers: &[Answer]) -> Fate {
    let written: Vec<&Submission> = part
        .iter()
        .zip(answers)
        .filter(|(submission, answer)| answer.is_ok() && !submission.replay)
        .map(|(submission, _)| *submission)
        .collect();
    let until = Instant::now() + PATIENCE;
    let mut last_error = None;
    while Instant::now() < until {
        match tokio::time::timeout_at(until, ask(app, fence, &written)).await {
            Ok(Ok(Some(true))) => return Fate::Committed,
            Ok(Ok(Some(false))) => return Fate::RolledBack,
            Ok(Ok(None)) => {}
            Ok(Err(error)) => last_error = Some(error),
            Err(_elapsed) => break,
        }
        tokio::time::sleep(PAUSE).await;
    }
    tracing::error!(
        uplinks = part.len(), cause = ?last_error,
        "what became of a commit could not be found out; the sources were told to send again"
    );
    Fate::Unknown
}

/// Whether any of the uplinks was committed; `None` while the transaction runs.
async fn ask(app: &App, fence: Fence, written: &[&Submission]) -> Result<Option<bool>, DbError> {
    let Some(mut transaction) = app.db.begin_after(fence).await? else { return Ok(None) };
    let there = store::any_committed(&mut transaction, written).await?;
    transaction.rollback().await?;
    Ok(Some(there))
}
