//! Fields of bytes.

use std::borrow::Cow;

use afferent_plugin_sdk::{Decimal, DecodeError, Number, Timestamp};

use super::datum::{Datum, Moment};
use super::refine::refine;
use super::{Run, checksum};
use crate::table::{BytesField, Epoch, Length, Read};

impl<'d> Run<'_, 'd> {
    /// Reads one field, if it is there.
    pub(super) fn bytes(&mut self, field: &BytesField) -> Result<(), DecodeError> {
        if !field.when.as_ref().is_none_or(|when| self.holds(when)) {
            return Ok(());
        }
        let at = self.reader.position();
        let raw = self.read(field, at)?;
        let datum = refine(&field.refine, raw).map_err(|error| error.at(at))?;
        self.put(field.slot, datum);
        Ok(())
    }

    fn read(&mut self, field: &BytesField, at: usize) -> Result<Datum<'d>, DecodeError> {
        Ok(match &field.read {
            Read::Unsigned(width) => number(self.unsigned(*width, field.big)?, at)?,
            Read::Signed(width) => {
                let raw = self.unsigned(*width, field.big)?;
                let unused = 64 - u32::from(*width) * 8;
                // Shifting to the top and back extends the sign.
                Datum::Number(Decimal::new((raw << unused).cast_signed() >> unused, 0))
            }
            Read::Bits(width, parts, ignore_others) => {
                let raw = self.unsigned(*width, field.big)?;
                self.bits(raw, parts, *ignore_others, at)?;
                number(raw, at)?
            }
            Read::Sfloat => {
                let raw = self.unsigned(2, field.big)?;
                special(Number::from_sfloat(u16::try_from(raw).unwrap_or(u16::MAX)), at)?
            }
            Read::Float => {
                let raw = self.unsigned(4, field.big)?;
                special(Number::from_float(u32::try_from(raw).unwrap_or(u32::MAX)), at)?
            }
            Read::Bcd(length) => {
                let taken = self.take(*length)?;
                Datum::Number(Decimal::new(decimal_digits(taken, field.big, at)?, 0))
            }
            Read::Text(length) => {
                let taken = self.take(*length)?;
                let text = core::str::from_utf8(taken)
                    .map_err(|_no_text| DecodeError::malformed("these bytes are no text in UTF-8").at(at))?;
                let text = text.trim_matches(|letter: char| letter == '\0' || letter.is_whitespace());
                if text.contains('\0') {
                    return Err(DecodeError::malformed("a text with a NUL in it").at(at));
                }
                if text.is_empty() { Datum::Missing } else { Datum::Text(Cow::Borrowed(text)) }
            }
            Read::Hex(length) => Datum::Text(Cow::Owned(hexadecimal(self.take(*length)?, field.big))),
            Read::Skip(length) => {
                self.take(*length)?;
                Datum::Missing
            }
            Read::DateTime => Datum::Time(Moment::Clock(self.reader.date_time()?.wall_clock())),
            Read::Epoch(width, epoch) => {
                let raw = self.unsigned(*width, field.big)?;
                if !field.refine.missing.is_empty() && field.refine.is_missing(&number(raw, at)?) {
                    return Ok(Datum::Missing);
                }
                let stamp = i64::try_from(raw).ok().and_then(|raw| epoch.time(raw));
                let stamp = stamp.ok_or_else(|| DecodeError::malformed("a time beyond the year 9999").at(at))?;
                Datum::Time(Moment::Stamp(stamp))
            }
            Read::Checksum(algorithm, from, to) => {
                let told = self.unsigned(checksum::width(*algorithm), field.big)?;
                let counted = checksum::over(*algorithm, checksum::part(self.data, *from, *to, at));
                if told != counted {
                    // The table's author meets this too: a field of another length moves the place of the sum.
                    let why = "the check sum is wrong: bytes were changed on the way, or the fields before it have other lengths";
                    return Err(DecodeError::malformed(why).at(at));
                }
                Datum::Missing
            }
        })
    }

    /// So many bytes as a number.
    fn unsigned(&mut self, width: u8, big: bool) -> Result<u64, DecodeError> {
        let taken = self.reader.bytes(usize::from(width))?;
        let join = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        Ok(if big { taken.iter().fold(0, join) } else { taken.iter().rev().fold(0, join) })
    }

    /// The parts of a field of bits, each into its slot.
    fn bits(&mut self, raw: u64, parts: &[(u16, u8, u8)], ignore_others: bool, at: usize) -> Result<(), DecodeError> {
        let mut known = 0;
        for (slot, lowest, count) in parts {
            let mask = u64::MAX >> (64 - u32::from(*count).clamp(1, 64));
            known |= mask << lowest;
            let part = i64::try_from(raw >> lowest & mask).unwrap_or(i64::MAX);
            self.put(*slot, Datum::Number(Decimal::new(part, 0)));
        }
        let unknown = raw & !known;
        if unknown != 0 && !ignore_others {
            let message = format!("flag bit {} is not one of this format", unknown.trailing_zeros());
            return Err(DecodeError::malformed(message).at(at));
        }
        Ok(())
    }

    fn take(&mut self, length: Length) -> Result<&'d [u8], DecodeError> {
        let count = match length {
            Length::Fixed(count) => usize::try_from(count).unwrap_or(usize::MAX),
            Length::Rest => self.reader.remaining(),
            Length::Field(slot) => {
                let count = self.slot(slot).integer().and_then(|count| usize::try_from(count).ok());
                count.ok_or_else(|| self.reader.error("a length that is none"))?
            }
        };
        self.reader.bytes(count)
    }
}

