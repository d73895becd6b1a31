//! Kinds of readings and what they are in FHIR: `fhir-profiles/vitals.json` as a typed table.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;

use crate::decimal::Decimal;
use crate::units::{Conversion, TableError, Units};

const SOURCE: &str = include_str!("../../../../fhir-profiles/vitals.json");
const TABLE: &str = "vitals.json";

/// FHIR's system for `Observation.category`.
pub const CATEGORY_SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/observation-category";

/// Our code system of context values (`pre-prandial`, `sitting` …); the file is in `fhir-profiles/afferent`.
pub const CONTEXT_SYSTEM: &str = "https://afferent.dev/fhir/CodeSystem/reading-context";

/// One code from one code system.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Coding {
    /// The system's URI.
    pub system: String,
    /// The code.
    pub code: String,
    /// How the system displays it.
    #[serde(default)]
    pub display: Option<String>,
}

/// FHIR's `CodeableConcept`: codings that mean the same, and a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Concept {
    /// The codings, the most important first (LOINC before MDC).
    pub codings: Vec<Coding>,
    /// What people read.
    pub text: Option<String>,
}

/// The inclusive limits of a kind, in its canonical unit.
#[derive(Debug, Clone, Deserialize)]
pub struct Limits {
    /// Nothing below this.
    pub low: Option<Decimal>,
    /// Nothing above this.
    pub high: Option<Decimal>,
    /// Why these numbers.
    pub reason: String,
}

impl Limits {
    /// Whether the number lies within, limits included.
    pub fn contain(&self, value: Decimal) -> bool {
        let low = self.low.is_none_or(|low| value.compare(low) != Ordering::Less);
        let high = self.high.is_none_or(|high| value.compare(high) != Ordering::Greater);
        low && high
    }
}

/// A part that a compound kind has.
#[derive(Debug, Clone, Deserialize)]
pub struct Part {
    /// Its kind.
    pub kind: String,
    /// Whether the profile demands it: then a missing one is written as absent.
    pub required: bool,
}

/// Two parts of which one cannot be below the other.
#[derive(Debug, Clone, Deserialize)]
pub struct Order {
    /// The kind that is at least as high.
    pub higher: String,
    /// The kind that is at most as high.
    pub lower: String,
    /// The condition that is met when it is otherwise.
    pub condition: String,
    /// Why.
    pub reason: String,
}

/// What a reading counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Whether `$lastn` may answer with it.
    pub lastn: bool,
    /// Whether thresholds and scores judge it.
    pub alerts: bool,
    /// Whether a day with it is a measured day for billing.
    pub billing: bool,
}

impl Default for Counts {
    fn default() -> Self {
        Self { lastn: true, alerts: true, billing: true }
    }
}

impl Counts {
    /// What both count for.
    pub fn and(self, other: Self) -> Self {
        Self {
            lastn: self.lastn && other.lastn,
            alerts: self.alerts && other.alerts,
            billing: self.billing && other.billing,
        }
    }
}

/// How confident the table is of a row's codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Confidence {
    /// Read in the profile or implementation guide.
    A,
    /// Read in secondary sources.
    B,
    /// Unconfirmed.
    C,
}

/// What a kind's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// A number with a unit.
    Quantity,
    /// The components carry the values.
    Components,
    /// Samples at a fixed rate: a waveform.
    Sampled,
}

/// A kind of reading.
#[derive(Debug, Clone)]
pub struct Vital {
    /// The registered word, such as `body-weight`.
    pub name: String,
    /// `Observation.code` for any unit that [`Vital::code_for`] names no other for.
    pub code: Arc<Concept>,
    /// The R4 profile that `meta.profile` claims.
    pub profile: Option<String>,
    /// `Observation.category`, with its display.
    pub categories: Arc<[Coding]>,
    /// UCUM codes that the profile (or custom) allows; others are converted.
    pub units: Vec<String>,
    /// The unit of the limits, and of comparisons between readings.
    pub canonical_unit: Option<String>,
    /// Outside: impossible, held for a person.
    pub hard: Option<Limits>,
    /// Outside: flagged.
    pub soft: Option<Limits>,
    /// The parts, in the order in which they are written.
    pub parts: Vec<Part>,
    /// Relations between the parts.
    pub order: Vec<Order>,
    /// What it counts for.
    pub counts: Counts,
    /// How sure the codes are.
    pub confidence: Confidence,
    /// Whether it occurs only as a part of another kind.
    pub component_only: bool,
    /// Whether its R4 profile allows no absent value (body mass index).
    pub value_required: bool,
    /// Whether it is a number, a waveform, or made of parts.
    pub shape: Shape,
    codes_by_unit: HashMap<String, Arc<Concept>>,
    conversions: Vec<Conversion>,
}

impl Vital {
    /// Whether it is a vital sign in FHIR's sense, and the profile `vitalsigns` binds it.
    pub fn is_vital_sign(&self) -> bool {
        self.categories.iter().any(|category| category.code == "vital-signs")
    }

