//! What the group commit sees of its readings before it plans them: whether one was held before, and what became of it.

use std::collections::HashMap;

use db::{AssignmentId, HeldReadingId, TenantId};
use diesel::QueryResult;
use diesel_async::AsyncPgConnection;
use plugin_host::OnChange;

use super::model::{Action, Order, settled_already, worn_by_another};
use super::store::{SeenRow, lock_seen};
use crate::error::Error;
use crate::ingest::commit::Answer;
use crate::ingest::interpret::ReadingKey;
use crate::ingest::model::{Found, Submission};
use crate::ingest::store::Wearer;

/// A reading as the plan sees it.
#[derive(Debug)]
pub struct Sight {
    /// What it is apart from its wearer.
    pub key: ReadingKey,
    /// Under which key it is held, should it be.
    pub held_key: String,
    /// Whether it was held before.
    pub standing: Standing,
}

/// Where a reading stands with the people who decide.
#[derive(Debug)]
pub enum Standing {
    /// No person has to do with it.
    New,
    /// It waits already.
    Open {
        /// The row that keeps it.
        id: HeldReadingId,
        /// Why, so far.
        reason: String,
        /// Whether the row keeps this very content: a day total that has grown since is another.
        same_content: bool,
    },
    /// It was settled: the Observation that it became, or none when it was discarded.
    Settled {
        /// FHIR id.
        observation: Option<String>,
    },
}

/// The keys of all readings, in order of submissions and readings.
pub fn keys(submissions: &[&Submission]) -> Vec<ReadingKey> {
    let mut keys = Vec::with_capacity(submissions.len());
    for submission in submissions.iter().filter(|submission| !submission.readings().is_empty()) {
        let (device, uplink) = (submission.device.to_string(), submission.received.id.to_string());
        keys.extend(submission.readings().iter().map(|found| key_of(found, &device, &uplink)));
    }
    keys
}

/// The key of one reading.
pub(super) fn key_of(found: &Found, device: &str, uplink: &str) -> ReadingKey {
    let reading = &found.interpreted;
    ReadingKey::new(device, &reading.identity.record_key(uplink), &reading.identity_kind)
}

/// The held rows of these readings, locked until the transaction ends.
///
/// # Errors
/// The database's error.
pub async fn look(
    conn: &AsyncPgConnection,
    submissions: &[&Submission],
    keys: &[ReadingKey],
) -> QueryResult<Vec<SeenRow>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    lock_seen(conn, &each(submissions).zip(keys).map(|((s, _), key)| (s.tenant(), s.device, *key)).collect::<Vec<_>>())
        .await
}

/// Records that come under another key than the one they are stored with: their keys become the stored ones, and the held
/// rows of those are looked up as well. Nearly always there is none, and nothing is asked.
///
/// # Errors
/// The database's error.
pub async fn follow_aliases(
    conn: &AsyncPgConnection,
    submissions: &[&Submission],
    keys: &mut [ReadingKey],
    mut rows: Vec<SeenRow>,
) -> QueryResult<Vec<SeenRow>> {
    let mut aliases: HashMap<(TenantId, String), ReadingKey> = HashMap::new();
    rows.retain(|row| {
        let stored = row.identity_key.as_deref().and_then(ReadingKey::parse);
        if let Some(stored) = stored {
            aliases.insert((row.tenant_id, row.reading_key.clone()), stored);
        }
        row.identity_key.is_none()
    });
    if aliases.is_empty() {
        return Ok(rows);
    }
    let mut wanted = Vec::new();
    for ((submission, _), key) in each(submissions).zip(keys) {
        if let Some(stored) = aliases.get(&(submission.tenant(), key.text())) {
            *key = *stored;
            wanted.push((submission.tenant(), submission.device, *stored));
        }
    }
    rows.extend(lock_seen(conn, &wanted).await?.into_iter().filter(|row| row.identity_key.is_none()));
    Ok(rows)
}

fn each<'a>(submissions: &'a [&Submission]) -> impl Iterator<Item = (&'a Submission, &'a Found)> {
    submissions.iter().flat_map(|submission| submission.readings().iter().map(move |found| (*submission, found)))
}

