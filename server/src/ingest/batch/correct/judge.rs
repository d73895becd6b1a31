//! What becomes of each reading of an uplink that was decoded again, and of what the uplink made before.
//!
//! What a person did stands: an Observation that a client changed, a held reading that was released or discarded, the person
//! whom a reading was given to. Such readings are left as they are, with the reason. Nothing here waits.

use std::collections::HashMap;
use std::sync::Arc;

use db::HeldReadingId;
use serde_json::Value;

use super::pair::{New, key_behind, pair, standing};
use super::store::{Alias, HeldBefore};
use crate::app::App;
use crate::error::Error;
use crate::fhir::revise_readings::{Because, Change, ENTERED_IN_ERROR, Revision};
use crate::fhir::uplink_readings::UplinkReading;
use crate::ingest::batch::plan::{Plan, Planned, author_as};
use crate::ingest::interpret::ReadingKey;
use crate::ingest::model::{Found, Submission};
use crate::ingest::replays::{Action, FieldChange, Finding, changes};

/// An uplink to be judged.
pub(super) struct Judging<'a> {
    pub(super) app: &'a Arc<App>,
    pub(super) submission: &'a Submission,
    /// For each reading: its own key, the key that it is stored with, its interned code.
    pub(super) facts: Vec<((ReadingKey, ReadingKey), i64)>,
    /// What it made before.
    pub(super) before: Vec<UplinkReading>,
    /// What is held of it, or was.
    pub(super) held: Vec<HeldBefore>,
    /// Readings that other uplinks have stored with other content.
    pub(super) elsewhere: Option<&'a HashMap<usize, String>>,
}

/// What follows.
#[derive(Default)]
pub(super) struct Judged {
    pub(super) revisions: Vec<Revision>,
    pub(super) findings: Vec<Finding>,
    /// By the id that the Observation will have, if nobody is faster.
    pub(super) created: Vec<(String, Finding)>,
    /// Open held rows that hold what the bytes do not say.
    pub(super) corrected_held: Vec<HeldReadingId>,
    pub(super) aliases: Vec<Alias>,
}

