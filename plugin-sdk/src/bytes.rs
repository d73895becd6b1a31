//! A reader over bytes that knows where it is: every refusal names the offset, and nothing is ever guessed.

use crate::{DateTime, DecodeError, ErrorKind, Number};

/// Reads a payload from its first byte to its last. End with [`Reader::finish`], which refuses trailing bytes.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    data: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the first byte.
    #[must_use]
    pub const fn new(data: &'a [u8]) -> Self {
        Self { data, position: 0 }
    }

    /// The offset of the next byte.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.position
    }

    /// How many bytes are left.
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.data.len() - self.position
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    ///
    /// The payload is shorter.
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let end = self.position.checked_add(count);
        let Some(taken) = end.and_then(|end| self.data.get(self.position..end)) else {
            return Err(self.truncated(count));
        };
        self.position += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        match self.data.get(self.position..).and_then(<[u8]>::first_chunk) {
            Some(taken) => {
                self.position += N;
                Ok(*taken)
            }
            None => Err(self.truncated(N)),
        }
    }

    #[cold]
    fn truncated(&self, count: usize) -> DecodeError {
        let (at, length) = (self.position, self.data.len());
        self.error(format!("truncated: {count} bytes are needed at offset {at}, and the payload has {length}"))
    }

    /// A refusal at the current offset, for what the bytes before it made wrong.
    #[must_use]
    pub fn error(&self, message: impl Into<String>) -> DecodeError {
        DecodeError::malformed(message).at(self.position)
    }

    /// Ends the reading.
    ///
    /// # Errors
    ///
    /// Bytes are left over: the layout is not what the reader thinks it is, so no value of it can be trusted.
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.remaining() {
            0 => Ok(()),
            left => Err(self.error(format!("{left} bytes are left over after the last field"))),
        }
    }

    /// A flag byte of which only the bits in `known` may be set.
    ///
    /// # Errors
    ///
    /// The payload ends, or a bit is set that this decoder does not know: it would shift the fields behind it.
    pub fn flags_u8(&mut self, known: u8) -> Result<Flags, DecodeError> {
        let at = self.position;
        let bits = self.u8()?;
        Flags::known(u32::from(bits), u32::from(known), at)
    }

    /// A little-endian flag field of 16 bits, as [`Reader::flags_u8`].
    ///
    /// # Errors
    ///
    /// As [`Reader::flags_u8`].
    pub fn flags_u16_le(&mut self, known: u16) -> Result<Flags, DecodeError> {
        let at = self.position;
        let bits = self.u16_le()?;
        Flags::known(u32::from(bits), u32::from(known), at)
    }

    /// An SFLOAT (IEEE 11073-20601), little-endian.
    ///
    /// # Errors
    ///
    /// The payload ends.
    pub fn sfloat(&mut self) -> Result<Number, DecodeError> {
        Ok(Number::from_sfloat(self.u16_le()?))
    }

    /// A FLOAT (IEEE 11073-20601), little-endian.
    ///
    /// # Errors
    ///
    /// The payload ends, or the exponent is outside the -64 to 64 that the contract carries.
    pub fn float(&mut self) -> Result<Number, DecodeError> {
        let at = self.position;
        match Number::from_float(self.u32_le()?) {
            Number::Finite(decimal) if !(-64..=64).contains(&decimal.exponent) => {
                Err(DecodeError::malformed("the exponent of this FLOAT is outside -64 to 64").at(at))
            }
            number => Ok(number),
        }
    }

    /// A Date Time (0x2A08), 7 bytes. Whether it is a usable time is the value's to say: [`DateTime::wall_clock`].
    ///
    /// # Errors
    ///
    /// The payload ends.
    pub fn date_time(&mut self) -> Result<DateTime, DecodeError> {
        let [low, high, month, day, hour, minute, second] = self.array()?;
        Ok(DateTime { year: u16::from_le_bytes([low, high]), month, day, hour, minute, second })
    }
}

/// The plain integers: name, type, how the array of bytes becomes it.
macro_rules! integers {
    ($($(#[$doc:meta])* $name:ident -> $integer:ty = $convert:expr;)*) => {
        impl Reader<'_> {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                ///
                /// The payload ends.
                #[inline]
                pub fn $name(&mut self) -> Result<$integer, DecodeError> {
                    self.array().map($convert)
                }
            )*
        }
    };
}

