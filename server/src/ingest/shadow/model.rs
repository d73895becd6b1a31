//! What a shadow run counts: the report, bounded whatever the number of uplinks; pure.

use std::collections::BTreeMap;

use db::{TenantId, UplinkId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ingest::replays::FieldChange;

/// Examples of one class and field.
const EXAMPLES_EACH: u64 = 3;
/// Examples of a class without a field.
const EXAMPLES_CLASS: usize = 9;
/// Examples of a report.
const EXAMPLES: usize = 200;
/// Names that are counted one by one.
const NAMES: usize = 500;
/// A version that burns so much more is called slower: in percent of the one that serves.
const SLOWER_PERCENT: u64 = 150;

/// What the version makes of an uplink, beside the one that serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// The same readings.
    Same,
    /// Other readings, or fields of them.
    Changed,
    /// The one that serves refuses it.
    NewlyDecoded,
    /// The one that serves reads it.
    NewlyFailing,
    /// Both refuse it.
    BothRefuse,
}

/// What was found of one uplink.
#[derive(Debug, Clone)]
pub struct Compared {
    /// What became of it.
    pub class: Class,
    /// Its model.
    pub model: String,
    /// Differences of readings, and of the whole.
    pub differences: Vec<Difference>,
    /// Why the version refuses it, where it does.
    pub failure: Option<String>,
    /// Readings whose identity is derived in another way.
    pub keys_changed: u64,
    /// Readings that hold their content in their key, and have other content.
    pub content_keys: u64,
    /// Fuel of the one that serves and of the version.
    pub fuel: (u64, u64),
    /// Nanoseconds of both.
    pub nanoseconds: (u64, u64),
}

/// A reading that differs.
#[derive(Debug, Clone)]
pub struct Difference {
    /// Kind of the reading; empty for the uplink as a whole, and for an item of a hub's payload.
    pub kind: String,
    /// Its fields before and after.
    pub changes: Vec<FieldChange>,
}

/// An uplink as an example: no person is to be found through it but by who may see the uplink's tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Example {
    /// Whose uplink.
    pub tenant: TenantId,
    /// The uplink.
    pub uplink: UplinkId,
    /// Its model.
    pub model: String,
    /// What the version makes of it.
    pub class: Class,
    /// Kind of the reading.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Fields before and after.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<FieldChange>,
    /// Why the version refuses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// How often a field of a kind differs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldCount {
    /// The model.
    pub model: String,
    /// Kind of the reading; empty for the uplink as a whole, and for an item of a hub's payload.
    pub kind: String,
    /// The field, such as `value`, `unit`, `time`, `recordKey`; `reading` for one that appears or vanishes. Of a hub's item
    /// `device`, `id`, `deviceType`, `channel`, `bytes`, `capturedAt`, `content`; `item` for one that appears or vanishes.
    pub field: String,
    /// In how many readings.
    pub count: u64,
}

/// Counts of amounts, in steps of six percent: from it median and percentiles, in bounded memory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Histogram(BTreeMap<u32, u64>);

impl Histogram {
    /// Counts an amount.
    pub fn add(&mut self, amount: u64) {
        *self.0.entry(bucket(amount)).or_default() += 1;
    }

    /// Adds another.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.0 {
            *self.0.entry(*bucket).or_default() += count;
        }
    }

    /// The amount that `percent` of a hundred do not exceed, to six percent; 0 when nothing was counted.
    pub fn percentile(&self, percent: u64) -> u64 {
        let total: u64 = self.0.values().sum();
        let wanted = (total * percent).div_ceil(100).max(1);
        let mut seen = 0;
        for (bucket, count) in &self.0 {
            seen += count;
            if seen >= wanted {
                return least_of(*bucket);
            }
        }
        0
    }
}

/// Sixteen steps to each doubling.
fn bucket(amount: u64) -> u32 {
    if amount < 16 {
        return u32::try_from(amount).unwrap_or_default();
    }
    let exponent = amount.ilog2();
    let step = (amount >> (exponent - 4)) & 15;
    exponent * 16 + u32::try_from(step).unwrap_or_default()
}

