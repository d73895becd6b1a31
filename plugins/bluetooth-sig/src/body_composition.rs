//! Body Composition Measurement (0x2A9C), Body Composition Service 1.0: one measurement in one packet or two, often beside
//! a Weight Measurement (0x2A9D) of the same moment.

use afferent_plugin_sdk::registry::{kinds, methods, nothing_reasons};
use afferent_plugin_sdk::{Decimal, DecodeError, Incomplete, Nothing, Outcome, Reader, Reading, Value};

use crate::origin::Origin;
use crate::scale::{Units, tenths};
use crate::weight::{Weight, unsuccessful};

/// The body fat that means "measurement unsuccessful"; in other fields, scales say with it that there is no value.
const UNSUCCESSFUL: u16 = 0xFFFF;

/// Flag: the measurement is in two packets.
const MULTIPLE_PACKETS: u32 = 12;

/// How many optional values there are.
const OPTIONAL: usize = 9;

/// The places of weight and height among the optional values; [`PLACES`] has the others.
const WEIGHT: usize = 7;
const HEIGHT: usize = 8;

/// The optional values that follow time and user, in their order on the wire: bit of the flags.
const BITS: [u32; OPTIONAL] = [3, 4, 5, 6, 7, 8, 9, 10, 11];

/// The order in which they are told: place on the wire, kind.
const TOLD: [(usize, &str); OPTIONAL] = [
    (WEIGHT, kinds::BODY_WEIGHT),
    (HEIGHT, kinds::BODY_HEIGHT),
    (1, kinds::BODY_MUSCLE_PERCENTAGE),
    (2, kinds::BODY_MUSCLE_MASS),
    (3, kinds::FAT_FREE_MASS),
    (4, kinds::SOFT_LEAN_MASS),
    (5, kinds::BODY_WATER_MASS),
    (6, kinds::BODY_IMPEDANCE),
    (0, kinds::BASAL_METABOLISM),
];

/// A measurement, or the half of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composition {
    units: Units,
    fat: u16,
    origin: Origin,
    values: [Option<u16>; OPTIONAL],
    packets: Packets,
}

/// How much of a measurement it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packets {
    /// All of it, from one packet or two.
    Whole,
    /// One of two, whose other may still come.
    Half,
    /// One of two, whose other was lost.
    Rest,
}

impl Composition {
    /// Reads the whole payload.
    ///
    /// # Errors
    ///
    /// It is truncated, has trailing bytes, or sets a flag that would shift the fields.
    pub fn read(data: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(data);
        let flags = reader.flags_u16_le(0b0001_1111_1111_1111)?;
        let fat = reader.u16_le()?;
        let origin = Origin::read(&mut reader, flags.has(1), flags.has(2))?;
        let mut values = [None; OPTIONAL];
        for (value, bit) in values.iter_mut().zip(BITS) {
            // Scales that could not measure through the feet fill the frame with zeros: nobody has 0 kg of muscle.
            if flags.has(bit) {
                *value = Some(reader.u16_le()?).filter(|raw| ![0, UNSUCCESSFUL].contains(raw));
            }
        }
        reader.finish()?;
        let packets = if flags.has(MULTIPLE_PACKETS) { Packets::Half } else { Packets::Whole };
        Ok(Self { units: Units::of(flags.has(0)), fat, origin, values, packets })
    }

    /// Is it the first of two packets, or the second?
    pub fn is_half(&self) -> bool {
        self.packets == Packets::Half
    }

    /// Says that the other packet was lost: the two are sent one after the other, and something else came.
    pub const fn give_up_other(&mut self) {
        self.packets = Packets::Rest;
    }

    /// The whole of which `other` is the second packet; none where they are not two packets of one measurement: the second
    /// repeats units and body fat, and has neither time nor user, or the same.
    pub fn with_second(&self, other: &Self) -> Option<Self> {
        let mut whole = self.clone();
        let fits = self.is_half() && other.is_half() && self.units == other.units && self.fat == other.fat;
        if !fits || !self.origin.agrees_with(&other.origin) {
            return None;
        }
        for (mine, theirs) in whole.values.iter_mut().zip(other.values) {
            match (*mine, theirs) {
                (Some(mine), Some(theirs)) if mine != theirs => return None,
                (None, Some(_)) => *mine = theirs,
                _ => {}
            }
        }
        whole.origin = whole.origin.or(&other.origin);
        whole.packets = Packets::Whole;
        Some(whole)
    }

    /// Is the weight of the same moment, by all that both say? Weight and height that both have are the same then.
    pub fn belongs_to(&self, weight: &Weight) -> bool {
        let same = |mine: Option<u16>, theirs: Option<u16>| mine.is_none() || theirs.is_none() || mine == theirs;
        self.packets == Packets::Whole
            && weight.succeeded()
            && self.units == weight.units
            && self.origin.agrees_with(&weight.origin)
            && same(self.values[WEIGHT], Some(weight.weight))
            && same(self.values[HEIGHT], weight.height)
    }

    /// What it says beside the weight of the same moment: time, user and key are those of the weight where it has none
    /// itself, and what both say is told once.
    pub fn beside(mut self, weight: &Weight) -> Self {
        self.origin = weight.origin.clone().or(&self.origin);
        self.values[WEIGHT] = None;
        if weight.height.is_some() {
            self.values[HEIGHT] = None;
        }
        self
    }

    /// The origin of both, for the weight beside it.
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What one measurement comes to. The service disables every other field when the body fat was unsuccessful, so nothing
    /// beside it is told.
    pub fn outcome(&self) -> Outcome {
        if self.is_half() {
            return Incomplete::because("one of the two packets of a body composition: the other is needed").into();
        }
        if self.fat == UNSUCCESSFUL {
            return unsuccessful().into();
        }
        let around = |kind, value| self.origin.stamp(Reading::new(kind, value));
        let estimated = |kind, value| around(kind, value).method(methods::BIOIMPEDANCE);
        let mut readings = Vec::with_capacity(OPTIONAL + 1);
        if self.fat != 0 {
            readings.push(estimated(kinds::BODY_FAT_PERCENTAGE, tenths(self.fat, "%")));
        }
        for (place, kind) in TOLD {
            match (place, self.values.get(place).copied().flatten()) {
                (_, None) => {}
                (WEIGHT, Some(raw)) => readings.push(around(kind, self.units.mass(raw))),
                (HEIGHT, Some(raw)) => readings.push(around(kind, self.units.height(raw))),
                (_, Some(raw)) => readings.push(estimated(kind, self.value(place, raw))),
            }
        }
        if readings.is_empty() {
            return Nothing::because(nothing_reasons::NO_MEASUREMENT, "the scale measured no body composition").into();
        }
        readings.into()
    }

    /// Basal metabolism in kilojoule a day, a share of muscle, masses, and the impedance in tenths of an ohm.
    fn value(&self, place: usize, raw: u16) -> Value {
        match place {
            0 => Value::decimal(Decimal::new(i64::from(raw), 0), "kJ/d"),
            1 => tenths(raw, "%"),
            6 => tenths(raw, "Ohm"),
            _ => self.units.mass(raw),
        }
    }
}
