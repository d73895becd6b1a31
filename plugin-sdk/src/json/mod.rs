//! A JSON reader for decoders: exact, small, and sure of where it is.
//!
//! Numbers stay the text that was sent: `72.0999984741211` reaches a decoder digit by digit and becomes a [`Decimal`],
//! never a binary float. Every refusal names the JSON path. Vendors write numbers as texts, so [`Json::decimal`] and
//! [`Json::integer`] read both. A member that is `null` counts as missing, and one that is there twice is refused where it
//! is asked for: which of the two is true, nobody knows.
//!
//! ```
//! use afferent_plugin_sdk::json::Document;
//!
//! let document = Document::parse(br#"{"data": [{"weight": "70.250"}, {"weight": 72.0999984741211}]}"#)?;
//! let mut weights = Vec::new();
//! for item in document.root().required("data")?.items()? {
//!     weights.push(item.required("weight")?.rounded(3)?.to_string());
//! }
//! assert_eq!(weights, ["70.250", "72.1"]);
//! # Ok::<(), afferent_plugin_sdk::DecodeError>(())
//! ```

mod parse;
mod path;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use crate::{Decimal, DecodeError};

/// Bytes of the largest document; the host takes no larger input.
pub const MAXIMUM_BYTES: usize = 1 << 20;

/// Lists and objects within each other; no vendor's payload comes near it.
pub const MAXIMUM_DEPTH: usize = 32;

/// Values of the largest document: a day of a glucose sensor has 4,000. A guest never gives memory back, so what a
/// document may make it take is bounded.
pub const MAXIMUM_VALUES: usize = 65_536;

/// A document that was read as a whole.
#[derive(Debug)]
pub struct Document<'d> {
    root: Node<'d>,
}

/// One value and the byte at which it begins, from which its path is found when it is needed.
#[derive(Debug)]
struct Node<'d> {
    at: u32,
    content: Content<'d>,
}

#[derive(Debug)]
enum Content<'d> {
    Null,
    Boolean(bool),
    /// The digits as they were sent, which the grammar of JSON allows.
    Number(&'d str),
    Text(Cow<'d, str>),
    List(Vec<Node<'d>>),
    Object(Vec<(Cow<'d, str>, Node<'d>)>),
}

impl<'d> Document<'d> {
    /// Reads a payload: one JSON value in UTF-8 (RFC 8259), with or without a byte order mark.
    ///
    /// # Errors
    ///
    /// It is no JSON, has something behind its value, or is larger or deeper than this reader's limits; with the offset.
    pub fn parse(data: &'d [u8]) -> Result<Self, DecodeError> {
        Ok(Self { root: parse::parse(data)? })
    }

    /// The document's value.
    #[must_use]
    pub const fn root(&self) -> Json<'_> {
        Json { root: &self.root, node: &self.root }
    }
}

/// A value within a document. It is as cheap to copy as a reference.
#[derive(Debug, Clone, Copy)]
pub struct Json<'d> {
    root: &'d Node<'d>,
    node: &'d Node<'d>,
}

impl<'d> Json<'d> {
    const fn child(self, node: &'d Node<'d>) -> Self {
        Self { root: self.root, node }
    }

    /// The member of this name; none where it is missing or `null`.
    ///
    /// # Errors
    ///
    /// This is no object, or has the member twice.
    pub fn get(self, name: &str) -> Result<Option<Self>, DecodeError> {
        let Content::Object(members) = &self.node.content else { return Err(self.is_not("an object")) };
        let mut found = members.iter().filter(|(key, _)| key == name);
        let Some((_, node)) = found.next() else { return Ok(None) };
        if found.next().is_some() {
            return Err(self.malformed(format!("`{name}` is there twice")));
        }
        Ok(Some(self.child(node)).filter(|value| !value.is_null()))
    }

    /// The member of this name.
    ///
    /// # Errors
    ///
    /// As [`Json::get`], and it is missing or `null`.
    pub fn required(self, name: &str) -> Result<Self, DecodeError> {
        self.get(name)?.ok_or_else(|| self.malformed(format!("`{name}` is missing")))
    }

