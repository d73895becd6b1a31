//! Records that grow: a day's total comes again with other content, and its Observation gets a new version.
//!
//! Devices upload late, and by two routes, so the order of arrival says nothing. A state is newer when its measured time
//! ends later; when the ends are equal, when it was seen later (by the capture, else by the receipt); when that is equal
//! too, when its uplink came later. Several states of one record in one batch make one new version, of the newest. An
//! older state is answered as known (`superseded`) and leaves only its uplink.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use db::{TenantId, UplinkId};
use diesel_async::AsyncPgConnection;

use super::plan::Plan;
use super::settle::ReadingKey;
use crate::app::App;
use crate::fhir::readings::{NewReading, StoredReading};
use crate::fhir::revise_readings::{Because, Change, ENTERED_IN_ERROR, Fate, Revision, revise_readings};
use crate::fhir::store::revisions::{LockedReading, lock_readings, note_observed};
use crate::ingest::commit::Failure;
use crate::wiring::RevisedReading;

/// What became of a state of a growing record whose Observation exists. Each names the Observation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Changed {
    /// It is the new version.
    Revised(String),
    /// It says what is stored.
    Same(String),
    /// A newer state is stored.
    Superseded(String),
    /// A person withdrew the record: other content waits for a person.
    Withdrawn,
}

/// By the id that the reading would have had as a new Observation.
pub(super) type Changes = HashMap<String, Changed>;

/// Which state of a record is the newer one.
type Age = (DateTime<Utc>, DateTime<Utc>, UplinkId);

/// A state of a record that came in this batch.
struct State<'a> {
    row: &'a NewReading,
    forwarded: bool,
    /// A person looked at it and says that it is right.
    released: bool,
}

impl State<'_> {
    fn age(&self) -> Age {
        (self.row.effective_high, self.row.observed_at.unwrap_or(self.row.received_at), self.row.uplink)
    }
}

/// Writes new versions of growing records that are stored already; answers what became of each state, and what deliveries
/// have to follow.
pub(super) async fn revise(
    app: &App,
    conn: &AsyncPgConnection,
    plans: &[Vec<Plan>],
    inserted: &HashSet<String>,
    known: &HashMap<ReadingKey, StoredReading>,
) -> Result<(Changes, Vec<RevisedReading>), Failure> {
    let mut states: BTreeMap<(TenantId, String), Vec<State<'_>>> = BTreeMap::new();
    for plan in plans.iter().flatten() {
        let Plan::Store(planned) = plan else { continue };
        let row = &planned.row;
        if (row.observed_at.is_none() && !planned.released) || inserted.contains(&row.id) {
            continue;
        }
        if let Some(original) = known.get(&(row.tenant, row.identifier_value.clone())) {
            let state = State { row, forwarded: planned.forwarded, released: planned.released };
            states.entry((row.tenant, original.id.clone())).or_default().push(state);
        }
    }
    if states.is_empty() {
        return Ok((Changes::new(), Vec::new()));
    }
    let wanted: Vec<(TenantId, String)> = states.keys().cloned().collect();
    let (mut changes, mut revisions, mut seen_again) = (Changes::new(), Vec::new(), Vec::new());
    for current in lock_readings(conn, &wanted).await? {
        let states = states.remove(&(current.tenant_id, current.id.clone())).unwrap_or_default();
        match judge(&current, states, inserted.contains(&current.id), &mut changes) {
            Some(Newest::Revision(revision)) => revisions.push(revision),
            Some(Newest::SeenAgain(at)) => seen_again.push((current.tenant_id, current.id, at)),
            None => {}
        }
    }
    let fates = revise_readings(conn, revisions, app.clock.now()).await?;
    if !seen_again.is_empty() {
        note_observed(conn, &seen_again).await?;
    }
    let revised = fates.into_iter().filter_map(|fate| match fate {
        Fate::Revised(reading) => Some(reading),
        // The rows are locked: nobody else can have changed them.
        Fate::Unchanged(_) | Fate::OtherVersion(_) | Fate::Missing => None,
    });
    Ok((changes, revised.collect()))
}

/// What the newest state of a record means for its row.
enum Newest {
    /// A new version.
    Revision(Revision),
    /// The stored content holds, as of then.
    SeenAgain(DateTime<Utc>),
}

/// Compares the states of one record with what is stored, which `is_new` if this batch brought it.
fn judge(current: &LockedReading, mut states: Vec<State<'_>>, is_new: bool, changes: &mut Changes) -> Option<Newest> {
    let id = || current.id.clone();
    let stored_hash = current.content_hash.as_deref();
    let is_stored = |state: &State<'_>| stored_hash.is_none_or(|hash| hash == state.row.content_hash);
    if current.status == ENTERED_IN_ERROR {
        for state in states {
            let change = if is_stored(&state) { Changed::Same(id()) } else { Changed::Withdrawn };
            changes.insert(state.row.id.clone(), change);
        }
        return None;
    }
    // Stable: of two states in one uplink that say nothing about their age, the later one in the payload is the newer.
    states.sort_by_key(State::age);
    let newest = states.pop()?;
    let supersedes = newest.released || age_of(current).is_none_or(|stored| newest.age() >= stored);
    let becomes_current = supersedes && !is_stored(&newest);
    for state in states {
        let same = if becomes_current { state.row.content_hash == newest.row.content_hash } else { is_stored(&state) };
        let change = if same { Changed::Same(id()) } else { Changed::Superseded(id()) };
        changes.insert(state.row.id.clone(), change);
    }
    let change = match (becomes_current, is_stored(&newest)) {
        (true, _) => Changed::Revised(id()),
        (false, true) => Changed::Same(id()),
        (false, false) => Changed::Superseded(id()),
    };
    changes.insert(newest.row.id.clone(), change);
    if !becomes_current {
        return supersedes.then(|| Newest::SeenAgain(newest.age().1));
    }
    // The same bytes read in another way: what was stored was wrong, not early.
    let reread = newest.released || (!is_new && current.uplink_id == Some(newest.row.uplink));
    Some(Newest::Revision(Revision {
        tenant: current.tenant_id,
        id: id(),
        expected_version: Some(current.version),
        change: Change::Content {
            reading: Box::new(newest.row.clone()),
            because: if reread { Because::Corrected } else { Because::Updated },
            forwarded: newest.forwarded,
        },
    }))
}

/// The age of what is stored; none for what no uplink brought.
fn age_of(current: &LockedReading) -> Option<Age> {
    let received_at = current.received_at?;
    Some((current.effective_high?, current.observed_at.unwrap_or(received_at), current.uplink_id?))
}
