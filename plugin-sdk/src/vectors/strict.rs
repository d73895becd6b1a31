//! What is wrong with a line of vectors before any decoder sees it: members that nobody knows, values of another type, words
//! that are in no registry. An expectation that is not understood would pass whatever the decoder says.

use serde_json::{Map, Value as Json};

use super::{Vector, details, names, words};
use crate::Manifest;
use crate::registry::{body_sites, clock_states, fact_kinds, flags, methods, nothing_reasons, warnings};

/// What may be expected of a payload.
const OUTCOMES: &[&str] = &["decoded", "no-observation", "reject", "incomplete"];
/// The bounds that a value can be.
const COMPARATORS: &[&str] = &["<", "<=", ">=", ">"];

/// What a member must be.
#[derive(Clone, Copy)]
enum Shape {
    Text,
    /// A text, or `null` for none.
    TextOrNone,
    Number,
    /// A number, a text or a truth value.
    Plain,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of these words.
    Words(&'static [&'static str]),
    /// An object whose names are these words, and whose values are texts or `null`.
    Pairs(&'static [&'static str]),
    /// An object with these members.
    Object(Members),
    /// A list of objects with these members.
    Objects(Members),
    /// Whatever the author likes, or what is checked elsewhere.
    Free,
}

type Members = &'static [(&'static str, Shape)];

/// A line.
const LINE: Members = &[
    ("id", Shape::Text),
    ("format", Shape::Text),
    ("channel", Shape::Text),
    ("payload_hex", Shape::Free),
    ("payload_json", Shape::Free),
    ("context", Shape::Free),
    ("expected", Shape::Object(EXPECTED)),
    ("notes", Shape::Text),
    // Where a collected line is from; `expected_from` decides whether readings of other kinds may come beside.
    ("kind", Shape::Word(&["positive", "negative", "quirk"])),
    ("source", Shape::Text),
    ("license", Shape::Text),
    ("device", Shape::Text),
    ("characteristic_or_vendor", Shape::Text),
    ("provenance", Shape::Text),
    ("found_in", Shape::Text),
    ("expected_from", Shape::Word(&["source", "spec"])),
];

const EXPECTED: Members = &[
    ("outcome", Shape::Word(OUTCOMES)),
    ("accept", Shape::Words(OUTCOMES)),
    ("reason", Shape::Text),
    ("message", Shape::Text),
    ("observations", Shape::Objects(OBSERVATION)),
    ("device_time_local", Shape::Text),
    ("timestamp_unusable", Shape::Text),
    ("warnings", Shape::Words(warnings::ALL)),
    ("facts", Shape::Pairs(fact_kinds::ALL)),
    // Formats that are one number.
    ("decimal", Shape::Text),
    ("dataAbsentReason", Shape::Text),
    ("value", Shape::Plain),
    ("special", Shape::Text),
    // Raw fields and remarks.
    ("fields", Shape::Free),
    ("record_key_hint", Shape::Text),
    ("status_hint", Shape::Text),
];

const OBSERVATION: Members = &[
    ("kind", Shape::Text),
    ("loinc", Shape::Text),
    ("mdc", Shape::Plain),
    ("value", Shape::Plain),
    ("unit", Shape::Text),
    ("comparator", Shape::Word(COMPARATORS)),
    ("dataAbsentReason", Shape::Text),
    ("sampledData", Shape::Object(SAMPLES)),
    ("components", Shape::Objects(COMPONENT)),
    ("effective", Shape::Text),
    ("effectivePeriod", Shape::Free),
    ("device_time_local", Shape::Text),
    ("offset_min", Shape::Number),
    ("device", Shape::Text),
    ("flags", Shape::Words(flags::ALL)),
    ("clock", Shape::Word(clock_states::ALL)),
    ("recordKey", Shape::TextOrNone),
    ("slot", Shape::TextOrNone),
    ("bodySite", Shape::Word(body_sites::ALL)),
    ("method", Shape::Word(methods::ALL)),
    ("context", Shape::Pairs(crate::registry::contexts::ALL)),
    ("deviceIdentity", Shape::Pairs(crate::registry::device_identity::ALL)),
    // Remarks of collected lines.
    ("modality", Shape::Text),
    ("band", Shape::Text),
    ("offset_s", Shape::Number),
    ("trend", Shape::Number),
];