    /// The values of a list, in order.
    ///
    /// # Errors
    ///
    /// This is no list.
    pub fn items(self) -> Result<impl ExactSizeIterator<Item = Self> + use<'d>, DecodeError> {
        let Content::List(items) = &self.node.content else { return Err(self.is_not("a list")) };
        Ok(items.iter().map(move |node| self.child(node)))
    }

    /// The names and values of an object, in the order in which they were sent; those that are `null` too.
    ///
    /// # Errors
    ///
    /// This is no object.
    pub fn members(self) -> Result<impl ExactSizeIterator<Item = (&'d str, Self)> + use<'d>, DecodeError> {
        let Content::Object(members) = &self.node.content else { return Err(self.is_not("an object")) };
        Ok(members.iter().map(move |(name, node)| (name.as_ref(), self.child(node))))
    }

    /// A text.
    ///
    /// # Errors
    ///
    /// This is none.
    pub fn text(self) -> Result<&'d str, DecodeError> {
        match &self.node.content {
            Content::Text(text) => Ok(text),
            _ => Err(self.is_not("a text")),
        }
    }

    /// `true` or `false`.
    ///
    /// # Errors
    ///
    /// This is neither.
    pub fn boolean(self) -> Result<bool, DecodeError> {
        match self.node.content {
            Content::Boolean(boolean) => Ok(boolean),
            _ => Err(self.is_not("true or false")),
        }
    }

    /// The digits of a number, or of a text that holds one.
    fn digits(self) -> Result<&'d str, DecodeError> {
        match &self.node.content {
            Content::Number(digits) => Ok(digits),
            Content::Text(text) => Ok(text.trim()),
            _ => Err(self.is_not("a number")),
        }
    }

    /// A number, or a text that holds one, with every digit that was sent.
    ///
    /// # Errors
    ///
    /// This is none, or it has more than 18 digits: [`Json::rounded`] reads those.
    pub fn decimal(self) -> Result<Decimal, DecodeError> {
        Decimal::parse(self.digits()?).map_err(|error| error.at_path(self.path()))
    }

    /// The same, rounded to a device's resolution ([`Decimal::parse_rounded`]): for senders whose numbers went through
    /// binary floats.
    ///
    /// # Errors
    ///
    /// This is no number.
    pub fn rounded(self, places: u8) -> Result<Decimal, DecodeError> {
        Decimal::parse_rounded(self.digits()?, places).map_err(|error| error.at_path(self.path()))
    }

    /// The number of this member, rounded to a device's resolution ([`Json::rounded`]); none where it is missing, `null`
    /// or not above zero. For what no living body has at zero: vendors send 0 or -1 where nothing was measured.
    ///
    /// # Errors
    ///
    /// This is no object, or the member is no number.
    pub fn measured(self, name: &str, places: u8) -> Result<Option<Decimal>, DecodeError> {
        let Some(member) = self.get(name)? else { return Ok(None) };
        Ok(Some(member.rounded(places)?).filter(|number| number.compare(0).is_gt()))
    }

    /// A whole number, or a text that holds one; `93.0` is one.
    ///
    /// # Errors
    ///
    /// This is none, or it does not fit.
    pub fn integer(self) -> Result<i64, DecodeError> {
        let digits = self.digits()?;
        let is_plain = digits.bytes().all(|digit| digit.is_ascii_digit() || digit == b'-');
        // Nanoseconds since 1970 have 19 digits, which a decimal has not.
        let whole = if is_plain { digits.parse().ok() } else { self.decimal()?.to_integer() };
        whole.ok_or_else(|| self.malformed("not a whole number"))
    }

    /// What identifies something: a text as it is, a number by its digits.
    ///
    /// # Errors
    ///
    /// This is neither, or it is empty.
    pub fn identifier(self) -> Result<&'d str, DecodeError> {
        let word = match &self.node.content {
            Content::Number(digits) => digits,
            Content::Text(text) => text.trim(),
            _ => return Err(self.is_not("a text or a number")),
        };
        if word.is_empty() { Err(self.malformed("an empty text identifies nothing")) } else { Ok(word) }
    }

    /// Is it `null`?
    #[must_use]
    pub const fn is_null(self) -> bool {
        matches!(self.node.content, Content::Null)
    }

    /// Is it an object?
    #[must_use]
    pub const fn is_object(self) -> bool {
        matches!(self.node.content, Content::Object(_))
    }

    /// Is it a list?
    #[must_use]
    pub const fn is_list(self) -> bool {
        matches!(self.node.content, Content::List(_))
    }

    /// Is it a text?
    #[must_use]
    pub const fn is_text(self) -> bool {
        matches!(self.node.content, Content::Text(_))
    }

    /// Where it is in the document: `$.data[0].weight`, `$['activities-steps'][1]`.
    #[must_use]
    pub fn path(self) -> String {
        path::of(self.root, self.node.at)
    }

    /// A refusal at this path: what is here contradicts the format. The message must not repeat personal data.
    #[must_use]
    #[cold]
    pub fn malformed(self, message: impl Into<String>) -> DecodeError {
        DecodeError::malformed(message).at_path(self.path())
    }

    /// A refusal at this path: the format is right, and asks for something unknown, such as a unit.
    #[must_use]
    #[cold]
    pub fn unsupported(self, message: impl Into<String>) -> DecodeError {
        DecodeError::unsupported(message).at_path(self.path())
    }

    fn is_not(self, wanted: &str) -> DecodeError {
        let found = match self.node.content {
            Content::Null => "null",
            Content::Boolean(_) => "true or false",
            Content::Number(_) => "a number",
            Content::Text(_) => "a text",
            Content::List(_) => "a list",
            Content::Object(_) => "an object",
        };
        self.malformed(format!("{wanted} is expected here, and there is {found}"))
    }
}
