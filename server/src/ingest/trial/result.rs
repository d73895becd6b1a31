//! The answer of a trial, as the API and the command line give it.

use chrono::{DateTime, Utc};
use plugin_host::{Limits, RunStats, Surface};
use serde::Serialize;
use utoipa::ToSchema;

use super::readings::{DeviceFact, Reading, Warning};
use super::{ByteMap, Preview, Trial, Tried, TriedHub, TriedItem, TriedParts, TriedVerdict, try_decoder, try_hub};
use crate::error::Error;
use crate::fleet::{Binding, Decoders};
use crate::ingest::interpret::Tables;

/// What came of a trial, whosever decoder it was.
#[derive(Debug)]
pub enum AnyTried {
    /// A device's.
    Device(Tried),
    /// A hub's.
    Hub(TriedHub),
}

impl AnyTried {
    /// Runs a decoder over a trial. Synchronous CPU work: for a thread that may block.
    ///
    /// # Errors
    /// 500 when an Observation cannot be written, which is a defect of ours.
    pub fn of(binding: &Binding, trial: Trial, others: Option<&Decoders>, tables: &Tables) -> Result<Self, Error> {
        Ok(match binding.decoder.surface() {
            Surface::Device => Self::Device(try_decoder(binding, trial, tables)?),
            Surface::Hub => Self::Hub(try_hub(binding, &trial, others, tables)?),
        })
    }

    /// What it cost.
    #[must_use]
    pub fn stats(&self) -> RunStats {
        match self {
            Self::Device(tried) => tried.stats,
            Self::Hub(tried) => tried.stats,
        }
    }

    /// Whether the payload was read: to its end, and without a refusal.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        let fine =
            |verdict: &TriedVerdict| matches!(verdict, TriedVerdict::Readings { .. } | TriedVerdict::Nothing { .. });
        match self {
            Self::Device(tried) => fine(&tried.verdict),
            Self::Hub(TriedHub { parts: TriedParts::Whole(verdict), .. }) => fine(verdict),
            Self::Hub(TriedHub { parts: TriedParts::Items(items), .. }) => {
                items.iter().all(|item| item.verdict.as_ref().is_none_or(fine))
            }
        }
    }
}

/// What the decoder and the host made of it. Nothing was stored.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DecodeResult {
    /// Name of the decoder.
    pub decoder: String,
    /// Version of the decoder.
    pub decoder_version: String,
    /// What it says; of a hub's payload that carries items, those say it.
    #[serde(flatten)]
    pub said: Said,
    /// What a hub's payload carries, in its order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<DecodedItem>,
    /// Instructions that the decoder burnt, about one unit each.
    pub fuel: u64,
    /// What one decode may burn.
    pub fuel_limit: u64,
    /// Time that it took, in microseconds.
    pub elapsed_us: u64,
    /// The most memory that the decoder had, in bytes.
    pub memory_bytes: usize,
    /// Which bytes became which field, where the request asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub byte_map: Option<ByteMap>,
}

/// What a decoder says of a payload or of an item.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DecodeAnswer)]
pub struct Said {
    /// `readings`, `incomplete`, `nothing`, `error` (the decoder refused the payload) or `failed` (the decoder broke a limit);
    /// of a hub's payload `items`, and of an item `frame` where nothing here reads it.
    pub outcome: &'static str,
    /// Why there are no readings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The same as a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What the decoder read.
    pub readings: Vec<Reading>,
    /// What it read about the device itself.
    pub facts: Vec<DeviceFact>,
    /// Warnings of decoder and host, each once.
    pub warnings: Vec<Warning>,
    /// What would become of each reading: its status, where it goes, and why. In the order of the readings.
    pub outlook: Vec<String>,
    /// The FHIR Observations that the readings would become, for a `Patient/example`. In the order of the readings.
    #[schema(value_type = Vec<Object>)]
    pub observations: Vec<serde_json::Value>,
}

/// One item that a hub's payload carries.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DecodedItem {
    /// The device as the hub names it.
    pub device: String,
    /// The hub's own id of the item.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What the hub calls the kind of device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_type: Option<String>,
    /// The bytes that go on to the device's own decoder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame: Option<DecodedFrame>,
    /// Whose decoder read the frame here: the device's own may be another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What became of it.
    #[serde(flatten)]
    pub said: Said,
}

/// Bytes for a device's own decoder.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DecodedFrame {
    /// Characteristic, port or topic.
    pub channel: String,
    /// Hexadecimal.
    pub hex: String,
    /// When the hub got it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub captured_at: Option<DateTime<Utc>>,
}

