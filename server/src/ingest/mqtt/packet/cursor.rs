//! The data types of MQTT (chapter 1.5) and the properties of 5.0 (chapter 2.2.2), read with every bound checked.

use super::Malformed;

/// What is left of a packet.
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

/// A property's value.
#[derive(Debug)]
pub(super) enum Value<'a> {
    Number(u32),
    Text(&'a str),
    Pair(&'a str, &'a str),
    Other,
}

impl<'a> Cursor<'a> {
    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Malformed("it ends early"))?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Malformed> {
        self.bytes(1)?.first().copied().ok_or(Malformed("it ends early"))
    }

    pub(super) fn two(&mut self) -> Result<u16, Malformed> {
        u16::try_from(self.number(2)?).map_err(|_cannot_be| Malformed("a number"))
    }

    /// A big-endian number of up to four bytes.
    fn number(&mut self, count: usize) -> Result<u32, Malformed> {
        Ok(self.bytes(count)?.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    /// Variable byte integer.
    pub(super) fn varying(&mut self) -> Result<u32, Malformed> {
        let mut number = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?;
            number |= u32::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Malformed("a variable byte integer is longer than four bytes"))
    }

    pub(super) fn binary(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.two()?;
        self.bytes(usize::from(length))
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Malformed> {
        let text = std::str::from_utf8(self.binary()?).map_err(|_bytes| Malformed("a text is not UTF-8"))?;
        if text.contains('\0') {
            return Err(Malformed("a text has a zero character"));
        }
        Ok(text)
    }

    /// The properties of a packet, each with its identifier.
    pub(super) fn properties(&mut self) -> Result<Vec<(u8, Value<'a>)>, Malformed> {
        let length = usize::try_from(self.varying()?).map_err(|_huge| Malformed("the properties' length"))?;
        let mut left = Cursor(self.bytes(length)?);
        let mut found = Vec::new();
        while !left.0.is_empty() {
            let identifier = left.byte()?;
            let value = match identifier {
                1 | 23 | 25 | 36 | 37 | 40 | 41 | 42 => Value::Number(left.number(1)?),
                19 | 33 | 34 | 35 => Value::Number(left.number(2)?),
                2 | 17 | 24 | 39 => Value::Number(left.number(4)?),
                11 => Value::Number(left.varying()?),
                3 | 8 | 18 | 21 | 26 | 28 | 31 => Value::Text(left.text()?),
                38 => Value::Pair(left.text()?, left.text()?),
                9 | 22 => {
                    left.binary()?;
                    Value::Other
                }
                _ => return Err(Malformed("a property that MQTT 5.0 does not have")),
            };
            found.push((identifier, value));
        }
        Ok(found)
    }
}
