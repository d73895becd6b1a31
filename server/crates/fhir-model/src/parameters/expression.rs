//! The subset of `FHIRPath` that the official `SearchParameters` use, compiled to a small tree: paths, unions, `as`,
//! `ofType`, `where(resolve() is T)`, `where(name='value')`, `[n]`, `exists()`, `and`, `!=`
//! (<http://hl7.org/fhirpath/N1/>).

/// A compiled expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expression {
    /// The resource itself.
    Root,
    /// `parent.name`; a choice `value[x]` is named `value`.
    Child(Box<Expression>, String),
    /// `parent as Type`, `parent.as(Type)`, `parent.ofType(Type)`.
    As(Box<Expression>, String),
    /// `parent.where(resolve() is Type)`.
    ResolvesTo(Box<Expression>, String),
    /// `parent.where(name='text')`.
    WhereEquals(Box<Expression>, String, String),
    /// `parent[n]`.
    Item(Box<Expression>, usize),
    /// `a | b`.
    Union(Vec<Expression>),
    /// `parent.exists()`.
    Exists(Box<Expression>),
    /// `parent != false` and the like: true unless the value equals the literal.
    NotEqual(Box<Expression>, String),
    /// `a and b`.
    And(Box<Expression>, Box<Expression>),
}

/// Why an expression is not in the subset.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} at character {at} of the expression")]
pub struct ExpressionError {
    message: String,
    at: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Lexeme {
    Name(String),
    Text(String),
    Number(usize),
    Symbol(char),
    NotEqual,
}

/// Compiles an expression whose paths start with `resource_type` (or `Resource`, `DomainResource`).
pub(super) fn compile(resource_type: &str, text: &str) -> Result<Expression, ExpressionError> {
    let mut parser = Parser { resource_type, lexemes: lexemes(text)?, next: 0, end: text.len() };
    let expression = parser.union()?;
    match parser.lexemes.get(parser.next) {
        None => Ok(expression),
        Some(_) => Err(parser.fault("something is left over")),
    }
}

fn lexemes(text: &str) -> Result<Vec<(usize, Lexeme)>, ExpressionError> {
    let mut found = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, char)) = chars.next() {
        let lexeme = match char {
            char if char.is_whitespace() => continue,
            '\'' => {
                let inner: String = chars.by_ref().map(|(_, char)| char).take_while(|char| *char != '\'').collect();
                Lexeme::Text(inner)
            }
            '!' if chars.next_if(|(_, next)| *next == '=').is_some() => Lexeme::NotEqual,
            '.' | '|' | '(' | ')' | '[' | ']' | '=' => Lexeme::Symbol(char),
            '0'..='9' => {
                let mut digits = char.to_string();
                while let Some((_, digit)) = chars.next_if(|(_, next)| next.is_ascii_digit()) {
                    digits.push(digit);
                }
                Lexeme::Number(
                    digits
                        .parse()
                        .map_err(|_too_large| ExpressionError { message: "a number is too large".to_owned(), at })?,
                )
            }
            char if char.is_ascii_alphabetic() || char == '_' => {
                let mut name = char.to_string();
                while let Some((_, next)) = chars.next_if(|(_, next)| next.is_ascii_alphanumeric() || *next == '_') {
                    name.push(next);
                }
                Lexeme::Name(name)
            }
            _ => return Err(ExpressionError { message: "a character is not understood".to_owned(), at }),
        };
        found.push((at, lexeme));
    }
    Ok(found)
}

struct Parser<'a> {
    resource_type: &'a str,
    lexemes: Vec<(usize, Lexeme)>,
    next: usize,
    end: usize,
}

