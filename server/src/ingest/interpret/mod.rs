//! From a reading to its clinical meaning, without I/O: what was measured, when, how sure that is, and what becomes of it.
//!
//! [`interpret`] runs before the transaction and needs no database. [`author`] runs inside it, when the ids and the subject
//! are known, and writes the Observation with its index columns. Everything that is data (codes, units, limits,
//! dispositions) stands in `fhir-profiles/` and is read once into [`Tables`].

mod author;
mod identity;
mod outlook;
mod repeated_hour;
mod samples;
#[cfg(test)]
mod tests;
mod time;
mod values;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use fhir_model::decimal::Decimal;
use fhir_model::dispositions::{Disposition, Dispositions};
use fhir_model::observation::{Draft, ExtensionValue, Measure, Value};
use fhir_model::units::{TableError, Units};
use fhir_model::vitals::{Counts, Vitals};
use plugin_host::Reading;

pub use author::{Authored, author, source_uri};
pub use identity::{ReadingKey, RecordIdentity, stable_identifier};
pub use outlook::{consequences, outlook, preview};
pub use repeated_hour::{RepeatedHour, repeated_hours};
pub use time::{FIRST_YEAR, MeasuredTime, TimeSource};

/// How far a device's clock may run ahead of the receipt before its time is not believed.
pub const FUTURE_TOLERANCE: TimeDelta = TimeDelta::minutes(15);

/// The tables of `fhir-profiles/`, read once at start.
#[derive(Debug, Clone)]
pub struct Tables {
    /// Units and conversions.
    pub units: Units,
    /// Kinds of readings.
    pub vitals: Vitals,
    /// What becomes of odd ones.
    pub dispositions: Dispositions,
}

impl Tables {
    /// Reads the tables that are built into the binary.
    ///
    /// # Errors
    /// [`TableError`] when a table was edited wrongly; a test loads them all.
    pub fn load() -> Result<Self, TableError> {
        let units = Units::load()?;
        let vitals = Vitals::load(&units)?;
        Ok(Self { units, vitals, dispositions: Dispositions::load()? })
    }
}

/// What the host knows about the moment and the place of a reading.
#[derive(Debug, Clone)]
pub struct InterpretContext {
    /// When the platform got the uplink.
    pub received_at: DateTime<Utc>,
    /// When the phone or hub got the frame, as it says.
    pub captured_at: Option<DateTime<Utc>>,
    /// The zone of a wall clock without one: the payload's, else the device's, the site's, the tenant's.
    pub zone: Tz,
    /// How far the device's clock is behind ours, where that was measured; it is added to the device's time.
    pub clock_offset: Option<TimeDelta>,
    /// Only device times from then on are corrected: a clock that missed a change of daylight saving was right before it.
    pub clock_offset_since: Option<DateTime<Utc>>,
    /// Which of the two hours a wall clock means when daylight saving ends, where the payload's order tells.
    pub repeated: RepeatedHour,
    /// How far ahead of the receipt a device's time may lie: [`FUTURE_TOLERANCE`] unless the model says otherwise.
    pub future_tolerance: TimeDelta,
}

impl InterpretContext {
    /// A context with the usual tolerance, no capture and no measured offset.
    pub fn new(received_at: DateTime<Utc>, zone: Tz) -> Self {
        Self {
            received_at,
            captured_at: None,
            zone,
            clock_offset: None,
            clock_offset_since: None,
            repeated: RepeatedHour::Unknown,
            future_tolerance: FUTURE_TOLERANCE,
        }
    }
}

/// A reading with its meaning, ready for the transaction.
#[derive(Debug, Clone)]
pub struct Interpreted {
    /// The registered kind, or `system|code` where the decoder named codings only.
    pub kind: String,
    /// The kind as the identifier sees it: with the method, because one record may hold the same kind measured in two ways
    /// (an oximeter's fast and slow averages).
    pub identity_kind: String,
    /// How it is recognised when it comes again.
    pub identity: RecordIdentity,
    /// When it was measured.
    pub time: MeasuredTime,
    /// The rows of the table that it meets: the decoder's flags and what the host found.
    pub conditions: Vec<String>,
    /// What becomes of it, as far as is known before the transaction.
    pub disposition: Disposition,
    /// What its kind counts for.
    pub counts: Counts,
    /// The Observation, but for what the transaction knows.
    pub draft: Draft,
    /// The main value as a number.
    pub measure: Option<Measure>,
    /// The components' numbers.
    pub components: Vec<Measure>,
}

