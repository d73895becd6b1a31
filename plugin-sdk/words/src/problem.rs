//! What is wrong with a word or a unit, in a sentence that says what would be right and where to look.

use crate::{Set, Word, Words};

/// How many words a sentence suggests.
const MOST: usize = 3;

/// Lists as short as this are told whole.
const SHORT: usize = 12;

/// Where every word is listed.
const NEXT: &str = "`afferent plugin words` lists all";

impl Words {
    /// What is wrong with a word that a decoder says; none where nothing is.
    #[must_use]
    pub fn problem(&self, set: Set, name: &str) -> Option<String> {
        match self.find(set, name) {
            Some(word) if word.of_host => {
                Some(format!("the {} `{name}` is the host's to say: it knows ranges and clocks", one(set)))
            }
            Some(_) => None,
            None => Some(self.unknown(set, name, &self.meant(set, name))),
        }
    }

    /// What is wrong with the value of a context (`meal`: `fasting`); none where nothing is, or any value is meant.
    #[must_use]
    pub fn context_problem(&self, context: &str, value: &str) -> Option<String> {
        let values = &self.find(Set::Context, context)?.takes;
        let is_fine = values.is_empty() || values.iter().any(|known| known == value);
        (!is_fine).then(|| format!("`{value}` is no value of the context {context}; there are {}", values.join(", ")))
    }

    /// What is wrong with a unit for a value of a kind; none where nothing is. No kind: any unit of the list will do.
    #[must_use]
    pub fn unit_problem(&self, kind: Option<&str>, unit: &str) -> Option<String> {
        let kind = kind.and_then(|kind| self.find(Set::Kind, kind)).filter(|kind| !kind.takes.is_empty());
        let of_kind = |unit: &str| kind.is_none_or(|kind| self.is_convertible(kind, unit));
        if self.find(Set::Unit, unit).is_none() {
            let mut found = self.meant(Set::Unit, unit);
            // Those of the kind are what is meant, where there are any.
            if found.iter().any(|found| of_kind(&found.name)) {
                found.retain(|found| of_kind(&found.name));
            } else if let Some(kind) = kind {
                let what = Set::Unit.of_one();
                return Some(format!("`{unit}` is no {what}; {} is {}", kind.name, self.units_of(kind)));
            }
            return Some(self.unknown(Set::Unit, unit, &found));
        }
        let kind = kind.filter(|kind| !self.is_convertible(kind, unit))?;
        Some(format!("`{unit}` is no unit of {}, which is {}", kind.name, self.units_of(kind)))
    }

    /// Can the host keep or convert a number of this kind in this unit?
    fn is_convertible(&self, kind: &Word, unit: &str) -> bool {
        kind.takes.iter().any(|kept| kept == unit) || self.converted(kind).any(|from| from == unit)
    }

    /// The units that the host converts for a kind.
    fn converted<'w>(&'w self, kind: &'w Word) -> impl Iterator<Item = &'w str> {
        let fits = move |row: &&crate::tables::Conversion| {
            (row.kind.is_empty() || row.kind == kind.name)
                && kind.takes.contains(&row.to)
                && !kind.takes.contains(&row.from)
        };
        self.conversions.iter().filter(fits).map(|row| row.from.as_str())
    }

    /// `in L/min, and L/s is converted`.
    fn units_of(&self, kind: &Word) -> String {
        let converted: Vec<&str> = self.converted(kind).collect();
        let kept = format!("in {}", listed(&kind.takes, "or"));
        match converted.as_slice() {
            [] => kept,
            [one] => format!("{kept}, and {one} is converted"),
            several => format!("{kept}, and {} are converted", listed(several, "and")),
        }
    }

    fn unknown(&self, set: Set, name: &str, found: &[&Word]) -> String {
        let what = set.of_one();
        let names: Vec<&Word> = found.iter().filter(|word| !word.of_host).take(MOST).copied().collect();
        if !names.is_empty() {
            let meant: Vec<String> = names.iter().map(|word| format!("`{}`", word.name)).collect();
            return format!("`{name}` is no {what}; did you mean {}? {NEXT}", listed(&meant, "or"));
        }
        let all: Vec<&str> = self.of(set).filter(|word| !word.of_host).map(|word| word.name.as_str()).collect();
        if all.len() <= SHORT {
            return format!("`{name}` is no {what}; there are {}", listed(&all, "and"));
        }
        format!("`{name}` is no {what}; {NEXT} {} with what they mean, and searches them", all.len())
    }
}

fn one(set: Set) -> &'static str {
    set.of_one().trim_start_matches("registered ")
}

fn listed(words: &[impl AsRef<str>], and: &str) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    match words.as_slice() {
        [before @ .., last] if !before.is_empty() => format!("{} {and} {last}", before.join(", ")),
        one => one.join(""),
    }
}
