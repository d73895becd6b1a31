//! What two decoder versions make of the same bytes, reading by reading and field by field; pure.
//!
//! Readings are matched by kind and record key; what is left by kind and time; what is left then by kind, in the order of
//! the payload, if there are as many. What still has no counterpart appears or vanishes.

use plugin_host::{DecodeFailure, Decoded, DeviceTime, NameValue, OnChange, Outcome, Reading, Run, RunStats, Value};

use super::model::{Class, Compared, Difference};
use crate::ingest::decode_uplink::error_detail;
use crate::ingest::replays::FieldChange;

/// Differences of one uplink that are told.
pub(super) const MOST: usize = 50;

/// A reading whose identity differs: place before, place after.
pub type KeyPair = (usize, usize);

/// Compares what the serving version made with what the other makes. `active` is none where nothing serves the model.
pub fn compare(model: &str, active: Option<&Run<Outcome>>, version: &Run<Outcome>) -> (Compared, Vec<KeyPair>) {
    let mut compared = Compared {
        class: Class::Same,
        model: model.to_owned(),
        differences: Vec::new(),
        failure: refusal(&version.result),
        keys_changed: 0,
        content_keys: 0,
        fuel: (active.map_or(0, |run| run.stats.fuel_used), version.stats.fuel_used),
        nanoseconds: (active.map_or(0, nanoseconds), nanoseconds(version)),
    };
    let refused_before = active.is_none_or(|run| refusal(&run.result).is_some());
    let mut pairs = Vec::new();
    compared.class = match (refused_before, compared.failure.is_some()) {
        (true, true) => Class::BothRefuse,
        (true, false) => Class::NewlyDecoded,
        (false, true) => Class::NewlyFailing,
        (false, false) => {
            let before = active.and_then(|run| run.result.as_ref().ok());
            pairs = outcomes(before, version.result.as_ref().ok(), &mut compared);
            if compared.differences.is_empty() { Class::Same } else { Class::Changed }
        }
    };
    (compared, pairs)
}

fn nanoseconds(run: &Run<Outcome>) -> u64 {
    elapsed(&run.stats)
}

/// Nanoseconds of a run.
pub(super) fn elapsed(stats: &RunStats) -> u64 {
    u64::try_from(stats.elapsed.as_nanos()).unwrap_or(u64::MAX)
}

/// Why an uplink is refused: a stable word, and a sentence.
fn refusal(result: &Result<Outcome, DecodeFailure>) -> Option<String> {
    match result {
        Ok(Outcome::Error(error)) => Some(format!("{}: {}", error.kind.as_str(), error_detail(error))),
        Err(failure) => Some(format!("{}: {failure}", failure.kind.as_str())),
        Ok(_) => None,
    }
}

fn outcomes(before: Option<&Outcome>, after: Option<&Outcome>, compared: &mut Compared) -> Vec<KeyPair> {
    if let (Some(Outcome::Readings(before)), Some(Outcome::Readings(after))) = (before, after) {
        return decoded(before, after, compared);
    }
    let name = |outcome: Option<&Outcome>| match outcome {
        Some(Outcome::Readings(_)) => "readings".to_owned(),
        Some(Outcome::Nothing(nothing)) => format!("nothing ({})", nothing.reason),
        Some(Outcome::Incomplete(_)) => "incomplete".to_owned(),
        Some(Outcome::Error(_)) | None => "refused".to_owned(),
    };
    let mut changes = Vec::new();
    push(&mut changes, "outcome", &name(before), &name(after));
    if !changes.is_empty() {
        compared.differences.push(Difference { kind: String::new(), changes });
    }
    Vec::new()
}

/// Compares what was read, and what was said beside it.
pub(super) fn decoded(before: &Decoded, after: &Decoded, compared: &mut Compared) -> Vec<KeyPair> {
    let pairs = readings(&before.readings, &after.readings, compared);
    let warnings =
        |decoded: &Decoded| decoded.warnings.iter().map(|warning| warning.code.as_str()).collect::<Vec<_>>().join(",");
    let mut changes = Vec::new();
    push(&mut changes, "warnings", &warnings(before), &warnings(after));
    push(&mut changes, "facts", &format!("{:?}", before.facts), &format!("{:?}", after.facts));
    if !changes.is_empty() {
        compared.differences.push(Difference { kind: String::new(), changes });
    }
    pairs
}

