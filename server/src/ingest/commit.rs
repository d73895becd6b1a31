//! The group commit: requests that arrived while the last transaction was committing share the next one.
//!
//! There is no fixed delay. An SQL error rolls back and bisects until only the poison item is left, which is quarantined
//! alone. A connection lost during COMMIT is resolved by asking whether the uplinks are there, before anybody is answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use db::DbError;

use super::batch;
use super::intake::Waiting;
use super::model::{Outcome, Receipt, Submission};
use super::store::{self, QuarantineRow, UplinkFate};
use crate::app::App;
use crate::error::{Error, Kind};

/// How often it is asked whether a commit whose connection broke took effect, and the pause between.
const RESOLVE_TRIES: u32 = 20;
const RESOLVE_PAUSE: Duration = Duration::from_millis(250);

/// Answer to one uplink of a batch.
pub(super) type Answer = Result<Receipt, Error>;

/// Why a batch was not committed.
pub(super) enum Failure {
    /// Rolled back for certain.
    RolledBack(Error, Option<diesel::result::Error>),
    /// The connection broke during COMMIT: the answers hold if it took effect.
    InDoubt(Vec<Answer>),
}

impl From<diesel::result::Error> for Failure {
    fn from(error: diesel::result::Error) -> Self {
        let text = error.to_string();
        Self::RolledBack(error.into(), Some(diesel::result::Error::QueryBuilderError(text.into())))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::RolledBack(error, None)
    }
}

impl From<DbError> for Failure {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Query(error) => error.into(),
            other => Self::RolledBack(other.into(), None),
        }
    }
}

/// Commits batches until the queue is closed.
pub async fn run(app: Arc<App>) {
    let (rows, bytes) = (app.config.ingest.batch_rows, app.config.ingest.batch_bytes);
    loop {
        let waiting = app.intake.next_batch(rows, bytes).await;
        if waiting.is_empty() {
            return;
        }
        app.metrics.ingest_queue.set(i64::try_from(app.intake.waiting()).unwrap_or(i64::MAX));
        app.metrics.commit_batch.observe(f64::from(u32::try_from(waiting.len()).unwrap_or(u32::MAX)));
        commit_waiting(&app, waiting).await;
    }
}

/// Commits one batch and answers everybody in it.
async fn commit_waiting(app: &Arc<App>, mut waiting: Vec<Waiting>) {
    while !waiting.is_empty() {
        // Two uplinks with the same key in one batch: the second has to see the first's answer.
        let later = split_off_twins(&mut waiting);
        let submissions: Vec<&Submission> = waiting.iter().map(|item| &item.submission).collect();
        let started = Instant::now();
        let answers = commit_bisecting(app, &submissions).await;
        app.metrics.commit_seconds.observe(started.elapsed().as_secs_f64());
        for (item, answer) in waiting.into_iter().zip(answers) {
            // The client may be gone; what was stored stays stored.
            let _gone = item.reply.send(answer);
        }
        waiting = later;
    }
}

/// Takes out those whose key occurs earlier in the batch.
fn split_off_twins(waiting: &mut Vec<Waiting>) -> Vec<Waiting> {
    let mut seen = std::collections::HashSet::new();
    let (now, later) = std::mem::take(waiting).into_iter().partition(|item| {
        let submission = &item.submission;
        let fresh = submission.keys.iter().all(|key| !seen.contains(&(submission.source_id(), key.key)));
        if fresh {
            seen.extend(submission.keys.iter().map(|key| (submission.source_id(), key.key)));
        }
        fresh
    });
    *waiting = now;
    later
}

