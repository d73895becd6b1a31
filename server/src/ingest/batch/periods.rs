//! Readings of a period, such as a day's steps: they are one person's only if nobody else wore the device in it.
//!
//! The wearer is looked up at the beginning. When the device went to somebody else before the end, the total is of two
//! people and cannot be split: it is nobody's result, and a person has to say whose it is.

use diesel_async::AsyncPgConnection;

use crate::ingest::model::Submission;
use crate::ingest::store::{self, PeriodQuestion, Wearer};

/// Tells the wearers of periods how many people there were in them; `wearers` has one for each reading, in order.
pub(super) async fn count_wearers(
    conn: &AsyncPgConnection,
    submissions: &[&Submission],
    wearers: &mut [Wearer],
) -> diesel::QueryResult<()> {
    let readings = submissions.iter().flat_map(|submission| {
        submission.readings().iter().map(|found| (submission.tenant(), submission.device, found))
    });
    let questions: Vec<PeriodQuestion> = readings
        .enumerate()
        .filter_map(|(place, (tenant, device, found))| {
            let time = &found.interpreted.time;
            let slot = found.slot.clone();
            Some(PeriodQuestion { place, tenant, device, slot, from: time.start.to_utc(), until: time.end?.to_utc() })
        })
        .collect();
    if questions.is_empty() {
        return Ok(());
    }
    for (place, count) in store::period_wearers(conn, &questions).await? {
        if let Some(wearer) = wearers.get_mut(place) {
            wearer.wearers = wearer.wearers.max(count);
        }
    }
    Ok(())
}
