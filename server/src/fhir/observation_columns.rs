//! What of an Observation stands in typed columns beside its text: read from JSON that has been validated.

use chrono::{DateTime, Utc};
use fhir_model::datetime::DateRange;
use fhir_model::parameters::{earliest, latest};
use fhir_model::parse::Resource;
use fhir_model::reference::Reference;
use serde_json::Value;

use super::concepts::Codings;

/// The half-open range of instants that `effective[x]` covers.
pub(crate) type Effective = (DateTime<Utc>, DateTime<Utc>);

/// The searchable parts of an Observation, before codes and systems are interned.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ObservationColumns {
    /// `identifier` as (system, value); the system is empty where there is none. Those without a value are left out.
    pub(crate) identifiers: Vec<(String, String)>,
    /// `status`
    pub(crate) status: String,
    /// `code.coding`; empty when the code is text only.
    pub(crate) code: Codings,
    /// `category.coding`, a set for each category that has codings.
    pub(crate) categories: Vec<Codings>,
    /// `subject` as (type, id); a reference to elsewhere has the empty type and the URL as its id.
    pub(crate) subject: Option<(String, String)>,
    /// `device`: the id of a Device of this server; any other reference whole, which no id can be mistaken for.
    pub(crate) device: Option<String>,
    /// `effective[x]`
    pub(crate) effective: Option<Effective>,
    /// `valueQuantity` as a float, for comparisons only.
    pub(crate) value_number: Option<f64>,
    /// The quantity's code, or its unit where it has no code.
    pub(crate) value_unit: Option<String>,
}

impl ObservationColumns {
    /// Reads the columns; `own_bases` are the URLs under which references mean this server.
    pub(crate) fn of(observation: &Resource, own_bases: &[&str]) -> Self {
        let quantity = observation.get("valueQuantity");
        let value_number = quantity.and_then(|quantity| quantity.get("value")).and_then(Value::as_f64);
        let unit = |name| quantity.and_then(|quantity| quantity.get(name)).and_then(Value::as_str);
        Self {
            identifiers: identifiers(observation),
            status: observation.string("status").unwrap_or_default().to_owned(),
            code: observation.get("code").map(codings).unwrap_or_default(),
            categories: items(observation.get("category")).map(codings).filter(|set| !set.is_empty()).collect(),
            subject: reference(observation.get("subject"), own_bases),
            device: reference(observation.get("device"), own_bases).map(|(resource_type, id)| {
                match resource_type.as_str() {
                    "Device" | "" => id,
                    other => format!("{other}/{id}"),
                }
            }),
            effective: effective(observation),
            value_number: value_number.filter(|number| number.is_finite()),
            value_unit: value_number.and_then(|_| unit("code").or_else(|| unit("unit"))).map(str::to_owned),
        }
    }

    /// The Patient the Observation is about.
    pub(crate) fn patient(&self) -> Option<&str> {
        self.subject.as_ref().filter(|(resource_type, _)| resource_type == "Patient").map(|(_, id)| id.as_str())
    }

    /// Whether `$lastn`, alerts and billing count it: a result that stands.
    pub(crate) fn is_counted(&self) -> bool {
        matches!(self.status.as_str(), "final" | "amended" | "corrected")
    }
}

/// A resource's identifiers that have a value, without repetitions.
pub(crate) fn identifiers(resource: &Resource) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for identifier in resource.identifiers() {
        let Some(value) = identifier.value else { continue };
        let pair = (identifier.system.unwrap_or_default().to_owned(), value.to_owned());
        if !found.contains(&pair) {
            found.push(pair);
        }
    }
    found
}

