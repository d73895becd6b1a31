//! Rewrites who wore a device in a period that has passed: assignments of others are shortened, split or replaced, the right
//! person's are left as they are, and every row is kept as it was.
//!
//! A part that is split off keeps the identity of the assignment it came from, so that its readings, sent again, have the
//! identifiers that they have.

use chrono::{DateTime, Utc};
use db::{AssignmentId, DeviceId, ReassignmentId, TenantId};
use diesel_async::AsyncPgConnection;

use super::assign_device::check_sharing;
use super::store::assignment::{self, AssignmentRow};
use super::{model, store};
use crate::error::Error;
use crate::fhir;

/// Who wore it when.
#[derive(Debug, Clone)]
pub struct Rewrite {
    /// The device.
    pub device: DeviceId,
    /// User slot; empty for the only wearer.
    pub slot: String,
    /// FHIR id, of the device's tenant.
    pub patient: String,
    /// From then on,
    pub from: DateTime<Utc>,
    /// until right before then.
    pub until: Option<DateTime<Utc>>,
    /// The correction that this belongs to.
    pub reassignment: ReassignmentId,
}

/// Rewrites the assignments; answers how many of other people were changed. The caller commits, and waits for the group
/// commits before (`db::wait_for_commits`).
///
/// # Errors
/// 404 for the device; 422 for the patient or the period; 409 when the device is shared otherwise then.
pub async fn rewrite_assignments(
    conn: &mut AsyncPgConnection,
    tenants: &[TenantId],
    wish: &Rewrite,
    now: DateTime<Utc>,
) -> Result<(TenantId, usize), Error> {
    model::check_period(wish.from, wish.until)?;
    model::check_slot(&wish.slot)?;
    let device =
        store::device::lock_device(conn, tenants, wish.device).await?.ok_or_else(|| Error::not_found("device"))?;
    let tenant = device.tenant_id;
    let patient = model::patient_id(&wish.patient)?;
    if !fhir::store::patient_exists(conn, tenant, patient).await? {
        return Err(Error::field("/patient", "the tenant of this device has no such patient"));
    }
    if let Some(ended) = device.enrolled_until
        && wish.until.is_none_or(|until| until > ended)
    {
        let detail = format!("this device left the tenant at {}: the period has to end by then", ended.to_rfc3339());
        return Err(Error::field("/until", detail));
    }
    let period = (wish.from, wish.until);
    check_sharing(conn, tenant, wish.device, &wish.slot, period).await?;
    let rows = assignment::assignments_between(conn, tenant, wish.device, &wish.slot, period).await?;
    let (right, wrong): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.patient_id == patient);
    for row in &wrong {
        assignment::keep_history(conn, row, wish.reassignment, now).await?;
        cut(conn, row, period).await?;
    }
    for (from, until) in gaps(period, &right) {
        let row = AssignmentRow {
            tenant_id: tenant,
            id: AssignmentId::generate(),
            device_id: wish.device,
            slot: wish.slot.clone(),
            patient_id: patient.to_owned(),
            worn_from: from,
            worn_until: until,
            created_at: now,
            identity_id: None,
        };
        assignment::insert_assignment(conn, &row).await?;
    }
    Ok((tenant, wrong.len()))
}

/// Takes the period out of an assignment.
async fn cut(
    conn: &mut AsyncPgConnection,
    row: &AssignmentRow,
    (from, until): (DateTime<Utc>, Option<DateTime<Utc>>),
) -> Result<(), Error> {
    let begins_before = row.worn_from < from;
    let lasts_beyond = until.filter(|until| row.worn_until.is_none_or(|ends| ends > *until));
    match (begins_before, lasts_beyond) {
        (false, None) => assignment::delete_assignment(conn, row.tenant_id, row.id).await?,
        (false, Some(until)) => {
            assignment::set_period(conn, row.tenant_id, row.id, until, row.worn_until).await?;
        }
        (true, rest) => {
            assignment::set_period(conn, row.tenant_id, row.id, row.worn_from, Some(from)).await?;
            if let Some(until) = rest {
                let rest = AssignmentRow {
                    id: AssignmentId::generate(),
                    worn_from: until,
                    identity_id: Some(row.identity()),
                    ..row.clone()
                };
                assignment::insert_assignment(conn, &rest).await?;
            }
        }
    }
    Ok(())
}

/// The parts of a period that none of the assignments covers; they come in order and do not overlap.
fn gaps(
    (from, until): (DateTime<Utc>, Option<DateTime<Utc>>),
    covered: &[AssignmentRow],
) -> Vec<(DateTime<Utc>, Option<DateTime<Utc>>)> {
    let mut gaps = Vec::new();
    let mut open = Some(from);
    for row in covered {
        let Some(start) = open else { break };
        if row.worn_from > start {
            gaps.push((start, Some(row.worn_from)));
        }
        open = row.worn_until.map(|ends| ends.max(start));
    }
    if let Some(start) = open.filter(|start| until.is_none_or(|until| *start < until)) {
        gaps.push((start, until));
    }
    gaps
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

    use uuid::Uuid;

    use super::*;

    fn at(day: u32) -> DateTime<Utc> {
        format!("2026-03-{day:02}T00:00:00Z").parse().unwrap()
    }

    fn worn(from: u32, until: Option<u32>) -> AssignmentRow {
        AssignmentRow {
            tenant_id: TenantId(Uuid::nil()),
            id: AssignmentId::generate(),
            device_id: DeviceId(Uuid::nil()),
            slot: String::new(),
            patient_id: "p".to_owned(),
            worn_from: at(from),
            worn_until: until.map(at),
            created_at: at(1),
            identity_id: None,
        }
    }

    #[test]
    fn what_the_right_person_has_already_is_left_alone() {
        let gaps_of = |from, until: Option<u32>, covered: &[AssignmentRow]| gaps((at(from), until.map(at)), covered);
        assert_eq!(gaps_of(5, Some(9), &[]), [(at(5), Some(at(9)))]);
        assert_eq!(gaps_of(5, None, &[]), [(at(5), None)]);
        assert_eq!(gaps_of(5, Some(9), &[worn(1, Some(6)), worn(8, None)]), [(at(6), Some(at(8)))]);
        assert_eq!(gaps_of(5, None, &[worn(7, Some(8))]), [(at(5), Some(at(7))), (at(8), None)]);
        assert_eq!(gaps_of(5, Some(9), &[worn(1, Some(12))]), []);
        assert_eq!(gaps_of(5, Some(9), &[worn(1, None)]), []);
        assert_eq!(gaps_of(5, Some(9), &[worn(5, Some(9))]), []);
    }
}
