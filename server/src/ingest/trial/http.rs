//! REST for trying a decoder.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::post;
use actix_web::web::{self, Json};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use plugin_host::Frame;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::readings::{DeviceFact, Reading, Warning};
use super::{Preview, Trial, Tried, TriedVerdict, try_decoder};
use crate::app::AppData;
use crate::error::{ApiResult, Error, Kind, Problems};
use crate::fleet::Checks;
use crate::identity::{Caller, Role};

/// Frames of one trial.
const MAX_FRAMES: usize = 256;

/// Mounts the route.
pub fn routes(config: &mut ServiceConfig) {
    config.service(decode);
}

/// What to decode.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DecodeRequest {
    /// A model that `GET /models` lists.
    pub model: String,
    /// The channel of frames that do not name their own.
    pub channel: Option<String>,
    /// The frames, in order of arrival.
    pub frames: Vec<DecodeFrame>,
    /// The decoder's settings, as on a device.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// IANA zone of the device's local times; UTC when left out.
    pub time_zone: Option<String>,
    /// When the payload is taken to have come; now when left out.
    pub received_at: Option<DateTime<Utc>>,
}

/// One frame: exactly one of `hex`, `base64` and `json`.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DecodeFrame {
    /// Characteristic, port or topic.
    pub channel: Option<String>,
    /// Bytes, hexadecimal.
    pub hex: Option<String>,
    /// Bytes, base64.
    pub base64: Option<String>,
    /// A JSON payload.
    #[schema(value_type = Option<Object>)]
    pub json: Option<serde_json::Value>,
    /// When phone or hub got it.
    pub captured_at: Option<DateTime<Utc>>,
}

/// What the decoder and the host made of it. Nothing was stored.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DecodeResult {
    /// Name of the decoder.
    pub decoder: String,
    /// Version of the decoder.
    pub decoder_version: String,
    /// `readings`, `incomplete`, `nothing`, `error` (the decoder refused the payload) or `failed` (the decoder broke a limit).
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
    /// Instructions that the decoder burnt, about one unit each.
    pub fuel: u64,
    /// What one decode may burn.
    pub fuel_limit: u64,
    /// Time that it took, in microseconds.
    pub elapsed_us: u64,
    /// Memory that the decoder had, in bytes.
    pub memory_bytes: usize,
}

/// Try a decoder
///
/// Runs some frames through the decoder of a model and through the mapping to FHIR. Nothing is stored.
#[utoipa::path(tag = "ingest", request_body = DecodeRequest, responses((status = 200, body = DecodeResult), Problems))]
#[post("/decode")]
async fn decode(caller: Caller, app: AppData, body: Json<DecodeRequest>) -> ApiResult<Json<DecodeResult>> {
    // What serves is not the vendor's to look into: others' decoders are among it.
    caller.require(caller.role() != Role::Vendor, "try the decoders that serve")?;
    let wish = body.into_inner();
    let channel = wish.channel.clone().unwrap_or_default();
    let first = wish.frames.first().and_then(|frame| frame.channel.as_deref()).unwrap_or(&channel);
    let binding = app.decoders.now().for_model(&wish.model, first).map_err(|unbound| {
        let pointer = if unbound.reason() == "model-without-decoder" { "/model" } else { "/channel" };
        Error::field(pointer, unbound.to_string())
    })?;
    let trial = trial(wish, &channel, app.clock.now())?;
    let permit = Arc::clone(&app.decode_slots).acquire_owned().await.map_err(Error::internal)?;
    let decoder = Arc::clone(&binding.decoder);
    let tables = Arc::clone(&app.tables);
    let tried = web::block(move || {
        let tried = try_decoder(&binding, trial, &tables);
        drop(permit);
        tried
    })
    .await
    .map_err(|cancelled| {
        Error::new(Kind::Unavailable(1), "decode.busy", "The server is busy; try again.").because(cancelled)
    })??;
    let mut result = result(tried)?;
    result.fuel_limit = app.decoders.now().host().limits().fuel;
    decoder.manifest().name.clone_into(&mut result.decoder);
    decoder.manifest().version.clone_into(&mut result.decoder_version);
    Ok(Json(result))
}

