//! Fields: what they read, by their type.

use registered_words::Set;

use super::block::{Compiler, Every, Named};
use super::document::Field;
use super::literal::{Plain, key};
use super::names::unknown;
use super::place::Place;
use super::properties::{MADE, whole};
use crate::table::{
    Algorithm, BytesField, JsonField, JsonRead, Length, MadeField, Members, Read, Refine, Repeat, Slot, Step,
};

pub(super) const TEXT: Named = Named { slot: 0, is_text: true, is_time: false, is_number: false };
const NUMBER: Named = Named { slot: 0, is_text: false, is_time: false, is_number: true };
pub(super) const TIME: Named = Named { slot: 0, is_text: false, is_time: true, is_number: false };
const NEITHER: Named = Named { slot: 0, is_text: false, is_time: false, is_number: false };

impl Compiler<'_> {
    pub(super) fn step(&mut self, source: &Field, every: &[Every<'_>], place: &Place) -> Option<Step> {
        self.check_properties(source, place)?;
        match source.kind.as_str() {
            "block" => return Some(Step::Block(self.inner(source, every, place))),
            "members" => return self.members(source, place),
            _ => {}
        }
        // A condition may name only what stands before: it is compiled before the field has its own name.
        let when = self.when(source.when.as_deref(), &place.member("when"));
        if MADE.iter().any(|(kind, _)| *kind == source.kind) {
            let (make, named) = self.made(source, place)?;
            let slot = self.slot_of(source, named, place);
            return Some(Step::Made(MadeField { slot, when, make }));
        }
        if self.json {
            let (read, named) = self.json_read(source, place);
            let path = self.path(source.path.as_deref(), &place.member("path"))?;
            let refine = self.refine(source, named, place);
            let slot = self.slot_of(source, named, place);
            let optional = source.optional.unwrap_or(false);
            return Some(Step::Json(JsonField { slot, when, path, optional, read, refine }));
        }
        let big = self.is_big(source.endian.as_deref(), self.big, &place.member("endian"));
        let (mut read, named) = self.bytes_read(source, place)?;
        let refine = self.refine(source, named, place);
        let slot = match read {
            Read::Skip(_) | Read::Checksum(..) => self.nameless(source.name.as_deref().unwrap_or(&source.kind)),
            _ => self.slot_of(source, named, place),
        };
        if let (Some(bits), Read::Unsigned(width)) = (&source.bits, &read) {
            let width = *width;
            let mut parts = Vec::new();
            for (name, bit) in bits {
                let place = place.member("bits").member(name);
                let Some((lowest, count)) = span(bit, width) else {
                    let message =
                        format!("a bit is a number from 0 to {}, or a range like \"4-7\"", u32::from(width) * 8 - 1);
                    self.wrong(place, message);
                    continue;
                };
                let full = format!("{}.{name}", source.name.as_deref().unwrap_or_default());
                parts.push((self.name(&full, when.is_some(), NUMBER, &place), lowest, count));
            }
            let ignore = match source.unknown_bits.as_deref() {
                None | Some("refuse") => false,
                Some("ignore") => true,
                Some(other) => {
                    self.wrong(
                        place.member("unknown-bits"),
                        unknown("way with unknown bits", other, ["refuse", "ignore"]),
                    );
                    false
                }
            };
            read = Read::Bits(width, parts, ignore);
        }
        Some(Step::Bytes(BytesField { slot, when, big, read, refine }))
    }

    fn slot_of(&mut self, source: &Field, named: Named, place: &Place) -> Slot {
        match &source.name {
            Some(name) => self.name(name, source.when.is_some(), named, place),
            None if source.equals.is_some() || source.bits.is_some() => self.nameless(&source.kind),
            None => {
                self.wrong(place.clone(), "a field needs a `name` (or is of the type skip)".to_owned());
                0
            }
        }
    }

    fn bytes_read(&mut self, source: &Field, place: &Place) -> Option<(Read, Named)> {
        if let Some((width, signed)) = whole(&source.kind) {
            return Some((if signed { Read::Signed(width) } else { Read::Unsigned(width) }, NUMBER));
        }
        let epoch = |width: Option<&Plain>| match width {
            None => Some(4),
            Some(Plain::Whole(width)) => u8::try_from(*width).ok().filter(|width| (1..=8).contains(width)),
            Some(_) => None,
        };
        Some(match source.kind.as_str() {
            "sfloat" => (Read::Sfloat, NUMBER),
            "float" => (Read::Float, NUMBER),
            "bcd" => (Read::Bcd(self.length(source, place)?), NUMBER),
            "text" => (Read::Text(self.length(source, place)?), TEXT),
            "hex" => (Read::Hex(self.length(source, place)?), TEXT),
            "skip" => (Read::Skip(self.length(source, place)?), NEITHER),
            "date-time" => (Read::DateTime, TIME),
            "checksum" => {
                let name = source.algorithm.as_deref().unwrap_or_default();
                let Some((_, algorithm)) = ALGORITHMS.iter().find(|(known, _)| *known == name) else {
                    let known = ALGORITHMS.iter().map(|(known, _)| *known);
                    self.wrong(place.member("algorithm"), unknown("algorithm", name, known));
                    return None;
                };
                (Read::Checksum(*algorithm, source.from.unwrap_or(0), source.to), NEITHER)
            }
            kind => {
                let Some(width) = epoch(source.length.as_ref()) else {
                    self.wrong(place.member("length"), format!("a field of the type {kind} has 1 to 8 bytes"));
                    return None;
                };
                (Read::Epoch(width, self.epoch(source, if kind == "epoch-seconds" { 1000 } else { 1 }, place)), TIME)
            }
        })
    }

    fn length(&mut self, source: &Field, place: &Place) -> Option<Length> {
        let place = place.member("length");
        match &source.length {
            Some(Plain::Whole(length)) if u32::try_from(*length).is_ok() => {
                u32::try_from(*length).ok().map(Length::Fixed)
            }
            Some(Plain::Text(word)) if word == "rest" => Some(Length::Rest),
            Some(Plain::Text(name)) => Some(Length::Field(self.number(name, &place))),
            _ => {
                self.wrong(place, "`length` is a number of bytes, the name of a field, or \"rest\"".to_owned());
                None
            }
        }
    }

    /// The slot of a field that must be a number.
    pub(super) fn number(&mut self, name: &str, place: &Place) -> Slot {
        let field = self.field_of(name, place);
        if !field.is_number {
            self.wrong(place.clone(), format!("`{name}` is no number"));
        }
        field.slot
    }

    fn refine(&mut self, source: &Field, named: Named, place: &Place) -> Refine {
        let literals = |list: &[Plain]| {
            list.iter()
                .map(|plain| match plain {
                    Plain::Text(text) => key(text, named.is_text),
                    plain => plain.literal(),
                })
                .collect::<Vec<_>>()
        };
        let mut one_of = literals(source.one_of.as_deref().unwrap_or_default());
        one_of.extend(literals(source.equals.as_slice()));
        let mut absent = Vec::new();
        for (value, reason) in source.absent.iter().flatten() {
            self.registered(Set::AbsentReason, reason, &place.member("absent").member(value));
            absent.push((key(value, named.is_text), reason.clone()));
        }
        let mut exactly = |name: &str, plain: Option<&Plain>| {
            let exact = plain?.decimal();
            if exact.is_none() {
                self.wrong(place.member(name), format!("`{name}` is a number, with a point as text: \"0.01\""));
            }
            exact
        };
        let (scale, offset) = (exactly("scale", source.scale.as_ref()), exactly("offset", source.offset.as_ref()));
        Refine {
            refusal: self.error_kind(source.refuse_as.as_deref(), &place.member("refuse-as")),
            missing: literals(source.missing.as_deref().unwrap_or_default()),
            only_above: source.only_above,
            one_of,
            absent,
            scale,
            offset,
        }
    }

    fn json_read(&mut self, source: &Field, place: &Place) -> (JsonRead, Named) {
        let local = source.local.unwrap_or(false);
        match source.kind.as_str() {
            "integer" => (JsonRead::Integer, NUMBER),
            "text" => (JsonRead::Text, TEXT),
            "identifier" => (JsonRead::Identifier, TEXT),
            "boolean" => (JsonRead::Boolean, NEITHER),
            "time" => (JsonRead::Time(local), TIME),
            "date" => (JsonRead::Date, TIME),
            "epoch-seconds" => (JsonRead::Epoch(self.epoch(source, 1000, place)), TIME),
            "epoch-milliseconds" => (JsonRead::Epoch(self.epoch(source, 1, place)), TIME),
            "epoch-nanoseconds" => (JsonRead::EpochNanoseconds, TIME),
            _ => (JsonRead::Number(source.places), NUMBER),
        }
    }

    /// The slot of a field that must be a time.
    pub(super) fn time(&mut self, name: &str, place: &Place) -> Slot {
        let field = self.field_of(name, place);
        if !field.is_time {
            self.wrong(place.clone(), format!("`{name}` is no time"));
        }
        field.slot
    }

    fn members(&mut self, source: &Field, place: &Place) -> Option<Step> {
        let when = self.when(source.when.as_deref(), &place.member("when"));
        let path = self.path(source.path.as_deref(), &place.member("path"))?;
        let refuse = match source.others.as_deref() {
            None | Some("warn") => false,
            Some("refuse") => true,
            Some(other) => {
                self.wrong(place.member("others"), unknown("way with other members", other, ["warn", "refuse"]));
                false
            }
        };
        if !refuse {
            self.said.warnings.insert("unsupported-metric".to_owned());
        }
        Some(Step::Members(Members { when, path, known: source.known.clone().unwrap_or_default(), refuse }))
    }

    pub(super) fn repeat(&mut self, source: &Field, place: &Place) -> Option<Repeat> {
        match (&source.repeat, &source.each) {
            (None, None) => None,
            (None, Some(_)) if !self.json => {
                self.wrong(place.member("each"), "`each` is for lists of JSON; bytes have `repeat`".to_owned());
                None
            }
            (None, Some(path)) => {
                let path = self.path(Some(path), &place.member("each"))?;
                Some(Repeat::Each(path, source.or_single.unwrap_or(false)))
            }
            (Some(Plain::Text(word)), None) if word == "rest" && !self.json => Some(Repeat::Rest),
            (Some(Plain::Whole(times)), None) if u32::try_from(*times).is_ok() => {
                u32::try_from(*times).ok().map(Repeat::Times)
            }
            (Some(Plain::Text(name)), None) => Some(Repeat::Counted(self.number(name, &place.member("repeat")))),
            _ => {
                let message = "a block has either `repeat` (a number, a field, or \"rest\") or, in JSON, `each`";
                self.wrong(place.member("repeat"), message.to_owned());
                None
            }
        }
    }
}