impl Epoch {
    /// So many units after it; none where that is before it, or beyond the year 9999.
    pub(super) fn time(&self, count: i64) -> Option<Timestamp> {
        let after = count.checked_mul(i64::from(self.unit_ms)).filter(|after| *after >= 0)?;
        let stamp = Timestamp::from_epoch_ms(self.start_ms.checked_add(after)?).ok()?;
        Some(if self.local { stamp.as_wall_clock() } else { stamp })
    }
}

fn number(raw: u64, at: usize) -> Result<Datum<'static>, DecodeError> {
    let number =
        i64::try_from(raw).map_err(|_too_large| DecodeError::malformed("a number of more than 63 bits").at(at))?;
    Ok(Datum::Number(Decimal::new(number, 0)))
}

/// A number of IEEE 11073-20601, or why there is none.
fn special(number: Number, at: usize) -> Result<Datum<'static>, DecodeError> {
    match (number, number.absent_reason()) {
        (Number::Finite(decimal), _) if (-64..=64).contains(&decimal.exponent) => Ok(Datum::Number(decimal)),
        (_, Some(reason)) => Ok(Datum::Absent(Cow::Borrowed(reason))),
        _ => Err(DecodeError::malformed("the exponent of this FLOAT is outside -64 to 64").at(at)),
    }
}

/// Two decimal digits a byte.
fn decimal_digits(bytes: &[u8], big: bool, at: usize) -> Result<i64, DecodeError> {
    let join = |number: Option<i64>, byte: &u8| {
        let (tens, ones) = (i64::from(byte >> 4), i64::from(byte & 0x0F));
        if tens > 9 || ones > 9 { None } else { number?.checked_mul(100)?.checked_add(tens * 10 + ones) }
    };
    let number = if big { bytes.iter().fold(Some(0), join) } else { bytes.iter().rev().fold(Some(0), join) };
    number.ok_or_else(|| DecodeError::malformed("these bytes are no binary-coded decimal digits").at(at))
}

/// Upper-case digits, the most significant byte first.
fn hexadecimal(bytes: &[u8], big: bool) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).map_or('0', |digit| char::from(*digit));
    let mut text = String::with_capacity(bytes.len() * 2);
    let mut push = |byte: &u8| text.extend([digit(byte >> 4), digit(byte & 0x0F)]);
    if big {
        bytes.iter().for_each(&mut push)
    } else {
        bytes.iter().rev().for_each(&mut push)
    }
    text
}
