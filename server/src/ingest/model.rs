//! What becomes of an uplink, and how the source is told; pure.

use chrono::{DateTime, Utc};
use db::{DeviceId, HeldReadingId, HubId, TenantId, UplinkId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

use super::frames::FrameFacts;
use super::held::Order;
use super::interpret::Interpreted;
use super::joining::Part;
use crate::identity::SourceIdentity;

/// What became of an uplink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// At least one Observation was stored, or got a new version.
    Stored,
    /// Everything in it was stored before.
    Duplicate,
    /// Well formed, with nothing to store: a heartbeat, a control solution.
    Nothing,
    /// The decoder refused it; kept in quarantine for a replay.
    Undecodable,
    /// More frames are needed.
    Incomplete,
    /// Nobody wore the device then; kept to be claimed.
    Unassigned,
    /// Kept until a person releases it.
    Held,
    /// Could not be stored with the others; kept in quarantine.
    Quarantined,
}

impl Outcome {
    /// As stored and as metric label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Duplicate => "duplicate",
            Self::Nothing => "nothing",
            Self::Undecodable => "undecodable",
            Self::Incomplete => "incomplete",
            Self::Unassigned => "unassigned",
            Self::Held => "held",
            Self::Quarantined => "quarantined",
        }
    }

    /// The HTTP status that says so: 201 stored (or nothing to store), 200 known already, 202 kept but not a result yet.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::Stored | Self::Nothing => 201,
            Self::Duplicate => 200,
            Self::Undecodable | Self::Incomplete | Self::Unassigned | Self::Held | Self::Quarantined => 202,
        }
    }
}

/// The answer to an uplink. It is given only after the commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// Id of the uplink; of the first one for a duplicate.
    pub uplink: UplinkId,
    /// What became of it.
    pub outcome: Outcome,
    /// Ids of the FHIR Observations that it led to, in the payload's order.
    pub observations: Vec<String>,
    /// Those of the Observations that were there and got a new version: a day's total that grew.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revised: Vec<String>,
    /// Readings that wait for a person.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<HeldReceipt>,
    /// Why there is no Observation, or not for all readings; of a duplicate: `superseded` when a newer state of the record is
    /// stored already, `repeated-within-window` for the same bytes again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Registered warnings of decoder and host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A reading that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeldReceipt {
    /// Its id.
    pub id: HeldReadingId,
    /// Kind of vital.
    pub kind: String,
    /// `unassigned`, `implausible` …
    pub reason: String,
}

/// What the decoder made of an uplink.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// Readings, in the payload's order.
    Readings(Vec<Found>),
    /// Nothing to store, and why.
    Nothing {
        /// Registered reason.
        reason: String,
    },
    /// Refused.
    Undecodable {
        /// Stable reason: `malformed`, `unsupported`, `not-for-me`, `out-of-fuel`, `no-decoder` …
        reason: String,
        /// A sentence, with the offset or path.
        detail: String,
    },
    /// More frames are needed.
    Incomplete {
        /// What is missing.
        reason: String,
        /// How long it waits for that.
        window: std::time::Duration,
    },
}

/// A reading with its meaning, and the user slot that it names.
#[derive(Debug, Clone)]
pub struct Found {
    /// What it means.
    pub interpreted: Interpreted,
    /// User slot of a shared device; empty when the payload names none.
    pub slot: String,
}

/// The raw side of an uplink: what was received, unaltered.
#[derive(Debug, Clone)]
pub struct Received {
    /// Id, time-ordered.
    pub id: UplinkId,
    /// The server's clock.
    pub received_at: DateTime<Utc>,
    /// When the phone or hub got it.
    pub captured_at: Option<DateTime<Utc>>,
    /// Channel of the first frame.
    pub channel: String,
    /// Media type as sent.
    pub content_type: String,
    /// The bytes as sent.
    pub body: Vec<u8>,
    /// SHA-256 of the bytes.
    pub body_hash: [u8; 32],
}

/// The hub that carried an uplink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarriedBy {
    /// Which.
    pub hub: HubId,
    /// How it named the device: that name has to mean the device still when this is committed.
    pub address: String,
    /// When it was changed last, as far as the decode knew.
    pub updated_at: DateTime<Utc>,
}

/// An uplink on its way into the group commit.
#[derive(Debug)]
pub struct Submission {
    /// Who sent it.
    pub source: SourceIdentity,
    /// Whose readings these are.
    pub device: DeviceId,
    /// The hub that carried it, where one did and has to be allowed to when this is committed.
    pub carried_by: Option<CarriedBy>,
    /// What was received.
    pub received: Received,
    /// What the decoder made of it.
    pub verdict: Verdict,
    /// Decoder and version, where one ran.
    pub decoder: Option<(String, String)>,
    /// Warnings of decoder and host.
    pub warnings: Vec<String>,
    /// Whether the wearer has another device too: the same measurement may come by another route.
    pub has_rivals: bool,
    /// When the device's enrolment was changed last, as far as the decode knew.
    pub device_updated_at: DateTime<Utc>,
    /// The tenant's zone, as far as the decode knew.
    pub tenant_zone: String,
    /// Its frames, without their bytes.
    pub frames: Vec<FrameFacts>,
    /// Keys under which the same uplink is recognised.
    pub keys: Vec<TransportKey>,
    /// The uplink is stored already and comes out of quarantine.
    pub replay: bool,
    /// The uplinks that it was made of, which it settles.
    pub parts: Vec<Part>,
    /// What a person decided about its one reading, which was held.
    pub order: Option<Order>,
    /// IANA zone in which its device's local times were read.
    pub time_zone: String,
}

