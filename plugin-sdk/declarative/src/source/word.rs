//! Words that the payload chooses.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

use super::block::Compiler;
use super::document::Case;
use super::literal::key;
use super::place::Place;
use crate::table::{Otherwise, Word};

/// `"kg"`, `{ from = "unit", map = { lb = "[lb_av]", kg = "kg" } }`, or `[{ when = "flags.imperial", is = "[lb_av]" }, { is = "kg" }]`.
#[derive(Debug, Clone)]
pub(super) enum WordSource {
    Is(String),
    Map(MapSource),
    Cases(Vec<Case>),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct MapSource {
    pub from: String,
    pub map: BTreeMap<String, String>,
    /// `refuse` (the default), `none`, or a word.
    pub otherwise: Option<String>,
    /// `refuse`, `none` (the default), or a word.
    pub missing: Option<String>,
}

impl<'de> Deserialize<'de> for WordSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = WordSource;

            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("a word, { from = \"FIELD\", map = { … } }, or [{ when = \"…\", is = \"WORD\" }, …]")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<WordSource, E> {
                Ok(WordSource::Is(word.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<WordSource, A::Error> {
                MapSource::deserialize(MapAccessDeserializer::new(map)).map(WordSource::Map)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<WordSource, A::Error> {
                Vec::<Case>::deserialize(SeqAccessDeserializer::new(list)).map(WordSource::Cases)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl WordSource {
    /// Every word that it may come to.
    pub(super) fn all(&self) -> Vec<&str> {
        self.places(&Place::default()).into_iter().map(|(word, _)| word).collect()
    }

    /// Every word that it may come to, and where it is written.
    fn places(&self, place: &Place) -> Vec<(&str, Place)> {
        match self {
            Self::Is(word) => vec![(word, place.clone())],
            Self::Cases(cases) => {
                let cases = cases.iter().enumerate();
                cases.map(|(index, case)| (case.is.as_str(), place.item(index).member("is"))).collect()
            }
            Self::Map(map) => {
                let others = [("otherwise", &map.otherwise), ("missing", &map.missing)];
                let others = others.into_iter().filter_map(|(name, word)| Some((word.as_deref()?, place.member(name))));
                let others = others.filter(|(word, _)| !["refuse", "none"].contains(word));
                let entries = map.map.iter();
                entries.map(|(value, word)| (word.as_str(), place.member("map").member(value))).chain(others).collect()
            }
        }
    }
}

impl Compiler<'_> {
    /// Compiles a word; `check` says what is wrong with one of the words that it may come to.
    pub(super) fn word(
        &mut self,
        source: &WordSource,
        place: &Place,
        mut check: impl FnMut(&mut Self, &str) -> Option<String>,
    ) -> Word {
        for (word, place) in source.places(place) {
            if let Some(message) = check(self, word) {
                self.wrong(place, message);
            }
        }
        match source {
            WordSource::Is(word) => Word::Is(word.clone()),
            WordSource::Cases(cases) => {
                let mut compiled = Vec::new();
                for (index, case) in cases.iter().enumerate() {
                    let when = self.when(case.when.as_deref(), &place.item(index).member("when"));
                    compiled.push((when, case.is.clone()));
                }
                Word::Cases(compiled)
            }
            WordSource::Map(map) => {
                let field = self.field_of(&map.from, &place.member("from"));
                let of_texts = field.is_text;
                let entries = map.map.iter().map(|(value, word)| (key(value, of_texts), word.clone())).collect();
                let otherwise = |word: &Option<String>, default: Otherwise| match word.as_deref() {
                    None => default,
                    Some("refuse") => Otherwise::Refuse,
                    Some("none") => Otherwise::NoWord,
                    Some(word) => Otherwise::Is(word.to_owned()),
                };
                let missing = otherwise(&map.missing, Otherwise::NoWord);
                Word::Map(field.slot, entries, otherwise(&map.otherwise, Otherwise::Refuse), missing)
            }
        }
    }
}
