//! The envelopes: IoT Hub's `Body` with `Properties`, IoT Central's `telemetry`, bare bodies, and lists of all of them.

use afferent_plugin_sdk::json::Json;
use afferent_plugin_sdk::{DecodeError, Decoded, Timestamp};

use crate::{observation, telemetry};

/// What an envelope says of the messages in it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Around<'d> {
    /// When the device made the message; else when the hub took it.
    pub(crate) time: Option<Timestamp>,
    /// The device, as its connection was authenticated, or as the message names it.
    pub(crate) device: Option<&'d str>,
}

/// The property in which a device writes when it made the message; IoT Hub passes it on.
const CREATION: &str = "iothub-creation-time-utc";

/// Adds what a message says, whatever its envelope.
///
/// # Errors
///
/// A metric, a unit or a time is no such thing.
pub fn message(root: Json<'_>, decoded: &mut Decoded) -> Result<(), DecodeError> {
    enclosed(root, Around::default(), decoded)
}

fn enclosed<'d>(item: Json<'d>, around: Around<'d>, decoded: &mut Decoded) -> Result<(), DecodeError> {
    if item.is_list() {
        return item.items()?.try_for_each(|item| enclosed(item, around, decoded));
    }
    if item.get("resourceType")?.is_some() {
        return observation::resource(item, around, decoded);
    }
    if let Some(body) = item.get("Body")? {
        return enclosed(body, hub(item)?, decoded);
    }
    if let Some(values) = item.get("telemetry")? {
        return telemetry::object(values, central(item)?, decoded);
    }
    telemetry::object(item, around, decoded)
}

/// IoT Hub: the device's own time before the hub's, which may be days later.
fn hub(item: Json<'_>) -> Result<Around<'_>, DecodeError> {
    let property = |set: &str, name: &str| item.get(set)?.map_or(Ok(None), |set| set.get(name));
    let created = property("Properties", CREATION)?;
    let time = match created {
        Some(created) => Some(created),
        None => property("SystemProperties", "iothub-enqueuedtime")?,
    };
    let device = property("SystemProperties", "iothub-connection-device-id")?;
    Ok(Around { time: time.map(moment).transpose()?, device: device.map(Json::identifier).transpose()? })
}

/// IoT Central: the same in other places.
fn central(item: Json<'_>) -> Result<Around<'_>, DecodeError> {
    let created = item.get("messageProperties")?.map_or(Ok(None), |properties| properties.get(CREATION))?;
    let time = match created {
        Some(created) => Some(created),
        None => item.get("enqueuedTime")?,
    };
    let device = item.get("deviceId")?;
    Ok(Around { time: time.map(moment).transpose()?, device: device.map(Json::identifier).transpose()? })
}

/// A time as text, or as seconds or milliseconds since 1970: ten digits are the one and thirteen the other from 2001 to
/// 2286, and what has neither is refused.
pub(crate) fn moment(written: Json<'_>) -> Result<Timestamp, DecodeError> {
    let time = if written.is_text() {
        Timestamp::parse(written.text()?)
    } else {
        match written.integer()? {
            seconds @ 1_000_000_000..=9_999_999_999 => Timestamp::from_epoch_seconds(seconds),
            ms @ 1_000_000_000_000..=9_999_999_999_999 => Timestamp::from_epoch_ms(ms),
            _ => Err(DecodeError::malformed("neither seconds nor milliseconds since 1970")),
        }
    };
    time.map_err(|error| error.at_path(written.path()))
}
