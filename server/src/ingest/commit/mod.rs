//! The group commit: requests that arrived while the last transaction was committing share the next one.
//!
//! There is no fixed delay. What fails is handled by its cause (docs/decisions/0016): the database's troubles are waited
//! out as long as the oldest item may wait, then answered 503; an item's own are found by bisection, and it is
//! quarantined alone; a COMMIT without answer is resolved before anybody is answered; a panic costs at most its batch.

mod failure;
mod in_doubt;
mod poison;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::Instant;

pub(super) use self::failure::{Failure, Remedy};
use self::in_doubt::Fate;
use super::batch;
use super::intake::Waiting;
use super::model::{Receipt, Submission};
use crate::app::App;
use crate::error::{Error, Kind};
use crate::platform::metrics::FateLabel;

/// Answer to one uplink of a batch.
pub(super) type Answer = Result<Receipt, Error>;

/// The database could not store it.
const UNAVAILABLE: &str = "database.unavailable";
/// After so long without a sign a transaction is given up; its items are told that their fate is not known.
const SILENCE: Duration = Duration::from_secs(30);
/// The pause before a batch is tried again, doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Commits batches until the queue is closed.
pub async fn run(app: Arc<App>) {
    let (rows, bytes) = (app.config.ingest.batch_rows, app.config.ingest.batch_bytes);
    loop {
        let waiting = app.intake.next_batch(rows, bytes).await;
        if waiting.is_empty() {
            return;
        }
        app.metrics.ingest_queue.set(i64::try_from(app.intake.waiting()).unwrap_or(i64::MAX));
        app.metrics.ingest_queue_bytes.set(i64::try_from(app.intake.waiting_bytes()).unwrap_or(i64::MAX));
        app.metrics.commit_batch.observe(f64::from(u32::try_from(waiting.len()).unwrap_or(u32::MAX)));
        // The queue must never be without its committers: whoever is in a batch that panics is told so by the dropped reply.
        if AssertUnwindSafe(commit_waiting(&app, waiting)).catch_unwind().await.is_err() {
            tracing::error!("a group commit panicked; its sources were told to send again");
        }
    }
}

/// Commits one batch and answers everybody in it.
async fn commit_waiting(app: &Arc<App>, mut waiting: Vec<Waiting>) {
    while !waiting.is_empty() {
        // Two uplinks with the same key in one batch: the second has to see the first's answer.
        let later = split_off_twins(&mut waiting);
        let until = waiting.iter().map(Waiting::deadline).min().unwrap_or_else(Instant::now);
        let submissions: Vec<&Submission> = waiting.iter().map(|item| &item.submission).collect();
        let started = Instant::now();
        let answers = commit_bisecting(app, &submissions, until).await;
        app.metrics.commit_seconds.observe(started.elapsed().as_secs_f64());
        let stored = answers.iter().filter(|answer| answer.is_ok()).count();
        app.intake.pace().answered(stored, Instant::now());
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

/// Commits all, or halves until what fails stands alone: for one such item that is twice the logarithm of the batch in
/// transactions, and everybody else is stored.
async fn commit_bisecting(app: &Arc<App>, submissions: &[&Submission], until: Instant) -> Vec<Answer> {
    let mut answers: Vec<Option<Answer>> = submissions.iter().map(|_| None).collect();
    let mut open = vec![(0, submissions.len())];
    while let Some((from, to)) = open.pop() {
        let part = submissions.get(from..to).unwrap_or_default();
        let found = match commit_patiently(app, part, until).await {
            Ok(found) => found,
            Err(_error) if part.len() > 1 => {
                app.metrics.ingest_bisections.inc();
                let middle = from + part.len() / 2;
                open.push((middle, to));
                open.push((from, middle));
                continue;
            }
            Err(error) => match part.first() {
                Some(poison) => vec![poison::quarantine_alone(app, poison, error).await],
                None => Vec::new(),
            },
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

/// Commits a part, waiting out what is the database's fault. The error is an item's.
async fn commit_patiently(app: &Arc<App>, part: &[&Submission], until: Instant) -> Result<Vec<Answer>, Error> {
    let mut pause = FIRST_PAUSE;
    let mut doubted_alone = false;
    loop {
        let (error, remedy) = match commit_once(app, part).await {
            Ok(answers) => return Ok(answers),
            Err(Failure::Silent) => return Ok(all(part, || in_doubt(app))),
            Err(Failure::RolledBack(error, remedy)) => (error, remedy),
            Err(Failure::InDoubt { fence, answers, error, remedy }) => {
                let fate = in_doubt::resolve(app, fence, part, &answers).await;
                app.metrics.ingest_in_doubt.get_or_create(&FateLabel { fate: fate.as_str() }).inc();
                match fate {
                    Fate::Committed => return Ok(answers),
                    Fate::Unknown => return Ok(all(part, || in_doubt(app))),
                    Fate::RolledBack => (error, remedy),
                }
            }
        };
        match remedy {
            // Before an item is blamed alone it gets a second chance: not every trouble of the database is known by name.
            Remedy::FindTheItem if part.len() > 1 || doubted_alone => return Err(error),
            Remedy::FindTheItem => doubted_alone = true,
            Remedy::TryAgain if Instant::now() + pause >= until => {
                tracing::warn!(uplinks = part.len(), cause = %format!("{error:?}"), "uplinks could not be stored; the sources were told to send again");
                return Ok(all(part, || given_up(app, &error)));
            }
            Remedy::TryAgain => {}
        }
        app.metrics.ingest_retries.inc();
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// One transaction, bounded in time. A panic in it is the fault of an item.
async fn commit_once(app: &Arc<App>, part: &[&Submission]) -> Result<Vec<Answer>, Failure> {
    let work = AssertUnwindSafe(batch::store(app, part)).catch_unwind();
    match tokio::time::timeout(SILENCE, work).await {
        Ok(Ok(result)) => result,
        Ok(Err(_panic)) => {
            let error = Error::internal(anyhow::anyhow!("the commit of a batch panicked; see the panic's message"));
            Err(Failure::RolledBack(error, Remedy::FindTheItem))
        }
        Err(_elapsed) => {
            tracing::error!(uplinks = part.len(), "the database was silent for {} s in a commit", SILENCE.as_secs());
            Err(Failure::Silent)
        }
    }
}

fn all(part: &[&Submission], mut error: impl FnMut() -> Error) -> Vec<Answer> {
    part.iter().map(|_| Err(error())).collect()
}

/// 503: the database's trouble lasted too long. One that has a name of its own (no partition for today) keeps it.
fn given_up(app: &App, error: &Error) -> Error {
    match error.kind() {
        Kind::Unavailable(_) if error.code() != UNAVAILABLE => error.again(),
        _ => not_stored(app, anyhow::anyhow!("see the log line of the commit")),
    }
}

/// 503: it is certain that nothing was stored.
fn not_stored(app: &App, cause: impl Into<anyhow::Error>) -> Error {
    Error::new(
        Kind::Unavailable(app.intake.retry_after()),
        UNAVAILABLE,
        "The database could not store this; nothing of it was kept. Send it again.",
    )
    .because(cause)
}

/// 503: whether it was stored is not known.
fn in_doubt(app: &App) -> Error {
    Error::new(
        Kind::Unavailable(app.intake.retry_after()),
        "database.in-doubt",
        "The database went away while this was stored, so whether it was is not known. Send it again, with the same Idempotency-Key if it had one: a reading that carries its time or number is not stored twice.",
    )
}