    /// `Observation.code` for a value in this unit: glucose in mmol/L has other LOINC codes than in mg/dL.
    pub fn code_for(&self, unit: Option<&str>) -> &Arc<Concept> {
        unit.and_then(|unit| self.codes_by_unit.get(unit)).unwrap_or(&self.code)
    }

    /// The conversion to another unit: the kind's own (glucose by its molar mass), else the general one.
    pub fn conversion<'a>(&'a self, units: &'a Units, from: &str, to: &str) -> Option<&'a Conversion> {
        let own = self.conversions.iter().find(|row| row.from == from && row.to == to);
        own.or_else(|| units.conversion(from, to))
    }
}

/// A body site, method or context value in FHIR.
type Concepts = HashMap<String, Arc<Concept>>;

/// How a context of a reading is written: as a component of the Observation.
#[derive(Debug, Clone)]
pub struct Context {
    /// The component's code.
    pub code: Arc<Concept>,
    /// The unit, for contexts that are amounts; nothing for coded ones.
    pub unit: Option<String>,
    values: Concepts,
}

impl Context {
    /// The concept for one of the registered values.
    pub fn value(&self, name: &str) -> Option<&Arc<Concept>> {
        self.values.get(name)
    }
}

/// The table of kinds, body sites, methods and contexts.
#[derive(Debug, Clone)]
pub struct Vitals {
    kinds: HashMap<String, Arc<Vital>>,
    body_sites: Concepts,
    methods: Concepts,
    contexts: HashMap<String, Context>,
}

impl Vitals {
    /// Reads the table that is built into the binary and checks it against the units.
    pub fn load(units: &Units) -> Result<Self, TableError> {
        let file: File = serde_json::from_str(SOURCE).map_err(|source| TableError::Json { table: TABLE, source })?;
        let categories = &file.categories;
        let kinds = file.kinds.into_iter().map(|row| {
            let vital = row.into_vital(categories)?;
            Ok((vital.name.clone(), Arc::new(vital)))
        });
        let kinds: HashMap<_, _> = kinds.collect::<Result<_, TableError>>()?;
        let table = Self {
            kinds,
            body_sites: concepts(file.body_sites),
            methods: concepts(file.methods),
            contexts: file.contexts.into_iter().map(ContextRow::into_entry).collect(),
        };
        table.check(units)?;
        Ok(table)
    }

    /// The kind with this registered name.
    pub fn kind(&self, name: &str) -> Option<&Arc<Vital>> {
        self.kinds.get(name)
    }

    /// Every kind, in no order.
    pub fn kinds(&self) -> impl Iterator<Item = &Arc<Vital>> {
        self.kinds.values()
    }

    /// A registered body site.
    pub fn body_site(&self, name: &str) -> Option<&Arc<Concept>> {
        self.body_sites.get(name)
    }

    /// A registered method.
    pub fn method(&self, name: &str) -> Option<&Arc<Concept>> {
        self.methods.get(name)
    }

    /// A registered context.
    pub fn context(&self, name: &str) -> Option<&Context> {
        self.contexts.get(name)
    }

    /// Units exist, allowed units reach the canonical one, parts exist.
    fn check(&self, units: &Units) -> Result<(), TableError> {
        for vital in self.kinds.values() {
            let reachable = |unit: &String| match &vital.canonical_unit {
                Some(canonical) => unit == canonical || vital.conversion(units, unit, canonical).is_some(),
                None => vital.hard.is_none() && vital.soft.is_none(),
            };
            let sound_units = vital.units.iter().all(|unit| units.unit(unit).is_some() && reachable(unit));
            let sound_parts = vital.parts.iter().all(|part| self.kinds.contains_key(&part.kind));
            if !sound_units || !sound_parts || !vital.conversions.iter().all(Conversion::is_sound) {
                return Err(problem(format!("{}: a unit, conversion or part is not usable", vital.name)));
            }
        }
        Ok(())
    }
}

fn problem(problem: String) -> TableError {
    TableError::Content { table: TABLE, problem }
}

fn concepts(rows: Vec<NamedConcept>) -> Concepts {
    rows.into_iter().map(|row| (row.name, Arc::new(Concept { codings: row.codings, text: Some(row.text) }))).collect()
}

/// The file as it stands.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    categories: Vec<Category>,
    kinds: Vec<KindRow>,
    body_sites: Vec<NamedConcept>,
    methods: Vec<NamedConcept>,
    contexts: Vec<ContextRow>,
}

#[derive(Deserialize)]
struct Category {
    code: String,
    display: String,
}

#[derive(Deserialize)]
struct NamedConcept {
    name: String,
    text: String,
    #[serde(default)]
    codings: Vec<Coding>,
}

#[derive(Deserialize)]
struct ContextRow {
    name: String,
    text: String,
    codings: Vec<Coding>,
    unit: Option<String>,
    values: Vec<NamedConcept>,
}