fn items(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

fn codings(concept: &Value) -> Codings {
    items(concept.get("coding"))
        .filter_map(|coding| {
            let code = coding.get("code")?.as_str()?;
            Some((coding.get("system").and_then(Value::as_str).unwrap_or_default().to_owned(), code.to_owned()))
        })
        .collect()
}

fn reference(value: Option<&Value>, own_bases: &[&str]) -> Option<(String, String)> {
    let text = value?.get("reference")?.as_str()?;
    let parsed = Reference::parse(text)?;
    if let Some(local) = parsed.on_server(own_bases) {
        return Some((local.resource_type.to_owned(), local.id.to_owned()));
    }
    matches!(parsed, Reference::Absolute { .. } | Reference::Urn(_) | Reference::Url(_))
        .then(|| (String::new(), text.to_owned()))
}

fn effective(observation: &Resource) -> Option<Effective> {
    for name in ["effectiveDateTime", "effectiveInstant"] {
        if let Some(text) = observation.string(name) {
            return range(Some(text));
        }
    }
    if let Some(period) = observation.get("effectivePeriod") {
        let start = range(period.get("start").and_then(Value::as_str));
        let end = range(period.get("end").and_then(Value::as_str));
        if start.is_none() && end.is_none() {
            return None;
        }
        // An open end is unbounded (search.html#date).
        let low = start.map_or_else(earliest, |(low, _)| low);
        let high = end.map_or_else(latest, |(_, high)| high);
        return Some((low, high.max(low)));
    }
    let events = items(observation.get("effectiveTiming")?.get("event"));
    events
        .filter_map(|event| range(event.as_str()))
        .reduce(|(low, high), (next_low, next_high)| (low.min(next_low), high.max(next_high)))
}

fn range(text: Option<&str>) -> Option<Effective> {
    let range = DateRange::parse(text?).ok()?;
    Some((range.low, range.high))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use fhir_model::parse::Limits;

    use super::*;

    fn columns(json: &str) -> ObservationColumns {
        let resource = Resource::from_slice(json.as_bytes(), &Limits::default()).unwrap();
        ObservationColumns::of(&resource, &["https://a.example/fhir/r4"])
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn reads_every_column() {
        let found = columns(
            r#"{"resourceType":"Observation","status":"final",
                "identifier":[{"system":"urn:x","value":"1"},{"value":"2"},{"system":"urn:x"},{"system":"urn:x","value":"1"}],
                "category":[{"coding":[{"system":"c","code":"vital-signs"}]},{"text":"free"}],
                "code":{"coding":[{"system":"http://loinc.org","code":"29463-7"},{"code":"local"}],"text":"weight"},
                "subject":{"reference":"https://a.example/fhir/r4/Patient/p1"},"device":{"reference":"Device/d1"},
                "effectiveDateTime":"2026-11-22","valueQuantity":{"value":97.50,"unit":"kg","code":"kg"}}"#,
        );
        assert_eq!(found.identifiers, [("urn:x".into(), "1".into()), (String::new(), "2".into())]);
        assert_eq!(found.code, [("http://loinc.org".into(), "29463-7".into()), (String::new(), "local".into())]);
        assert_eq!(found.categories, [vec![("c".to_owned(), "vital-signs".to_owned())]]);
        assert_eq!((found.patient(), found.device.as_deref()), (Some("p1"), Some("d1")));
        assert_eq!(found.effective, Some((at("2026-11-22T00:00:00Z"), at("2026-11-23T00:00:00Z"))));
        assert_eq!((found.value_number, found.value_unit.as_deref()), (Some(97.5), Some("kg")));
        assert!(found.is_counted());
    }

    #[test]
    fn a_subject_elsewhere_is_no_patient_of_ours() {
        let found = columns(
            r#"{"resourceType":"Observation","status":"entered-in-error","code":{"text":"x"},
                "subject":{"reference":"https://b.example/fhir/Patient/p1"}}"#,
        );
        assert_eq!(found.patient(), None);
        assert_eq!(found.subject, Some((String::new(), "https://b.example/fhir/Patient/p1".into())));
        assert!(found.code.is_empty() && found.effective.is_none() && !found.is_counted());
    }

    #[test]
    fn periods_may_be_open_and_timings_span_their_events() {
        let open = columns(r#"{"resourceType":"Observation","effectivePeriod":{"start":"2026-11-22T10:00:00Z"}}"#);
        assert_eq!(open.effective, Some((at("2026-11-22T10:00:00Z"), latest())));
        let timing =
            columns(r#"{"resourceType":"Observation","effectiveTiming":{"event":["2026-11-23","2026-11-21"]}}"#);
        assert_eq!(timing.effective, Some((at("2026-11-21T00:00:00Z"), at("2026-11-24T00:00:00Z"))));
    }
}