/// A bit, or a range of them: lowest and number.
fn span(bit: &Plain, width: u8) -> Option<(u8, u8)> {
    let (low, high) = match bit {
        Plain::Whole(bit) => (u8::try_from(*bit).ok()?, u8::try_from(*bit).ok()?),
        Plain::Text(range) => match range.split_once('-') {
            Some((low, high)) => (low.trim().parse().ok()?, high.trim().parse().ok()?),
            None => (range.trim().parse().ok()?, range.trim().parse().ok()?),
        },
        Plain::Boolean(_) => return None,
    };
    (low <= high && high < width * 8).then(|| (low, high - low + 1))
}

/// The check sums that a table can name.
const ALGORITHMS: &[(&str, Algorithm)] = &[
    ("sum8", Algorithm::Sum8),
    ("negated-sum8", Algorithm::NegatedSum8),
    ("xor8", Algorithm::Xor8),
    ("sum16", Algorithm::Sum16),
    ("crc8", Algorithm::Crc8(0x07, 0, 0, false)),
    ("crc8-maxim", Algorithm::Crc8(0x31, 0, 0, true)),
    ("crc16-ccitt-false", Algorithm::Crc16(0x1021, 0xFFFF, 0, false)),
    ("crc16-xmodem", Algorithm::Crc16(0x1021, 0, 0, false)),
    ("crc16-kermit", Algorithm::Crc16(0x1021, 0, 0, true)),
    ("crc16-arc", Algorithm::Crc16(0x8005, 0, 0, true)),
    ("crc16-modbus", Algorithm::Crc16(0x8005, 0xFFFF, 0, true)),
    ("crc16-x25", Algorithm::Crc16(0x1021, 0xFFFF, 0xFFFF, true)),
];
