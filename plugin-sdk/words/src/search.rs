//! The search: by name, by what people call it, by code, by letters that were mistyped, and by the words of titles and
//! descriptions.

use crate::aliases::ALIASES;
use crate::{Set, Word, Words};

/// How well a word answers; what is below is no answer.
const LEAST: usize = 15;

/// What answers to everything that was asked, and not to a part of it, is at least as good as this.
const WHOLE: usize = 30;

/// How far below the best answer one may be that is suggested beside it.
const CLOSE: usize = 10;

/// As it stands, or but for case and signs between the words.
const NAME: usize = 100;
/// What people call it; less for every one that is meant rather.
const ALIAS: usize = 90;
/// A code or a display of LOINC or IEEE 11073.
const CODE: usize = 85;
/// Mistyped; clearly less for every letter.
const MISTYPED: usize = 80;
/// All words are found in its name; a third of it where they are found in its description only.
const WORDS: usize = 75;

impl Words {
    /// The words that `asked` means, best first; of one list, or of all of them.
    ///
    /// It finds names, mistyped names, abbreviations (`pef`, `spo2`, `bp`), everyday words (`doubtful`), codes of LOINC and
    /// IEEE 11073 (`8867-4`, `MDC_PULS_OXIM_SAT_O2`), and words of titles and descriptions (`cuff`).
    #[must_use]
    pub fn search(&self, set: Option<Set>, asked: &str) -> Vec<&Word> {
        self.scored(set, asked).into_iter().map(|(_, word)| word).collect()
    }

    /// Those of them that may well be meant: what answers far worse than the best is not suggested.
    pub(crate) fn meant(&self, set: Set, asked: &str) -> Vec<&Word> {
        let mut found = self.scored(Some(set), asked);
        // A kind that is half of what was asked is another one: bone mass is not muscle mass.
        found.retain(|(score, _)| set != Set::Kind || *score >= WHOLE);
        let best = found.first().map_or(0, |(score, _)| *score);
        found.into_iter().take_while(|(score, _)| score + CLOSE >= best).map(|(_, word)| word).collect()
    }

    fn scored(&self, set: Option<Set>, asked: &str) -> Vec<(usize, &Word)> {
        let written = asked.trim();
        let asked = written.to_lowercase();
        if asked.is_empty() {
            return Vec::new();
        }
        let of_set = self.words.iter().filter(|word| set.is_none_or(|set| set == word.set));
        let mut found: Vec<(usize, &Word)> = of_set.map(|word| (score(word, written, &asked), word)).collect();
        found.retain(|(score, _)| *score >= LEAST);
        // Words that are as good as each other stay in the order of the tables.
        found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        found
    }
}

fn score(word: &Word, written: &str, asked: &str) -> usize {
    let name = word.name.to_lowercase();
    // Signs say much in units: `min` is not `/min`.
    let plain = if word.set == Set::Unit { String::new() } else { joined(asked) };
    if word.name == written {
        return NAME + 2;
    }
    if name == asked {
        return NAME + 1;
    }
    if !plain.is_empty() && joined(&name) == plain {
        return NAME;
    }
    if word.set == Set::Unit && word.about.to_lowercase() == asked {
        return NAME - 1;
    }
    let alias = ALIASES.iter().filter(|(set, said, _)| {
        *set == word.set && said.iter().any(|said| *said == asked || (!plain.is_empty() && joined(said) == plain))
    });
    let places = alias.filter_map(|(_, _, meant)| meant.iter().position(|meant| *meant == word.name));
    let alias = places.min().map(|place| ALIAS - place);
    let code = word.also.iter().any(|also| also.to_lowercase() == asked).then_some(CODE);
    // Of short words nearly every letter matters: `pef` is not `ecg`.
    let mistakes = distance(asked, &name);
    let mistyped = (mistakes <= asked.chars().count() / 4).then(|| MISTYPED.saturating_sub(mistakes * (CLOSE + 1)));
    let in_words = if word.set == Set::Unit { None } else { by_words(word, asked) };
    [alias, code, mistyped, in_words].into_iter().flatten().max().unwrap_or(0)
}

/// How much of what is asked is found in name, title and description.
fn by_words(word: &Word, asked: &str) -> Option<usize> {
    let asked = tokens(asked);
    let name = tokens(&word.name);
    let about: Vec<String> =
        tokens(&word.about).into_iter().chain(word.also.iter().flat_map(|also| tokens(also))).collect();
    let best = |asked: &String| {
        let alike =
            |known: &[String], most: usize| known.iter().map(|known| alike(asked, known, most)).max().unwrap_or(0);
        alike(&name, WORDS).max(alike(&about, WORDS * 2 / 3))
    };
    let count = asked.len();
    let each: Vec<usize> = asked.iter().map(best).collect();
    let average = each.iter().sum::<usize>().checked_div(count)?;
    // Names with less beside what was asked for come first.
    let beside = name.len().saturating_sub(count).min(5);
    Some(if each.contains(&0) { average / 2 } else { average.saturating_sub(beside) })
}

/// How much two words are alike: the same, the beginning of the other, of one stem, or mistyped.
fn alike(asked: &str, known: &str, most: usize) -> usize {
    let common = asked.chars().zip(known.chars()).take_while(|(one, other)| one == other).count();
    let (shorter, longer) =
        (asked.chars().count().min(known.chars().count()), asked.chars().count().max(known.chars().count()));
    match common {
        _ if asked == known => most,
        _ if common == asked.chars().count() && common >= 3 => most - 5,
        _ if common >= 4 && common * 5 >= longer * 3 && common + 3 >= shorter => most - 10,
        _ if shorter >= 5 && distance(asked, known) <= shorter / 5 => most - 15,
        _ => 0,
    }
}

/// Words in lower case, without signs, and without those that say nothing.
fn tokens(text: &str) -> Vec<String> {
    const EMPTY: &[&str] = &[
        "the", "a", "an", "of", "or", "and", "is", "was", "it", "its", "in", "by", "too", "no", "not", "with", "that",
    ];
    let words =
        text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase);
    words.filter(|word| !EMPTY.contains(&word.as_str())).collect()
}

/// Letters and digits alone: `heart rate`, `heart-rate` and `heartRate` are `heartrate`.
fn joined(text: &str) -> String {
    text.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// How many letters have to be changed, put in or left out.
#[must_use]
pub fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.chars().enumerate() {
        let mut before = line;
        let mut left = line + 1;
        let mut next = vec![left];
        for (above, candidate) in row.iter().skip(1).zip(&other) {
            let changed = before + usize::from(letter != *candidate);
            before = *above;
            left = changed.min(left + 1).min(above + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
