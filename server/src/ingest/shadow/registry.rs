//! Live shadows as the registry wants them: one of a plugin, on the share that was said, until the version leaves the shadow.

use chrono::{DateTime, SubsecRound, Utc};
use db::{ApiTokenId, ShadowReplayId};
use diesel::QueryResult;
use diesel_async::AsyncPgConnection;

use super::begin::ShadowScope;
use super::model::Report;
use super::store::{self, RunRow};

/// What the registry says of a plugin's shadow.
#[derive(Debug)]
pub struct ShadowWish<'a> {
    /// The decoder's name.
    pub plugin: &'a str,
    /// Version, its models, and the percent of live uplinks; none where nothing of the plugin is in the shadow.
    pub version: Option<(&'a str, &'a [String], u8)>,
    /// Who wants it.
    pub token: ApiTokenId,
}

/// Ends the plugin's live shadows, and begins the one that is wanted, in the running transaction of the platform. Processes
/// follow within some seconds.
///
/// # Errors
/// The database's error.
pub async fn follow_shadow(conn: &mut AsyncPgConnection, wish: &ShadowWish<'_>, now: DateTime<Utc>) -> QueryResult<()> {
    let now = now.trunc_subsecs(6);
    for run in store::live(conn).await?.into_iter().filter(|run| run.decoder_name == wish.plugin) {
        store::change_state(conn, run.id, "running", "cancelled", now).await?;
    }
    let Some((version, models, share)) = wish.version.filter(|(_, _, share)| *share > 0) else { return Ok(()) };
    let scope = ShadowScope { models: Some(models.to_vec()), share: Some(share), ..ShadowScope::default() };
    let run = RunRow {
        id: ShadowReplayId::generate(),
        decoder_name: wish.plugin.to_owned(),
        decoder_version: version.to_owned(),
        kind: "live".to_owned(),
        scope: serde_json::to_value(&scope).unwrap_or_default(),
        token_id: Some(wish.token),
        state: "running".to_owned(),
        total: None,
        position_tenant: None,
        position: None,
        report: serde_json::to_value(Report::default()).unwrap_or_default(),
        record_keys: None,
        record_keys_reason: None,
        failure: None,
        created_at: now,
        updated_at: now,
    };
    store::insert(conn, &run).await.map(|_one| ())
}
