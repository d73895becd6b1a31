//! REST for trying a decoder.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::post;
use actix_web::web::{self, Json};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use plugin_host::{Frame, Surface};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::result::{AnyTried, DecodeResult};
use super::{Trial, map_bytes};
use crate::app::AppData;
use crate::error::{ApiResult, Error, Kind, Problems};
use crate::fleet::{Binding, Checks, plugin_for_trial};
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
    /// A model that `GET /models` lists, of devices or of hubs; with `plugin`, one of that version's.
    pub model: String,
    /// A version of the registry to try, in place of the decoder that serves the model.
    pub plugin: Option<TriedVersion>,
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
    /// Also find out which bytes became which field. It takes up to two seconds, because the decoder is called for every byte.
    #[serde(default)]
    pub byte_map: bool,
}

/// A version of a decoder.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TriedVersion {
    /// The decoder's name.
    pub name: String,
    /// Semantic version.
    pub version: String,
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

/// Try a decoder
///
/// Runs some frames through the decoder of a model and through the mapping to FHIR. Nothing is stored. A hub's payload comes
/// to `items`; a frame among them is read by the decoder of the model that is named after its channel. With `plugin`, through
/// a version of the registry in any state: for platform admins, and for the vendor whose it is. A vendor tries nothing else.
#[utoipa::path(tag = "ingest", request_body = DecodeRequest, responses((status = 200, body = DecodeResult), Problems))]
#[post("/decode")]
async fn decode(caller: Caller, app: AppData, body: Json<DecodeRequest>) -> ApiResult<Json<DecodeResult>> {
    let wish = body.into_inner();
    let channel = wish.channel.clone().unwrap_or_default();
    let binding = bind(&caller, &app, &wish, &channel).await?;
    let wants_map = wish.byte_map;
    let trial = trial(wish, &channel, app.clock.now())?;
    let permit = Arc::clone(&app.decode_slots).acquire_owned().await.map_err(Error::internal)?;
    let tables = Arc::clone(&app.tables);
    let decoders = app.decoders.now();
    // What other decoders make of a frame is none of a vendor's business.
    let others = (caller.role() != Role::Vendor).then(|| Arc::clone(&decoders));
    let (tried, map, binding) = web::block(move || {
        let map = wants_map.then(|| map_bytes(&binding, &trial));
        let tried = AnyTried::of(&binding, trial, others.as_deref(), &tables);
        drop(permit);
        tried.map(|tried| (tried, map, binding))
    })
    .await
    .map_err(|cancelled| {
        Error::new(Kind::Unavailable(1), "decode.busy", "The server is busy; try again.").because(cancelled)
    })??;
    Ok(Json(DecodeResult::new(tried, &binding, decoders.host().limits(), map)?))
}

/// The decoder that was asked for, if the caller may try it.
async fn bind(caller: &Caller, app: &AppData, wish: &DecodeRequest, channel: &str) -> Result<Binding, Error> {
    let first = wish.frames.first().and_then(|frame| frame.channel.as_deref()).unwrap_or(channel);
    let bound = match &wish.plugin {
        Some(TriedVersion { name, version }) => {
            let decoder = plugin_for_trial(caller, app, name, version).await?;
            Binding::of_version(&decoder, &wish.model, first)
        }
        None => {
            caller.require(caller.role() != Role::Vendor, "try decoders that are not its own: name `plugin`")?;
            let decoders = app.decoders.now();
            match decoders.model(&wish.model).map(|served| served.decoder.surface()) {
                Some(Surface::Hub) => decoders.for_hub(&wish.model, first),
                _ => decoders.for_model(&wish.model, first),
            }
        }
    };
    bound.map_err(|unbound| {
        let pointer = if unbound.reason() == "model-without-decoder" { "/model" } else { "/channel" };
        Error::field(pointer, unbound.to_string())
    })
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
