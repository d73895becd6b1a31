//! Carries replays out: a page after the other, each page's comparison, corrections and position in one transaction.

use std::sync::Arc;
use std::time::{Duration, Instant};

use db::{TenantScope, Transaction, UplinkId};
use diesel_async::SimpleAsyncConnection;
use plugin_host::Decoder;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::decoder;
use super::model::{Action, Finding, ReplayCounts, ReplayScope};
use super::prepare::{Prepared, prepare};
use super::store::{self, JobRow, Reached};
use crate::app::App;
use crate::error::Error;
use crate::ingest::batch::{self, Cause, Corrected, Retaken};
use crate::ingest::commit::Failure;
use crate::ingest::model::Outcome;
use crate::ingest::replay_uplink;
use crate::ingest::retained::{self, Devices, RetainedFilter};
use crate::wiring;

/// Uplinks of a page, and so of a transaction.
const PAGE: i64 = 100;
/// After a failure.
const BACK_OFF: Duration = Duration::from_secs(3);
/// How long a page may take before another process takes the replay over, in seconds.
const LEASE: i32 = 60;
/// Findings that are kept one by one; the rest is only counted.
pub(super) const MOST_ITEMS: i64 = 10_000;

/// Carries replays out, those of this process and those that another left, until it is told to stop.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let worker = Uuid::new_v4();
    let mut devices = Devices::default();
    while !stop.is_cancelled() {
        let step = Box::pin(step(&app, worker, &mut devices)).await;
        retained::rest(&app, &stop, step, "replays").await;
    }
    let let_go = async {
        let mut transaction = app.db.begin_worker().await?;
        store::let_go(&mut transaction, worker).await?;
        transaction.commit().await?;
        Ok::<_, Error>(())
    };
    if let Err(error) = let_go.await {
        tracing::debug!(%error, "replays were not let go of; they are taken over when their lease ends");
    }
}

/// Does a page of the replay that waited longest; whether there was one.
async fn step(app: &Arc<App>, worker: Uuid, devices: &mut Devices) -> Result<bool, Error> {
    let mut transaction = app.db.begin_worker().await?;
    let claimed = store::claim(&mut transaction, worker, LEASE).await?;
    transaction.commit().await?;
    let Some(job) = claimed else { return Ok(false) };
    if let Err(error) = Box::pin(page(app, &job, worker, devices)).await {
        tracing::warn!(tenant.id = %job.tenant_id, replay.id = %job.id, cause = %format!("{error:?}"), "a replay did not get on; it is tried again");
        let transaction = app.db.begin_worker().await?;
        store::note_failure(&transaction, &job, error.code(), app.clock.now()).await?;
        transaction.commit().await?;
        tokio::time::sleep(BACK_OFF).await;
    }
    Ok(true)
}

fn filter(scope: &ReplayScope) -> RetainedFilter {
    RetainedFilter {
        uplinks: scope.uplinks.clone(),
        from: scope.from,
        until: scope.until,
        models: scope.models.clone(),
        hub_models: None,
        devices: scope.devices.clone(),
        quarantined: scope.quarantined,
        quarantine_reason: scope.quarantine_reason.clone(),
        decoded_by: scope.decoded_by.clone().map(|by| (by.name, by.version)),
    }
}

async fn page(app: &Arc<App>, job: &JobRow, worker: Uuid, devices: &mut Devices) -> Result<(), Error> {
    let started = Instant::now();
    let scope: ReplayScope = serde_json::from_value(job.scope.clone()).map_err(Error::internal)?;
    let filter = filter(&scope);
    if job.total.is_none() {
        let total = retained::count(app, job.tenant_id, &filter).await?;
        let transaction = app.db.begin_worker().await?;
        store::set_total(&transaction, job, total).await?;
        transaction.commit().await?;
    }
    let wanted: Option<Arc<Decoder>> = match &scope.decoder {
        Some(wanted) => Some(decoder::version(app, wanted, "/scope/decoder").await?),
        None => None,
    };
    let after = job.position.unwrap_or(UplinkId(Uuid::nil()));
    let page = retained::page(app, job.tenant_id, &filter, after, PAGE, devices).await?;
    let reached = page.last().map(|last| last.received.id);
    let uplinks = u64::try_from(page.len()).unwrap_or_default();
    let prepared = prepare(app, job.tenant_id, page, wanted.as_ref()).await?;
    let written = Box::pin(apply(app, job, worker, prepared, reached, uplinks)).await?;
    if written > 0 {
        app.metrics.observations.inc_by(written);
        wiring::readings_committed(app);
    }
    tracing::debug!(replay.id = %job.id, uplinks, elapsed_ms = started.elapsed().as_millis(), "a page of a replay");
    Ok(())
}