const COMPONENT: Members = &[
    ("kind", Shape::Text),
    ("loinc", Shape::Text),
    ("mdc", Shape::Plain),
    ("value", Shape::Plain),
    ("unit", Shape::Text),
    ("comparator", Shape::Word(COMPARATORS)),
    ("dataAbsentReason", Shape::Text),
    ("sampledData", Shape::Object(SAMPLES)),
];

const SAMPLES: Members = &[
    ("unit", Shape::Text),
    ("origin", Shape::Text),
    ("period", Shape::Text),
    ("factor", Shape::Text),
    ("lowerLimit", Shape::Text),
    ("upperLimit", Shape::Text),
    ("dimensions", Shape::Text),
    ("data", Shape::Text),
];

/// A line that was read, and what is wrong with it.
#[derive(Debug, Clone, Default)]
pub struct Checked {
    /// The vector, where nothing keeps it from being run.
    pub vector: Option<Vector>,
    /// What is wrong with the line, a sentence each.
    pub problems: Vec<String>,
    /// What a person should look at.
    pub notices: Vec<String>,
}

/// Reads a line for a decoder, and checks that every word of it is understood.
#[must_use]
pub fn check(line: &str, manifest: &Manifest) -> Checked {
    let mut checked = Checked::default();
    let json: Json = match serde_json::from_str(line) {
        Ok(json) => json,
        Err(error) => {
            // A line is all that the reader sees, so that its own count of lines says nothing.
            let (column, error) = (error.column(), error.to_string());
            let what = error.split(" at line ").next().unwrap_or_default();
            checked.problems.push(format!("this is no JSON: {what}, at character {column}"));
            return checked;
        }
    };
    let Some(members) = json.as_object() else {
        checked.problems.push("a line is an object, `{…}`".to_owned());
        return checked;
    };
    let problems = &mut checked.problems;
    object(members, LINE, "", problems);
    if let Some(expected) = members.get("expected").and_then(Json::as_object) {
        contradictions(expected, problems, &mut checked.notices);
    }
    match Vector::parse(line) {
        Ok(vector) => {
            format(&vector, manifest, problems);
            checked.vector = Some(vector);
        }
        Err(problem) => problems.push(problem),
    }
    checked
}

/// The format must be a model, and the channel one of it.
fn format(vector: &Vector, manifest: &Manifest, problems: &mut Vec<String>) {
    let names = || manifest.models.iter().map(|model| model.name.as_str());
    let Some(model) = manifest.models.iter().find(|model| model.name == vector.format) else {
        let meant = suggestion(&vector.format, names());
        let names = words::listed(names());
        return problems.push(format!(
            "`format`: `{}` is no model of this decoder{meant}; its models are: {names}",
            vector.format
        ));
    };
    if let Some(channel) = vector.channel.as_deref().filter(|channel| !model.channels.iter().any(|own| own == channel)) {
        let channels = words::listed(model.channels.iter().map(String::as_str));
        problems.push(format!("`channel`: `{channel}` is no channel of {}; its channels are: {channels}", model.name));
    }
}

fn object(members: &Map<String, Json>, known: Members, place: &str, problems: &mut Vec<String>) {
    for (name, value) in members {
        let place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
        match known.iter().find(|(known, _)| known == name) {
            Some((_, shape)) => check_shape(value, *shape, &place, problems),
            None => {
                let names = || known.iter().map(|(name, _)| *name);
                let meant = suggestion(name, names());
                // Where nothing is near, the whole list helps.
                let list = if meant.is_empty() {
                    format!("; known are: {}", words::listed(names()))
                } else {
                    String::new()
                };
                problems.push(format!("`{place}` is no member that is known{meant}{list}"));
            }
        }
    }
}

fn suggestion<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    words::nearest(word, known).map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default()
}

