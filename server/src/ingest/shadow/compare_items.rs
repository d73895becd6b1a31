//! What two versions of a hub's decoder make of the same payload, item by item and field by field; pure.
//!
//! Compared is what the platform takes from an item: the one spelling of an address, and not how the hub wrote it. Addresses
//! and the hub's own ids are not told in a report, only that they differ: they lead to a device.

use plugin_host::{HubOutcome, Reading, Run, RunStats};

use super::compare::{MOST, decoded, elapsed, push};
use super::model::{Class, Compared, Difference};
use crate::ingest::hubs::{Content, Item, Parts, pair_items};
use crate::ingest::replays::FieldChange;

/// A payload that was split, and what that cost.
pub struct SplitRun {
    parts: Parts,
    stats: RunStats,
}

impl SplitRun {
    /// Of a run.
    pub fn of(run: Run<HubOutcome>) -> Self {
        Self { parts: Parts::of(run.result), stats: run.stats }
    }

    /// Why the payload goes to quarantine: a stable word, and a sentence. One item that is refused is enough.
    fn refusal(&self) -> Option<String> {
        match &self.parts {
            Parts::Undecodable(reason, detail) => Some(format!("{reason}: {detail}")),
            Parts::Items(items) => items.iter().find_map(|item| match &item.content {
                Content::Refused(reason, detail) => Some(format!("{reason}: {detail}")),
                _ => None,
            }),
            Parts::Nothing(_) => None,
        }
    }
}

/// A reading that a hub decoded, whose identity differs.
pub struct ItemReadings {
    /// The device's address, the same in both.
    pub address: String,
    /// As the version that serves says it.
    pub before: Reading,
    /// As the other says it.
    pub after: Reading,
}

/// Compares what the serving version made with what the other makes. `active` is none where nothing serves the model.
pub fn compare_payloads(model: &str, active: Option<&SplitRun>, version: &SplitRun) -> (Compared, Vec<ItemReadings>) {
    let refused_before = active.is_none_or(|run| run.refusal().is_some());
    let mut compared = Compared {
        class: Class::Same,
        model: model.to_owned(),
        differences: Vec::new(),
        failure: version.refusal(),
        keys_changed: 0,
        content_keys: 0,
        fuel: (active.map_or(0, |run| run.stats.fuel_used), version.stats.fuel_used),
        nanoseconds: (active.map_or(0, |run| elapsed(&run.stats)), elapsed(&version.stats)),
    };
    let pairs = match active.map(|run| (&run.parts, &version.parts)) {
        Some((Parts::Items(before), Parts::Items(after))) => items(before, after, &mut compared),
        Some((Parts::Undecodable(..), _) | (_, Parts::Undecodable(..))) | None => Vec::new(),
        Some((before, after)) => {
            let mut changes = Vec::new();
            push(&mut changes, "outcome", &outcome(before), &outcome(after));
            tell(&mut compared, changes);
            Vec::new()
        }
    };
    compared.class = match (refused_before, compared.failure.is_some()) {
        // Items beside the one that both refuse may differ.
        (true, true) if compared.differences.is_empty() => Class::BothRefuse,
        (true, false) => Class::NewlyDecoded,
        (false, true) => Class::NewlyFailing,
        (false, false) if compared.differences.is_empty() => Class::Same,
        _ => Class::Changed,
    };
    (compared, pairs)
}

fn outcome(parts: &Parts) -> String {
    match parts {
        Parts::Items(_) => "items".to_owned(),
        Parts::Nothing(reason) => format!("nothing ({reason})"),
        Parts::Undecodable(reason, _) => format!("refused ({reason})"),
    }
}

fn tell(compared: &mut Compared, changes: Vec<FieldChange>) {
    if !changes.is_empty() && compared.differences.len() < MOST {
        compared.differences.push(Difference { kind: String::new(), changes });
    }
}

/// Compares items with their counterparts. What has none appears or vanishes.
fn items(before: &[Item], after: &[Item], compared: &mut Compared) -> Vec<ItemReadings> {
    let paired = pair_items(before, after);
    let mut readings = Vec::new();
    for (old, new) in paired.pairs {
        if let (Some(old), Some(new)) = (before.get(old), after.get(new)) {
            readings.extend(item(old, new, compared));
        }
    }
    let gone = paired.gone.iter().filter_map(|place| Some((content(&before.get(*place)?.content), String::new())));
    let come = paired.new.iter().filter_map(|place| Some((String::new(), content(&after.get(*place)?.content))));
    for (before, after) in gone.chain(come) {
        let mut changes = Vec::new();
        push(&mut changes, "item", &before, &after);
        tell(compared, changes);
    }
    readings
}

fn item(before: &Item, after: &Item, compared: &mut Compared) -> Vec<ItemReadings> {
    let mut changes = Vec::new();
    for (field, differs) in [("device", before.address != after.address), ("id", before.id != after.id)] {
        if differs {
            changes.push(FieldChange { field: field.to_owned(), before: None, after: None });
        }
    }
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    push(&mut changes, "deviceType", &text(&before.device_type), &text(&after.device_type));
    let mut pairs = Vec::new();
    match (&before.content, &after.content) {
        (Content::Frame(old, old_type), Content::Frame(new, new_type)) => {
            let time =
                |time: Option<chrono::DateTime<chrono::Utc>>| time.map_or_else(String::new, |at| at.to_rfc3339());
            push(&mut changes, "channel", &old.channel, &new.channel);
            let differ = old.data.iter().zip(&new.data).take_while(|(old, new)| old == new).count();
            push(&mut changes, "bytes", &around(&old.data, differ), &around(&new.data, differ));
            push(&mut changes, "capturedAt", &time(old.captured_at), &time(new.captured_at));
            push(&mut changes, "contentType", old_type, new_type);
        }
        (Content::Readings(old), Content::Readings(new)) => {
            let places = decoded(old, new, compared);
            // Of another device it is another record, whatever its key.
            let places = places.into_iter().filter(|_| before.address == after.address);
            pairs.extend(places.filter_map(|(place, beside)| {
                Some(ItemReadings {
                    address: before.address.clone(),
                    before: old.readings.get(place)?.clone(),
                    after: new.readings.get(beside)?.clone(),
                })
            }));
        }
        (old, new) => push(&mut changes, "content", &content(old), &content(new)),
    }
    tell(compared, changes);
    pairs
}

/// How many bytes there are, and a few where two frames begin to differ: the whole may say more than a report should.
fn around(data: &[u8], at: usize) -> String {
    let few: Vec<u8> = data.iter().skip(at).take(4).copied().collect();
    format!("{} bytes, at {at}: {}", data.len(), hex::encode(few))
}

/// What an item carries, in a word or two.
fn content(content: &Content) -> String {
    match content {
        Content::Frame(..) => "frame".to_owned(),
        Content::Readings(_) => "readings".to_owned(),
        Content::Nothing(reason) => format!("nothing ({reason})"),
        Content::Refused(reason, _) => format!("refused ({reason})"),
        Content::Invalid(_) => "invalid".to_owned(),
    }
}
