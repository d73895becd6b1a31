//! Values of search parameters: escapes, prefixes, tokens, references, numbers
//! (<https://hl7.org/fhir/R4/search.html#escaping>, <https://hl7.org/fhir/R4/search.html#prefix>).

use super::table::SearchParameter;
use super::{DateValue, NumberValue, Prefix, QuantityValue, ReferenceValue, Token, TokenSystem};
use crate::datetime::{DateRange, Precision};
use crate::reference::{Reference, is_id};

impl Prefix {
    const ALL: [(&'static str, Self); 9] = [
        ("eq", Self::Eq),
        ("ne", Self::Ne),
        ("gt", Self::Gt),
        ("lt", Self::Lt),
        ("ge", Self::Ge),
        ("le", Self::Le),
        ("sa", Self::Sa),
        ("eb", Self::Eb),
        ("ap", Self::Ap),
    ];

    /// Splits the prefix off; [`Prefix::Eq`] when there is none.
    fn split(text: &str) -> (Self, &str) {
        let found = Self::ALL.iter().find_map(|(code, prefix)| Some((*prefix, text.strip_prefix(code)?)));
        found.unwrap_or((Self::Eq, text))
    }
}

impl DateValue {
    /// Reads `[prefix]date`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (prefix, date) = Prefix::split(text);
        // A plus sign that was not percent-encoded arrives as a space; in a date it can mean nothing else.
        let date = date.replace(' ', "+");
        let range = DateRange::parse(&date).map_err(|fault| match prefix {
            Prefix::Eq if date.starts_with(|first: char| first.is_ascii_alphabetic()) => {
                "has a prefix that is not one of eq, ne, gt, lt, ge, le, sa, eb, ap".to_owned()
            }
            _ => fault.to_string(),
        })?;
        Ok(Self { prefix, range })
    }

    /// The range that `ap` compares with, for overlap: a day-or-coarser value is widened by its own length on both
    /// sides, a time by one hour. (R4 recommends a tenth of the distance to now, which would make the same search
    /// mean something else every day.)
    #[must_use]
    pub fn approximately(&self) -> DateRange {
        let own = self.range.high - self.range.low;
        let margin = if self.range.precision > Precision::Day { chrono::TimeDelta::hours(1) } else { own };
        let low = self.range.low.checked_sub_signed(margin).unwrap_or(self.range.low);
        let high = self.range.high.checked_add_signed(margin).unwrap_or(self.range.high);
        DateRange { low, high, ..self.range }
    }

    /// Whether a resource's value, the half-open range `[low, high)`, satisfies the parameter. This is the rule in
    /// one place; SQL has to say the same.
    #[must_use]
    pub fn matches(&self, value: &DateRange) -> bool {
        let asked = &self.range;
        let within = asked.low <= value.low && value.high <= asked.high;
        match self.prefix {
            Prefix::Eq => within,
            Prefix::Ne => !within,
            Prefix::Gt => value.high > asked.high,
            Prefix::Lt => value.low < asked.low,
            Prefix::Ge => value.high > asked.high || within,
            Prefix::Le => value.low < asked.low || within,
            Prefix::Sa => value.low >= asked.high,
            Prefix::Eb => value.high <= asked.low,
            Prefix::Ap => {
                let wide = self.approximately();
                value.low < wide.high && wide.low < value.high
            }
        }
    }
}

impl Token {
    /// Reads `code`, `system|code`, `|code` or `system|`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let parts = split_escaped(text, '|');
        let mut parts = parts.iter().map(|part| unescape(part));
        let (first, second, rest) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
        let (system, code) = match (second, rest) {
            (None, _) => (TokenSystem::Any, first),
            (Some(code), None) if first.is_empty() => (TokenSystem::None, code),
            (Some(code), None) => (TokenSystem::Is(first), code),
            (Some(_), Some(_)) => {
                return Err(
                    "has more than one '|'; the form is system|code, and a '|' inside is written \\|".to_owned()
                );
            }
        };
        match (&system, code.is_empty()) {
            (TokenSystem::Is(_), true) => Ok(Self { system, code: None }),
            (_, true) => Err("must be code, system|code, |code or system|".to_owned()),
            _ => Ok(Self { system, code: Some(code) }),
        }
    }
}