fn least_of(bucket: u32) -> u64 {
    if bucket < 64 {
        return u64::from(bucket);
    }
    (16 + u64::from(bucket % 16)) << (bucket / 16 - 4)
}

/// The report of a shadow run, as it is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Report {
    /// Uplinks that were compared.
    pub uplinks: u64,
    /// By class.
    pub classes: BTreeMap<String, u64>,
    /// Uplinks that were not compared, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// Why the version refuses what the one that serves reads.
    pub failures: BTreeMap<String, u64>,
    /// By model, kind and field.
    pub fields: BTreeMap<String, u64>,
    /// Readings whose record key, method or kind of identity differs.
    pub keys_changed: u64,
    /// Readings that hold their content in their key, and have other content.
    pub content_keys: u64,
    /// Uplinks for which the version burns more than half as much again.
    pub slower: u64,
    /// Fuel of the one that serves.
    pub fuel_active: Histogram,
    /// Fuel of the version.
    pub fuel_version: Histogram,
    /// Nanoseconds of the one that serves.
    pub time_active: Histogram,
    /// Nanoseconds of the version.
    pub time_version: Histogram,
    /// Live uplinks that were not compared because the queue was full.
    pub dropped: u64,
    /// A few uplinks of each kind of difference.
    pub examples: Vec<Example>,
}

const APART: char = '\u{1f}';

impl Report {
    /// Counts an uplink.
    pub fn add(&mut self, tenant: TenantId, uplink: UplinkId, compared: &Compared) {
        self.uplinks += 1;
        tally(&mut self.classes, class_name(compared.class), 1);
        self.keys_changed += compared.keys_changed;
        self.content_keys += compared.content_keys;
        let (active, version) = compared.fuel;
        self.slower += u64::from(active > 0 && version.saturating_mul(100) > active.saturating_mul(SLOWER_PERCENT));
        if active > 0 {
            self.fuel_active.add(active);
            self.time_active.add(compared.nanoseconds.0);
        }
        if version > 0 {
            self.fuel_version.add(version);
            self.time_version.add(compared.nanoseconds.1);
        }
        if compared.class == Class::NewlyFailing
            && let Some(failure) = &compared.failure
        {
            tally(&mut self.failures, failure.split(':').next().unwrap_or(failure), 1);
        }
        let mut is_told = !matches!(compared.class, Class::NewlyDecoded | Class::NewlyFailing);
        for difference in &compared.differences {
            let mut is_new = false;
            for change in &difference.changes {
                let name = format!("{}{APART}{}{APART}{}", compared.model, difference.kind, change.field);
                is_new |= self.fields.get(&name).is_none_or(|count| *count < EXAMPLES_EACH);
                tally(&mut self.fields, &name, 1);
            }
            if is_new {
                self.tell(tenant, uplink, compared, &difference.kind, &difference.changes);
                is_told = true;
            }
        }
        let of_class = self.examples.iter().filter(|example| example.class == compared.class).count();
        if !is_told && of_class < EXAMPLES_CLASS {
            self.tell(tenant, uplink, compared, "", &[]);
        }
    }

    fn tell(&mut self, tenant: TenantId, uplink: UplinkId, compared: &Compared, kind: &str, changes: &[FieldChange]) {
        if self.examples.len() < EXAMPLES {
            self.examples.push(Example {
                tenant,
                uplink,
                model: compared.model.clone(),
                class: compared.class,
                kind: kind.to_owned(),
                changes: changes.to_vec(),
                failure: compared.failure.clone(),
            });
        }
    }

    /// Counts an uplink that was not compared.
    pub fn skip(&mut self, reason: &str) {
        tally(&mut self.skipped, reason, 1);
    }