/// Where each reading stands, in order. What a person has said about the wearer replaces what the assignments say, and an
/// order that cannot be followed is answered.
pub fn sights(
    submissions: &[&Submission],
    keys: Vec<ReadingKey>,
    rows: Vec<SeenRow>,
    wearers: &mut [Wearer],
    answers: &mut [Option<Answer>],
) -> Vec<Sight> {
    let mut by_key: HashMap<(TenantId, String), Vec<SeenRow>> = HashMap::new();
    for row in rows {
        let base = row.reading_key.split(':').next().unwrap_or_default().to_owned();
        by_key.entry((row.tenant_id, base)).or_default().push(row);
    }
    let mut sights = Vec::with_capacity(keys.len());
    let mut left = keys.into_iter().zip(wearers);
    for (submission, answer) in submissions.iter().zip(answers) {
        for found in submission.readings() {
            let Some((key, wearer)) = left.next() else { break };
            let rows = by_key.get(&(submission.tenant(), key.text())).map(Vec::as_slice).unwrap_or_default();
            let row = same_reading(rows, found);
            if let Some(order) = &submission.order
                && let Err(refused) = follow(order, row, wearer)
            {
                *answer = Some(Err(refused));
            } else if let Some(row) = row {
                override_wearer(row, wearer);
            }
            sights.push(Sight { held_key: held_key(key, rows, row, found), standing: standing(row, found), key });
        }
    }
    sights
}

/// The row that keeps this reading: that of the same content, or the one under the plain key.
fn same_reading<'a>(rows: &'a [SeenRow], found: &Found) -> Option<&'a SeenRow> {
    rows.iter().find(|row| row.has_content(found)).or_else(|| rows.iter().find(|row| !row.reading_key.contains(':')))
}

/// Another content under a key that a row has already is held beside it, under its own key.
fn held_key(key: ReadingKey, rows: &[SeenRow], row: Option<&SeenRow>, found: &Found) -> String {
    let taken = rows.iter().any(|row| !row.reading_key.contains(':'));
    match row {
        Some(row) if row.has_content(found) => row.reading_key.clone(),
        _ if taken => format!("{}:{}", key.text(), found.interpreted.identity.content_hash),
        _ => key.text(),
    }
}

fn standing(row: Option<&SeenRow>, found: &Found) -> Standing {
    let Some(row) = row else { return Standing::New };
    let same_content = row.has_content(found);
    let replaces = found.interpreted.identity.on_change == OnChange::Replace;
    match row.state.as_str() {
        "open" if same_content || replaces => Standing::Open { id: row.id, reason: row.reason.clone(), same_content },
        // Nobody decided in time and its bytes are gone; now they are here again.
        // The same for one whose bytes were read in another way meanwhile.
        "expired" | "corrected" => Standing::Open { id: row.id, reason: row.reason.clone(), same_content: false },
        "open" => Standing::New,
        _ if same_content => Standing::Settled { observation: row.observation_id.clone() },
        // Other content than the one that was decided about: judged by itself, under the person who was named.
        _ => Standing::New,
    }
}

/// Whose it is was said once; that holds for whatever comes again under this key.
fn override_wearer(row: &SeenRow, wearer: &mut Wearer) {
    if let (Some(assignment), Some(patient)) = (row.assignment_id, &row.patient_id) {
        *wearer = Wearer { assignment: Some(assignment), patient: Some(patient.clone()), wearers: 1 };
    }
}

/// Whether an order can be followed, and whose the reading is by it.
fn follow(order: &Order, row: Option<&SeenRow>, wearer: &mut Wearer) -> Result<(), Error> {
    let row = row.filter(|row| row.id == order.held);
    let row = row.ok_or_else(|| Error::not_found("held reading"))?;
    if row.state != "open" {
        return Err(settled_already(&row.state));
    }
    override_wearer(row, wearer);
    if let Action::Claim { patient } = &order.action {
        if wearer.patient.as_ref() != Some(patient) {
            // A clock that cannot be trusted found a wearer by accident; a trusted one found the person.
            if wearer.patient.is_some() && wearer.wearers <= 1 {
                return Err(worn_by_another());
            }
            wearer.assignment = Some(AssignmentId::generate());
            wearer.patient = Some(patient.clone());
        }
        wearer.wearers = 1;
    }
    Ok(())
}