/// Checks the request, and reads its frames.
fn trial(wish: DecodeRequest, channel: &str, now: DateTime<Utc>) -> Result<Trial, Error> {
    let mut checks = Checks::default();
    checks.time_zone(wish.time_zone.as_deref());
    checks.variables(wish.variables.iter().map(|(name, value)| (name.as_str(), Some(value.as_str()))));
    checks.finish()?;
    if wish.frames.is_empty() || wish.frames.len() > MAX_FRAMES {
        return Err(Error::field("/frames", format!("1 to {MAX_FRAMES} frames")));
    }
    let is_json = wish.frames.iter().all(|frame| frame.json.is_some());
    let frames = wish.frames.into_iter().enumerate();
    Ok(Trial {
        frames: frames.map(|(index, frame)| read_frame(index, frame, channel)).collect::<Result<_, _>>()?,
        content_type: if is_json { "application/json" } else { "application/octet-stream" }.to_owned(),
        received_at: wish.received_at.unwrap_or(now),
        zone: wish.time_zone.and_then(|zone| zone.parse().ok()).unwrap_or(Tz::UTC),
        variables: wish.variables,
    })
}

fn read_frame(index: usize, frame: DecodeFrame, channel: &str) -> Result<Frame, Error> {
    let wrong = |detail: &str| Error::field(&format!("/frames/{index}"), detail);
    let data = match (frame.hex, frame.base64, frame.json) {
        (Some(hex), None, None) => {
            let digits: String = hex.chars().filter(|character| !character.is_whitespace()).collect();
            hex::decode(digits).map_err(|_detail| wrong("hex is an even number of hexadecimal digits"))?
        }
        (None, Some(base64), None) => {
            STANDARD.decode(base64).map_err(|_detail| wrong("base64 is standard base64 with its padding"))?
        }
        (None, None, Some(json)) => json.to_string().into_bytes(),
        _ => return Err(wrong("a frame has exactly one of hex, base64 and json")),
    };
    Ok(Frame {
        channel: frame.channel.unwrap_or_else(|| channel.to_owned()),
        data,
        captured_at_ms: frame.captured_at.map(|time| time.timestamp_millis()),
        extra: Vec::new(),
    })
}

fn result(tried: Tried) -> Result<DecodeResult, Error> {
    let mut result = DecodeResult {
        decoder: String::new(),
        decoder_version: String::new(),
        outcome: "readings",
        reason: None,
        detail: None,
        readings: Vec::new(),
        facts: Vec::new(),
        warnings: Vec::new(),
        outlook: Vec::new(),
        observations: Vec::new(),
        fuel: tried.stats.fuel_used,
        fuel_limit: 0,
        elapsed_us: u64::try_from(tried.stats.elapsed.as_micros()).unwrap_or(u64::MAX),
        memory_bytes: tried.stats.memory_bytes,
    };
    match tried.verdict {
        TriedVerdict::Readings { decoded, previews } => {
            result.readings = decoded.readings.iter().map(Reading::from).collect();
            result.facts = decoded.facts.iter().map(DeviceFact::from).collect();
            result.warnings = decoded.warnings.iter().map(Warning::from).collect();
            previews.into_iter().try_for_each(|preview| add_preview(&mut result, preview))?;
        }
        TriedVerdict::Incomplete { reason, decoded: _ } => {
            result.outcome = "incomplete";
            result.detail = Some(reason);
        }
        TriedVerdict::Nothing { reason, message, facts, warnings } => {
            result.outcome = "nothing";
            result.reason = Some(reason);
            result.detail = Some(message);
            result.facts = facts.iter().map(DeviceFact::from).collect();
            result.warnings = warnings.iter().map(Warning::from).collect();
        }
        TriedVerdict::Refused { reason, detail } => {
            result.outcome = "error";
            result.reason = Some(reason.to_owned());
            result.detail = Some(detail);
        }
        TriedVerdict::Failed { reason, detail } => {
            result.outcome = "failed";
            result.reason = Some(reason.to_owned());
            result.detail = Some(detail);
        }
    }
    Ok(result)
}

fn add_preview(result: &mut DecodeResult, preview: Preview) -> Result<(), Error> {
    result.observations.push(serde_json::from_str(&preview.observation).map_err(Error::internal)?);
    result.outlook.push(preview.outlook);
    for code in preview.warnings {
        if result.warnings.iter().all(|warning| warning.code != code) {
            result.warnings.push(Warning { code, message: String::new() });
        }
    }
    Ok(())
}
