//! Conditions, words and texts that depend on fields.

use core::cmp::Ordering;
use std::borrow::Cow;

use afferent_plugin_sdk::{Decimal, DecodeError};

use super::Run;
use super::datum::{Datum, compare};
use crate::table::{Comparison, Condition, Literal, Otherwise, Piece, Word};

impl Run<'_, '_> {
    /// Does it hold?
    pub(super) fn holds(&self, condition: &Condition) -> bool {
        match condition {
            Condition::All(all) => all.iter().all(|condition| self.holds(condition)),
            Condition::Any(any) => any.iter().any(|condition| self.holds(condition)),
            Condition::Not(condition) => !self.holds(condition),
            Condition::Has(slot) => self.slot(*slot).is_there(),
            Condition::Holds(slot) => match self.slot(*slot) {
                Datum::Boolean(boolean) => *boolean,
                Datum::Number(number) => number.mantissa != 0,
                _ => false,
            },
            Condition::Compare(slot, comparison, literal) => {
                self.slot(*slot).order(literal).is_some_and(|order| fits(*comparison, order))
            }
            Condition::In(slot, literals) => literals.iter().any(|literal| self.slot(*slot).is(literal)),
            Condition::Like(slot, pattern) => {
                self.slot(*slot).shown().is_some_and(|text| is_like(text.as_bytes(), pattern.as_bytes()))
            }
        }
    }

    /// The word that a payload asks for; none where there is none.
    pub(super) fn word<'w>(&self, word: &'w Word) -> Result<Option<&'w str>, DecodeError> {
        match word {
            Word::Is(word) => Ok(Some(word)),
            Word::Cases(cases) => {
                let mut holding = cases.iter().filter(|(when, _)| when.as_ref().is_none_or(|when| self.holds(when)));
                Ok(holding.next().map(|(_, word)| word.as_str()))
            }
            Word::Map(slot, entries, otherwise, missing) => {
                let datum = self.slot(*slot);
                let found = entries.iter().find(|(literal, _)| datum.is(literal));
                let otherwise = match (found, datum) {
                    (Some((_, word)), _) => return Ok(Some(word)),
                    (None, Datum::Missing) => missing,
                    (None, _) => otherwise,
                };
                match otherwise {
                    Otherwise::NoWord => Ok(None),
                    Otherwise::Is(word) => Ok(Some(word)),
                    Otherwise::Refuse => Err(self.named(*slot, DecodeError::unsupported(choices(entries)))),
                }
            }
        }
    }

    /// The text; none where a field in it is missing.
    pub(super) fn text(&self, pieces: &[Piece]) -> Option<String> {
        let mut text = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(fixed) => text.push_str(fixed),
                Piece::Field(slot) => text.push_str(&self.slot(*slot).shown()?),
                Piece::Optional(inner) => text.push_str(&self.text(inner).unwrap_or_default()),
            }
        }
        Some(text)
    }
}

/// Says what would have been right, without repeating the payload.
#[cold]
fn choices(entries: &[(Literal, String)]) -> String {
    let known: Vec<Cow<'_, str>> = entries.iter().map(|(literal, _)| literal.shown()).collect();
    format!("a value that this format does not have; it has {}", known.join(", "))
}

impl Literal {
    /// As a person reads it.
    pub(crate) fn shown(&self) -> Cow<'_, str> {
        match self {
            Self::Number(number) => Cow::Owned(Decimal::from(*number).to_string()),
            Self::Text(text) => Cow::Borrowed(text),
            Self::Boolean(boolean) => Cow::Borrowed(if *boolean { "true" } else { "false" }),
        }
    }
}

impl Datum<'_> {
    /// How it compares with what the table wrote; none where the two are of different types.
    fn order(&self, literal: &Literal) -> Option<Ordering> {
        match (self, literal) {
            (Self::Number(number), Literal::Number(other)) => Some(compare(*number, (*other).into())),
            (Self::Text(text), Literal::Text(other)) => Some(text.as_ref().cmp(other.as_str())),
            (Self::Boolean(boolean), Literal::Boolean(other)) => Some(boolean.cmp(other)),
            (Self::Boolean(boolean), Literal::Number(other)) => {
                Some(compare(Decimal::new(i64::from(*boolean), 0), (*other).into()))
            }
            _ => None,
        }
    }
}

fn fits(comparison: Comparison, order: Ordering) -> bool {
    match comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::Unequal => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    }
}

/// `#` is a digit, `?` any letter, `*` any letters, everything else itself. Only the last `*` is ever tried again, so that no
/// text takes longer than its length times that of the pattern.
fn is_like(text: &[u8], pattern: &[u8]) -> bool {
    let (mut at, mut of) = (0, 0);
    let mut again: Option<(usize, usize)> = None;
    while let Some(letter) = text.get(at) {
        let fits = match pattern.get(of) {
            Some(b'*') => {
                again = Some((at, of));
                of += 1;
                continue;
            }
            Some(b'#') => letter.is_ascii_digit(),
            Some(b'?') => true,
            Some(other) => other == letter,
            None => false,
        };
        if fits {
            (at, of) = (at + 1, of + 1);
        } else if let Some((start, star)) = again {
            again = Some((start + 1, star));
            (at, of) = (start + 1, star + 1);
        } else {
            return false;
        }
    }
    pattern.get(of..).is_some_and(|rest| rest.iter().all(|letter| *letter == b'*'))
}

#[cfg(test)]
mod tests {
    use super::is_like;

    #[test]
    fn patterns_match_whole_texts() {
        for (text, pattern, expected) in [
            ("351358815532467", "###############", true),
            ("35135881553246", "###############", false),
            ("351358815532467x", "###############", false),
            ("AB-12", "??-##", true),
            ("scale-7-end", "scale-*-end", true),
            ("scale-7-en", "scale-*-end", false),
            ("", "*", true),
            ("", "", true),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaab", "*a*a*a*a*a*a*c", false),
        ] {
            assert_eq!(is_like(text.as_bytes(), pattern.as_bytes()), expected, "{text} like {pattern}");
        }
    }
}
