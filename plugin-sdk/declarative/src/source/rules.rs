//! What fields come to: readings, their components, and facts.

use registered_words::Set;

use super::block::{Compiler, Every};
use super::document::{Component, Fact, FlagSource, Reading};
use super::names::unknown;
use super::place::Place;
use super::value::ValueSource;
use super::word::WordSource;
use crate::table::{self, OnChange, Part, Rule, Word};

impl Compiler<'_> {
    pub(super) fn fact(&mut self, fact: &Fact, place: &Place) -> table::Fact {
        self.registered(Set::Fact, &fact.kind, &place.member("kind"));
        let when = self.when(fact.when.as_deref(), &place.member("when"));
        let source = ValueSource {
            kinds: &[],
            value: &fact.value,
            shown_as: fact.shown_as.as_deref(),
            system: fact.system.as_ref(),
            unit: fact.unit.as_ref(),
            comparator: None,
            absent: &fact.absent,
        };
        table::Fact { when, kind: fact.kind.clone(), value: self.value(&source, place) }
    }

    fn part(&mut self, component: &Component, place: &Place) -> Part {
        self.kind(&component.kind, &place.member("kind"));
        let source = ValueSource {
            kinds: &[&component.kind],
            value: &component.value,
            shown_as: component.shown_as.as_deref(),
            system: component.system.as_ref(),
            unit: component.unit.as_ref(),
            comparator: component.comparator.as_ref(),
            absent: &component.absent,
        };
        Part { kind: component.kind.clone(), value: self.value(&source, place), optional: component.optional }
    }

    fn kind(&mut self, kind: &str, place: &Place) {
        self.registered(Set::Kind, kind, place);
        self.said.kinds.insert(kind.to_owned());
    }

    /// A reading, with what it does not say itself from the `every-reading` of its block and of those around it. What is wrong
    /// is told where it is written.
    pub(super) fn reading(&mut self, reading: &Reading, every: &[Every<'_>], place: &Place) -> Rule {
        let all: Vec<Every<'_>> = std::iter::once((reading, place)).chain(every.iter().copied()).collect();
        if reading.value.is_none() == reading.component.is_empty() {
            let message = "a reading needs a `value`, or components ([[….reading.component]])";
            self.wrong(place.clone(), message.to_owned());
        }
        let kinds = reading.kind.as_ref().map(WordSource::all).unwrap_or_default();
        let value = reading.value.as_deref().map(|value| {
            let source = ValueSource {
                kinds: &kinds,
                value,
                shown_as: reading.shown_as.as_deref(),
                system: reading.system.as_ref(),
                unit: reading.unit.as_ref(),
                comparator: reading.comparator.as_ref(),
                absent: &reading.absent,
            };
            self.value(&source, place)
        });
        let components = reading.component.iter().enumerate();
        let parts = components.map(|(index, part)| self.part(part, &place.member("component").item(index))).collect();
        let kind = self.kind_of(reading, place);
        let clock_state = self.inherited_word(&all, "clock-state", Set::ClockState, |of| of.clock_state.as_ref());
        let body_site = self.inherited_word(&all, "body-site", Set::BodySite, |of| of.body_site.as_ref());
        let method = self.inherited_word(&all, "method", Set::Method, |of| of.method.as_ref());
        let time = inherited(&all, "time", |of| of.time.as_ref()).map(|(name, place)| self.time(name, &place));
        let time_end =
            inherited(&all, "time-end", |of| of.time_end.as_ref()).map(|(name, place)| self.time(name, &place));
        let user_slot = inherited(&all, "user-slot", |of| of.user_slot.as_ref());
        let user_slot = user_slot.map(|(text, place)| self.template(text, &place));
        let record_key = inherited(&all, "record-key", |of| of.record_key.as_ref());
        let record_key = record_key.map(|(text, place)| self.template(text, &place));
        let zone = inherited(&all, "zone", |of| of.zone.as_ref());
        let zone = zone.map(|(zone, place)| match zone.contains('/') && !zone.contains('{') {
            true => vec![table::Piece::Text(zone.clone())],
            false => self.template(zone, &place),
        });
        Rule {
            when: self.when(reading.when.as_deref(), &place.member("when")),
            kind,
            coding: reading.coding.as_ref().map(|of| (of.system.clone(), of.code.clone(), of.display.clone())),
            value,
            parts,
            time,
            time_end,
            zone,
            clock_state,
            body_site,
            method,
            context: self.contexts(&all),
            flags: self.flags(&all),
            user_slot,
            identity: self.identity(&all),
            record_key,
            on_change: self.on_change(inherited(&all, "on-change", |of| of.on_change.as_ref())),
        }
    }

    fn inherited_word(
        &mut self,
        all: &[Every<'_>],
        name: &str,
        set: Set,
        get: fn(&Reading) -> Option<&WordSource>,
    ) -> Option<Word> {
        let (source, place) = inherited(all, name, get)?;
        Some(self.word(source, &place, |compiler, word| compiler.words.problem(set, word)))
    }

    /// What each reading says of itself does not belong to all of them.
    pub(super) fn only_inherited(&mut self, every: &Reading, place: &Place) {
        for (name, is_told) in [
            ("when", every.when.is_some()),
            ("kind", every.kind.is_some()),
            ("coding", every.coding.is_some()),
            ("value", every.value.is_some()),
            ("as", every.shown_as.is_some()),
            ("system", every.system.is_some()),
            ("unit", every.unit.is_some()),
            ("comparator", every.comparator.is_some()),
            ("absent", !every.absent.is_empty()),
            ("component", !every.component.is_empty()),
        ] {
            if is_told {
                self.wrong(place.member(name), format!("`{name}` belongs to each reading, and not to every-reading"));
            }
        }
    }

    fn kind_of(&mut self, reading: &Reading, place: &Place) -> Word {
        match (&reading.kind, &reading.coding) {
            (Some(kind), None) => self.word(kind, &place.member("kind"), |compiler, kind| {
                compiler.said.kinds.insert(kind.to_owned());
                compiler.words.problem(Set::Kind, kind)
            }),
            (None, Some(_)) => Word::Is(String::new()),
            _ => {
                self.wrong(
                    place.clone(),
                    "a reading needs a `kind`, or a `coding` where no kind is registered".to_owned(),
                );
                Word::Is(String::new())
            }
        }
    }

    fn contexts(&mut self, all: &[Every<'_>]) -> Vec<(String, Word)> {
        let mut contexts: Vec<(String, Word)> = Vec::new();
        for (of, place) in all {
            for (name, source) in &of.context {
                if contexts.iter().any(|(known, _)| known == name) {
                    continue;
                }
                let place = place.member("context").member(name);
                self.registered(Set::Context, name, &place);
                let word = self.word(source, &place, |compiler, value| compiler.words.context_problem(name, value));
                contexts.push((name.clone(), word));
            }
        }
        contexts
    }

    fn flags(&mut self, all: &[Every<'_>]) -> Vec<(Option<table::Condition>, String)> {
        let mut flags = Vec::new();
        for (of, place) in all {
            for (index, source) in of.flags.iter().enumerate() {
                let place = place.member("flags").item(index);
                let (flag, when) = match source {
                    FlagSource::Always(flag) => (flag, None),
                    FlagSource::Sometimes(case) => (&case.is, case.when.as_deref()),
                };
                self.registered(Set::Flag, flag, &place);
                self.said.flags.insert(flag.clone());
                flags.push((self.when(when, &place), flag.clone()));
            }
        }
        flags
    }

    fn identity(&mut self, all: &[Every<'_>]) -> Vec<(String, Vec<table::Piece>, Option<table::Condition>)> {
        let mut claims = Vec::new();
        for (of, place) in all {
            for (index, claim) in of.identity.iter().enumerate() {
                let place = place.member("identity").item(index);
                self.registered(Set::Identity, &claim.name, &place.member("name"));
                let text = self.template(&claim.value, &place.member("value"));
                let when = self.when(claim.when.as_deref(), &place.member("when"));
                claims.push((claim.name.clone(), text, when));
            }
        }
        claims
    }

    fn on_change(&mut self, word: Option<(&String, Place)>) -> OnChange {
        let Some((word, place)) = word else { return OnChange::Distinct };
        match word.as_str() {
            "distinct" => OnChange::Distinct,
            "replace" => OnChange::Replace,
            "conflict" => OnChange::Conflict,
            other => {
                self.wrong(place, unknown("meaning of a change", other, ["replace", "distinct", "conflict"]));
                OnChange::Distinct
            }
        }
    }
}

/// What the nearest says, and where it is written.
fn inherited<'e, T>(all: &[Every<'e>], name: &str, get: fn(&Reading) -> Option<&T>) -> Option<(&'e T, Place)> {
    all.iter().find_map(|(of, place)| get(of).map(|told| (told, place.member(name))))
}
