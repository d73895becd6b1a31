//! Every member that a line of vectors can have, and what each must be. `docs/vectors.md` says what they mean; a test compares.

use registered_words::Set;

/// What may be expected of a payload.
pub(super) const OUTCOMES: &[&str] = &["decoded", "no-observation", "reject", "incomplete"];
/// What a member must be.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    Text,
    /// A text, or `null` for none.
    TextOrNone,
    Number,
    /// A number, a text or a truth value.
    Plain,
    /// One of these.
    Choice(&'static [&'static str]),
    /// A list of these.
    Choices(&'static [&'static str]),
    /// A registered word.
    Word(Set),
    /// A list of registered words.
    Words(Set),
    /// An object whose names are registered words, and whose values are texts or `null`.
    Pairs(Set),
    /// An object with these members.
    Object(Members),
    /// A list of objects with these members.
    Objects(Members),
    /// Whatever the author likes, or what is checked elsewhere.
    Free,
}

pub(super) type Members = &'static [(&'static str, Shape)];

/// A line.
pub(super) const LINE: Members = &[
    ("id", Shape::Text),
    ("format", Shape::Text),
    ("channel", Shape::Text),
    ("payload_hex", Shape::Free),
    ("payload_json", Shape::Free),
    ("context", Shape::Free),
    ("expected", Shape::Object(EXPECTED)),
    ("notes", Shape::Text),
    // Where a collected line is from; `expected_from` decides whether readings of other kinds may come beside.
    ("kind", Shape::Choice(&["positive", "negative", "quirk"])),
    ("source", Shape::Text),
    ("license", Shape::Text),
    ("device", Shape::Text),
    ("characteristic_or_vendor", Shape::Text),
    ("provenance", Shape::Text),
    ("found_in", Shape::Text),
    ("expected_from", Shape::Choice(&["source", "spec"])),
];

pub(super) const EXPECTED: Members = &[
    ("outcome", Shape::Choice(OUTCOMES)),
    ("accept", Shape::Choices(OUTCOMES)),
    ("reason", Shape::Text),
    ("message", Shape::Text),
    ("observations", Shape::Objects(OBSERVATION)),
    ("device_time_local", Shape::Text),
    ("timestamp_unusable", Shape::Text),
    ("warnings", Shape::Words(Set::Warning)),
    ("facts", Shape::Pairs(Set::Fact)),
    // Formats that are one number.
    ("decimal", Shape::Text),
    ("dataAbsentReason", Shape::Word(Set::AbsentReason)),
    ("value", Shape::Plain),
    ("special", Shape::Text),
    // Raw fields and remarks.
    ("fields", Shape::Free),
    ("record_key_hint", Shape::Text),
    ("status_hint", Shape::Text),
];

pub(super) const OBSERVATION: Members = &[
    ("kind", Shape::Text),
    ("loinc", Shape::Text),
    ("mdc", Shape::Plain),
    ("value", Shape::Plain),
    ("unit", Shape::Text),
    ("comparator", Shape::Word(Set::Comparator)),
    ("dataAbsentReason", Shape::Word(Set::AbsentReason)),
    ("sampledData", Shape::Object(SAMPLES)),
    ("components", Shape::Objects(COMPONENT)),
    ("effective", Shape::Text),
    ("effectivePeriod", Shape::Free),
    ("device_time_local", Shape::Text),
    ("offset_min", Shape::Number),
    ("device", Shape::Text),
    ("flags", Shape::Words(Set::Flag)),
    ("clock", Shape::Word(Set::ClockState)),
    ("recordKey", Shape::TextOrNone),
    ("slot", Shape::TextOrNone),
    ("bodySite", Shape::Word(Set::BodySite)),
    ("method", Shape::Word(Set::Method)),
    ("context", Shape::Pairs(Set::Context)),
    ("deviceIdentity", Shape::Pairs(Set::Identity)),
    // Remarks of collected lines.
    ("modality", Shape::Text),
    ("band", Shape::Text),
    ("offset_s", Shape::Number),
    ("trend", Shape::Number),
];

pub(super) const COMPONENT: Members = &[
    ("kind", Shape::Text),
    ("loinc", Shape::Text),
    ("mdc", Shape::Plain),
    ("value", Shape::Plain),
    ("unit", Shape::Text),
    ("comparator", Shape::Word(Set::Comparator)),
    ("dataAbsentReason", Shape::Word(Set::AbsentReason)),
    ("sampledData", Shape::Object(SAMPLES)),
];

pub(super) const SAMPLES: Members = &[
    ("unit", Shape::Text),
    ("origin", Shape::Text),
    ("period", Shape::Text),
    ("factor", Shape::Text),
    ("lowerLimit", Shape::Text),
    ("upperLimit", Shape::Text),
    ("dimensions", Shape::Text),
    ("data", Shape::Text),
];

impl Shape {
    /// What it asks for, in words.
    pub(super) fn wanted(self) -> String {
        match self {
            Self::Text => "a text".to_owned(),
            Self::TextOrNone => "a text, or null for none".to_owned(),
            Self::Number => "a number".to_owned(),
            Self::Plain => "a number, a text, true or false".to_owned(),
            Self::Choice(known) => format!("one of {}", known.join(", ")),
            Self::Word(set) => format!("a {}", set.of_one()),
            Self::Choices(_) | Self::Words(_) => "a list of words".to_owned(),
            Self::Pairs(_) | Self::Object(_) => "an object".to_owned(),
            Self::Objects(_) => "a list of objects".to_owned(),
            Self::Free => "anything".to_owned(),
        }
    }
}
