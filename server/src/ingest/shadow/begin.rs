//! Begins, cancels and resumes shadow runs, and takes what was decided about changed record keys.

use chrono::{DateTime, SubsecRound, Utc};
use db::{ApiTokenId, ShadowReplayId, TenantId};
use plugin_host::Surface;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::Report;
use super::store::{self, RunRow};
use crate::app::App;
use crate::error::{Error, Kind};
use crate::ingest::replays::{DecoderVersion, version};

/// What a shadow run looks at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ShadowScope {
    /// Devices, or hubs, of these models; left out: all that the version knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
    /// These tenants; left out: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenants: Option<Vec<TenantId>>,
    /// Received from then on: RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<DateTime<Utc>>,
    /// Received before then; left out: before it was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    /// Of a live shadow: the share of the uplinks that it decodes, 1 to 100 percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<u8>,
}

/// Leaves the run: a live one when the scope has a share.
///
/// # Errors
/// 422 when there is no such version, or it does not know the models.
pub(super) async fn begin(
    app: &App,
    wanted: &DecoderVersion,
    mut scope: ShadowScope,
    token: Option<ApiTokenId>,
) -> Result<RunRow, Error> {
    let decoder = version(app, wanted, "/decoder").await?;
    if decoder.surface() == Surface::Hub && scope.share.is_some() {
        return Err(Error::field(
            "/scope/share",
            "this decoder is a hub's: what it makes of the payloads that are kept can be compared, live ones cannot",
        ));
    }
    let known: Vec<String> = decoder.manifest().models.iter().map(|model| model.name.clone()).collect();
    let models = scope.models.get_or_insert_with(|| known.clone());
    if models.is_empty() || models.iter().any(|model| !known.contains(model)) {
        return Err(Error::field("/scope/models", "name models that this decoder version declares, or leave them out"));
    }
    if scope.share.is_some_and(|share| !(1..=100).contains(&share)) {
        return Err(Error::field("/scope/share", "the share is 1 to 100 percent"));
    }
    let now = app.clock.now().trunc_subsecs(6);
    if scope.share.is_none() {
        scope.until = Some(scope.until.map_or(now, |until| until.min(now)));
    }
    let run = RunRow {
        id: ShadowReplayId::generate(),
        decoder_name: wanted.name.clone(),
        decoder_version: wanted.version.clone(),
        kind: if scope.share.is_some() { "live" } else { "replay" }.to_owned(),
        scope: serde_json::to_value(&scope).map_err(Error::internal)?,
        token_id: token,
        state: "running".to_owned(),
        total: None,
        position_tenant: None,
        position: None,
        report: serde_json::to_value(Report::default()).map_err(Error::internal)?,
        record_keys: None,
        record_keys_reason: None,
        failure: None,
        created_at: now,
        updated_at: now,
    };
    let mut transaction = app.db.begin_worker().await?;
    store::insert(&mut transaction, &run).await?;
    transaction.commit().await?;
    tracing::info!(shadow.id = %run.id, decoder = run.decoder_name, version = run.decoder_version, kind = run.kind, "a shadow run was begun");
    Ok(run)
}

/// Cancels or resumes a run.
///
/// # Errors
/// 404; 409 when its state does not allow that.
pub(super) async fn change(app: &App, id: ShadowReplayId, from: &str, to: &str) -> Result<RunRow, Error> {
    let mut transaction = app.db.begin_worker().await?;
    let run = find(&mut transaction, id).await?;
    if run.state == to {
        return Ok(run);
    }
    if run.state != from || store::change_state(&mut transaction, id, from, to, app.clock.now()).await? == 0 {
        return Err(Error::conflict(
            "shadow-replay.state",
            format!("This shadow run is {}; it cannot become {to}.", run.state),
        ));
    }
    let run = find(&mut transaction, id).await?;
    transaction.commit().await?;
    Ok(run)
}

/// One run.
///
/// # Errors
/// 404.
pub(super) async fn find(conn: &mut diesel_async::AsyncPgConnection, id: ShadowReplayId) -> Result<RunRow, Error> {
    store::find(conn, id).await?.ok_or_else(|| Error::not_found("shadow replay"))
}

/// What becomes of records whose keys the version derives in another way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RecordKeys {
    /// The records of the retained uplinks are known under the new key, too: what comes again meets its Observation.
    Remap,
    /// What comes again under a new key is stored as new.
    Accept,
}

impl RecordKeys {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Remap => "remap",
            Self::Accept => "accept",
        }
    }
}

/// Takes the decision. A mapping holds from this moment on; before the version serves, nothing comes under the new keys.
///
/// # Errors
/// 404; 409 when the run is not done, or its keys cannot be mapped because one record's new key is another's old one.
pub(super) async fn decide_keys(
    app: &App,
    id: ShadowReplayId,
    decision: RecordKeys,
    reason: &str,
) -> Result<(RunRow, usize), Error> {
    let mut transaction = app.db.begin_worker().await?;
    let run = find(&mut transaction, id).await?;
    if run.state != "done" || run.kind != "replay" {
        return Err(Error::new(
            Kind::Conflict,
            "shadow-replay.state",
            "Record keys are decided about when a shadow replay is done.",
        ));
    }
    let mut mapped = 0;
    if decision == RecordKeys::Remap {
        if store::count_ambiguous(&mut transaction, id).await? > 0 {
            return Err(Error::conflict(
                "record-keys.ambiguous",
                "Of some devices the new key of one record is the old key of another: they cannot be told apart by keys. Give the new version keys that the old one never had, such as a prefix.",
            ));
        }
        mapped = store::remap(&mut transaction, id, app.clock.now()).await?;
    }
    store::decide_keys(&mut transaction, id, decision.as_str(), reason, app.clock.now()).await?;
    let run = find(&mut transaction, id).await?;
    transaction.commit().await?;
    Ok((run, mapped))
}
