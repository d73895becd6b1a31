//! Decodes a page of kept uplinks again, outside any transaction: each becomes something to compare, or is left for a reason.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use db::{CredentialId, TenantId, TenantScope, UplinkId};
use plugin_host::Decoder;
use serde_json::Value;

use super::decoder::bind;
use super::model::{Action, Finding};
use crate::app::App;
use crate::error::Error;
use crate::fhir::uplink_readings::{UplinkReading, readings_of_uplinks};
use crate::identity::{SourceIdentity, SourceKind};
use crate::ingest::batch::Retaken;
use crate::ingest::clock::Correction;
use crate::ingest::decode_uplink::{Clocked, decode_with};
use crate::ingest::decoded_body::READINGS;
use crate::ingest::handle_map;
use crate::ingest::hubs::{Again, SplitAgain};
use crate::ingest::model::Verdict;
use crate::ingest::read_upload::frames_again;
use crate::ingest::retained::Retained;
use crate::ingest::sources::KnownSource;

/// A page, decoded again.
#[derive(Default)]
pub(super) struct Prepared {
    /// To be compared with what is stored.
    pub(super) items: Vec<Retaken>,
    /// About uplinks that are left.
    pub(super) findings: Vec<Finding>,
    /// Hubs' own payloads in quarantine: they are replayed as a whole, by themselves.
    pub(super) payloads: Vec<UplinkId>,
}

/// Decodes a page; `wanted` is the decoder version, where one was asked for.
///
/// # Errors
/// The database's error.
pub(super) async fn prepare(
    app: &Arc<App>,
    tenant: TenantId,
    page: Vec<Retained>,
    wanted: Option<&Arc<Decoder>>,
) -> Result<Prepared, Error> {
    let applied = applied_offsets(app, tenant, &page).await?;
    let mut prepared = Prepared::default();
    let mut split = SplitAgain::new(app, tenant);
    for mut retained in page {
        let uplink = retained.received.id;
        if retained.device.is_none() && retained.quarantined && retained.outcome != "unclaimed" && retained.has_bytes {
            prepared.payloads.push(uplink);
            continue;
        }
        if let Some(reason) = left_because(&retained) {
            prepared.findings.push(Finding::of_uplink(uplink, Action::Skipped, reason));
            continue;
        }
        if let Err(finding) = said_again(&mut split, &mut retained, wanted).await? {
            prepared.findings.push(finding);
            continue;
        }
        match again(app, tenant, retained, wanted, applied.get(&uplink).copied()).await? {
            Ok(item) => prepared.items.push(item),
            Err(finding) => prepared.findings.push(finding),
        }
        // Live uplinks come first.
        tokio::task::yield_now().await;
    }
    Ok(prepared)
}

/// Why an uplink is not decoded again.
fn left_because(retained: &Retained) -> Option<&'static str> {
    match retained.outcome.as_str() {
        // Its frames were decoded with others': that uplink is replayed.
        "joined" => return Some("joined"),
        "incomplete" => return Some("waiting-for-frames"),
        "unclaimed" | "discarded" => return Some("unclaimed"),
        "split" => return Some("hub-payload"),
        // What it said is stored from another uplink, which is replayed.
        "duplicate" => return Some("duplicate"),
        _ => {}
    }
    if retained.device.is_none() {
        return Some("no-device");
    }
    (!retained.has_bytes).then_some("bytes-gone")
}

/// Puts what the hub's decoder says now in the place of what it said when the item came; what it was is to be had back from the
/// hub's payload at any time.
async fn said_again(
    split: &mut SplitAgain<'_>,
    retained: &mut Retained,
    wanted: Option<&Arc<Decoder>>,
) -> Result<Result<(), Finding>, Error> {
    let Some(device) = retained.device.as_ref().filter(|_| retained.received.content_type == READINGS) else {
        return Ok(Ok(()));
    };
    let uplink = retained.received.id;
    Ok(match split.item(&retained.received, device.id, wanted).await? {
        Again::Readings(body) => {
            retained.received.body = body.write()?;
            Ok(())
        }
        Again::Left(reason) => Err(Finding::of_uplink(uplink, Action::Skipped, reason)),
        Again::Refused(detail) => Err(Finding::of_uplink(uplink, Action::Failed, &detail)),
    })
}

