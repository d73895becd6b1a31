//! What is wrong with a line of vectors before any decoder sees it: members that nobody knows, values of another type, words
//! that are in no registry. An expectation that is not understood would pass whatever the decoder says.

mod members;

use members::{EXPECTED, LINE, Members, OBSERVATION, OUTCOMES, Shape};
use registered_words::{Set, Words};
use serde_json::{Map, Value as Json};

use super::{Vector, details, names, words};
use crate::Manifest;
use crate::registry::nothing_reasons;

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

/// Reads lines for a decoder, and checks that every word of them is understood.
#[derive(Debug, Clone)]
pub struct Checker<'m> {
    manifest: &'m Manifest,
    /// None only after a wrong edit of the tables that are built in.
    words: Option<Words>,
}

impl<'m> Checker<'m> {
    /// For the vectors of this decoder.
    #[must_use]
    pub fn new(manifest: &'m Manifest) -> Self {
        Self { manifest, words: Words::load().ok() }
    }

    /// Reads a line.
    #[must_use]
    pub fn check(&self, line: &str) -> Checked {
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
        let mut walk = Walk { words: self.words.as_ref(), problems: Vec::new() };
        walk.object(members, LINE, "");
        checked.problems = walk.problems;
        if let Some(expected) = members.get("expected").and_then(Json::as_object) {
            contradictions(expected, &mut checked.problems, &mut checked.notices);
        }
        match Vector::parse(line) {
            Ok(vector) => {
                format(&vector, self.manifest, &mut checked.problems);
                checked.vector = Some(vector);
            }
            Err(problem) => checked.problems.push(problem),
        }
        checked
    }
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
    if let Some(channel) = vector.channel.as_deref().filter(|channel| !model.channels.iter().any(|own| own == channel))
    {
        let channels = words::listed(model.channels.iter().map(String::as_str));
        problems.push(format!("`channel`: `{channel}` is no channel of {}; its channels are: {channels}", model.name));
    }
}

/// A walk through a line.
struct Walk<'w> {
    words: Option<&'w Words>,
    problems: Vec<String>,
}

