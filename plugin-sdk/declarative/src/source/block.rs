//! Blocks: fields in their order, and what they come to.

use registered_words::{Set, Words};

use super::document::{self, Caution, Fact, Field, Reading, Refuse, Silence};
use super::names::unknown;
use super::place::Place;
use super::{Problems, Said};
use crate::table::{self, Block, Condition, Format, Kind, Label, Repeat, Slot, Step};

/// A field that can be named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Named {
    pub slot: Slot,
    pub is_text: bool,
    pub is_time: bool,
    pub is_number: bool,
}

/// Compiles one format.
pub(super) struct Compiler<'c> {
    names: Vec<(String, Named, bool)>,
    next: Slot,
    most: Slot,
    /// What fields are called, for those who read why they were refused.
    labels: Vec<Label>,
    pub words: &'c Words,
    pub json: bool,
    pub big: bool,
    pub said: &'c mut Said,
    problems: &'c mut Problems,
}

/// What every reading has, and where it is written.
pub(super) type Every<'e> = (&'e Reading, &'e Place);

/// A block as the document has it: a format, or a field of the type `block`.
struct Parts<'s> {
    field: &'s [Field],
    refuse: &'s [Refuse],
    nothing: &'s [Silence],
    warning: &'s [Caution],
    fact: &'s [Fact],
    every: Option<&'s Reading>,
    reading: &'s [Reading],
}

/// Compiles a format; with the names of its fields.
pub(super) fn format(
    source: &document::Format,
    place: &Place,
    words: &Words,
    said: &mut Said,
    problems: &mut Problems,
) -> (Format, Vec<Label>) {
    let json = match source.payload.as_str() {
        "json" => true,
        "bytes" => false,
        other => {
            problems.push((place.member("payload"), unknown("payload", other, ["bytes", "json"])));
            false
        }
    };
    let (names, labels) = (Vec::new(), Vec::new());
    let mut compiler = Compiler { names, next: 1, most: 1, labels, words, json, big: false, said, problems };
    compiler.big = compiler.is_big(source.endian.as_deref(), false, &place.member("endian"));
    let parts = Parts {
        field: &source.field,
        refuse: &source.refuse,
        nothing: &source.nothing,
        warning: &source.warning,
        fact: &source.fact,
        every: source.every_reading.as_ref(),
        reading: &source.reading,
    };
    let body = compiler.block(&parts, &[], None, None, place);
    let empty = match &source.empty {
        None => ("no-measurement".to_owned(), "the payload has no value".to_owned()),
        Some(silence) => {
            compiler.registered(Set::NothingReason, &silence.reason, &place.member("empty").member("reason"));
            if silence.when.is_some() {
                let message = "`empty` holds wherever there are no readings; conditions belong to [[…nothing]]";
                compiler.wrong(place.member("empty").member("when"), message.to_owned());
            }
            (silence.reason.clone(), silence.message.clone())
        }
    };
    (Format { json, slots: compiler.most, body, empty }, compiler.labels)
}

impl<'c> Compiler<'c> {
    pub(super) fn wrong(&mut self, place: Place, message: String) {
        self.problems.push((place, message));
    }

    /// Says when a word is not registered.
    pub(super) fn registered(&mut self, set: Set, word: &str, place: &Place) {
        if let Some(message) = self.words.problem(set, word) {
            self.wrong(place.clone(), message);
        }
    }

    pub(super) fn find(&self, name: &str) -> Option<Named> {
        self.names.iter().rev().find(|(known, ..)| known == name).map(|(_, named, _)| *named)
    }

    /// The field of this name; where there is none, that is said.
    pub(super) fn field_of(&mut self, name: &str, place: &Place) -> Named {
        self.find(name).unwrap_or_else(|| {
            let known: Vec<String> = self.names.iter().map(|(known, ..)| known.clone()).collect();
            let message = unknown("field that stands before this", name, known.iter().map(String::as_str));
            self.wrong(place.clone(), message);
            Named { slot: 0, is_text: false, is_time: true, is_number: true }
        })
    }

    /// The slot of a new field. A name may come twice where both have conditions: then they are alternatives.
    pub(super) fn name(&mut self, name: &str, conditional: bool, mut named: Named, place: &Place) -> Slot {
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        if name.is_empty() || !name.chars().all(plain) || ["and", "or", "not", "has", "in", "like"].contains(&name) {
            let message = format!("`{name}` is no name for a field: letters, digits, - and _");
            self.wrong(place.member("name"), message);
        }
        let before = self.names.iter().find(|(known, ..)| known == name).map(|(_, named, open)| (*named, *open));
        if let Some((before, open)) = before {
            named.slot = before.slot;
            if !open || !conditional {
                let message = format!("`{name}` is there twice; alternatives of one field have a `when` each");
                self.wrong(place.member("name"), message);
            } else if before != named {
                self.wrong(place.clone(), format!("`{name}` is of another type than the field of that name before it"));
            }
            return before.slot;
        }
        named.slot = self.new_slot();
        self.labels.push((named.slot, name.to_owned()));
        self.names.push((name.to_owned(), named, conditional));
        named.slot
    }