    /// Adds what another process counted.
    pub fn merge(&mut self, other: &Self) {
        self.uplinks += other.uplinks;
        for (into, from) in [
            (&mut self.classes, &other.classes),
            (&mut self.skipped, &other.skipped),
            (&mut self.failures, &other.failures),
            (&mut self.fields, &other.fields),
        ] {
            for (name, count) in from {
                tally(into, name, *count);
            }
        }
        self.keys_changed += other.keys_changed;
        self.content_keys += other.content_keys;
        self.slower += other.slower;
        self.dropped += other.dropped;
        self.fuel_active.merge(&other.fuel_active);
        self.fuel_version.merge(&other.fuel_version);
        self.time_active.merge(&other.time_active);
        self.time_version.merge(&other.time_version);
        let room = EXAMPLES.saturating_sub(self.examples.len());
        self.examples.extend(other.examples.iter().take(room).cloned());
    }

    /// How many of a class.
    pub fn of(&self, class: Class) -> u64 {
        self.classes.get(class_name(class)).copied().unwrap_or_default()
    }

    /// By model, kind and field, the most frequent first.
    pub fn field_counts(&self) -> Vec<FieldCount> {
        let mut counts: Vec<FieldCount> = self
            .fields
            .iter()
            .filter_map(|(name, count)| {
                let mut parts = name.split(APART).map(str::to_owned);
                let (model, kind, field) = (parts.next()?, parts.next()?, parts.next()?);
                Some(FieldCount { model, kind, field, count: *count })
            })
            .collect();
        counts.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.cmp(b)));
        counts
    }

    /// Whether the version is slower as a whole: its median or its 99th percentile of fuel is more than half as much again.
    pub fn is_slower(&self) -> bool {
        [50, 99].into_iter().any(|percent| {
            let (active, version) = (self.fuel_active.percentile(percent), self.fuel_version.percentile(percent));
            active > 0 && version.saturating_mul(100) > active.saturating_mul(SLOWER_PERCENT)
        })
    }
}

fn class_name(class: Class) -> &'static str {
    match class {
        Class::Same => "same",
        Class::Changed => "changed",
        Class::NewlyDecoded => "newly-decoded",
        Class::NewlyFailing => "newly-failing",
        Class::BothRefuse => "both-refuse",
    }
}

fn tally(counts: &mut BTreeMap<String, u64>, name: &str, more: u64) {
    if let Some(count) = counts.get_mut(name) {
        *count += more;
    } else if counts.len() < NAMES {
        counts.insert(name.to_owned(), more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_right_to_six_percent() {
        let mut histogram = Histogram::default();
        for amount in 1..=10_000 {
            histogram.add(amount);
        }
        for (percent, exact) in [(50, 5_000_u64), (99, 9_900), (100, 10_000)] {
            let told = histogram.percentile(percent);
            assert!(told <= exact && told * 107 / 100 >= exact, "{percent}: {told}");
        }
        assert_eq!(Histogram::default().percentile(50), 0);
        for small in 0..16 {
            assert_eq!(least_of(bucket(small)), small);
        }
        assert_eq!(least_of(bucket(u64::MAX)).ilog2(), 63);
    }

    #[test]
    fn a_report_is_bounded() {
        let mut report = Report::default();
        for number in 0..2_000 {
            let change = FieldChange { field: format!("field-{number}"), before: None, after: None };
            let compared = Compared {
                class: Class::Changed,
                model: "m".to_owned(),
                differences: vec![Difference { kind: "k".to_owned(), changes: vec![change] }],
                failure: None,
                keys_changed: 0,
                content_keys: 0,
                // Well above one and a half times: the histogram is right to six percent.
                fuel: (100, 180),
                nanoseconds: (1, 1),
            };
            report.add(TenantId::generate(), UplinkId::generate(), &compared);
        }
        assert_eq!((report.uplinks, report.slower, report.of(Class::Changed)), (2_000, 2_000, 2_000));
        assert_eq!((report.fields.len(), report.examples.len()), (NAMES, EXAMPLES));
        assert!(report.is_slower());
    }
}