impl Judging<'_> {
    /// Changes the plans of readings that correct what is there, and says what else follows.
    pub(super) fn judge(mut self, plans: &mut [Plan], judged: &mut Judged) -> Result<(), Error> {
        let olds = standing(std::mem::take(&mut self.before));
        let news: Vec<New> = self
            .facts
            .iter()
            .zip(self.submission.readings())
            .map(|(((natural, stored), code), found)| New {
                keys: [*natural, *stored],
                code: *code,
                at: found.interpreted.time.start.to_utc(),
                content: found.interpreted.identity.content_hash.clone(),
            })
            .collect();
        let pairs = pair(&news, &olds);
        let readings = self.submission.readings();
        for (place, ((plan, found), old)) in plans.iter_mut().zip(readings).zip(&pairs).enumerate() {
            let held = self.take_held(place, found);
            match old.and_then(|old| olds.get(old)) {
                Some(old) => self.again(place, plan, found, old, held.as_ref(), judged)?,
                None => self.anew(place, plan, found, held.as_ref(), judged),
            }
        }
        let is_paired = |place: usize| pairs.contains(&Some(place));
        for (_, old) in olds.iter().enumerate().filter(|(place, _)| !is_paired(*place)) {
            if old.status != ENTERED_IN_ERROR {
                let released = self.held.iter().find(|row| row.observation_id.as_ref() == Some(&old.id)).cloned();
                self.withdraw(old, "no-such-reading", released.as_ref(), judged);
            }
        }
        for row in std::mem::take(&mut self.held).into_iter().filter(|row| row.state == "open") {
            self.end_held(&row, judged);
        }
        Ok(())
    }

    /// A reading that has an Observation of this uplink.
    fn again(
        &self,
        place: usize,
        plan: &mut Plan,
        found: &Found,
        old: &UplinkReading,
        held: Option<&HeldBefore>,
        judged: &mut Judged,
    ) -> Result<(), Error> {
        let content = Some(found.interpreted.identity.content_hash.as_str());
        let is_withdrawn = old.status == ENTERED_IN_ERROR;
        let same = !is_withdrawn && old.content_hash.as_ref().map(hex::encode).as_deref() == content;
        if same || matches!(plan, Plan::Settled(Some(id)) if *id == old.id) {
            *plan = Plan::Settled(Some(old.id.clone()));
            judged.findings.push(self.finding(Action::Same, None, Some(found), Some(old)));
            return Ok(());
        }
        if let Some(reason) = self.left_because(plan, found, old, held) {
            *plan = Plan::Settled(Some(old.id.clone()));
            judged.findings.push(self.finding(Action::Skipped, Some(reason), Some(found), Some(old)));
            return Ok(());
        }
        match plan {
            Plan::Store(planned) => {
                self.correct(place, planned, found, old, judged)?;
                *plan = Plan::Settled(Some(old.id.clone()));
            }
            Plan::Hold(holding) => {
                let reason = holding.row.reason.clone();
                if !is_withdrawn {
                    self.withdraw(old, &reason, None, judged);
                }
                judged.findings.push(self.finding(Action::Held, Some(&reason), Some(found), None));
            }
            Plan::Drop(reason) if !is_withdrawn => self.withdraw(old, &reason.clone(), None, judged),
            Plan::Drop(_) | Plan::Settled(_) => {}
        }
        if let Some(row) = held.filter(|row| row.state == "open" && !keeps(plan, row)) {
            judged.corrected_held.push(row.id);
        }
        Ok(())
    }

    /// Why what is stored is left as it is.
    fn left_because(
        &self,
        plan: &Plan,
        found: &Found,
        old: &UplinkReading,
        held: Option<&HeldBefore>,
    ) -> Option<&'static str> {
        if old.edited_at.is_some() {
            return Some("changed-by-person");
        }
        if matches!(plan, Plan::Settled(_)) || held.is_some_and(is_judged) || self.was_released(old) {
            return Some("decided-by-person");
        }
        match plan {
            Plan::Store(planned)
                if old.patient_id.as_ref() != Some(&planned.row.patient_id)
                    || old.assignment_id != planned.row.assignment =>
            {
                Some("another-wearer")
            }
            Plan::Hold(holding) if holding.row.reason == "unassigned" => Some("another-wearer"),
            Plan::Store(_) if has_other_settings(found, old) => Some("settings-changed"),
            _ => None,
        }
    }

    fn was_released(&self, old: &UplinkReading) -> bool {
        self.held.iter().any(|row| row.state == "released" && row.observation_id.as_ref() == Some(&old.id))
    }

    /// The Observation gets a new version, under the identifier that it has.
    fn correct(
        &self,
        place: usize,
        planned: &Planned,
        found: &Found,
        old: &UplinkReading,
        judged: &mut Judged,
    ) -> Result<(), Error> {
        let mut row = planned.row.clone();
        let mut forwarded = planned.forwarded;
        if row.identifier_value != old.identifier_value {
            let ids = (row.id.as_str(), row.patient_id.as_str(), old.identifier_value.as_str());
            let authored = author_as(self.app, self.submission, &found.interpreted, ids, &[])?;
            row.counted = authored.disposition.counts.lastn;
            forwarded = authored.disposition.forwarded;
            row.body = authored.json;
            row.identifier_value.clone_from(&old.identifier_value);
        }
        if let (Some(stored), Some(((natural, _), _))) = (key_behind(old), self.facts.get(place))
            && found.interpreted.identity.key.is_some()
            && stored != *natural
        {
            judged.aliases.push(self.alias(found, *natural, stored));
        }
        let mut finding = self.finding(Action::Corrected, None, Some(found), Some(old));
        finding.changes = changes(&old.body, &row.body);
        judged.findings.push(finding);
        judged.revisions.push(Revision {
            tenant: self.submission.tenant(),
            id: old.id.clone(),
            expected_version: Some(old.version),
            change: Change::Content { reading: Box::new(row), because: Because::Corrected, forwarded },
        });
        Ok(())
    }

    fn alias(&self, found: &Found, natural: ReadingKey, stored: ReadingKey) -> Alias {
        Alias {
            tenant: self.submission.tenant(),
            device: self.submission.device,
            new_key: natural.text(),
            stored_key: stored.text(),
            uplink: self.submission.received.id,
            received_at: self.submission.received.received_at,
            kind: found.interpreted.kind.clone(),
            measured_at: found.interpreted.time.start.to_utc(),
        }
    }

    /// A reading that the uplink has no Observation of.
    fn anew(&self, place: usize, plan: &mut Plan, found: &Found, held: Option<&HeldBefore>, judged: &mut Judged) {
        if let Some(row) = held.filter(|row| is_judged(row))
            && !matches!(plan, Plan::Settled(_))
        {
            *plan = Plan::Settled(row.observation_id.clone());
            judged.findings.push(self.finding(Action::Skipped, Some("decided-by-person"), Some(found), None));
            return;
        }
        match plan {
            Plan::Store(planned) => {
                if let Some(id) = self.elsewhere.and_then(|known| known.get(&place)) {
                    *plan = Plan::Settled(Some(id.clone()));
                    let mut finding = self.finding(Action::Skipped, Some("other-uplink"), Some(found), None);
                    finding.observation = Some(id.clone());
                    judged.findings.push(finding);
                } else {
                    let mut finding = self.finding(Action::Created, None, Some(found), None);
                    finding.observation = Some(planned.row.id.clone());
                    judged.created.push((planned.row.id.clone(), finding));
                }
            }
            Plan::Hold(holding) => {
                let kept = held.is_some_and(|row| holding.kept.is_some_and(|(id, changes)| id == row.id && !changes));
                let action = if kept { Action::Same } else { Action::Held };
                let reason = holding.row.reason.clone();
                judged.findings.push(self.finding(action, Some(&reason), Some(found), None));
            }
            Plan::Settled(_) => judged.findings.push(self.finding(Action::Same, None, Some(found), None)),
            Plan::Drop(_) => {}
        }
        if let Some(row) = held.filter(|row| row.state == "open" && !keeps(plan, row)) {
            judged.corrected_held.push(row.id);
        }
    }

    fn withdraw(&self, old: &UplinkReading, reason: &str, held: Option<&HeldBefore>, judged: &mut Judged) {
        let left = match old.edited_at {
            Some(_) => Some("changed-by-person"),
            None if held.is_some_and(is_judged) => Some("decided-by-person"),
            None => None,
        };
        if let Some(left) = left {
            judged.findings.push(self.finding(Action::Skipped, Some(left), None, Some(old)));
            return;
        }
        let mut finding = self.finding(Action::Withdrawn, Some(reason), None, Some(old));
        finding.changes = vec![FieldChange {
            field: "status".to_owned(),
            before: Some(old.status.clone()),
            after: Some(ENTERED_IN_ERROR.to_owned()),
        }];
        judged.findings.push(finding);
        judged.revisions.push(Revision {
            tenant: self.submission.tenant(),
            id: old.id.clone(),
            expected_version: Some(old.version),
            change: Change::EnteredInError,
        });
    }

    fn end_held(&self, row: &HeldBefore, judged: &mut Judged) {
        judged.corrected_held.push(row.id);
        let mut finding = self.finding(Action::Withdrawn, Some("held"), None, None);
        finding.kind = Some(row.kind.clone());
        judged.findings.push(finding);
    }

    /// The held row of a reading: under its key, or of its kind and time; that of the same content first.
    fn take_held(&mut self, place: usize, found: &Found) -> Option<HeldBefore> {
        let keys = self.facts.get(place).map(|((natural, stored), _)| [natural.text(), stored.text()]);
        let at = found.interpreted.time.start.timestamp();
        let is_it = |row: &HeldBefore| {
            let key = row.reading_key.split(':').next().unwrap_or_default();
            keys.as_ref().is_some_and(|keys| keys.iter().any(|known| known == key))
                || (row.kind == found.interpreted.kind && row.measured_at.timestamp() == at)
        };
        let content = &found.interpreted.identity.content_hash;
        let same = |row: &HeldBefore| row.content_hash.as_ref().map(hex::encode).as_ref() == Some(content);
        let equal = self.held.iter().position(|row| is_it(row) && same(row));
        let place = equal.or_else(|| self.held.iter().position(is_it))?;
        Some(self.held.remove(place))
    }

    fn finding(
        &self,
        action: Action,
        reason: Option<&str>,
        found: Option<&Found>,
        old: Option<&UplinkReading>,
    ) -> Finding {
        let kind = found.map(|found| found.interpreted.kind.clone()).or_else(|| old.and_then(|old| code(&old.body)));
        Finding {
            uplink: self.submission.received.id,
            device: Some(self.submission.device),
            action,
            reason: reason.map(str::to_owned),
            kind,
            observation: old.map(|old| old.id.clone()),
            changes: Vec::new(),
        }
    }
}

