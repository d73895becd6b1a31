//! What a payload says about its device's clock.

use chrono::{DateTime, NaiveDateTime, Utc};
use chrono_tz::Tz;
use plugin_host::{Decoded, DeviceTime, Reading, Value};

use super::measure::Sample;
use crate::ingest::interpret::FIRST_YEAR;

/// The sample of a payload: from the device's current time where it tells it, else from its newest reading that it does not
/// call stored. Nothing where no clock is to be seen.
pub fn sample(decoded: &Decoded, anchor: DateTime<Utc>, zone: Tz) -> Option<Sample> {
    let told = decoded.facts.iter().find(|fact| fact.kind == "clock").and_then(|fact| match &fact.value {
        Value::Text(text) => instant(text, zone),
        _ => None,
    });
    if let Some(device) = told {
        return Some(Sample { anchor, device, current: true });
    }
    let newest = decoded.readings.iter().filter(|reading| is_live(reading)).filter_map(|reading| match &reading.time {
        DeviceTime::Local(text) | DeviceTime::Zoned(text) => instant(text, zone),
        DeviceTime::None | DeviceTime::BeforeCapture(_) => None,
    });
    Some(Sample { anchor, device: newest.max()?, current: false })
}

fn is_live(reading: &Reading) -> bool {
    let past = ["from-storage", "time-fault", "estimated-time", "manual-entry"];
    !matches!(reading.clock_state.as_str(), "not-set" | "fault")
        && !reading.flags.iter().any(|flag| past.contains(&flag.as_str()))
}

/// A wall clock in an hour that comes twice, or not at all, says nothing about its offset.
fn instant(text: &str, zone: Tz) -> Option<DateTime<Utc>> {
    use chrono::{Datelike, TimeZone};
    let instant = match DateTime::parse_from_rfc3339(text) {
        Ok(zoned) => zoned.to_utc(),
        Err(_local) => {
            let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok()?;
            zone.from_local_datetime(&local).single()?.to_utc()
        }
    };
    (instant.year() >= FIRST_YEAR).then_some(instant)
}
