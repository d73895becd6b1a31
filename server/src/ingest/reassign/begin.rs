//! Begins a reassignment: rewrites the assignments and leaves the job; or counts what it would do, and leaves nothing.

use chrono::{DateTime, Utc};
use db::{ApiTokenId, DeviceId, ReassignmentId, TenantScope};

use super::store::{self, JobRow};
use crate::app::App;
use crate::error::Error;
use crate::fleet::{Rewrite, rewrite_assignments};

/// Observations that one reassignment may move.
pub(super) const MOST: usize = 50_000;

/// Who wore what when, as staff say.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub(super) device: DeviceId,
    pub(super) slot: String,
    pub(super) patient: String,
    pub(super) from: DateTime<Utc>,
    pub(super) until: Option<DateTime<Utc>>,
    pub(super) reason: String,
    pub(super) take_unassigned: bool,
    pub(super) token: ApiTokenId,
}

impl Wish {
    fn rewrite(&self, reassignment: ReassignmentId) -> Rewrite {
        Rewrite {
            device: self.device,
            slot: self.slot.clone(),
            patient: self.patient.clone(),
            from: self.from,
            until: self.until,
            reassignment,
        }
    }

    fn job(&self, tenant: db::TenantId, id: ReassignmentId, now: DateTime<Utc>) -> JobRow {
        JobRow {
            tenant_id: tenant,
            id,
            device_id: self.device,
            slot: self.slot.clone(),
            patient_id: self.patient.strip_prefix("Patient/").unwrap_or(&self.patient).to_owned(),
            period_from: self.from,
            period_until: self.until,
            reason: self.reason.clone(),
            token_id: self.token,
            take_unassigned: self.take_unassigned,
            state: "running".to_owned(),
            found: None,
            moved: 0,
            taken: 0,
            failure: None,
            created_at: now,
            updated_at: now,
        }
    }
}

/// What a reassignment would move.
#[derive(Debug)]
pub(super) struct Foreseen {
    /// Assignments of other people that would be changed.
    pub(super) assignments: usize,
    /// Observations that would be withdrawn and made anew.
    pub(super) observations: Vec<String>,
}

/// Counts, and changes nothing.
///
/// # Errors
/// As [`begin`].
pub(super) async fn foresee(app: &App, scope: &TenantScope, wish: &Wish) -> Result<Foreseen, Error> {
    let (id, now) = (ReassignmentId::generate(), app.clock.now());
    let mut transaction = scope.begin(&app.db).await?;
    let (tenant, assignments) = rewrite_assignments(&mut transaction, &scope.tenants(), &wish.rewrite(id), now).await?;
    let items = store::to_move(&transaction, &wish.job(tenant, id, now), MOST + 1).await?;
    transaction.rollback().await?;
    refuse_too_many(items.len())?;
    Ok(Foreseen { assignments, observations: items.into_iter().map(|item| item.observation_id).collect() })
}

/// Rewrites the assignments; the job that moves the readings is there when this answers.
///
/// # Errors
/// 404 for the device; 422 for the patient, the period, or too many readings at once; 409 when the device is shared
/// otherwise in that period.
pub(super) async fn begin(app: &App, scope: &TenantScope, wish: &Wish) -> Result<JobRow, Error> {
    let (id, now) = (ReassignmentId::generate(), app.clock.now());
    let mut transaction = scope.begin(&app.db).await?;
    let (tenant, _) = rewrite_assignments(&mut transaction, &scope.tenants(), &wish.rewrite(id), now).await?;
    let job = wish.job(tenant, id, now);
    refuse_too_many(store::to_move(&transaction, &job, MOST + 1).await?.len())?;
    store::insert_job(&transaction, &job).await?;
    // Last, and for the time of the commit only: ingest waits meanwhile.
    db::wait_for_commits(&mut transaction).await?;
    transaction.commit().await?;
    tracing::info!(tenant.id = %tenant, device.id = %wish.device, reassignment.id = %id, "a device is reassigned for a period");
    Ok(job)
}

fn refuse_too_many(found: usize) -> Result<(), Error> {
    if found <= MOST {
        return Ok(());
    }
    Err(Error::field(
        "/until",
        format!("more than {MOST} readings were stored in that period: correct it in shorter ones"),
    ))
}
