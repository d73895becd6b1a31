//! Frames of one record that come in several uplinks. An uplink whose decoder asks for more is stored as it came
//! (`incomplete`) and waits; with what the device sends next it is decoded again, and what comes out is one uplink more,
//! made of all their frames, whose commit settles them. What is never completed goes to quarantine with the reason.
//!
//! Owns `waiting_frames`. Invariants: every uplink is stored before it is joined; an uplink is joined once, whoever tries,
//! because the commit takes it from among the waiting; bounded by the decoder in time and number.

mod bounds;
mod job;
mod join;
mod store;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use db::UplinkId;
use diesel_async::AsyncPgConnection;

pub use self::bounds::Bounds;
pub use self::job::run;
pub(super) use self::join::complete;
use super::commit::{Answer, Failure};
use super::model::{Outcome, Submission, Verdict};
use super::sources::{self, KnownSource};
use crate::app::App;
use crate::error::Error;

/// An uplink that is joined: settled by the submission that is made of it and others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Which.
    pub uplink: UplinkId,
    /// When it was received.
    pub received_at: DateTime<Utc>,
}

/// Frames that their decoder refuses alone may be the rest of a record that the device has begun: then they are stored as
/// such, and joined.
///
/// # Errors
/// The database's error.
pub(super) async fn begun_before(
    app: &Arc<App>,
    source: &KnownSource,
    submission: &mut Submission,
) -> Result<(), Error> {
    let refused = matches!(submission.verdict, Verdict::Undecodable { .. }) && submission.decoder.is_some();
    if refused && join::would_complete(app, source, &submission.received).await? {
        let reason = "part-of-a-record".to_owned();
        submission.verdict = Verdict::Incomplete { reason, window: bounds(app, &source.device.model).window };
    }
    Ok(())
}

/// The bounds for devices of a model.
pub(super) fn bounds(app: &App, model: &str) -> Bounds {
    Bounds::of(app.decoders.now().manifest_extra(model), model)
}

/// Inside the commit: takes the parts of joined submissions from among the waiting. One whose parts were taken by somebody
/// else meanwhile is not stored: its answer says that things have changed.
///
/// # Errors
/// The database's error.
pub(super) async fn take_parts(
    conn: &AsyncPgConnection,
    submissions: &[&Submission],
    answers: &mut [Option<Answer>],
) -> Result<(), Failure> {
    for (submission, answer) in submissions.iter().zip(answers) {
        // What is known already is joined as well: it must not be tried again and again.
        let goes_on = !submission.parts.is_empty() && !matches!(answer, Some(Err(_)));
        if goes_on && !store::take(conn, submission).await? {
            *answer = Some(Err(sources::changed()));
        }
    }
    Ok(())
}

/// Inside the commit: what asked for more frames waits for them, and what was joined says with which.
///
/// # Errors
/// The database's error.
pub(super) async fn settle_parts(
    app: &App,
    conn: &AsyncPgConnection,
    submissions: &[&Submission],
    answers: &[Option<Answer>],
) -> Result<(), Failure> {
    let mut waiting = Vec::new();
    for (submission, answer) in submissions.iter().zip(answers) {
        let Some(Ok(receipt)) = answer else { continue };
        if receipt.outcome == Outcome::Incomplete && receipt.uplink == submission.received.id {
            let window = match &submission.verdict {
                Verdict::Incomplete { window, .. } => *window,
                _ => continue,
            };
            waiting.push((*submission, window));
        }
        if !submission.parts.is_empty() {
            store::mark_joined(conn, submission).await?;
        }
    }
    if !waiting.is_empty() {
        store::wait(conn, &waiting, app.clock.now()).await?;
    }
    Ok(())
}