/// A key under which the same uplink is recognised when it comes again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TransportKey {
    /// Hash of an Idempotency-Key, or of the bytes of a payload without time or sequence.
    pub key: [u8; 32],
    /// From when it counts.
    pub sent_at: DateTime<Utc>,
    /// Until when it counts, exclusive.
    pub expires_at: DateTime<Utc>,
    /// Whether the client chose it (then another body under it is an error).
    pub chosen: bool,
}

impl TransportKey {
    /// From the client's `Idempotency-Key`; kept for a day.
    #[must_use]
    pub fn idempotency(key: &str, received_at: DateTime<Utc>) -> Self {
        Self {
            key: digest("idempotency-key", key.as_bytes()),
            sent_at: received_at,
            expires_at: received_at + chrono::Duration::hours(24),
            chosen: true,
        }
    }

    /// From a hub's own id of an item; kept for a week, for a hub may have been offline.
    #[must_use]
    pub fn hub_item(id: &str, received_at: DateTime<Utc>) -> Self {
        Self {
            key: digest("hub-item", id.as_bytes()),
            sent_at: received_at,
            expires_at: received_at + chrono::Duration::days(7),
            chosen: true,
        }
    }

    /// From an app's own id of an item; kept for three months, for a phone may lie in a drawer between the lost answer and the
    /// next try.
    #[must_use]
    pub fn app_item(id: &str, received_at: DateTime<Utc>) -> Self {
        Self { expires_at: received_at + chrono::Duration::days(90), ..Self::hub_item(id, received_at) }
    }

    /// From the place of an item in a hub's payload that is in quarantine for another of its items, and may be replayed.
    #[must_use]
    pub fn payload_item(payload: UplinkId, index: usize, received_at: DateTime<Utc>) -> Self {
        let days = i64::from(super::retention::OPEN_ITEM_DAYS) + 1;
        Self {
            key: digest("payload-item", format!("{payload}#{index}").as_bytes()),
            sent_at: received_at,
            expires_at: received_at + chrono::Duration::days(days),
            chosen: true,
        }
    }

    /// From where a broker keeps a delivery (session and packet identifier) and the bytes. A broker uses an identifier anew
    /// once it is acknowledged, so a new delivery takes the key over, from now on; one that may be a redelivery meets
    /// whatever has it.
    #[must_use]
    pub fn delivery(place: &[u8], body: &[u8], received_at: DateTime<Utc>, again: bool) -> Self {
        let mut bytes = place.to_vec();
        bytes.extend_from_slice(&Sha256::digest(body));
        let sent_at = if again { DateTime::UNIX_EPOCH } else { received_at };
        Self { key: digest("delivery", &bytes), sent_at, expires_at: received_at, chosen: true }
    }

    /// From the bytes of a payload that carries neither time nor sequence: the same bytes within the model's window are
    /// the same transmission; later they are another measurement that happens to be equal. The window is one of captures
    /// where those are known: what a phone kept while it was offline comes all at once.
    #[must_use]
    pub fn repeat(device: DeviceId, received: &Received, window: chrono::Duration) -> Self {
        let mut bytes = device.0.as_bytes().to_vec();
        bytes.extend_from_slice(&received.body_hash);
        let sent_at = received.captured_at.map_or(received.received_at, |captured| captured.min(received.received_at));
        Self { key: digest("repeat", &bytes), sent_at, expires_at: sent_at + window, chosen: false }
    }
}

/// SHA-256 with its purpose in front, so that keys of different kinds never meet.
pub(super) fn digest(purpose: &str, bytes: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(purpose.as_bytes());
    hash.update([0]);
    hash.update(bytes);
    hash.finalize().into()
}

impl Submission {
    /// The tenant.
    #[must_use]
    pub fn tenant(&self) -> TenantId {
        self.source.tenant
    }

    /// What it weighs in memory, in bytes: the body (which the statement copies), and an estimate of what was decoded,
    /// with the Observations that will be written.
    #[must_use]
    pub fn weight(&self) -> usize {
        const UPLINK: usize = 1024;
        const READING: usize = 4096;
        const COMPONENT: usize = 512;
        let readings = self.readings().iter().map(|found| {
            let draft = &found.interpreted.draft;
            let samples = match &draft.value {
                fhir_model::observation::Value::Samples(samples) => 2 * samples.data.len(),
                fhir_model::observation::Value::Text(text) => 2 * text.len(),
                _ => 0,
            };
            READING + COMPONENT * draft.components.len() + samples
        });
        UPLINK + 2 * self.received.body.len() + readings.sum::<usize>()
    }

    /// Its readings, if it has any.
    #[must_use]
    pub fn readings(&self) -> &[Found] {
        match &self.verdict {
            Verdict::Readings(readings) => readings,
            _ => &[],
        }
    }

    /// The source's id.
    #[must_use]
    pub fn source_id(&self) -> Uuid {
        self.source.source
    }
}
