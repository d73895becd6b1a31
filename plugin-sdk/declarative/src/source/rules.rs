//! What fields come to: readings, their components, and facts.

use super::block::Compiler;
use super::document::{Case, Component, Fact, FlagSource, Reading};
use super::names::unknown;
use super::place::Place;
use super::word::WordSource;
use super::words::Set;
use crate::table::{self, As, OnChange, Part, Rule, ValueRule, Word};

/// What a value is made of, whichever of the three it belongs to.
struct ValueSource<'s> {
    value: &'s str,
    shown_as: Option<&'s str>,
    system: Option<&'s String>,
    unit: Option<&'s WordSource>,
    comparator: Option<&'s WordSource>,
    absent: &'s [Case],
}

impl Compiler<'_> {
    fn value(&mut self, source: &ValueSource<'_>, place: &Place) -> ValueRule {
        let field = self.field_of(source.value, &place.member("value"));
        let shown_as = match source.shown_as {
            None if field.is_text => As::Text,
            None | Some("quantity") => As::Quantity,
            Some("integer") => As::Integer,
            Some("text") => As::Text,
            Some("boolean") => As::Boolean,
            Some(other) => {
                let message = unknown("form of a value", other, ["quantity", "integer", "text", "boolean"]);
                self.wrong(place.member("as"), message);
                As::Text
            }
        };
        if shown_as == As::Quantity && source.unit.is_none() {
            self.wrong(
                place.clone(),
                "a quantity has a `unit` (UCUM: \"kg\", \"mm[Hg]\", \"/min\", \"%\" …)".to_owned(),
            );
        }
        if shown_as == As::Quantity && !field.is_number {
            self.wrong(place.member("value"), format!("`{}` is no number", source.value));
        }
        if source.system.is_some() {
            self.wrong(
                place.member("system"),
                "coded values are not for tables yet: write the decoder as code".to_owned(),
            );
        }
        let unit = source.unit.map(|word| {
            self.word(word, &place.member("unit"), |_, unit| {
                (unit.is_empty() || unit.contains(char::is_whitespace)).then(|| format!("`{unit}` is no unit of UCUM"))
            })
        });
        let comparator = source
            .comparator
            .map(|word| self.word(word, &place.member("comparator"), |_, word| Set::Comparator.problem(word)));
        let mut absent = Vec::new();
        for (index, case) in source.absent.iter().enumerate() {
            let place = place.member("absent").item(index);
            self.registered(Set::AbsentReason, &case.is, &place.member("is"));
            match self.when(case.when.as_deref(), &place.member("when")) {
                Some(when) => absent.push((when, case.is.clone())),
                None if case.when.is_none() => self.wrong(place, "`when` is missing".to_owned()),
                None => {}
            }
        }
        ValueRule { slot: field.slot, shown_as, unit, comparator, absent, system: None }
    }

    pub(super) fn fact(&mut self, fact: &Fact, place: &Place) -> table::Fact {
        self.registered(Set::Fact, &fact.kind, &place.member("kind"));
        let when = self.when(fact.when.as_deref(), &place.member("when"));
        let source = ValueSource {
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

    /// A reading, with what it does not say itself from the `every-reading` of its block and of those around it.
    pub(super) fn reading(&mut self, reading: &Reading, every: &[&Reading], place: &Place) -> Rule {
        let all: Vec<&Reading> = std::iter::once(reading).chain(every.iter().copied()).collect();
        let first = |get: fn(&Reading) -> Option<&String>| all.iter().find_map(|reading| get(reading)).cloned();
        let word = |get: fn(&Reading) -> Option<&WordSource>| all.iter().find_map(|reading| get(reading)).cloned();
        if reading.value.is_none() == reading.component.is_empty() {
            self.wrong(place.clone(), "a reading has a `value`, or components ([[….reading.component]])".to_owned());
        }
        let value = reading.value.as_deref().map(|value| {
            let source = ValueSource {
                value,
                shown_as: reading.shown_as.as_deref(),
                system: reading.system.as_ref(),
                unit: reading.unit.as_ref(),
                comparator: reading.comparator.as_ref(),
                absent: &reading.absent,
            };
            self.value(&source, place)
        });
        let mut parts = Vec::new();
        for (index, component) in reading.component.iter().enumerate() {
            parts.push(self.part(component, &place.member("component").item(index)));
        }
        let kind = self.kind_of(reading, place);
        let optional = |compiler: &mut Self, name: &str, source: Option<WordSource>, set: Set| {
            source.map(|source| compiler.word(&source, &place.member(name), |_, word| set.problem(word)))
        };
        let clock_state = optional(self, "clock-state", word(|reading| reading.clock_state.as_ref()), Set::ClockState);
        let body_site = optional(self, "body-site", word(|reading| reading.body_site.as_ref()), Set::BodySite);
        let method = optional(self, "method", word(|reading| reading.method.as_ref()), Set::Method);
        let time = first(|reading| reading.time.as_ref()).map(|name| self.time(&name, &place.member("time")));
        let time_end =
            first(|reading| reading.time_end.as_ref()).map(|name| self.time(&name, &place.member("time-end")));
        let text = |compiler: &mut Self, name: &str, text: Option<String>| {
            text.map(|text| compiler.template(&text, &place.member(name)))
        };
        let user_slot = text(self, "user-slot", first(|reading| reading.user_slot.as_ref()));
        let record_key = text(self, "record-key", first(|reading| reading.record_key.as_ref()));
        let zone = first(|reading| reading.zone.as_ref());
        let zone = zone.map(|zone| match zone.contains('/') && !zone.contains('{') {
            true => vec![table::Piece::Text(zone)],
            false => self.template(&zone, &place.member("zone")),
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
            context: self.contexts(&all, place),
            flags: self.flags(&all, place),
            user_slot,
            identity: self.identity(&all, place),
            record_key,
            on_change: self.on_change(first(|reading| reading.on_change.as_ref()).as_deref(), place),
        }
    }

    fn kind_of(&mut self, reading: &Reading, place: &Place) -> Word {
        match (&reading.kind, &reading.coding) {
            (Some(kind), None) => self.word(kind, &place.member("kind"), |compiler, kind| {
                compiler.said.kinds.insert(kind.to_owned());
                Set::Kind.problem(kind)
            }),
            (None, Some(_)) => Word::Is(String::new()),
            _ => {
                self.wrong(
                    place.clone(),
                    "a reading has a `kind`, or a `coding` where no kind is registered".to_owned(),
                );
                Word::Is(String::new())
            }
        }
    }

    fn contexts(&mut self, all: &[&Reading], place: &Place) -> Vec<(String, Word)> {
        let mut contexts: Vec<(String, Word)> = Vec::new();
        for (name, source) in all.iter().flat_map(|reading| &reading.context) {
            if contexts.iter().any(|(known, _)| known == name) {
                continue;
            }
            let place = place.member("context").member(name);
            self.registered(Set::Context, name, &place);
            contexts.push((name.clone(), self.word(source, &place, |_, _| None)));
        }
        contexts
    }

    fn flags(&mut self, all: &[&Reading], place: &Place) -> Vec<(Option<table::Condition>, String)> {
        let mut flags = Vec::new();
        for (index, source) in all.iter().flat_map(|reading| &reading.flags).enumerate() {
            let place = place.member("flags").item(index);
            let (flag, when) = match source {
                FlagSource::Always(flag) => (flag, None),
                FlagSource::Sometimes(case) => (&case.is, case.when.as_deref()),
            };
            self.registered(Set::Flag, flag, &place);
            self.said.flags.insert(flag.clone());
            flags.push((self.when(when, &place), flag.clone()));
        }
        flags
    }

    fn identity(
        &mut self,
        all: &[&Reading],
        place: &Place,
    ) -> Vec<(String, Vec<table::Piece>, Option<table::Condition>)> {
        let mut claims = Vec::new();
        for (index, claim) in all.iter().flat_map(|reading| &reading.identity).enumerate() {
            let place = place.member("identity").item(index);
            self.registered(Set::Identity, &claim.name, &place.member("name"));
            let text = self.template(&claim.value, &place.member("value"));
            let when = self.when(claim.when.as_deref(), &place.member("when"));
            claims.push((claim.name.clone(), text, when));
        }
        claims
    }

    fn on_change(&mut self, word: Option<&str>, place: &Place) -> OnChange {
        match word {
            None | Some("distinct") => OnChange::Distinct,
            Some("replace") => OnChange::Replace,
            Some("conflict") => OnChange::Conflict,
            Some(other) => {
                let message = unknown("meaning of a change", other, ["replace", "distinct", "conflict"]);
                self.wrong(place.member("on-change"), message);
                OnChange::Distinct
            }
        }
    }
}
