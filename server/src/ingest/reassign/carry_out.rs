//! Moves the readings of a reassignment, a chunk a transaction, until none is left; goes on with what another process began.

use std::sync::Arc;
use std::time::Duration;

use db::{AssignmentId, ReassignmentId, TenantId};
use tokio_util::sync::CancellationToken;

use super::store::{self, ItemRow, JobRow};
use crate::app::App;
use crate::error::Error;
use crate::fhir::reassign_readings::{self as moves, Moving};
use crate::ingest::held::{NewCorrection, insert_corrections, take_in};
use crate::ingest::interpret::ReadingKey;
use crate::wiring;

/// Observations a transaction.
const CHUNK: i64 = 100;
/// How often it is looked whether a job was left.
const PAUSE: Duration = Duration::from_secs(2);

/// Whether a job is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// There is more to do.
    More,
    /// Nothing is left, or another process is at it.
    Done,
}

/// Goes on with jobs that were begun, in this process or another, until it is told to stop.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
        let jobs = match running(&app).await {
            Ok(jobs) => jobs,
            Err(error) => {
                tracing::debug!(%error, "reassignments could not be looked up; they are asked for again");
                continue;
            }
        };
        for (tenant, id) in jobs {
            while !stop.is_cancelled() {
                match step(&app, tenant, id).await {
                    Ok(Progress::More) => {}
                    Ok(Progress::Done) => break,
                    Err(error) => {
                        note(&app, tenant, id, &error).await;
                        break;
                    }
                }
            }
        }
    }
}

async fn running(app: &App) -> Result<Vec<(TenantId, ReassignmentId)>, Error> {
    let transaction = app.db.begin_worker().await?;
    let jobs = store::running(&transaction).await?;
    transaction.commit().await?;
    Ok(jobs)
}

/// Keeps why an attempt failed where people see it. The job stays, and is tried again.
pub(super) async fn note(app: &App, tenant: TenantId, id: ReassignmentId, error: &Error) {
    tracing::warn!(tenant.id = %tenant, reassignment.id = %id, cause = %format!("{error:?}"), "a reassignment did not get on; it is tried again");
    let kept = async {
        let transaction = app.db.begin_worker().await?;
        store::note_failure(&transaction, tenant, id, error.code(), app.clock.now()).await?;
        transaction.commit().await?;
        Ok::<_, Error>(())
    };
    if let Err(error) = kept.await {
        tracing::debug!(%error, "nor could that be noted");
    }
}

/// Does the next part of a job: looks up what has to be moved, moves a chunk, or takes in what was unassigned and ends it.
///
/// # Errors
/// The database's error; nothing of this part was done then.
pub(super) async fn step(app: &Arc<App>, tenant: TenantId, id: ReassignmentId) -> Result<Progress, Error> {
    let now = app.clock.now();
    let transaction = app.db.begin_worker().await?;
    // Locked: two processes never move the same chunk.
    let Some(job) = store::lock_job(&transaction, tenant, id).await? else { return Ok(Progress::Done) };
    if job.found.is_none() {
        let items = store::to_move(&transaction, &job, usize::MAX >> 2).await?;
        store::insert_items(&transaction, &job, &items, now).await?;
        transaction.commit().await?;
        return Ok(Progress::More);
    }
    let items = store::next_items(&transaction, &job, CHUNK).await?;
    if items.is_empty() {
        let taken = if job.take_unassigned { Some(take_unassigned(app, &job).await?) } else { None };
        store::finish(&transaction, &job, taken.unwrap_or_default(), now).await?;
        transaction.commit().await?;
        return Ok(Progress::Done);
    }
    let moved = move_items(app, &transaction, &job, &items, now).await?;
    store::moved(&transaction, &job, &items, moved, now).await?;
    transaction.commit().await?;
    wiring::readings_committed(app);
    Ok(Progress::More)
}

async fn move_items(
    app: &App,
    conn: &diesel_async::AsyncPgConnection,
    job: &JobRow,
    items: &[ItemRow],
    now: chrono::DateTime<chrono::Utc>,
) -> Result<usize, Error> {
    let target = |id: &str| items.iter().find(|item| item.observation_id == id).map(|item| item.assignment_id);
    let ids: Vec<String> = items.iter().map(|item| item.observation_id.clone()).collect();
    let moving = moves::movable(conn, job.tenant_id, &ids).await?.into_iter().filter_map(|from| {
        let assignment: AssignmentId = target(&from.id)?;
        let key = ReadingKey::behind(&from.identifier_value, &from.assignment_id.to_string())?;
        let identifier = key.identifier(&assignment.to_string());
        Some(Moving { from, identifier, patient: job.patient_id.clone(), assignment })
    });
    let moved = moves::reassign_readings(conn, job.tenant_id, &app.identifier_system(), moving.collect(), now).await?;
    wiring::readings_stored(conn, &moved.stored).await?;
    wiring::readings_revised(conn, &moved.revised).await?;
    let corrections: Vec<NewCorrection> = moved
        .pairs
        .iter()
        .map(|(old, new)| NewCorrection {
            tenant: job.tenant_id,
            action: "reassign",
            reason: job.reason.clone(),
            token: Some(job.token_id),
            device: job.device_id,
            held: None,
            reassignment: Some(job.id),
            old_observation: Some(old.clone()),
            new_observation: Some(new.clone()),
        })
        .collect();
    insert_corrections(conn, &corrections, now).await?;
    Ok(moved.pairs.len())
}

/// Readings that nobody wore the device for, in the period that somebody is known for now. Doing it twice takes nothing
/// twice.
async fn take_unassigned(app: &Arc<App>, job: &JobRow) -> Result<usize, Error> {
    let period = (job.device_id, job.period_from, job.period_until);
    take_in(app, job.tenant_id, &job.patient_id, period, job.token_id, &job.reason).await
}