impl Parser<'_> {
    fn union(&mut self) -> Result<Expression, ExpressionError> {
        let first = self.conjunction()?;
        if !self.at_symbol('|') {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.take_symbol('|') {
            parts.push(self.conjunction()?);
        }
        Ok(Expression::Union(parts))
    }

    fn conjunction(&mut self) -> Result<Expression, ExpressionError> {
        let mut left = self.comparison()?;
        while self.take_name("and") {
            left = Expression::And(Box::new(left), Box::new(self.comparison()?));
        }
        Ok(left)
    }

    fn comparison(&mut self) -> Result<Expression, ExpressionError> {
        let mut left = self.path()?;
        if self.take_name("as") {
            left = Expression::As(Box::new(left), self.name()?);
        }
        if matches!(self.peek(), Some(Lexeme::NotEqual)) {
            self.next += 1;
            let literal = self.name_or_text()?;
            left = Expression::NotEqual(Box::new(left), literal);
        }
        Ok(left)
    }

    fn path(&mut self) -> Result<Expression, ExpressionError> {
        let mut path = self.head()?;
        loop {
            if self.take_symbol('[') {
                let Some(Lexeme::Number(index)) = self.take() else {
                    return Err(self.fault("a number is missing in [ ]"));
                };
                self.need_symbol(']')?;
                path = Expression::Item(Box::new(path), index);
            } else if self.take_symbol('.') {
                path = self.step(path)?;
            } else {
                return Ok(path);
            }
        }
    }

    fn head(&mut self) -> Result<Expression, ExpressionError> {
        if self.take_symbol('(') {
            let inner = self.union()?;
            self.need_symbol(')')?;
            return Ok(inner);
        }
        let name = self.name()?;
        if name == self.resource_type || name == "Resource" || name == "DomainResource" {
            return Ok(Expression::Root);
        }
        Err(self.fault("a path does not start with the resource type"))
    }

    fn step(&mut self, parent: Expression) -> Result<Expression, ExpressionError> {
        let name = self.name()?;
        let parent = Box::new(parent);
        if !self.take_symbol('(') {
            return Ok(Expression::Child(parent, name));
        }
        let step = match name.as_str() {
            "as" | "ofType" => Expression::As(parent, self.name()?),
            "exists" => Expression::Exists(parent),
            "where" => self.condition(parent)?,
            _ => return Err(self.fault("a function is not supported")),
        };
        self.need_symbol(')')?;
        Ok(step)
    }

    fn condition(&mut self, parent: Box<Expression>) -> Result<Expression, ExpressionError> {
        let name = self.name()?;
        if name == "resolve" {
            self.need_symbol('(')?;
            self.need_symbol(')')?;
            if !self.take_name("is") {
                return Err(self.fault("resolve() is not followed by 'is'"));
            }
            return Ok(Expression::ResolvesTo(parent, self.name()?));
        }
        self.need_symbol('=')?;
        Ok(Expression::WhereEquals(parent, name, self.name_or_text()?))
    }

    fn peek(&self) -> Option<&Lexeme> {
        self.lexemes.get(self.next).map(|(_, lexeme)| lexeme)
    }

    fn take(&mut self) -> Option<Lexeme> {
        let lexeme = self.peek().cloned();
        self.next += 1;
        lexeme
    }

    fn at_symbol(&self, symbol: char) -> bool {
        self.peek() == Some(&Lexeme::Symbol(symbol))
    }

    fn take_symbol(&mut self, symbol: char) -> bool {
        let found = self.at_symbol(symbol);
        self.next += usize::from(found);
        found
    }

    fn need_symbol(&mut self, symbol: char) -> Result<(), ExpressionError> {
        if self.take_symbol(symbol) { Ok(()) } else { Err(self.fault(&format!("'{symbol}' is missing"))) }
    }

    fn take_name(&mut self, name: &str) -> bool {
        let found = matches!(self.peek(), Some(Lexeme::Name(found)) if found == name);
        self.next += usize::from(found);
        found
    }

    fn name(&mut self) -> Result<String, ExpressionError> {
        match self.take() {
            Some(Lexeme::Name(name)) => Ok(name),
            _ => Err(self.fault("a name is missing")),
        }
    }

    fn name_or_text(&mut self) -> Result<String, ExpressionError> {
        match self.take() {
            Some(Lexeme::Name(text) | Lexeme::Text(text)) => Ok(text),
            _ => Err(self.fault("a literal is missing")),
        }
    }

    fn fault(&self, message: &str) -> ExpressionError {
        let at = self.lexemes.get(self.next).map_or(self.end, |(at, _)| *at);
        ExpressionError { message: message.to_owned(), at }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn compiles_paths_types_and_conditions() {
        let child = |parent: Expression, name: &str| Expression::Child(Box::new(parent), name.to_owned());
        let subject = child(Expression::Root, "subject");
        assert_eq!(
            compile("Observation", "Observation.subject.where(resolve() is Patient)").unwrap(),
            Expression::ResolvesTo(Box::new(subject), "Patient".to_owned())
        );
        let value = || Box::new(child(Expression::Root, "value"));
        assert_eq!(
            compile("Observation", "(Observation.value as string) | (Observation.value as CodeableConcept).text")
                .unwrap(),
            Expression::Union(vec![
                Expression::As(value(), "string".into()),
                child(Expression::As(value(), "CodeableConcept".into()), "text")
            ])
        );
        assert_eq!(
            compile("Patient", "Patient.telecom.where(system='email')").unwrap(),
            Expression::WhereEquals(Box::new(child(Expression::Root, "telecom")), "system".into(), "email".into())
        );
        assert_eq!(
            compile("Bundle", "Bundle.entry[0].resource").unwrap(),
            child(Expression::Item(Box::new(child(Expression::Root, "entry")), 0), "resource")
        );
    }

    #[test]
    fn what_is_outside_the_subset_is_refused() {
        for text in [
            "",
            "Observation.",
            "Patient.name",
            "Observation.code.first()",
            "Observation.value as",
            "(Observation.value",
            "Observation.code Observation.value",
            "Observation.entry[x]",
            "Observation.code + 1",
        ] {
            assert!(compile("Observation", text).is_err(), "{text}");
        }
    }
}
