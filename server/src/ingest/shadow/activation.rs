//! What the registry asks before it activates a version: whether its newest shadow replay stands in the way.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel_async::AsyncPgConnection;

use super::model::Report;
use super::store;

/// Why a version may not be activated yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Stable word: `record-keys-changed`.
    pub code: &'static str,
    /// A sentence that says what would be right.
    pub detail: String,
}

/// Whether the newest shadow replay of a decoder version that is done blocks its activation: it changes record keys, and
/// nobody has said what becomes of them. A version without any report is not blocked here: whether one is asked for, the
/// registry decides (see [`was_compared`]). For a transaction of the platform or of the worker.
///
/// # Errors
/// The database's error.
pub async fn activation_block(conn: &mut AsyncPgConnection, name: &str, version: &str) -> QueryResult<Option<Block>> {
    let Some(run) = store::newest_done(conn, name, version).await? else { return Ok(None) };
    let report: Report = serde_json::from_value(run.report.clone()).unwrap_or_default();
    if report.keys_changed == 0 || run.record_keys.is_some() {
        return Ok(None);
    }
    Ok(Some(Block {
        code: "record-keys-changed",
        detail: format!(
            "The version derives the record keys of {} retained readings in another way, so that what devices send again would be stored a second time. Say what is to become of them: POST /api/v1/shadow-replays/{}/record-keys.",
            report.keys_changed, run.id
        ),
    }))
}

/// Whether a shadow replay of a version that began since then is done.
///
/// # Errors
/// The database's error.
pub async fn was_compared(
    conn: &mut AsyncPgConnection,
    name: &str,
    version: &str,
    since: DateTime<Utc>,
) -> QueryResult<bool> {
    Ok(store::newest_done(conn, name, version).await?.is_some_and(|run| run.created_at >= since))
}