/// Compares, corrects and moves the position: one transaction. The number of Observations that were written.
async fn apply(
    app: &Arc<App>,
    job: &JobRow,
    worker: Uuid,
    prepared: Prepared,
    reached: Option<UplinkId>,
    uplinks: u64,
) -> Result<u64, Error> {
    let mut done = Corrected::default();
    let payloads = payloads(app, job, &prepared.payloads).await?;
    let (mut transaction, _fence) = app.db.begin_fenced_worker().await?;
    let Some(current) = store::lock_at(&transaction, job, worker).await? else {
        // Cancelled, or another process was faster: nothing of this page was done here.
        return Ok(0);
    };
    compare(app, &mut transaction, job, &prepared.items, &mut done).await?;
    let mut counts: ReplayCounts = serde_json::from_value(current.counts.clone()).map_err(Error::internal)?;
    counts.uplinks += uplinks;
    counts.settled += done.settled;
    let findings: Vec<Finding> = prepared.findings.into_iter().chain(payloads).chain(done.findings).collect();
    for finding in &findings {
        counts.add(finding);
    }
    let room = usize::try_from(MOST_ITEMS - current.items).unwrap_or_default();
    let told: Vec<&Finding> = findings.iter().filter(|finding| finding.action != Action::Same).take(room).collect();
    store::insert_items(&transaction, job, &told).await?;
    let state = if reached.is_none() { "done" } else { "running" };
    let items = current.items + i64::try_from(told.len()).unwrap_or_default();
    let reached = Reached { position: reached, counts: &counts, items, state };
    store::reach(&transaction, job, &reached, app.clock.now()).await?;
    transaction.commit().await?;
    Ok(if job.dry_run { 0 } else { done.written })
}

/// The comparison behind a savepoint: a dry run returns to it. What fails together is tried one by one, so that it costs
/// only itself.
async fn compare(
    app: &Arc<App>,
    transaction: &mut Transaction,
    job: &JobRow,
    items: &[Retaken],
    done: &mut Corrected,
) -> Result<(), Error> {
    if items.is_empty() {
        return Ok(());
    }
    match attempt(app, transaction, job, items).await? {
        Ok(corrected) => add(done, corrected),
        Err(_) if items.len() > 1 => {
            for item in items {
                match attempt(app, transaction, job, std::slice::from_ref(item)).await? {
                    Ok(corrected) => add(done, corrected),
                    Err(failure) => refuse(job, item, failure, done),
                }
            }
        }
        Err(failure) => {
            if let [item] = items {
                refuse(job, item, failure, done);
            }
        }
    }
    Ok(())
}

async fn attempt(
    app: &Arc<App>,
    transaction: &mut Transaction,
    job: &JobRow,
    items: &[Retaken],
) -> Result<Result<Corrected, Failure>, Error> {
    let cause = Cause { replay: job.id, token: job.token_id, reason: job.reason.clone() };
    run_sql(transaction, "SAVEPOINT replay_page").await?;
    let result = batch::correct(app, transaction, job.tenant_id, items, &cause).await;
    if result.is_err() || job.dry_run {
        run_sql(transaction, "ROLLBACK TO SAVEPOINT replay_page").await?;
    }
    run_sql(transaction, "RELEASE SAVEPOINT replay_page").await?;
    Ok(result)
}

async fn run_sql(transaction: &mut Transaction, sql: &str) -> Result<(), Error> {
    (**transaction).batch_execute(sql).await.map_err(|error| db::DbError::Query(error).into())
}

fn add(done: &mut Corrected, corrected: Corrected) {
    done.findings.extend(corrected.findings);
    done.settled += corrected.settled;
    done.written += corrected.written;
}

fn refuse(job: &JobRow, item: &Retaken, failure: Failure, done: &mut Corrected) {
    let error = failure.into_error();
    let uplink = item.submission.received.id;
    tracing::warn!(tenant.id = %job.tenant_id, uplink.id = %uplink, cause = %format!("{error:?}"), "an uplink could not be replayed");
    done.findings.push(Finding::of_uplink(uplink, Action::Failed, "not-storable"));
}

/// Hubs' own payloads that are in quarantine: split and stored again as a whole, each in its own transactions; items that are
/// stored already are known by their place.
async fn payloads(app: &Arc<App>, job: &JobRow, payloads: &[UplinkId]) -> Result<Vec<Finding>, Error> {
    let scope = TenantScope::one(job.tenant_id);
    let mut findings = Vec::new();
    for uplink in payloads {
        if job.dry_run {
            findings.push(Finding::of_uplink(*uplink, Action::Skipped, "hub-payload"));
            continue;
        }
        let finding = match replay_uplink::replay(app, &scope, *uplink).await {
            Ok(receipt) if matches!(receipt.outcome, Outcome::Undecodable | Outcome::Quarantined) => {
                Finding::of_uplink(*uplink, Action::Failed, receipt.reason.as_deref().unwrap_or("undecodable"))
            }
            Ok(receipt) if receipt.observations.is_empty() => Finding::of_uplink(*uplink, Action::Same, "hub-payload"),
            Ok(_) => Finding::of_uplink(*uplink, Action::Created, "hub-payload"),
            Err(error) => Finding::of_uplink(*uplink, Action::Failed, error.code()),
        };
        findings.push(finding);
    }
    Ok(findings)
}
