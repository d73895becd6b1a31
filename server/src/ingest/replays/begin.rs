//! Begins, cancels and resumes replays.

use chrono::SubsecRound;
use db::{ApiTokenId, ReplayId, TenantId, TenantScope};

use super::decoder;
use super::model::{ReplayCounts, ReplayScope};
use super::store::{self, JobRow};
use crate::app::App;
use crate::error::Error;

/// Uplinks that may be named one by one.
const MOST_NAMED: usize = 1_000;
/// Replays of a tenant that may run at the same time.
const MOST_RUNNING: i64 = 5;

/// What is wanted.
pub(super) struct Wish {
    pub(super) tenant: TenantId,
    pub(super) scope: ReplayScope,
    pub(super) dry_run: bool,
    pub(super) reason: String,
    pub(super) token: ApiTokenId,
}

/// Leaves the job; background work carries it out.
///
/// # Errors
/// 422 for a scope without any narrowing, or a decoder version that is not here; 409 when too many run.
pub(super) async fn begin(app: &App, tenants: &TenantScope, wish: Wish) -> Result<JobRow, Error> {
    let mut scope = wish.scope;
    if !scope.is_narrowed() {
        return Err(Error::field(
            "/scope",
            "say which uplinks: `uplinks`, `from`, `models`, `devices`, `quarantined`, `quarantineReason` or `decodedBy`",
        ));
    }
    if scope.uplinks.as_ref().is_some_and(|named| named.is_empty() || named.len() > MOST_NAMED) {
        return Err(Error::field("/scope/uplinks", format!("1 to {MOST_NAMED} uplinks may be named one by one")));
    }
    let now = app.clock.now().trunc_subsecs(6);
    let until = scope.until.map_or(now, |until| until.min(now));
    if scope.from.is_some_and(|from| from >= until) {
        return Err(Error::field("/scope/from", "`from` has to lie before `until` and before now"));
    }
    // What arrives from now on is read by the decoder of now.
    scope.until = Some(until);
    if let Some(wanted) = &scope.decoder {
        decoder::version(app, wanted, "/scope/decoder").await?;
    }
    let job = JobRow {
        tenant_id: wish.tenant,
        id: ReplayId::generate(),
        scope: serde_json::to_value(&scope).map_err(Error::internal)?,
        dry_run: wish.dry_run,
        reason: wish.reason,
        token_id: wish.token,
        state: "running".to_owned(),
        total: None,
        position: None,
        counts: serde_json::to_value(ReplayCounts::default()).map_err(Error::internal)?,
        items: 0,
        failure: None,
        created_at: now,
        updated_at: now,
    };
    let mut transaction = tenants.begin(&app.db).await?;
    if store::count_running(&mut transaction, wish.tenant).await? >= MOST_RUNNING {
        return Err(Error::conflict(
            "replay.too-many",
            format!("{MOST_RUNNING} replays of this tenant are running: wait for one, or cancel it."),
        ));
    }
    store::insert_job(&transaction, &job).await?;
    transaction.commit().await?;
    tracing::info!(tenant.id = %job.tenant_id, replay.id = %job.id, dry_run = job.dry_run, "a replay was begun");
    Ok(job)
}

/// Stops a replay after the page that it is at; what was done stays done.
///
/// # Errors
/// 404; 409 when it is done.
pub(super) async fn cancel(app: &App, tenants: &TenantScope, id: ReplayId) -> Result<JobRow, Error> {
    change(app, tenants, id, "running", "cancelled").await
}

/// Goes on with a cancelled replay where it stopped.
///
/// # Errors
/// 404; 409 when it is not cancelled.
pub(super) async fn resume(app: &App, tenants: &TenantScope, id: ReplayId) -> Result<JobRow, Error> {
    change(app, tenants, id, "cancelled", "running").await
}

async fn change(
    app: &App,
    tenants: &TenantScope,
    id: ReplayId,
    from: &'static str,
    to: &'static str,
) -> Result<JobRow, Error> {
    let mut transaction = tenants.begin(&app.db).await?;
    let job = store::find(&mut transaction, &tenants.tenants(), id).await?;
    let job = job.ok_or_else(|| Error::not_found("replay"))?;
    if job.state == to {
        return Ok(job);
    }
    if job.state != from || store::change_state(&transaction, &job, from, to, app.clock.now()).await? == 0 {
        return Err(Error::conflict("replay.state", format!("This replay is {}; it cannot become {to}.", job.state)));
    }
    let changed = store::find(&mut transaction, &tenants.tenants(), id).await?;
    transaction.commit().await?;
    changed.ok_or_else(|| Error::not_found("replay"))
}