/// Commits all, or halves until what fails stands alone.
async fn commit_bisecting(app: &Arc<App>, submissions: &[&Submission]) -> Vec<Answer> {
    let mut answers: Vec<Option<Answer>> = submissions.iter().map(|_| None).collect();
    let mut open = vec![(0, submissions.len())];
    while let Some((from, to)) = open.pop() {
        let part = submissions.get(from..to).unwrap_or_default();
        let found = match batch::store(app, part).await {
            Ok(found) => found,
            Err(Failure::InDoubt(found)) => resolve(app, part, found).await,
            Err(Failure::RolledBack(error, Some(_query))) if part.len() > 1 && error.kind() == Kind::Internal => {
                let middle = from + part.len() / 2;
                open.push((middle, to));
                open.push((from, middle));
                continue;
            }
            Err(Failure::RolledBack(error, Some(_query))) if error.kind() == Kind::Internal => match part.first() {
                Some(poison) => vec![quarantine_alone(app, poison, error).await],
                None => Vec::new(),
            },
            Err(Failure::RolledBack(error, _)) => part.iter().map(|_| Err(error.again())).collect(),
        };
        for (place, answer) in answers.iter_mut().skip(from).zip(found) {
            *place = Some(answer);
        }
    }
    answers
        .into_iter()
        .map(|answer| {
            answer.unwrap_or_else(|| Err(Error::internal(anyhow::anyhow!("an uplink of a batch was not answered"))))
        })
        .collect()
}

/// After a connection broke during COMMIT: what is in the database decides.
async fn resolve(app: &Arc<App>, part: &[&Submission], found: Vec<Answer>) -> Vec<Answer> {
    // One transaction: all of the part is there, or none of it. Any new uplink of it tells.
    let Some(witness) = part
        .iter()
        .zip(&found)
        .find(|(submission, answer)| answer.is_ok() && !submission.replay)
        .map(|(submission, _)| *submission)
    else {
        return found;
    };
    for _ in 0..RESOLVE_TRIES {
        match is_there(app, witness).await {
            Ok(true) => return found,
            Ok(false) => return part.iter().map(|_| Err(not_stored())).collect(),
            Err(_still_away) => tokio::time::sleep(RESOLVE_PAUSE).await,
        }
    }
    tracing::error!(
        uplinks = part.len(),
        "the database stayed away after a commit in doubt; the sources were told to send again"
    );
    part.iter().map(|_| Err(in_doubt())).collect()
}

async fn is_there(app: &Arc<App>, witness: &Submission) -> Result<bool, DbError> {
    let mut transaction = app.db.begin_worker().await?;
    let there =
        store::is_committed(&mut transaction, witness.tenant(), witness.received.id, witness.received.received_at)
            .await?;
    transaction.commit().await?;
    Ok(there)
}

fn not_stored() -> Error {
    Error::new(
        Kind::Unavailable(1),
        "database.unavailable",
        "The database went away before this was stored. Send it again.",
    )
}

fn in_doubt() -> Error {
    Error::new(
        Kind::Unavailable(5),
        "database.in-doubt",
        "The database went away while this was stored. Send it again: it will not be stored twice.",
    )
}

/// Keeps the raw bytes of an uplink whose rows the database refused.
async fn quarantine_alone(app: &Arc<App>, poison: &Submission, error: Error) -> Answer {
    tracing::error!(tenant.id = %poison.tenant(), uplink.id = %poison.received.id, cause = %format!("{error:?}"), "an uplink could not be stored and is quarantined alone");
    let kept = async {
        let transaction = app.db.begin_worker().await?;
        if !poison.replay {
            let fate = UplinkFate {
                submission: poison,
                outcome: Outcome::Quarantined.as_str(),
                reason: Some("not-storable".to_owned()),
            };
            store::insert_uplinks(&transaction, std::slice::from_ref(&fate)).await?;
            store::insert_bodies(&transaction, &app.data_keys, &[fate]).await?;
        }
        let row = QuarantineRow {
            submission: poison,
            reason: "not-storable".to_owned(),
            detail: "The database refused what came out of this uplink; the server's log has the cause.".to_owned(),
        };
        store::insert_quarantine(&transaction, &[row]).await?;
        transaction.commit().await?;
        Ok::<_, Failure>(())
    };
    match kept.await {
        Ok(()) => Ok(Receipt {
            uplink: poison.received.id,
            outcome: Outcome::Quarantined,
            observations: Vec::new(),
            revised: Vec::new(),
            held: Vec::new(),
            reason: Some("not-storable".to_owned()),
            warnings: Vec::new(),
        }),
        Err(_also) => Err(error),
    }
}