impl ContextRow {
    fn into_entry(mut self) -> (String, Context) {
        for value in &mut self.values {
            value.codings.push(Coding {
                system: CONTEXT_SYSTEM.to_owned(),
                code: value.name.clone(),
                display: Some(value.text.clone()),
            });
        }
        let code = Arc::new(Concept { codings: self.codings, text: Some(self.text) });
        (self.name, Context { code, unit: self.unit, values: concepts(self.values) })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KindRow {
    name: String,
    title: String,
    codings: Vec<Coding>,
    #[serde(default)]
    codings_by_unit: HashMap<String, Vec<Coding>>,
    profile: Option<String>,
    category: Vec<String>,
    #[serde(default)]
    units: Vec<String>,
    canonical_unit: Option<String>,
    #[serde(default)]
    conversions: Vec<Conversion>,
    hard: Option<Limits>,
    soft: Option<Limits>,
    #[serde(default)]
    components: Vec<Part>,
    #[serde(default)]
    order: Vec<Order>,
    counts: Counts,
    confidence: Confidence,
    #[serde(default)]
    component_only: bool,
    #[serde(default)]
    value_required: bool,
    #[serde(rename = "value")]
    shape: Shape,
}

impl KindRow {
    fn into_vital(self, categories: &[Category]) -> Result<Vital, TableError> {
        let concept = |codings| Arc::new(Concept { codings, text: Some(self.title.clone()) });
        let category = |code: &String| {
            let row = categories.iter().find(|row| &row.code == code);
            let row = row.ok_or_else(|| problem(format!("{}: unknown category {code}", self.name)))?;
            let (system, code, display) = (CATEGORY_SYSTEM.to_owned(), row.code.clone(), Some(row.display.clone()));
            Ok(Coding { system, code, display })
        };
        Ok(Vital {
            code: concept(self.codings),
            codes_by_unit: self.codings_by_unit.into_iter().map(|(unit, codings)| (unit, concept(codings))).collect(),
            categories: self.category.iter().map(category).collect::<Result<Arc<[_]>, TableError>>()?,
            name: self.name,
            profile: self.profile,
            units: self.units,
            canonical_unit: self.canonical_unit,
            hard: self.hard,
            soft: self.soft,
            parts: self.components,
            order: self.order,
            counts: self.counts,
            confidence: self.confidence,
            component_only: self.component_only,
            value_required: self.value_required,
            shape: self.shape,
            conversions: self.conversions,
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    const LOINC: &str = "http://loinc.org";

    fn vitals() -> Vitals {
        Vitals::load(&Units::load().unwrap()).unwrap()
    }

    #[test]
    fn every_profile_of_r4_has_its_magic_loinc_code_first() {
        let vitals = vitals();
        for (kind, code, profile) in [
            ("blood-pressure", "85354-9", "bp"),
            ("pulse-rate", "8867-4", "heartrate"),
            ("oxygen-saturation", "2708-6", "oxygensat"),
            ("body-temperature", "8310-5", "bodytemp"),
            ("body-weight", "29463-7", "bodyweight"),
            ("body-height", "8302-2", "bodyheight"),
            ("body-mass-index", "39156-5", "bmi"),
            ("respiratory-rate", "9279-1", "resprate"),
        ] {
            let vital = vitals.kind(kind).unwrap();
            let first = vital.code.codings.first().unwrap();
            assert_eq!((first.system.as_str(), first.code.as_str()), (LOINC, code), "{kind}");
            let claimed = format!("http://hl7.org/fhir/StructureDefinition/{profile}");
            assert_eq!(vital.profile.as_deref(), Some(claimed.as_str()), "{kind}");
            assert!(vital.categories.iter().any(|category| category.code == "vital-signs"), "{kind}");
        }
    }

    #[test]
    fn soft_limits_lie_within_the_hard_ones() {
        for vital in vitals().kinds() {
            let (Some(hard), Some(soft)) = (&vital.hard, &vital.soft) else { continue };
            let inside = [soft.low, soft.high].into_iter().flatten().all(|limit| hard.contain(limit));
            assert!(inside, "{}", vital.name);
            assert!(!hard.reason.is_empty() && !soft.reason.is_empty(), "{}", vital.name);
        }
    }

    #[test]
    fn limits_are_inclusive_and_exact() {
        let vitals = vitals();
        let hard = vitals.kind("oxygen-saturation").unwrap().hard.clone().unwrap();
        assert!(hard.contain("100".parse().unwrap()) && hard.contain("100.00".parse().unwrap()));
        assert!(!hard.contain("100.01".parse().unwrap()) && !hard.contain("-0.1".parse().unwrap()));
    }

    #[test]
    fn glucose_has_its_own_codes_and_conversion_per_unit() {
        let (vitals, units) = (vitals(), Units::load().unwrap());
        let glucose = vitals.kind("glucose-capillary").unwrap();
        assert_eq!(glucose.code_for(Some("mg/dL")).codings.first().unwrap().code, "41653-7");
        assert_eq!(glucose.code_for(Some("mmol/L")).codings.first().unwrap().code, "14743-9");
        let conversion = glucose.conversion(&units, "mmol/L", "mg/dL").unwrap();
        assert_eq!(conversion.apply("5.5".parse().unwrap()).unwrap().to_string(), "99.1");
    }
}
