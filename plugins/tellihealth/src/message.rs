//! One message of the webhook: which device, when, and what kind of message it is.

use afferent_plugin_sdk::json::Json;
use afferent_plugin_sdk::registry::{device_identity, fact_kinds, nothing_reasons};
use afferent_plugin_sdk::{Decimal, DecodeError, Decoded, Nothing, OnChange, Outcome, Reading, Timestamp, Value};

use crate::readings;

/// Which version of the webhook sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Webhook {
    /// `data`, `deviceId`, `readingType`, `time`.
    V1,
    /// The same with `genVer`, `mem`, `tzOffsetMinutes`, `devdata`, and messages that are no readings.
    V2,
}

/// What every reading of a message shares.
pub(crate) struct Envelope<'d> {
    device: &'d str,
    reading_type: &'d str,
    time: Timestamp,
}

impl Envelope<'_> {
    /// Puts device, time and record key around a reading. The key takes the type in, as the webhook delivers each reading
    /// at least once under device, type and time. Whether a copy came out of the device's memory (`mem`) is no part of
    /// the record: it would make two of one.
    pub(crate) fn around(&self, reading: Reading) -> Reading {
        let key = format!("{}/{}", self.reading_type, self.time);
        reading
            .at(self.time.device_time())
            .record_key(Some(key), OnChange::Distinct)
            .device_identity(identity_kind(self.device), self.device)
    }
}

/// An IMEI has 15 digits; other ids are Telli's own.
fn identity_kind(device: &str) -> &'static str {
    let is_imei = device.len() == 15 && device.bytes().all(|digit| digit.is_ascii_digit());
    if is_imei { device_identity::IMEI } else { device_identity::VENDOR_DEVICE_ID }
}

/// Decodes one message of a webhook.
///
/// # Errors
///
/// The message is of the other version, lacks a member, or has a type or unit that is not in Telli's specification.
pub fn message(webhook: Webhook, root: Json<'_>) -> Result<Outcome, DecodeError> {
    match (webhook, root.get("genVer")?) {
        (Webhook::V1, Some(_)) => return Err(DecodeError::not_for_me("this is a message of the webhook's version 2")),
        (Webhook::V2, None) => return Err(DecodeError::not_for_me("this is a message of the webhook's version 1")),
        _ => {}
    }
    let device = root.required("deviceId")?.identifier()?;
    if let Some(kind) = root.get("type")? {
        return status(root, kind);
    }
    let reading_type = root.required("readingType")?;
    let time = Timestamp::from_epoch_ms(root.required("time")?.integer()?)?;
    let envelope = Envelope { device, reading_type: reading_type.text()?, time };
    let mut decoded = Decoded::from(Vec::new());
    device_facts(root, &mut decoded)?;
    readings::read(webhook, reading_type, root.required("data")?, &envelope, &mut decoded)?;
    Ok(decoded.or_nothing(nothing_reasons::FAILED_MEASUREMENT, "the message has no value above zero"))
}

/// Messages that are no readings.
fn status(root: Json<'_>, kind: Json<'_>) -> Result<Outcome, DecodeError> {
    let (reason, message) = match kind.text()? {
        "Heartbeat" => (nothing_reasons::HEARTBEAT, "a heartbeat"),
        "ReminderCleared" => (nothing_reasons::STATUS, "the person cleared a reminder"),
        "SettingsResponse" => (nothing_reasons::STATUS, "the device answered a change of its settings"),
        _ => return Err(kind.unsupported("a type of message that Telli's specification does not have")),
    };
    let mut around = Decoded::from(Vec::new());
    device_facts(root, &mut around)?;
    Ok(Outcome::Nothing(Nothing { facts: around.facts, ..Nothing::because(reason, message) }))
}

/// `devdata`: battery of 0 to 10 (or `pwr` on external power) and signal of 1 to 4. All of it may be `null`.
fn device_facts(root: Json<'_>, decoded: &mut Decoded) -> Result<(), DecodeError> {
    let Some(devdata) = root.get("devdata")? else { return Ok(()) };
    if let Some(battery) = devdata.get("batt")?.filter(|battery| !matches!(battery.text(), Ok("pwr"))) {
        // Ten steps from empty to full.
        let tenths = battery.decimal()?;
        if tenths.compare(0).is_ge() && tenths.compare(10).is_le() {
            decoded.add_fact(fact_kinds::BATTERY, percent(tenths.shifted(1)));
        }
    }
    if let Some(signal) = devdata.get("r")? {
        decoded.add_fact(fact_kinds::SIGNAL_STRENGTH, Value::Text(format!("{} of 4", signal.integer()?)));
    }
    Ok(())
}

/// A percentage as a fact about the device.
pub(crate) fn percent(value: Decimal) -> Value {
    Value::decimal(value, "%")
}