impl Walk<'_> {
    fn object(&mut self, members: &Map<String, Json>, known: Members, place: &str) {
        for (name, value) in members {
            let place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
            match known.iter().find(|(known, _)| known == name) {
                Some((_, shape)) => self.shape(value, *shape, &place),
                None => {
                    let more = self.instead(name, known);
                    self.problems.push(format!("`{place}` is no member that is known{more}"));
                }
            }
        }
    }

    /// What may be meant by a name: a near one, one of another place, or else any that can stand here.
    fn instead(&self, name: &str, known: Members) -> String {
        let names = || known.iter().map(|(name, _)| *name);
        let is_of = |members: Members| members.iter().any(|(member, _)| *member == name);
        let nearest = suggestion(name, names());
        if !nearest.is_empty() {
            nearest
        } else if is_of(OBSERVATION) {
            format!("; it is said of a reading: `expected.observations[0].{name}`")
        } else if is_of(EXPECTED) {
            format!("; it is said of the whole payload: `expected.{name}`")
        } else if self.words.is_some_and(|words| words.find(Set::Fact, name).is_some()) {
            format!("; it is a fact about the device: `\"facts\": {{\"{name}\": …}}`")
        } else {
            format!("; known are: {}", names().collect::<Vec<_>>().join(", "))
        }
    }

    fn shape(&mut self, value: &Json, shape: Shape, place: &str) {
        match (shape, value) {
            (Shape::Free, _)
            | (Shape::Text, Json::String(_))
            | (Shape::TextOrNone, Json::String(_) | Json::Null)
            | (Shape::Number, Json::Number(_))
            | (Shape::Plain, Json::String(_) | Json::Number(_) | Json::Bool(_) | Json::Null) => {}
            (Shape::Choice(known), Json::String(given)) => self.choice(given, known, place),
            (Shape::Word(set), Json::String(given)) => self.word(given, set, place),
            (Shape::Choices(known), Json::Array(list)) => self.each(list, Shape::Choice(known), place),
            (Shape::Words(set), Json::Array(list)) => self.each(list, Shape::Word(set), place),
            (Shape::Pairs(set), Json::Object(members)) => {
                for (name, value) in members {
                    self.word(name, set, place);
                    self.shape(value, Shape::TextOrNone, &format!("{place}.{name}"));
                    if let (Set::Context, Some(words), Some(value)) = (set, self.words, value.as_str()) {
                        self.problems
                            .extend(words.context_problem(name, value).map(|wrong| format!("`{place}`: {wrong}")));
                    }
                }
            }
            (Shape::Object(known), Json::Object(members)) => self.object(members, known, place),
            (Shape::Objects(known), Json::Array(list)) => {
                for (index, item) in list.iter().enumerate() {
                    let place = format!("{place}[{index}]");
                    self.shape(item, Shape::Object(known), &place);
                    self.names(item, &place);
                }
            }
            (shape, value) => self.problems.push(format!("`{place}` is {}, and not {value}", shape.wanted())),
        }
    }

    fn each(&mut self, list: &[Json], shape: Shape, place: &str) {
        for (index, item) in list.iter().enumerate() {
            self.shape(item, shape, &format!("{place}[{index}]"));
        }
    }

    fn choice(&mut self, given: &str, known: &[&str], place: &str) {
        if !known.contains(&given) {
            let meant = suggestion(given, known.iter().copied());
            self.problems.push(format!("`{place}`: `{given}` is not known{meant}; known are: {}", known.join(", ")));
        }
    }

    /// A registered word. What the host says of a reading may be expected too.
    fn word(&mut self, given: &str, set: Set, place: &str) {
        let Some(words) = self.words.filter(|words| words.find(set, given).is_none()) else { return };
        self.problems.extend(words.problem(set, given).map(|wrong| format!("`{place}`: {wrong}")));
    }

    /// An observation or component names what it is, in a unit that such a thing can have.
    fn names(&mut self, item: &Json, place: &str) {
        let text = |name: &str| item.get(name).and_then(Json::as_str);
        let kind = text("kind");
        if kind.is_none() && ["loinc", "mdc"].iter().all(|code| item.get(*code).is_none()) {
            self.problems.push(format!("`{place}` says neither `kind` nor `loinc`: what is it?"));
        }
        let meant = kind.map(names::meant).unwrap_or_default();
        let Some(words) = self.words else { return };
        if let Some(kind) = kind.filter(|_| meant.is_empty()) {
            let wrong = words.problem(Set::Kind, kind);
            self.problems.extend(wrong.map(|wrong| format!("`{place}.kind`: {wrong}")));
        } else if let Some(unit) = text("unit") {
            let wrong = words.unit_problem(meant.first().copied(), unit);
            self.problems.extend(wrong.map(|wrong| format!("`{place}.unit`: {wrong}")));
        }
    }
}

fn suggestion<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    words::nearest(word, known).map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default()
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
        _ => {
            return problems
                .push(format!("`expected.reason` is of nothing or of an error, and the outcome is {outcome}"));
        }
    };
    if details::is_compared(reason) && !known.contains(&reason) {
        problems.push(format!("`expected.reason`: {outcome} has the reasons {}", known.join(", ")));
    } else if let Some(meant) = words::nearest(reason, known.iter().copied()).filter(|_| !details::is_compared(reason))
    {
        problems
            .push(format!("`expected.reason`: `{reason}` is none of {}; did you mean `{meant}`?", known.join(", ")));
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
    let tables = [LINE, EXPECTED, OBSERVATION, members::COMPONENT, members::SAMPLES];
    tables.into_iter().flatten().map(|(name, _)| *name).collect()
}

#[cfg(test)]
mod tests;