impl ReferenceValue {
    /// Reads `Type/id`, `id` or an absolute URL. `only` is the type of a `:Type` modifier, `bases` this server's own URLs.
    pub(super) fn parse(
        text: &str,
        parameter: &SearchParameter,
        only: Option<&str>,
        bases: &[&str],
    ) -> Result<Self, String> {
        let text = unescape(text);
        if is_id(&text) && !text.contains('/') {
            let single = match parameter.targets {
                [single] => Some(*single),
                _ => None,
            };
            let resource_type = only.or(single).map(str::to_owned);
            return Ok(Self::Local { resource_type, id: text });
        }
        let reference = Reference::parse(&text).ok_or("must be Type/id, id or an absolute URL")?;
        if let Some(local) = reference.on_server(bases) {
            let fits = parameter.targets.is_empty() || parameter.targets.contains(&local.resource_type);
            if !fits || only.is_some_and(|only| only != local.resource_type) {
                let right = only.map_or_else(|| parameter.targets.join(", "), str::to_owned);
                return Err(format!("points at a {}; it must be {right}", local.resource_type));
            }
            return Ok(Self::Local { resource_type: Some(local.resource_type.to_owned()), id: local.id.to_owned() });
        }
        match reference {
            Reference::Absolute { .. } | Reference::Url(_) | Reference::Urn(_) => Ok(Self::Url(text)),
            _ => Err("must be Type/id, id or an absolute URL".to_owned()),
        }
    }
}

impl NumberValue {
    /// Reads `[prefix]number`; the digits given imply the range that `eq` means.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (prefix, digits) = Prefix::split(text);
        let wrong = || "must be a number, such as 5.40 or ge100".to_owned();
        let plain = |char: char| char.is_ascii_digit() || matches!(char, '.' | '-' | '+' | 'e' | 'E');
        if !digits.chars().all(plain) || digits.is_empty() {
            return Err(wrong());
        }
        let value: f64 = digits.parse().map_err(|_not_a_number| wrong())?;
        let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
        let exponent: i32 = exponent.parse().map_err(|_not_a_number| wrong())?;
        let fraction = mantissa.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        let fraction = i32::try_from(fraction).map_err(|_too_long| wrong())?;
        let half_width = 0.5 * 10_f64.powi(exponent.saturating_sub(fraction));
        if !value.is_finite() || !half_width.is_finite() {
            return Err(wrong());
        }
        Ok(Self { prefix, value, half_width })
    }
}

impl QuantityValue {
    /// Reads `number`, `number|system|code` or `number||code`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let parts = split_escaped(text, '|');
        let parts: Vec<String> = parts.iter().map(|part| unescape(part)).collect();
        let given = |part: &String| (!part.is_empty()).then(|| part.clone());
        match parts.as_slice() {
            [number] => Ok(Self { number: NumberValue::parse(number)?, system: None, code: None }),
            [number, system, code] => {
                Ok(Self { number: NumberValue::parse(number)?, system: given(system), code: given(code) })
            }
            _ => Err("must be number, number|system|code or number||code".to_owned()),
        }
    }
}

/// Splits at a separator that is not escaped by `\`. The escapes stay in the parts.
#[must_use]
pub fn split_escaped(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut escaped = false;
    for (at, char) in text.char_indices() {
        if !escaped && char == separator {
            parts.push(text.get(start..at).unwrap_or_default());
            start = at + char.len_utf8();
        }
        escaped = char == '\\' && !escaped;
    }
    parts.push(text.get(start..).unwrap_or_default());
    parts
}

/// Takes the escapes `\,` `\|` `\$` `\\` out; any other backslash stays what it is.
pub(super) fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match (char, chars.peek()) {
            ('\\', Some(next @ (',' | '|' | '$' | '\\'))) => {
                plain.push(*next);
                chars.next();
            }
            _ => plain.push(char),
        }
    }
    plain
}
