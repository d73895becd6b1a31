//! Keys of uplinks that are not stored: what is refused leaves none behind, for the next one under it would be answered as
//! known and be lost.

use diesel_async::AsyncPgConnection;

use crate::ingest::commit::{Answer, Failure};
use crate::ingest::model::Submission;
use crate::ingest::store::{self, HeldKey};

/// Gives back the keys of submissions that are refused: an Idempotency-Key with another body has taken the key of its
/// bytes. And those of requests that came before: nothing of them is stored that their bytes' key could answer for.
pub(super) async fn release_refused(
    conn: &AsyncPgConnection,
    submissions: &[&Submission],
    answers: &[Option<Answer>],
    held: &[HeldKey],
) -> Result<(), Failure> {
    let refused = submissions
        .iter()
        .zip(answers)
        .filter(|(submission, answer)| matches!(answer, Some(Err(_))) || is_same_request(submission, held));
    let taken: Vec<_> = refused
        .flat_map(|(submission, _)| {
            submission.keys.iter().map(|key| (submission.tenant(), submission.received.id, key.key))
        })
        .collect();
    if !taken.is_empty() {
        store::release_keys(conn, &taken).await?;
    }
    Ok(())
}

/// Whether the client said itself that this is a request it has sent before: nothing new happened then, not even an uplink.
pub(super) fn is_same_request(submission: &Submission, taken: &[HeldKey]) -> bool {
    submission
        .keys
        .iter()
        .filter(|key| key.chosen)
        .any(|key| taken.iter().any(|held| held.source_id == submission.source_id() && held.key == key.key))
}
