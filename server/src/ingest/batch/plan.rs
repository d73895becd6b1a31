//! What is to happen to each reading: whose it is, whether it becomes an Observation, waits for a person, or leaves only
//! its uplink. Questions to the database are answered before; nothing here waits.

use chrono::{DateTime, SecondsFormat, Utc};
use db::{AssignmentId, HeldReadingId};
use fhir_model::observation::Binding;
use uuid::Uuid;

use crate::app::App;
use crate::error::Error;
use crate::fhir::readings::NewReading;
use crate::ingest::commit::Answer;
use crate::ingest::held::{Action, Sight, Standing};
use crate::ingest::interpret::{self, Authored, Interpreted};
use crate::ingest::model::{Found, Submission};
use crate::ingest::store::{HeldRow, Wearer, WearerQuestion};

/// What happens to one reading.
pub(super) enum Plan {
    /// A new Observation, unless its identifier is taken.
    Store(Box<Planned>),
    /// Waits for a person.
    Hold(Box<Holding>),
    /// A person settled it before: the Observation that it became, or none when it was discarded.
    Settled(Option<String>),
    /// Leaves only its uplink, for this reason (a control solution).
    Drop(String),
}

/// A reading that waits for a person.
#[derive(Clone)]
pub(super) struct Holding {
    pub(super) row: HeldRow,
    /// The row that keeps it already, and whether that row has to change.
    pub(super) kept: Option<(HeldReadingId, bool)>,
}

/// Where a reading is held, should it be.
struct Place {
    key: String,
    /// The row that keeps it already, and whether that row has to change.
    kept: Option<(HeldReadingId, bool)>,
    /// Whose it is, where a person has said so.
    wearer: Option<(AssignmentId, String)>,
}

/// A reading that becomes an Observation.
pub(super) struct Planned {
    pub(super) row: NewReading,
    pub(super) codings: Vec<(String, String)>,
    pub(super) forwarded: bool,
    /// Where it is held when its key is taken by other content.
    conflict: Place,
    /// The held row that is settled by it.
    pub(super) held: Option<HeldReadingId>,
    /// A person released it: other content of a stored record becomes its new version, whatever its age.
    pub(super) released: bool,
}

/// Numbers of the codes, categories and of our identifier system; made outside the transaction and remembered.
pub(super) struct Codes {
    /// Code and categories of each reading, in order of submissions and readings.
    pub(super) concepts: Vec<(i64, Vec<i64>)>,
    pub(super) identifier_system: i64,
}

pub(super) fn wearer_questions(submissions: &[&Submission]) -> Vec<WearerQuestion> {
    submissions
        .iter()
        .flat_map(|submission| {
            submission.readings().iter().map(|found| WearerQuestion {
                tenant: submission.tenant(),
                device: submission.device,
                slot: found.slot.clone(),
                at: found.interpreted.time.start.to_utc(),
                untrusted: is_untrusted(found),
            })
        })
        .collect()
}

fn is_untrusted(found: &Found) -> bool {
    // `time-from-receipt` is said only where the device's own time was lost or unusable, not where there never was one.
    let doubtful = ["device-time-untrusted", "device-time-in-future", "time-from-receipt"];
    found.interpreted.conditions.iter().any(|condition| doubtful.contains(&condition.as_str()))
}

/// What happens to each reading of those that go on, by submission.
pub(super) fn plan(
    app: &App,
    submissions: &[&Submission],
    answers: &[Option<Answer>],
    wearers: Vec<Wearer>,
    sights: Vec<Sight>,
    codes: &Codes,
) -> Result<Vec<Vec<Plan>>, Error> {
    let mut wearers = wearers.into_iter().zip(sights);
    let mut concepts = codes.concepts.iter();
    let mut plans = Vec::with_capacity(submissions.len());
    for (submission, answer) in submissions.iter().zip(answers) {
        let mut planned = Vec::with_capacity(submission.readings().len());
        for found in submission.readings() {
            // All lists run along with the readings, also past those that are answered already.
            let (wearer, concept) = (wearers.next(), concepts.next());
            if answer.is_none()
                && let (Some((wearer, sight)), Some(concept)) = (wearer, concept)
            {
                planned.push(plan_reading(app, submission, found, &wearer, sight, concept, codes.identifier_system)?);
            }
        }
        plans.push(planned);
    }
    Ok(plans)
}

