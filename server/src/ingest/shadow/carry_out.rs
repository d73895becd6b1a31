//! Carries shadow replays out: page by page through the retained uplinks of every tenant. A page is read, decoded twice and
//! compared in memory; what is written is the report and the position, and nothing else.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use db::{TenantId, UplinkId};
use plugin_host::{Decoder, Surface};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::begin::ShadowScope;
use super::model::Report;
use super::run_both::{ChangedKey, Ran, run_both};
use super::split_both::split_both;
use super::store::{self, Reached, RunRow};
use crate::app::App;
use crate::error::Error;
use crate::ingest::replays::{DecoderVersion, version};
use crate::ingest::retained::{self, Devices, Retained, RetainedFilter};
use crate::tenancy;

/// Uplinks of a page.
const PAGE: i64 = 500;
/// How often it is looked whether there are old examples, and how old they may be.
const FORGETS: Duration = Duration::from_secs(3600);
const FORGOTTEN_DAYS: i32 = 90;
/// After a failure.
const BACK_OFF: Duration = Duration::from_secs(3);
/// How long a page may take before another process takes over, in seconds.
const LEASE: i32 = 60;

/// Carries shadow replays out, those of this process and those that another left, until it is told to stop.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let worker = Uuid::new_v4();
    let mut devices = Devices::default();
    let mut forgot: Option<Instant> = None;
    while !stop.is_cancelled() {
        if forgot.is_none_or(|at| at.elapsed() > FORGETS) {
            forgot = Some(Instant::now());
            if let Err(error) = forget(&app).await {
                tracing::debug!(%error, "old examples of shadow runs could not be forgotten; it is tried again");
            }
        }
        let step = step(&app, worker, &mut devices).await;
        retained::rest(&app, &stop, step, "shadow replays").await;
    }
    let let_go = async {
        let mut transaction = app.db.begin_worker().await?;
        store::let_go(&mut transaction, worker).await?;
        transaction.commit().await?;
        Ok::<_, Error>(())
    };
    if let Err(error) = let_go.await {
        tracing::debug!(%error, "shadow replays were not let go of; they are taken over when their lease ends");
    }
}

/// Values in examples are not kept for longer than what people have to settle.
async fn forget(app: &App) -> Result<(), Error> {
    let mut transaction = app.db.begin_worker().await?;
    store::forget_old(&mut transaction, FORGOTTEN_DAYS).await?;
    transaction.commit().await?;
    Ok(())
}

async fn step(app: &Arc<App>, worker: Uuid, devices: &mut Devices) -> Result<bool, Error> {
    let mut transaction = app.db.begin_worker().await?;
    let claimed = store::claim(&mut transaction, worker, LEASE).await?;
    transaction.commit().await?;
    let Some(run) = claimed else { return Ok(false) };
    if let Err(error) = page(app, &run, worker, devices).await {
        tracing::warn!(shadow.id = %run.id, cause = %format!("{error:?}"), "a shadow replay did not get on; it is tried again");
        let mut transaction = app.db.begin_worker().await?;
        store::note_failure(&mut transaction, run.id, error.code(), app.clock.now()).await?;
        transaction.commit().await?;
        tokio::time::sleep(BACK_OFF).await;
    }
    Ok(true)
}

fn filter(scope: &ShadowScope, surface: Surface) -> RetainedFilter {
    let (models, hub_models) = match surface {
        Surface::Device => (scope.models.clone(), None),
        Surface::Hub => (None, scope.models.clone()),
    };
    RetainedFilter { models, hub_models, from: scope.from, until: scope.until, ..RetainedFilter::default() }
}

/// The tenants that are looked at, in order.
async fn tenants(app: &App, scope: &ShadowScope) -> Result<BTreeSet<TenantId>, Error> {
    let mut transaction = app.db.begin_platform().await?;
    let all = tenancy::all_tenants(&mut transaction).await?;
    transaction.commit().await?;
    let wanted = scope.tenants.as_ref();
    Ok(all.into_iter().filter(|tenant| wanted.is_none_or(|wanted| wanted.contains(tenant))).collect())
}

async fn page(app: &Arc<App>, run: &RunRow, worker: Uuid, devices: &mut Devices) -> Result<(), Error> {
    let scope: ShadowScope = serde_json::from_value(run.scope.clone()).map_err(Error::internal)?;
    let wanted = DecoderVersion { name: run.decoder_name.clone(), version: run.decoder_version.clone() };
    let decoder = version(app, &wanted, "/decoder").await?;
    let filter = filter(&scope, decoder.surface());
    let tenants = tenants(app, &scope).await?;
    if run.total.is_none() {
        let mut total = 0;
        for tenant in &tenants {
            total += retained::count(app, *tenant, &filter).await?;
        }
        let mut transaction = app.db.begin_worker().await?;
        store::set_total(&mut transaction, run.id, total).await?;
        transaction.commit().await?;
    }
    let first = run.position_tenant.map_or_else(|| tenants.first().copied(), Some);
    let mut report: Report = serde_json::from_value(run.report.clone()).map_err(Error::internal)?;
    let mut keys = Vec::new();
    let mut reached = Reached { tenant: None, uplink: None, report: serde_json::Value::Null, state: "done" };
    let mut after = run.position.unwrap_or(UplinkId(Uuid::nil()));
    for tenant in first.into_iter().flat_map(|first| tenants.range(first..)) {
        let page = retained::page(app, *tenant, &filter, after, PAGE, devices).await?;
        if let Some(last) = page.last() {
            (reached.tenant, reached.uplink, reached.state) = (Some(*tenant), Some(last.received.id), "running");
            compare_page(app, *tenant, &page, &decoder, &mut report, &mut keys).await?;
            break;
        }
        // A tenant is through: the next one from its beginning.
        after = UplinkId(Uuid::nil());
    }
    reached.report = serde_json::to_value(&report).map_err(Error::internal)?;
    let mut transaction = app.db.begin_worker().await?;
    if store::reach(&mut transaction, run, worker, &reached, app.clock.now()).await? > 0 {
        store::insert_keys(&mut transaction, run.id, &keys).await?;
        transaction.commit().await?;
    }
    Ok(())
}

async fn compare_page(
    app: &Arc<App>,
    tenant: TenantId,
    page: &[Retained],
    decoder: &Arc<Decoder>,
    report: &mut Report,
    keys: &mut Vec<ChangedKey>,
) -> Result<(), Error> {
    for retained in page {
        let ran = match (&retained.device, &retained.hub) {
            _ if !retained.has_bytes => Ran::Skipped("bytes-gone"),
            // Its frames are those of the uplink that was made of them.
            _ if retained.outcome == "joined" => Ran::Skipped("joined"),
            (Some(device), _) => run_both(app, device, &retained.received, decoder).await?,
            (None, Some(hub)) => split_both(app, hub, &retained.received, decoder).await?,
            (None, None) => Ran::Skipped("no-device"),
        };
        match ran {
            Ran::Compared(compared, changed) => {
                report.add(tenant, retained.received.id, &compared);
                keys.extend(changed);
            }
            Ran::Skipped(reason) => report.skip(reason),
        }
        // Live uplinks come first.
        tokio::task::yield_now().await;
    }
    Ok(())
}