    /// A field that could not be compiled may be named all the same: what is wrong with it has been told.
    fn assume(&mut self, field: &Field) {
        if let Some(name) = field.name.as_ref().filter(|name| self.find(name).is_none()) {
            let any = Named { slot: 0, is_text: false, is_time: true, is_number: true };
            self.names.push((name.clone(), any, true));
        }
    }

    /// The slot of a field that nobody can name: what it is called where it is refused.
    pub(super) fn nameless(&mut self, name: &str) -> Slot {
        let slot = self.new_slot();
        self.labels.push((slot, name.to_owned()));
        slot
    }

    fn new_slot(&mut self) -> Slot {
        let slot = self.next;
        self.next = self.next.saturating_add(1);
        self.most = self.most.max(self.next);
        slot
    }

    pub(super) fn is_big(&mut self, endian: Option<&str>, default: bool, place: &Place) -> bool {
        match endian {
            None => default,
            Some("little") => false,
            Some("big") => true,
            Some(other) => {
                self.wrong(place.clone(), unknown("byte order", other, ["little", "big"]));
                default
            }
        }
    }

    /// A field of the type `block`.
    pub(super) fn inner(&mut self, source: &Field, every: &[Every<'_>], place: &Place) -> Block {
        let when = self.when(source.when.as_deref(), &place.member("when"));
        let repeat = self.repeat(source, place);
        let parts = Parts {
            field: &source.field,
            refuse: &source.refuse,
            nothing: &source.nothing,
            warning: &source.warning,
            fact: &source.fact,
            every: source.every_reading.as_ref(),
            reading: &source.reading,
        };
        self.block(&parts, every, when, repeat, place)
    }

    fn block(
        &mut self,
        parts: &Parts<'_>,
        outer: &[Every<'_>],
        when: Option<Condition>,
        repeat: Option<Repeat>,
        place: &Place,
    ) -> Block {
        let outside = self.names.len();
        let first = self.next;
        let here = place.member("every-reading");
        if let Some(every) = parts.every {
            self.only_inherited(every, &here);
        }
        let every: Vec<Every<'_>> =
            parts.every.map(|every| (every, &here)).into_iter().chain(outer.iter().copied()).collect();
        let mut steps: Vec<Step> = Vec::new();
        for (index, field) in parts.field.iter().enumerate() {
            match self.step(field, &every, &place.member("field").item(index)) {
                Some(step) => steps.push(step),
                None => self.assume(field),
            }
        }
        let mut refusals = Vec::new();
        for (index, refuse) in parts.refuse.iter().enumerate() {
            refusals.extend(self.refusal(refuse, &place.member("refuse").item(index)));
        }
        let mut nothings = Vec::new();
        for (index, silence) in parts.nothing.iter().enumerate() {
            let place = place.member("nothing").item(index);
            self.registered(Set::NothingReason, &silence.reason, &place.member("reason"));
            match self.when(silence.when.as_deref(), &place.member("when")) {
                Some(when) => nothings.push(table::Silence {
                    when,
                    reason: silence.reason.clone(),
                    message: silence.message.clone(),
                }),
                None if silence.when.is_none() => self.wrong(place, "`when` is missing".to_owned()),
                None => {}
            }
        }
        let mut warnings = Vec::new();
        for (index, caution) in parts.warning.iter().enumerate() {
            let place = place.member("warning").item(index);
            self.registered(Set::Warning, &caution.code, &place.member("code"));
            self.said.warnings.insert(caution.code.clone());
            let when = self.when(caution.when.as_deref(), &place.member("when"));
            warnings.push(table::Caution { when, code: caution.code.clone(), message: caution.message.clone() });
        }
        let facts = parts.fact.iter().enumerate();
        let facts: Vec<(usize, &Fact)> = facts.collect();
        let facts = facts.into_iter().map(|(index, fact)| self.fact(fact, &place.member("fact").item(index))).collect();
        let mut readings = Vec::new();
        for (index, reading) in parts.reading.iter().enumerate() {
            readings.push(self.reading(reading, &every, &place.member("reading").item(index)));
        }
        self.names.truncate(outside);
        Block { when, repeat, slots: (first, self.next), steps, refusals, nothings, warnings, facts, readings }
    }

    fn refusal(&mut self, refuse: &Refuse, place: &Place) -> Option<table::Refusal> {
        let kind = self.error_kind(refuse.kind.as_deref(), &place.member("as"));
        let when = self.when(Some(&refuse.when), &place.member("when"))?;
        Some(table::Refusal { when, kind, message: refuse.message.clone() })
    }

    pub(super) fn error_kind(&mut self, kind: Option<&str>, place: &Place) -> Kind {
        match kind {
            None | Some("malformed") => Kind::Malformed,
            Some("unsupported") => Kind::Unsupported,
            Some("not-for-me") => Kind::NotForMe,
            Some(other) => {
                self.wrong(
                    place.clone(),
                    unknown("kind of refusal", other, ["malformed", "unsupported", "not-for-me"]),
                );
                Kind::Malformed
            }
        }
    }
}
