//! Conditions as a table writes them.
//!
//! ```text
//! any    = all { "or" all }            field names as they are: weight, flags.time
//! all    = one { "and" one }           literals: 12, -0.5, 0x1F, 'text', true, false
//! one    = "not" one | "(" any ")" | "has" field
//!        | field [ ("==" | "!=" | "<" | "<=" | ">" | ">=") literal | "in" "[" literal { "," literal } "]" | "like" 'pattern' ]
//! ```

use super::block::Compiler;
use super::literal::exact;
use super::place::Place;
use crate::table::{Comparison, Condition, Literal};

impl Compiler<'_> {
    /// Compiles a condition, if there is one.
    pub(super) fn when(&mut self, text: Option<&str>, place: &Place) -> Option<Condition> {
        let text = text?;
        let mut parser = Parser { compiler: self, tokens: tokens(text), at: 0, place };
        let parsed = parser.any().and_then(|condition| match parser.tokens.get(parser.at) {
            None => Ok(condition),
            Some(token) => Err(format!("`{token}` is left over at the end of the condition")),
        });
        match parsed {
            Ok(condition) => Some(condition),
            Err(message) => {
                self.wrong(place.clone(), format!("{message} (in `{text}`)"));
                None
            }
        }
    }
}

/// Names, numbers, texts in quotes (their opening quote stays), and signs.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' | '"' => {
                let inner = rest.get(1..).unwrap_or_default();
                let end = inner.find(first).unwrap_or(inner.len());
                tokens.push(format!("'{}", inner.get(..end).unwrap_or_default()));
                rest = inner.get(end + 1..).unwrap_or_default().trim_start();
                continue;
            }
            '=' | '!' | '<' | '>' if rest.as_bytes().get(1) == Some(&b'=') => 2,
            '(' | ')' | '[' | ']' | ',' | '<' | '>' | '=' | '!' => 1,
            _ => rest
                .find(|letter: char| letter.is_whitespace() || "()[],<>=!'\"".contains(letter))
                .unwrap_or(rest.len()),
        };
        let (token, behind) = rest.split_at(length.max(first.len_utf8()));
        tokens.push(token.to_owned());
        rest = behind.trim_start();
    }
    tokens
}

struct Parser<'p, 'c> {
    compiler: &'p mut Compiler<'c>,
    tokens: Vec<String>,
    at: usize,
    place: &'p Place,
}

impl Parser<'_, '_> {
    fn peek(&self) -> &str {
        self.tokens.get(self.at).map_or("", String::as_str)
    }

    fn next(&mut self) -> String {
        self.at += 1;
        self.tokens.get(self.at - 1).cloned().unwrap_or_default()
    }

    fn take(&mut self, token: &str) -> bool {
        let is_next = self.peek() == token;
        self.at += usize::from(is_next);
        is_next
    }

    fn any(&mut self) -> Result<Condition, String> {
        let mut list = vec![self.all()?];
        while self.take("or") {
            list.push(self.all()?);
        }
        Ok(if list.len() > 1 { Condition::Any(list) } else { list.remove(0) })
    }

    fn all(&mut self) -> Result<Condition, String> {
        let mut list = vec![self.one()?];
        while self.take("and") {
            list.push(self.one()?);
        }
        Ok(if list.len() > 1 { Condition::All(list) } else { list.remove(0) })
    }

    fn one(&mut self) -> Result<Condition, String> {
        if self.take("not") || self.take("!") {
            return Ok(Condition::Not(Box::new(self.one()?)));
        }
        if self.take("(") {
            let inner = self.any()?;
            return if self.take(")") { Ok(inner) } else { Err("a `)` is missing".to_owned()) };
        }
        if self.take("has") {
            let name = self.next();
            return Ok(Condition::Has(self.compiler.field_of(&name, self.place).slot));
        }
        let name = self.next();
        if name.is_empty() {
            return Err("a field is expected at its end".to_owned());
        }
        let field = self.compiler.field_of(&name, self.place);
        let slot = field.slot;
        let comparison = match self.peek() {
            "==" => Comparison::Equal,
            "!=" => Comparison::Unequal,
            "<" => Comparison::Less,
            "<=" => Comparison::LessOrEqual,
            ">" => Comparison::Greater,
            ">=" => Comparison::GreaterOrEqual,
            "=" => return Err("write == for `is equal to`".to_owned()),
            "in" => {
                self.at += 1;
                return Ok(Condition::In(slot, self.list(&name, field.is_text)?));
            }
            "like" => {
                self.at += 1;
                let pattern = self.next();
                let pattern = pattern.strip_prefix('\'').ok_or("a pattern in quotes is expected behind `like`")?;
                return Ok(Condition::Like(slot, pattern.to_owned()));
            }
            _ => return Ok(Condition::Holds(slot)),
        };
        self.at += 1;
        Ok(Condition::Compare(slot, comparison, self.literal(&name, field.is_text)?))
    }

    fn list(&mut self, name: &str, of_texts: bool) -> Result<Vec<Literal>, String> {
        if !self.take("[") {
            return Err("a list in [ ] is expected behind `in`".to_owned());
        }
        let mut list = Vec::new();
        while !self.take("]") {
            list.push(self.literal(name, of_texts)?);
            if !self.take(",") && self.peek() != "]" {
                return Err("a `,` or `]` is missing".to_owned());
            }
        }
        Ok(list)
    }

    fn literal(&mut self, name: &str, of_texts: bool) -> Result<Literal, String> {
        let token = self.next();
        let literal = match token.as_str() {
            "true" => Literal::Boolean(true),
            "false" => Literal::Boolean(false),
            token => match (token.strip_prefix('\''), exact(token)) {
                (Some(text), _) => Literal::Text(text.to_owned()),
                (None, Some(number)) => Literal::Number(number),
                (None, None) => return Err(format!("`{token}` is no number, and texts stand in quotes")),
            },
        };
        match (&literal, of_texts) {
            (Literal::Number(_), true) => Err(format!("`{name}` is a text: write the number in quotes")),
            (Literal::Text(_), false) => Err(format!("`{name}` is no text, and is compared with one")),
            _ => Ok(literal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::tokens;

    #[test]
    fn conditions_are_taken_apart() {
        assert_eq!(
            tokens("not (flags.time and x>=-0.5) or kind in ['a b', \"c\"] and has y != 3"),
            [
                "not",
                "(",
                "flags.time",
                "and",
                "x",
                ">=",
                "-0.5",
                ")",
                "or",
                "kind",
                "in",
                "[",
                "'a b",
                ",",
                "'c",
                "]",
                "and",
                "has",
                "y",
                "!=",
                "3"
            ]
        );
        assert_eq!(tokens("'open"), ["'open"]);
        assert_eq!(tokens("a=é!"), ["a", "=", "é", "!"]);
    }
}