async fn again(
    app: &Arc<App>,
    tenant: TenantId,
    retained: Retained,
    wanted: Option<&Arc<Decoder>>,
    applied: Option<Option<Correction>>,
) -> Result<Result<Retaken, Finding>, Error> {
    let uplink = retained.received.id;
    let failed = |reason: &str| Ok(Err(Finding::of_uplink(uplink, Action::Failed, reason)));
    let Some(device) = retained.device.as_deref().cloned() else { return failed("no-device") };
    let Ok(frames) = frames_again(&retained.received) else { return failed("envelope") };
    let channel = frames.first().map(|frame| frame.channel.as_str()).unwrap_or_default();
    let channel = handle_map::characteristic(channel, &device.variables).into_owned();
    let binding = if retained.received.content_type == READINGS {
        // Decoded already: nothing is bound.
        app.decoders.now().for_model(&device.model, &channel)
    } else {
        match bind(app, wanted, &device.model, &channel) {
            Ok(binding) => Ok(binding),
            Err((reason, _)) => return failed(&reason),
        }
    };
    let identity = SourceIdentity {
        credential: CredentialId(uuid::Uuid::nil()),
        tenant,
        kind: SourceKind::Device,
        source: device.id.0,
    };
    let source = KnownSource { identity, device, carried_by: None };
    // What was applied then is applied again; what never had a reading is read by what is known of the clock now.
    let clocked = applied.map_or(Clocked::Known, Clocked::By);
    let mut submission = decode_with(app, &source, retained.received, frames, binding, clocked, None).await?;
    submission.replay = true;
    // Its own keys were taken when it first came; it must not be taken for a repeat of itself.
    submission.keys = Vec::new();
    match &submission.verdict {
        Verdict::Undecodable { reason, detail } if !retained.quarantined => {
            return failed(&format!("{reason}: {detail}"));
        }
        Verdict::Incomplete { .. } => return failed("incomplete"),
        _ => {}
    }
    Ok(Ok(Retaken { submission, outcome: retained.outcome, quarantined: retained.quarantined }))
}

/// By what the times of these uplinks' readings were corrected, where they have any: it stands in their Observations.
async fn applied_offsets(
    app: &App,
    tenant: TenantId,
    page: &[Retained],
) -> Result<HashMap<UplinkId, Option<Correction>>, Error> {
    let uplinks: Vec<(UplinkId, DateTime<Utc>)> =
        page.iter().map(|one| (one.received.id, one.received.received_at)).collect();
    let transaction = TenantScope::one(tenant).begin(&app.db).await?;
    let readings = readings_of_uplinks(&transaction, tenant, &uplinks).await?;
    transaction.commit().await?;
    let mut by_uplink: HashMap<UplinkId, Vec<UplinkReading>> = HashMap::new();
    for reading in readings {
        by_uplink.entry(reading.uplink_id).or_default().push(reading);
    }
    Ok(by_uplink.into_iter().map(|(uplink, readings)| (uplink, applied(&readings))).collect())
}

/// The correction of an uplink's times. Where only some were corrected, it held from a device time on.
fn applied(readings: &[UplinkReading]) -> Option<Correction> {
    let told: Vec<(Option<TimeDelta>, Option<DateTime<Utc>>)> =
        readings.iter().map(|reading| (clock_offset(&reading.body), reading.effective_low)).collect();
    let offset = told.iter().find_map(|(offset, _)| *offset)?;
    let corrected = told.iter().filter(|(offset, _)| offset.is_some());
    let since = corrected.filter_map(|(_, at)| Some((*at)? - offset)).min();
    let all = told.iter().all(|(offset, _)| offset.is_some());
    Some(Correction { offset, since: since.filter(|_| !all) })
}

/// The clock offset that an Observation says was added to its device's time, to the millisecond.
fn clock_offset(body: &str) -> Option<TimeDelta> {
    let resource: Value = serde_json::from_str(body).ok()?;
    let extension = resource.get("extension")?.as_array()?.iter().find(|extension| {
        extension.get("url").and_then(Value::as_str).is_some_and(|url| url.ends_with("/clock-offset"))
    })?;
    let value = extension.as_object()?.iter().find(|(name, _)| name.starts_with("value"))?.1;
    let seconds = value.get("value").unwrap_or(value).to_string();
    milliseconds(&seconds).map(TimeDelta::milliseconds)
}

/// Decimal seconds as whole milliseconds.
fn milliseconds(seconds: &str) -> Option<i64> {
    let (digits, negative) = seconds.strip_prefix('-').map_or((seconds, false), |digits| (digits, true));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = format!("{fraction:0<3}");
    let parts = whole.parse::<i64>().ok()?.checked_mul(1000)?;
    let found = parts.checked_add(fraction.get(..3)?.parse().ok()?)?;
    Some(if negative { -found } else { found })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_read_to_the_millisecond() {
        let body = |value: &str| {
            format!(
                r#"{{"extension":[{{"url":"https://x/clock-offset","valueDuration":{{"value":{value},"unit":"s"}}}}]}}"#
            )
        };
        for (value, expected) in [("3600", 3_600_000), ("-120.500", -120_500), ("0.25", 250), ("-0.004", -4)] {
            assert_eq!(clock_offset(&body(value)), Some(TimeDelta::milliseconds(expected)), "{value}");
        }
        assert_eq!(clock_offset("{}"), None);
    }
}