fn plan_reading(
    app: &App,
    submission: &Submission,
    found: &Found,
    wearer: &Wearer,
    sight: Sight,
    concept: &(i64, Vec<i64>),
    system: i64,
) -> Result<Plan, Error> {
    let reading = &found.interpreted;
    if let Standing::Settled { observation } = sight.standing {
        return Ok(Plan::Settled(observation));
    }
    if reading.identity.is_repeat {
        return Ok(Plan::Drop("repeated-within-window".to_owned()));
    }
    if !reading.disposition.stored {
        return Ok(Plan::Drop(
            reading.disposition.conditions.first().cloned().unwrap_or_else(|| "not-stored".to_owned()),
        ));
    }
    let is_period = reading.time.end.is_some();
    let several = (is_untrusted(found) || is_period) && wearer.wearers > 1;
    let (Some(assignment), Some(patient), false) = (wearer.assignment, &wearer.patient, several) else {
        let detail = if several && is_period {
            "Several people wore the device in the time that this measured: whose reading it is, a person has to say."
        } else if several {
            "The device's clock is not to be trusted and several people have worn it: whose reading this is, a person has to say."
        } else {
            "Nobody wore the device (in this slot) when this was measured."
        };
        return Ok(Plan::Hold(Box::new(holding(submission, found, &sight, "unassigned", detail)?)));
    };
    let claimed = submission.order.as_ref().is_some_and(|order| matches!(order.action, Action::Claim { .. }));
    if reading.disposition.held {
        let condition = reading.disposition.conditions.first().map_or("held", String::as_str);
        let detail = reading.disposition.reason.as_deref().unwrap_or_default();
        let mut holding = holding(submission, found, &sight, condition, detail)?;
        // Who it is was said; that the number can be right was not.
        holding.row.wearer = claimed.then(|| (assignment, patient.clone()));
        return Ok(Plan::Hold(Box::new(holding)));
    }
    let identifier = sight.key.identifier(&assignment.to_string());
    let kept = kept(&sight.standing, CHANGED);
    let conflict = Place { key: sight.held_key, kept, wearer: claimed.then(|| (assignment, patient.clone())) };
    let held = match sight.standing {
        Standing::Open { id, .. } => Some(id),
        Standing::New | Standing::Settled { .. } => None,
    };
    let (id, authored) = author(app, submission, found, patient, &identifier)?;
    Ok(Plan::Store(Box::new(Planned {
        codings: authored.index.codes.iter().map(|coding| (coding.system.clone(), coding.code.clone())).collect(),
        forwarded: authored.disposition.forwarded,
        conflict,
        held,
        released: submission.order.as_ref().is_some_and(|order| order.action == Action::Release),
        row: new_reading(submission, found, assignment, patient, concept, system, identifier, id, authored)?,
    })))
}

/// Why a reading is held whose record was stored before with other content.
const CHANGED: &str = "record-changed";

/// The planned reading as it is held when its key is taken by other content.
pub(super) fn conflict(submission: &Submission, found: &Found, planned: Planned) -> Holding {
    let Place { key, kept, wearer } = planned.conflict;
    let detail = "A record with this key was stored before with other content.";
    let mut row = held_row(submission, found, key, planned.row.content_hash, CHANGED, detail);
    row.wearer = wearer;
    Holding { row, kept }
}

/// The reading as it is held; in the row that keeps it already, where there is one.
fn holding(
    submission: &Submission,
    found: &Found,
    sight: &Sight,
    reason: &str,
    detail: &str,
) -> Result<Holding, Error> {
    let row = held_row(submission, found, sight.held_key.clone(), content_hash(found)?, reason, detail);
    Ok(Holding { row, kept: kept(&sight.standing, reason) })
}

/// The row that keeps the reading already, and whether it has to change.
fn kept(standing: &Standing, reason: &str) -> Option<(HeldReadingId, bool)> {
    match standing {
        Standing::Open { id, reason: before, same_content } => Some((*id, !same_content || before != reason)),
        Standing::New | Standing::Settled { .. } => None,
    }
}

