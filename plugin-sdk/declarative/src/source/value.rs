//! Values of readings, components and facts: their field, form and unit.

use registered_words::{Form, Set};

use super::block::Compiler;
use super::document::Case;
use super::names::unknown;
use super::place::Place;
use super::word::WordSource;
use crate::table::{As, ValueRule};

/// What a value is made of, whichever of the three it belongs to.
pub(super) struct ValueSource<'s> {
    /// The kinds that it may be; none of a fact.
    pub kinds: &'s [&'s str],
    pub value: &'s str,
    pub shown_as: Option<&'s str>,
    pub system: Option<&'s String>,
    pub unit: Option<&'s WordSource>,
    pub comparator: Option<&'s WordSource>,
    pub absent: &'s [Case],
}

impl Compiler<'_> {
    pub(super) fn value(&mut self, source: &ValueSource<'_>, place: &Place) -> ValueRule {
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
                "a quantity needs a `unit` (UCUM: \"kg\", \"mm[Hg]\", \"/min\", \"%\" …)".to_owned(),
            );
        }
        if shown_as == As::Quantity && !field.is_number {
            self.wrong(place.member("value"), format!("`{}` is no number", source.value));
        }
        self.form(source, shown_as, place);
        if source.system.is_some() {
            self.wrong(
                place.member("system"),
                "coded values are not for tables yet: write the decoder as code".to_owned(),
            );
        }
        let unit = source.unit.map(|word| {
            self.word(word, &place.member("unit"), |compiler, unit| compiler.unit_problem(source.kinds, unit))
        });
        let comparator = source.comparator.map(|word| {
            self.word(word, &place.member("comparator"), |compiler, word| compiler.words.problem(Set::Comparator, word))
        });
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

    /// A value must be of the form of a kind that it may be.
    fn form(&mut self, source: &ValueSource<'_>, shown_as: As, place: &Place) {
        let known = source.kinds.iter().filter_map(|kind| self.words.find(Set::Kind, kind));
        let forms: Vec<(&str, Form)> = known.filter_map(|kind| Some((kind.name.as_str(), kind.form?))).collect();
        let fits = |form: Form| form == Form::Quantity && shown_as == As::Quantity;
        let Some((kind, form)) = forms.first().filter(|_| !forms.iter().any(|(_, form)| fits(*form))) else { return };
        let (place, message) = match form {
            Form::Components => {
                let message = format!("{kind} is made of parts: write [[….reading.component]] in place of `value`");
                (place.member("value"), message)
            }
            Form::Sampled => {
                let message = format!("{kind} is a waveform, which no table can say: write the decoder as code");
                (place.member("kind"), message)
            }
            Form::Quantity if source.shown_as.is_some() => {
                (place.member("as"), format!("{kind} is a quantity: leave `as` out, and say its `unit`"))
            }
            Form::Quantity => (place.member("value"), format!("{kind} is a quantity, and `{}` a text", source.value)),
        };
        self.wrong(place, message);
    }

    /// What is wrong with a unit: it must be one that the host keeps or converts for a kind that the reading may be.
    fn unit_problem(&self, kinds: &[&str], unit: &str) -> Option<String> {
        let kinds = kinds.iter().filter(|kind| self.words.find(Set::Kind, kind).is_some());
        let problems: Vec<Option<String>> = kinds.map(|kind| self.words.unit_problem(Some(kind), unit)).collect();
        match problems.iter().any(Option::is_none) {
            true if !problems.is_empty() => None,
            _ => problems.into_iter().next().unwrap_or_else(|| self.words.unit_problem(None, unit)),
        }
    }
}