/// Matches and compares readings.
fn readings(before: &[Reading], after: &[Reading], compared: &mut Compared) -> Vec<KeyPair> {
    let mut left: Vec<usize> = (0..before.len()).collect();
    let mut new: Vec<usize> = (0..after.len()).collect();
    let mut matched: Vec<(usize, usize)> = Vec::with_capacity(after.len());
    let mut matching = |is_it: &dyn Fn(&Reading, &Reading) -> bool, left: &mut Vec<usize>, new: &mut Vec<usize>| {
        new.retain(|place| {
            let Some(reading) = after.get(*place) else { return false };
            let found = left.iter().position(|old| before.get(*old).is_some_and(|old| is_it(old, reading)));
            if let Some(found) = found {
                matched.push((left.remove(found), *place));
            }
            found.is_none()
        });
    };
    matching(&|old, new| old == new, &mut left, &mut new);
    matching(
        &|old, new| {
            old.kind == new.kind
                && old.record_key.is_some()
                && old.record_key == new.record_key
                && old.method == new.method
        },
        &mut left,
        &mut new,
    );
    matching(&|old, new| old.kind == new.kind && old.time == new.time && old.method == new.method, &mut left, &mut new);
    matching(&|old, new| old.kind == new.kind && old.time == new.time, &mut left, &mut new);
    let mut kinds: Vec<&str> = new.iter().filter_map(|place| after.get(*place)).map(|one| one.kind.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    for kind in kinds {
        let of = |all: &[Reading], places: &[usize]| {
            places.iter().filter(|place| all.get(**place).is_some_and(|one| one.kind == kind)).count()
        };
        if of(before, &left) == of(after, &new) {
            matching(&|old, new| old.kind == kind && new.kind == kind, &mut left, &mut new);
        }
    }
    matched.sort_unstable_by_key(|(_, after)| *after);
    let mut pairs = Vec::new();
    for (old, new) in matched {
        let (Some(before), Some(after)) = (before.get(old), after.get(new)) else { continue };
        if before == after {
            continue;
        }
        let changes = fields(before, after);
        if has_other_identity(before, after) {
            compared.keys_changed += 1;
            pairs.push((old, new));
        } else if after.on_change == OnChange::Distinct && after.record_key.is_some() && !changes.is_empty() {
            compared.content_keys += 1;
        }
        if !changes.is_empty() && compared.differences.len() < MOST {
            compared.differences.push(Difference { kind: after.kind.clone(), changes });
        }
    }
    let gone = left.into_iter().filter_map(|place| before.get(place)).map(|one| (one, Some("there"), None));
    let come = new.into_iter().filter_map(|place| after.get(place)).map(|one| (one, None, Some("there")));
    for (reading, before, after) in gone.chain(come) {
        let change = FieldChange {
            field: "reading".to_owned(),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
        };
        if compared.differences.len() < MOST {
            compared.differences.push(Difference { kind: reading.kind.clone(), changes: vec![change] });
        }
    }
    pairs
}

/// Whether the record would be known by another identity. Of readings without a key the uplink is the identity.
fn has_other_identity(before: &Reading, after: &Reading) -> bool {
    let distinct = |one: &Reading| one.on_change == OnChange::Distinct;
    before.record_key != after.record_key
        || (before.record_key.is_some() && (before.method != after.method || distinct(before) != distinct(after)))
}

/// The fields in which two readings differ.
fn fields(before: &Reading, after: &Reading) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    let ((old, old_unit), (new, new_unit)) = (value(&before.value), value(&after.value));
    push(&mut changes, "value", &old, &new);
    push(&mut changes, "unit", &old_unit, &new_unit);
    push(&mut changes, "components", &components(before), &components(after));
    push(&mut changes, "codings", &format!("{:?}", before.codings), &format!("{:?}", after.codings));
    push(&mut changes, "time", &time(&before.time), &time(&after.time));
    push(&mut changes, "timeEnd", &time(&before.time_end), &time(&after.time_end));
    push(&mut changes, "clockState", &before.clock_state, &after.clock_state);
    push(&mut changes, "bodySite", text(before.body_site.as_ref()), text(after.body_site.as_ref()));
    push(&mut changes, "method", text(before.method.as_ref()), text(after.method.as_ref()));
    push(&mut changes, "context", &named(&before.context), &named(&after.context));
    push(&mut changes, "flags", &before.flags.join(","), &after.flags.join(","));
    push(&mut changes, "userSlot", text(before.user_slot.as_ref()), text(after.user_slot.as_ref()));
    push(
        &mut changes,
        "deviceIdentity",
        &format!("{:?}", before.device_identity),
        &format!("{:?}", after.device_identity),
    );
    push(&mut changes, "recordKey", text(before.record_key.as_ref()), text(after.record_key.as_ref()));
    push(&mut changes, "onChange", &format!("{:?}", before.on_change), &format!("{:?}", after.on_change));
    push(&mut changes, "extra", &named(&before.extra), &named(&after.extra));
    changes
}

pub(super) fn push(changes: &mut Vec<FieldChange>, field: &str, before: &str, after: &str) {
    if before != after {
        let told = |text: &str| (!text.is_empty()).then(|| text.chars().take(200).collect());
        changes.push(FieldChange { field: field.to_owned(), before: told(before), after: told(after) });
    }
}

fn text(text: Option<&String>) -> &str {
    text.map_or("", String::as_str)
}

fn named(pairs: &[NameValue]) -> String {
    pairs.iter().map(|pair| format!("{}={}", pair.name, pair.value)).collect::<Vec<_>>().join(", ")
}

fn time(time: &DeviceTime) -> String {
    match time {
        DeviceTime::None => String::new(),
        DeviceTime::Local(text) | DeviceTime::Zoned(text) => text.clone(),
        other => format!("{other:?}"),
    }
}

fn components(reading: &Reading) -> String {
    let one = |part: &plugin_host::Component| {
        let (value, unit) = value(&part.value);
        format!("{} {value} {unit}", part.kind).trim_end().to_owned()
    };
    reading.components.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// A value and its unit, as they were said.
fn value(value: &Value) -> (String, String) {
    match value {
        Value::None => (String::new(), String::new()),
        Value::Quantity(quantity) => {
            let number = fhir_model::decimal::Decimal::new(quantity.value.mantissa, quantity.value.exponent);
            let number = number.map_or_else(
                |_error| format!("{}e{}", quantity.value.mantissa, quantity.value.exponent),
                |number| number.to_string(),
            );
            (format!("{}{number}", quantity.comparator.as_deref().unwrap_or_default()), quantity.unit.clone())
        }
        Value::Sampled(data) => (format!("{} samples", data.samples.len()), data.unit.clone()),
        other => (format!("{other:?}"), String::new()),
    }
}