/// Whether a person said what is to become of the reading itself. A claim says whose it is, and that stays.
fn is_judged(row: &HeldBefore) -> bool {
    matches!(row.state.as_str(), "released" | "discarded")
}

/// Whether the plan keeps this held row, or settles it.
fn keeps(plan: &Plan, row: &HeldBefore) -> bool {
    match plan {
        Plan::Hold(holding) => holding.kept.is_some_and(|(id, _)| id == row.id),
        Plan::Store(planned) => planned.held == Some(row.id),
        Plan::Settled(_) | Plan::Drop(_) => false,
    }
}

/// Whether the device showed the same time and it means another now: its zone, or its clock's correction, was changed.
/// That is not the decoder's doing, and nobody asked for it.
fn has_other_settings(found: &Found, old: &UplinkReading) -> bool {
    let Some(shown) = found.interpreted.time.device_text.as_deref() else { return false };
    let moved = old.effective_low.map(|at| at.timestamp()) != Some(found.interpreted.time.start.timestamp());
    moved && extension(&old.body, "device-local-time").as_deref() == Some(shown)
}

/// The text of one of our extensions.
fn extension(body: &str, name: &str) -> Option<String> {
    let resource: Value = serde_json::from_str(body).ok()?;
    let found = resource.get("extension")?.as_array()?.iter().find(|extension| {
        extension.get("url").and_then(Value::as_str).and_then(|url| url.rsplit('/').next()) == Some(name)
    })?;
    found.get("valueString").and_then(Value::as_str).map(str::to_owned)
}

/// The first code of an Observation.
fn code(body: &str) -> Option<String> {
    let resource: Value = serde_json::from_str(body).ok()?;
    resource.pointer("/code/coding/0/code").and_then(Value::as_str).map(str::to_owned)
}
