//! What a replay is asked for, what it finds, and how that is counted; pure.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use db::{DeviceId, UplinkId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A decoder version by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DecoderVersion {
    /// The decoder's name, such as `bluetooth-sig`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Which uplinks of a tenant, and with which decoder: everything that is said has to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReplayScope {
    /// These uplinks; at most 1,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uplinks: Option<Vec<UplinkId>>,
    /// Received from then on: RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<DateTime<Utc>>,
    /// Received before then; left out: before the replay was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    /// Of devices of these models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
    /// Of these devices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub devices: Option<Vec<DeviceId>>,
    /// Only those that are in quarantine.
    #[serde(default)]
    pub quarantined: bool,
    /// In quarantine for this reason, such as `malformed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine_reason: Option<String>,
    /// Read by this decoder version so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoded_by: Option<DecoderVersion>,
    /// The decoder version that reads them now; left out: the one that serves their model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoder: Option<DecoderVersion>,
}

impl ReplayScope {
    /// Whether anything narrows it.
    pub fn is_narrowed(&self) -> bool {
        self.uplinks.is_some()
            || self.from.is_some()
            || self.models.is_some()
            || self.devices.is_some()
            || self.quarantined
            || self.quarantine_reason.is_some()
            || self.decoded_by.is_some()
    }
}

/// What becomes of a reading, or of a whole uplink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// It says what is stored.
    Same,
    /// A new version of its Observation.
    Corrected,
    /// A new Observation.
    Created,
    /// Its Observation becomes `entered-in-error`; or what was held is held no longer.
    Withdrawn,
    /// It waits for a person.
    Held,
    /// It is left as it is, for a reason.
    Skipped,
    /// The decoder does not read the uplink; what is stored stays.
    Failed,
}

impl Action {
    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Corrected => "corrected",
            Self::Created => "created",
            Self::Withdrawn => "withdrawn",
            Self::Held => "held",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }
}

/// One field before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldChange {
    /// Path of the field, such as `valueQuantity.value`.
    pub field: String,
    /// What was; absent where there was nothing, and for roles that may not see patient data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What is; absent where there is nothing, and for roles that may not see patient data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// What a replay found of one reading, or of a whole uplink.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Which uplink.
    pub uplink: UplinkId,
    /// Its device, where that is known.
    pub device: Option<DeviceId>,
    /// What becomes of it.
    pub action: Action,
    /// Why, for what is not plain.
    pub reason: Option<String>,
    /// Kind of the reading, or the code of its Observation.
    pub kind: Option<String>,
    /// The Observation.
    pub observation: Option<String>,
    /// What differs.
    pub changes: Vec<FieldChange>,
}

impl Finding {
    /// About a whole uplink.
    pub fn of_uplink(uplink: UplinkId, action: Action, reason: &str) -> Self {
        Self {
            uplink,
            device: None,
            action,
            reason: Some(reason.to_owned()),
            kind: None,
            observation: None,
            changes: Vec::new(),
        }
    }
}

/// How much became of what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ReplayCounts {
    /// Uplinks that were looked at.
    pub uplinks: u64,
    /// Uplinks that came out of quarantine.
    pub settled: u64,
    /// Readings that say what is stored already.
    pub same: u64,
    /// Observations that got a new version.
    pub corrected: u64,
    /// Observations that are new.
    pub created: u64,
    /// Observations that became `entered-in-error`, and held readings that are held no longer.
    pub withdrawn: u64,
    /// Readings that wait for a person.
    pub held: u64,
    /// Readings and uplinks that were left as they are.
    pub skipped: u64,
    /// Uplinks that the decoder does not read; what was stored of them stays.
    pub failed: u64,
    /// Why those were left, and how many for each reason.
    pub reasons: BTreeMap<String, u64>,
    /// Which fields were changed, and in how many Observations.
    pub fields: BTreeMap<String, u64>,
}

/// Different reasons and fields that are counted by name.
const NAMES: usize = 200;

impl ReplayCounts {
    /// Counts a finding.
    pub fn add(&mut self, finding: &Finding) {
        let count = match finding.action {
            Action::Same => &mut self.same,
            Action::Corrected => &mut self.corrected,
            Action::Created => &mut self.created,
            Action::Withdrawn => &mut self.withdrawn,
            Action::Held => &mut self.held,
            Action::Skipped => &mut self.skipped,
            Action::Failed => &mut self.failed,
        };
        *count += 1;
        if matches!(finding.action, Action::Skipped | Action::Failed)
            && let Some(reason) = &finding.reason
        {
            tally(&mut self.reasons, stable_part(reason));
        }
        for change in &finding.changes {
            tally(&mut self.fields, &change.field);
        }
    }
}

/// The stable word in front of a reason's sentence.
fn stable_part(reason: &str) -> &str {
    reason.split(':').next().unwrap_or(reason)
}

fn tally(counts: &mut BTreeMap<String, u64>, name: &str) {
    if let Some(count) = counts.get_mut(name) {
        *count += 1;
    } else if counts.len() < NAMES {
        counts.insert(name.to_owned(), 1);
    }
}