fn held_row(
    submission: &Submission,
    found: &Found,
    reading_key: String,
    content_hash: [u8; 32],
    reason: &str,
    detail: &str,
) -> HeldRow {
    let reading = &found.interpreted;
    HeldRow {
        id: HeldReadingId::generate(),
        tenant: submission.tenant(),
        reading_key,
        uplink: submission.received.id,
        received_at: submission.received.received_at,
        device: submission.device,
        kind: reading.kind.clone(),
        slot: found.slot.clone(),
        measured_at: reading.time.start.to_utc(),
        reason: reason.to_owned(),
        detail: detail.to_owned(),
        content_hash,
        decoder: submission.decoder.clone().unwrap_or_default(),
        clock_offset_ms: reading.time.clock_offset.map(|offset| offset.num_milliseconds()),
        time_zone: submission.time_zone.clone(),
        wearer: None,
    }
}

fn content_hash(found: &Found) -> Result<[u8; 32], Error> {
    let mut content_hash = [0u8; 32];
    hex::decode_to_slice(&found.interpreted.identity.content_hash, &mut content_hash).map_err(Error::internal)?;
    Ok(content_hash)
}

fn author(
    app: &App,
    submission: &Submission,
    found: &Found,
    patient: &str,
    identifier: &str,
) -> Result<(String, Authored), Error> {
    let id = Uuid::now_v7().to_string();
    let authored = author_as(app, submission, &found.interpreted, (&id, patient, identifier), &[])?;
    Ok((id, authored))
}

/// Writes the Observation with this id, patient and identifier, and with conditions that only the transaction can see.
pub(super) fn author_as(
    app: &App,
    submission: &Submission,
    reading: &Interpreted,
    (id, patient, identifier): (&str, &str, &str),
    conditions: &[&str],
) -> Result<Authored, Error> {
    let (decoder, version) = submission.decoder.as_ref().map_or(("", ""), |(name, version)| (name, version));
    let source =
        interpret::source_uri(&submission.received.id.0, decoder, version, &hex::encode(submission.received.body_hash));
    let binding = Binding {
        id,
        version: 1,
        last_updated: &submission.received.received_at.to_rfc3339_opts(SecondsFormat::Millis, true),
        source: Some(&source),
        identifier_system: &app.identifier_system(),
        identifier_value: identifier,
        subject: Some(&format!("Patient/{patient}")),
        device: Some(&format!("Device/{}", submission.device)),
        device_display: None,
        has_member: &[],
        derived_from: &[],
    };
    interpret::author(reading, &binding, conditions, &app.tables).map_err(Error::internal)
}

#[expect(clippy::too_many_arguments, reason = "a row has many columns, and each comes from another place")]
fn new_reading(
    submission: &Submission,
    found: &Found,
    assignment: AssignmentId,
    patient: &str,
    (code_id, category_ids): &(i64, Vec<i64>),
    identifier_system: i64,
    identifier_value: String,
    id: String,
    authored: Authored,
) -> Result<NewReading, Error> {
    let value = authored.index.value;
    Ok(NewReading {
        tenant: submission.tenant(),
        id,
        last_updated: submission.received.received_at,
        identifier_system,
        identifier_value,
        status: authored.index.status,
        code_id: *code_id,
        category_ids: category_ids.clone(),
        patient_id: patient.to_owned(),
        device_id: submission.device.to_string(),
        effective_low: authored.index.effective.low,
        effective_high: authored.index.effective.high,
        value_number: value.as_ref().map(|value| value.value),
        value_unit: value.map(|value| value.unit),
        counted: authored.disposition.counts.lastn,
        uplink: submission.received.id,
        received_at: submission.received.received_at,
        assignment,
        content_hash: content_hash(found)?,
        observed_at: found.interpreted.identity.may_grow().then(|| seen_at(submission)),
        decoder: submission.decoder.clone().unwrap_or_default(),
        body: authored.json,
    })
}

/// When the state that an uplink brings was seen: at its capture, unless that claims to come after the receipt.
fn seen_at(submission: &Submission) -> DateTime<Utc> {
    let received = &submission.received;
    received.captured_at.map_or(received.received_at, |captured| captured.min(received.received_at))
}
