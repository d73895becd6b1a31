//! From bytes to values: RFC 8259, nothing beyond it, in one pass and with bounded depth.

use std::borrow::Cow;

use super::{Content, MAXIMUM_BYTES, MAXIMUM_DEPTH, MAXIMUM_VALUES, Node};
use crate::DecodeError;

/// Reads one value and nothing behind it.
pub(super) fn parse(data: &[u8]) -> Result<Node<'_>, DecodeError> {
    if data.len() > MAXIMUM_BYTES {
        return Err(DecodeError::malformed(format!("the payload is larger than {MAXIMUM_BYTES} bytes")));
    }
    let text = core::str::from_utf8(data)
        .map_err(|error| DecodeError::malformed("the payload is not JSON: it is not UTF-8").at(error.valid_up_to()))?;
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut parser = Parser { text, bytes: text.as_bytes(), position: start, values: 0 };
    parser.skip_space();
    let node = parser.value(MAXIMUM_DEPTH)?;
    parser.skip_space();
    if parser.position < parser.bytes.len() {
        return Err(parser.wrong("something follows its value"));
    }
    Ok(node)
}

struct Parser<'d> {
    text: &'d str,
    bytes: &'d [u8],
    position: usize,
    values: usize,
}

impl<'d> Parser<'d> {
    #[cold]
    fn wrong(&self, what: &str) -> DecodeError {
        DecodeError::malformed(format!("the payload is not JSON: {what}")).at(self.position)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.position).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.position += 1;
        }
    }

    /// Takes this byte if it is next.
    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.position += usize::from(is_next);
        is_next
    }

    fn value(&mut self, depth: usize) -> Result<Node<'d>, DecodeError> {
        self.values += 1;
        if self.values > MAXIMUM_VALUES {
            return Err(DecodeError::malformed(format!("the payload has more than {MAXIMUM_VALUES} values")));
        }
        let at = u32::try_from(self.position).map_err(|_too_far| self.wrong("it is too long"))?;
        let content = match self.peek() {
            Some(b'"') => Content::Text(self.string()?),
            Some(b'{') => self.object(depth)?,
            Some(b'[') => self.list(depth)?,
            Some(b'-' | b'0'..=b'9') => Content::Number(self.number()?),
            Some(b't') => self.word("true", Content::Boolean(true))?,
            Some(b'f') => self.word("false", Content::Boolean(false))?,
            Some(b'n') => self.word("null", Content::Null)?,
            Some(_) => return Err(self.wrong("no value begins like this")),
            None => return Err(self.wrong("it ends in the middle")),
        };
        Ok(Node { at, content })
    }

    fn word(&mut self, word: &str, content: Content<'d>) -> Result<Content<'d>, DecodeError> {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        if !rest.starts_with(word.as_bytes()) {
            return Err(self.wrong("no value begins like this"));
        }
        self.position += word.len();
        Ok(content)
    }

    fn deeper(&self, depth: usize) -> Result<usize, DecodeError> {
        let message = || format!("the payload has more than {MAXIMUM_DEPTH} lists and objects within each other");
        depth.checked_sub(1).ok_or_else(|| DecodeError::malformed(message()).at(self.position))
    }

    fn object(&mut self, depth: usize) -> Result<Content<'d>, DecodeError> {
        let depth = self.deeper(depth)?;
        self.position += 1;
        let mut members = Vec::new();
        self.skip_space();
        if self.take(b'}') {
            return Ok(Content::Object(members));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(self.wrong("a name in quotation marks is expected"));
            }
            let name = self.string()?;
            self.skip_space();
            if !self.take(b':') {
                return Err(self.wrong("a colon is expected"));
            }
            self.skip_space();
            members.push((name, self.value(depth)?));
            self.skip_space();
            if self.take(b'}') {
                return Ok(Content::Object(members));
            }
            if !self.take(b',') {
                return Err(self.wrong("a comma or the end of the object is expected"));
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Content<'d>, DecodeError> {
        let depth = self.deeper(depth)?;
        self.position += 1;
        let mut items = Vec::new();
        self.skip_space();
        if self.take(b']') {
            return Ok(Content::List(items));
        }
        loop {
            self.skip_space();
            items.push(self.value(depth)?);
            self.skip_space();
            if self.take(b']') {
                return Ok(Content::List(items));
            }
            if !self.take(b',') {
                return Err(self.wrong("a comma or the end of the list is expected"));
            }
        }
    }

    /// The text of a number, whose grammar is checked: `-0.5e+3` is one, `01`, `.5`, `5.` and `+5` are none.
    fn number(&mut self) -> Result<&'d str, DecodeError> {
        let start = self.position;
        self.take(b'-');
        let leading_zero = self.peek() == Some(b'0');
        let whole = self.digits()?;
        if leading_zero && whole > 1 {
            return Err(self.wrong("a number begins with a zero"));
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            if !self.take(b'-') {
                self.take(b'+');
            }
            self.digits()?;
        }
        Ok(self.slice(start))
    }

    /// At least one digit; answers how many.
    fn digits(&mut self) -> Result<usize, DecodeError> {
        let start = self.position;
        while let Some(b'0'..=b'9') = self.peek() {
            self.position += 1;
        }
        match self.position - start {
            0 => Err(self.wrong("a digit is expected")),
            count => Ok(count),
        }
    }

    /// From `start` to the current position, which both lie between characters.
    fn slice(&self, start: usize) -> &'d str {
        self.text.get(start..self.position).unwrap_or_default()
    }

    /// A text in quotation marks: borrowed where nothing in it is escaped.
    fn string(&mut self) -> Result<Cow<'d, str>, DecodeError> {
        self.position += 1;
        let mut start = self.position;
        let mut unescaped = String::new();
        loop {
            // Most of a document is text in which nothing happens: a waveform's samples are a text of 100 KiB.
            let rest = self.bytes.get(self.position..).unwrap_or_default();
            self.position += rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)).count();
            match self.peek() {
                Some(b'"') => {
                    let piece = self.slice(start);
                    self.position += 1;
                    if unescaped.is_empty() {
                        return Ok(Cow::Borrowed(piece));
                    }
                    unescaped.push_str(piece);
                    return Ok(Cow::Owned(unescaped));
                }
                Some(b'\\') => {
                    unescaped.push_str(self.slice(start));
                    self.position += 1;
                    unescaped.push(self.escaped()?);
                    start = self.position;
                }
                Some(_) => return Err(self.wrong("a text has a control character")),
                None => return Err(self.wrong("it ends in the middle of a text")),
            }
        }
    }

    /// What stands behind a backslash.
    fn escaped(&mut self) -> Result<char, DecodeError> {
        let letter = match self.peek() {
            Some(letter @ (b'"' | b'\\' | b'/')) => char::from(letter),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.position += 1;
                return self.code_point();
            }
            _ => return Err(self.wrong("an escape that JSON does not have")),
        };
        self.position += 1;
        Ok(letter)
    }

    /// Four hexadecimal digits, or two pairs of surrogates.
    fn code_point(&mut self) -> Result<char, DecodeError> {
        let first = self.unit()?;
        let code = match first {
            0xD800..=0xDBFF if self.take(b'\\') && self.take(b'u') => {
                let second = self.unit()?;
                if !(0xDC00..=0xDFFF).contains(&second) {
                    return Err(self.wrong("half a pair of surrogates"));
                }
                0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00)
            }
            code => code,
        };
        char::from_u32(code).ok_or_else(|| self.wrong("half a pair of surrogates"))
    }

    fn unit(&mut self) -> Result<u32, DecodeError> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            code = code * 16 + digit.ok_or_else(|| self.wrong("four hexadecimal digits are expected"))?;
            self.position += 1;
        }
        Ok(code)
    }
}