fn check_shape(value: &Json, shape: Shape, place: &str, problems: &mut Vec<String>) {
    let mut wrong = |wanted: &str| problems.push(format!("`{place}` is {wanted}, and not {value}"));
    match (shape, value) {
        (Shape::Free, _)
        | (Shape::Text, Json::String(_))
        | (Shape::TextOrNone, Json::String(_) | Json::Null)
        | (Shape::Number, Json::Number(_))
        | (Shape::Plain, Json::String(_) | Json::Number(_) | Json::Bool(_) | Json::Null) => {}
        (Shape::Text, _) => wrong("a text"),
        (Shape::TextOrNone, _) => wrong("a text, or null for none"),
        (Shape::Number, _) => wrong("a number"),
        (Shape::Plain, _) => wrong("a number, a text, true or false"),
        (Shape::Word(known), Json::String(given)) => word(given, known, place, problems),
        (Shape::Word(known), _) => wrong(&format!("one of {}", words::listed(known.iter().copied()))),
        (Shape::Words(known), Json::Array(list)) => {
            for (index, item) in list.iter().enumerate() {
                check_shape(item, Shape::Word(known), &format!("{place}[{index}]"), problems);
            }
        }
        (Shape::Words(_), _) => wrong("a list of words"),
        (Shape::Pairs(known), Json::Object(members)) => {
            for (name, value) in members {
                word(name, known, place, problems);
                check_shape(value, Shape::TextOrNone, &format!("{place}.{name}"), problems);
            }
        }
        (Shape::Object(known), Json::Object(members)) => object(members, known, place, problems),
        (Shape::Pairs(_) | Shape::Object(_), _) => wrong("an object"),
        (Shape::Objects(known), Json::Array(list)) => {
            for (index, item) in list.iter().enumerate() {
                let place = format!("{place}[{index}]");
                check_shape(item, Shape::Object(known), &place, problems);
                named(item, &place, problems);
            }
        }
        (Shape::Objects(_), _) => wrong("a list of objects"),
    }
}

fn word(given: &str, known: &[&str], place: &str, problems: &mut Vec<String>) {
    if known.contains(&given) {
        return;
    }
    let meant = suggestion(given, known.iter().copied());
    // The long lists (flags) help nobody where a near word is known.
    let list =
        if meant.is_empty() || known.len() < 10 { format!("; known are: {}", known.join(", ")) } else { String::new() };
    problems.push(format!("`{place}`: `{given}` is not known{meant}{list}"));
}

/// An observation or component names what it is.
fn named(item: &Json, place: &str, problems: &mut Vec<String>) {
    let kind = item.get("kind").and_then(Json::as_str);
    if kind.is_none() && ["loinc", "mdc"].iter().all(|code| item.get(*code).is_none()) {
        problems.push(format!("`{place}` says neither `kind` nor `loinc`: what is it?"));
    }
    if let Some(kind) = kind.filter(|kind| names::meant(kind).is_empty()) {
        problems.push(format!("`{place}.kind`: `{kind}` is no registered kind{}", suggestion(kind, names::known())));
    }
}

/// What can never be said of the outcome that is expected.
fn contradictions(expected: &Map<String, Json>, problems: &mut Vec<String>, notices: &mut Vec<String>) {
    let outcome = expected.get("outcome").and_then(Json::as_str);
    let Some(outcome) = outcome else {
        if !expected.contains_key("outcome") {
            problems.push(format!("`expected.outcome` is missing: {}", OUTCOMES.join(", ")));
        }
        return;
    };
    let has_readings = expected.get("observations").and_then(Json::as_array).is_some_and(|list| !list.is_empty());
    let accepts = |name: &str| {
        let accepted = expected.get("accept").and_then(Json::as_array).into_iter().flatten();
        outcome == name || accepted.into_iter().any(|accepted| accepted == name)
    };
    if has_readings && !accepts("decoded") {
        problems.push(format!("`expected.observations` has some, and the outcome is {outcome}"));
    }
    if expected.contains_key("facts") && !accepts("decoded") && !accepts("no-observation") {
        problems.push(format!("`expected.facts` are of a payload that is read, and the outcome is {outcome}"));
    }
    let Some(reason) = expected.get("reason").and_then(Json::as_str) else { return };
    let known: &[&str] = match outcome {
        "no-observation" => nothing_reasons::ALL,
        "reject" => details::ERROR_KINDS,
        _ => return problems.push(format!("`expected.reason` is of nothing or of an error, and the outcome is {outcome}")),
    };
    if details::is_compared(reason) && !known.contains(&reason) {
        problems.push(format!("`expected.reason`: {outcome} has the reasons {}", known.join(", ")));
    } else if !details::is_compared(reason) {
        notices.push(format!(
            "`expected.reason` is a remark, because `{reason}` is none of {}; `message` compares a part of the sentence",
            known.join(", ")
        ));
    }
}

/// Every name that a member can have.
#[cfg(test)]
pub(super) fn every_member() -> Vec<&'static str> {
    let tables = [LINE, EXPECTED, OBSERVATION, COMPONENT, SAMPLES];
    tables.into_iter().flatten().map(|(name, _)| *name).collect()
}

#[cfg(test)]
mod tests;