impl Interpreted {
    /// Adds a row of the table that something outside the reading brings about.
    pub fn add_condition(&mut self, condition: &str, tables: &Tables) {
        self.conditions.push(condition.to_owned());
        self.disposition = tables.dispositions.resolve(self.counts, self.conditions.iter().map(String::as_str));
    }

    /// The registered warnings that the host raises about this reading; the decoder's own come on top.
    pub fn warnings(&self) -> &[String] {
        &self.disposition.warnings
    }
}

/// Finds out what a reading means. Pure: the same input gives the same result.
pub fn interpret(reading: &Reading, context: &InterpretContext, tables: &Tables) -> Interpreted {
    let vital = tables.vitals.kind(&reading.kind).map(Arc::as_ref);
    let context = &InterpretContext { zone: payload_zone(reading).unwrap_or(context.zone), ..context.clone() };
    let time = time::resolve(reading, context);
    let judged = tables.dispositions.is_judged(reading.flags.iter().map(String::as_str));
    let contents = values::read(reading, vital, judged, tables);
    let counts = vital.map(|vital| vital.counts).unwrap_or_default();

    let mut conditions = reading.flags.clone();
    conditions.extend(time.conditions.iter().map(|&condition| condition.to_owned()));
    conditions.extend(contents.conditions);
    if vital.is_none() && (reading.codings.is_empty() || !reading.kind.is_empty()) {
        conditions.push("unknown-kind".to_owned());
    }
    if vital.is_some_and(|vital| vital.component_only) {
        conditions.push("part-alone".to_owned());
    }
    let resolve = |conditions: &[String]| tables.dispositions.resolve(counts, conditions.iter().map(String::as_str));
    let mut disposition = resolve(&conditions);
    let absent = disposition.absent.is_some() || matches!(contents.main.value, Value::Absent(_));
    if absent && vital.is_some_and(|vital| vital.value_required) {
        conditions.push("nothing-derived".to_owned());
        disposition = resolve(&conditions);
    }

    let mut extensions = extensions(reading, &time);
    let circumstances = contents.circumstances.into_iter();
    extensions.extend(circumstances.map(|concept| ("reading-context", ExtensionValue::Concept(concept))));

    let kind = kind_name(reading);
    let captured_at_ms = context.captured_at.map(|captured| captured.timestamp_millis());
    let draft = Draft {
        profile: vital.and_then(|vital| vital.profile.clone()),
        categories: vital.map(|vital| Arc::clone(&vital.categories)).unwrap_or_default(),
        code: values::code(&reading.kind, &reading.codings, vital, contents.main.unit()),
        effective: time.effective(),
        value: contents.main.value,
        components: contents.components,
        body_site: reading.body_site.as_ref().and_then(|site| tables.vitals.body_site(site)).cloned(),
        method: reading.method.as_ref().and_then(|method| tables.vitals.method(method)).cloned(),
        extensions,
    };
    Interpreted {
        identity_kind: identity_kind(&kind, reading),
        kind,
        identity: identity::identity(reading, captured_at_ms),
        time,
        conditions,
        disposition,
        counts,
        draft,
        measure: contents.main.measure,
        components: contents.measures,
    }
}

/// The zone that the payload itself names, in the reading's `extra`: it goes before what is configured. A name that is no
/// zone says nothing.
fn payload_zone(reading: &Reading) -> Option<Tz> {
    reading.extra.iter().find(|pair| pair.name == "time-zone")?.value.parse().ok()
}

fn kind_name(reading: &Reading) -> String {
    match reading.codings.first() {
        Some(coding) if reading.kind.is_empty() => format!("{}|{}", coding.system, coding.code),
        _ => reading.kind.clone(),
    }
}

fn identity_kind(kind: &str, reading: &Reading) -> String {
    match &reading.method {
        Some(method) => format!("{kind}/{method}"),
        None => kind.to_owned(),
    }
}

fn extensions(reading: &Reading, time: &MeasuredTime) -> Vec<(&'static str, ExtensionValue)> {
    let text = |name, text: &Option<String>| Some((name, ExtensionValue::Text(text.clone()?)));
    let offset = time.clock_offset.and_then(|offset| Decimal::new(offset.num_milliseconds(), -3).ok());
    let source = ExtensionValue::Code(time.source.code().to_owned());
    [
        text("device-local-time", &time.device_text),
        text("device-local-time-end", &time.device_text_end),
        Some(("time-source", source)),
        offset.map(|seconds| ("clock-offset", ExtensionValue::Seconds(seconds))),
        text("user-slot", &reading.user_slot),
    ]
    .into_iter()
    .flatten()
    .collect()
}