/// What `POST /decode` answers, for the command line.
///
/// # Errors
/// 500 when an Observation is no JSON, which is a defect of ours.
pub fn result_json(
    tried: AnyTried,
    binding: &Binding,
    limits: &Limits,
    map: Option<ByteMap>,
) -> Result<serde_json::Value, Error> {
    serde_json::to_value(DecodeResult::new(tried, binding, limits, map)?).map_err(Error::internal)
}

impl DecodeResult {
    /// Of what came of a trial.
    ///
    /// # Errors
    /// 500 when an Observation is no JSON, which is a defect of ours.
    pub fn new(tried: AnyTried, binding: &Binding, limits: &Limits, map: Option<ByteMap>) -> Result<Self, Error> {
        let stats = tried.stats();
        let (said, items) = match tried {
            AnyTried::Device(tried) => (Said::of(tried.verdict)?, Vec::new()),
            AnyTried::Hub(TriedHub { parts: TriedParts::Whole(verdict), .. }) => (Said::of(verdict)?, Vec::new()),
            AnyTried::Hub(TriedHub { parts: TriedParts::Items(items), .. }) => {
                let items = items.into_iter().map(DecodedItem::of).collect::<Result<_, _>>()?;
                (Said::nothing_yet("items"), items)
            }
        };
        Ok(Self {
            decoder: binding.decoder_name().to_owned(),
            decoder_version: binding.decoder_version().to_owned(),
            said,
            items,
            fuel: stats.fuel_used,
            fuel_limit: limits.fuel,
            elapsed_us: u64::try_from(stats.elapsed.as_micros()).unwrap_or(u64::MAX),
            memory_bytes: stats.memory_bytes,
            byte_map: map,
        })
    }
}

impl DecodedItem {
    fn of(item: TriedItem) -> Result<Self, Error> {
        let frame = item.frame.map(|frame| DecodedFrame {
            channel: frame.channel,
            hex: hex::encode(frame.data),
            captured_at: frame.captured_at_ms.and_then(DateTime::from_timestamp_millis),
        });
        let said = item.verdict.map_or_else(|| Ok(Said::nothing_yet("frame")), Said::of)?;
        Ok(Self { device: item.device, id: item.id, device_type: item.device_type, frame, model: item.model, said })
    }
}

impl Said {
    fn nothing_yet(outcome: &'static str) -> Self {
        Self {
            outcome,
            reason: None,
            detail: None,
            readings: Vec::new(),
            facts: Vec::new(),
            warnings: Vec::new(),
            outlook: Vec::new(),
            observations: Vec::new(),
        }
    }

    fn of(verdict: TriedVerdict) -> Result<Self, Error> {
        let mut said = Self::nothing_yet("readings");
        match verdict {
            TriedVerdict::Readings { decoded, previews } => {
                said.readings = decoded.readings.iter().map(Reading::from).collect();
                said.facts = decoded.facts.iter().map(DeviceFact::from).collect();
                said.warnings = decoded.warnings.iter().map(Warning::from).collect();
                previews.into_iter().try_for_each(|preview| said.add_preview(preview))?;
            }
            TriedVerdict::Incomplete { reason, decoded: _ } => {
                said.outcome = "incomplete";
                said.detail = Some(reason);
            }
            TriedVerdict::Nothing { reason, message, facts, warnings } => {
                said.outcome = "nothing";
                said.reason = Some(reason);
                said.detail = Some(message);
                said.facts = facts.iter().map(DeviceFact::from).collect();
                said.warnings = warnings.iter().map(Warning::from).collect();
            }
            TriedVerdict::Refused { reason, detail } => {
                said.outcome = "error";
                said.reason = Some(reason.to_owned());
                said.detail = Some(detail);
            }
            TriedVerdict::Failed { reason, detail } => {
                said.outcome = "failed";
                said.reason = Some(reason.to_owned());
                said.detail = Some(detail);
            }
        }
        Ok(said)
    }

    fn add_preview(&mut self, preview: Preview) -> Result<(), Error> {
        self.observations.push(serde_json::from_str(&preview.observation).map_err(Error::internal)?);
        self.outlook.push(preview.outlook);
        for code in preview.warnings {
            if self.warnings.iter().all(|warning| warning.code != code) {
                self.warnings.push(Warning { code, message: String::new() });
            }
        }
        Ok(())
    }
}