integers! {
    /// An unsigned byte.
    u8 -> u8 = |[byte]: [u8; 1]| byte;
    /// A signed byte.
    i8 -> i8 = i8::from_le_bytes;
    /// 16 bits unsigned, little-endian.
    u16_le -> u16 = u16::from_le_bytes;
    /// 16 bits unsigned, big-endian.
    u16_be -> u16 = u16::from_be_bytes;
    /// 16 bits signed, little-endian.
    i16_le -> i16 = i16::from_le_bytes;
    /// 16 bits signed, big-endian.
    i16_be -> i16 = i16::from_be_bytes;
    /// 24 bits unsigned, little-endian.
    u24_le -> u32 = |[low, middle, high]: [u8; 3]| u32::from_le_bytes([low, middle, high, 0]);
    /// 24 bits unsigned, big-endian.
    u24_be -> u32 = |[high, middle, low]: [u8; 3]| u32::from_be_bytes([0, high, middle, low]);
    /// 32 bits unsigned, little-endian.
    u32_le -> u32 = u32::from_le_bytes;
    /// 32 bits unsigned, big-endian.
    u32_be -> u32 = u32::from_be_bytes;
    /// 32 bits signed, little-endian.
    i32_le -> i32 = i32::from_le_bytes;
    /// 32 bits signed, big-endian.
    i32_be -> i32 = i32::from_be_bytes;
}

/// A field of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags(u32);

impl Flags {
    /// Bits of which any may be set: a status, behind which nothing shifts.
    #[must_use]
    pub const fn any(bits: u32) -> Self {
        Self(bits)
    }

    fn known(bits: u32, known: u32, at: usize) -> Result<Self, DecodeError> {
        match bits & !known {
            0 => Ok(Self(bits)),
            unknown => {
                let message = format!("flag bit {} is not one of this format", unknown.trailing_zeros());
                Err(DecodeError::malformed(message).at(at))
            }
        }
    }

    /// Is this bit set? Bit 0 is the lowest.
    #[must_use]
    pub const fn has(self, bit: u32) -> bool {
        bit < 32 && self.0 >> bit & 1 == 1
    }

    /// Is any of the bits set that are set in `mask`?
    #[must_use]
    pub const fn has_any(self, mask: u32) -> bool {
        self.0 & mask != 0
    }

    /// The words of those bits that are set, in the table's order.
    #[must_use]
    pub fn words(self, table: &[(u32, &'static str)]) -> Vec<&'static str> {
        table.iter().filter(|(bit, _)| self.has(*bit)).map(|(_, word)| *word).collect()
    }
}

impl DecodeError {
    fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), offset: None, path: None, extra: Vec::new() }
    }

    /// The bytes contradict the format. The message must not repeat personal data from the payload.
    #[must_use]
    pub fn malformed(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Malformed, message)
    }

    /// The format is right and asks for something that this decoder does not know.
    #[must_use]
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    /// Another device's payload.
    #[must_use]
    pub fn not_for_me(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotForMe, message)
    }

    /// The byte at which it went wrong.
    #[must_use]
    pub fn at(mut self, offset: usize) -> Self {
        self.offset = u32::try_from(offset).ok();
        self
    }

    /// The JSON path at which it went wrong.
    #[must_use]
    pub fn at_path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn integers_have_their_order_and_sign() {
        let data = [0x01, 0x02, 0x03, 0xFE, 0xFF];
        let reader = || Reader::new(&data);
        assert_eq!(reader().u8().unwrap(), 1);
        assert_eq!(reader().u16_le().unwrap(), 0x0201);
        assert_eq!(reader().u16_be().unwrap(), 0x0102);
        assert_eq!(reader().u24_le().unwrap(), 0x0003_0201);
        assert_eq!(reader().u24_be().unwrap(), 0x0001_0203);
        assert_eq!(reader().u32_le().unwrap(), 0xFE03_0201);
        assert_eq!(reader().u32_be().unwrap(), 0x0102_03FE);
        assert_eq!(reader().i32_le().unwrap(), -33_357_311);
        let mut tail = reader();
        tail.bytes(3).unwrap();
        assert_eq!(tail.clone().i16_le().unwrap(), -2);
        assert_eq!(tail.clone().i16_be().unwrap(), -257);
        assert_eq!(tail.i8().unwrap(), -2);
    }

    #[test]
    fn every_refusal_names_its_offset() {
        let mut reader = Reader::new(&[0x10, 0x01]);
        assert_eq!(reader.clone().flags_u8(0x0F).unwrap_err().offset, Some(0));
        assert!(reader.flags_u8(0x1F).unwrap().has(4));
        let short = reader.u16_le().unwrap_err();
        assert_eq!((short.kind, short.offset), (ErrorKind::Malformed, Some(1)));
        assert_eq!(reader.position(), 1, "a refused read takes nothing");
        assert_eq!(reader.clone().finish().unwrap_err().offset, Some(1));
        reader.u8().unwrap();
        reader.finish().unwrap();
        assert!(Reader::new(&[]).bytes(usize::MAX).is_err());
    }

    #[test]
    fn a_float_that_the_contract_cannot_carry_is_refused() {
        assert!(Reader::new(&[1, 0, 0, 0x41]).float().is_err());
        assert!(Reader::new(&[1, 0, 0, 0x40]).float().is_ok());
        assert!(Reader::new(&[1, 0, 0, 0x80]).float().is_err());
    }
}
