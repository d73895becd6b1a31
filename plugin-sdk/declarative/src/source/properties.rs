//! Which properties a type of field has; all others are refused where they stand.

use super::block::Compiler;
use super::document::Field;
use super::names::unknown;
use super::place::Place;

/// Types of fields of bytes, with the properties that they have beside name, type and when.
const BYTES: &[(&str, &[&str])] = &[
    ("sfloat", &["endian", "missing", "absent", "only-above", "scale", "offset"]),
    ("float", &["endian", "missing", "absent", "only-above", "scale", "offset"]),
    (
        "bcd",
        &["endian", "length", "equals", "one-of", "refuse-as", "missing", "absent", "only-above", "scale", "offset"],
    ),
    ("text", &["length", "equals", "one-of", "refuse-as", "missing"]),
    ("hex", &["endian", "length", "equals", "one-of", "refuse-as", "missing"]),
    ("skip", &["length"]),
    ("date-time", &[]),
    ("epoch-seconds", &["endian", "length", "epoch", "local", "missing"]),
    ("epoch-milliseconds", &["endian", "length", "epoch", "local", "missing"]),
    ("checksum", &["endian", "algorithm", "from", "to"]),
];

const WHOLE: &[&str] = &[
    "endian",
    "bits",
    "unknown-bits",
    "equals",
    "one-of",
    "refuse-as",
    "missing",
    "absent",
    "only-above",
    "scale",
    "offset",
];

/// Types of fields of JSON.
const JSON: &[(&str, &[&str])] = &[
    (
        "number",
        &[
            "path",
            "optional",
            "places",
            "one-of",
            "equals",
            "refuse-as",
            "missing",
            "absent",
            "only-above",
            "scale",
            "offset",
        ],
    ),
    (
        "integer",
        &["path", "optional", "one-of", "equals", "refuse-as", "missing", "absent", "only-above", "scale", "offset"],
    ),
    ("text", &["path", "optional", "one-of", "equals", "refuse-as", "missing", "absent"]),
    ("identifier", &["path", "optional", "one-of", "equals", "refuse-as", "missing"]),
    ("boolean", &["path", "optional"]),
    ("time", &["path", "optional", "local"]),
    ("date", &["path", "optional"]),
    ("epoch-seconds", &["path", "optional", "epoch", "local", "missing"]),
    ("epoch-milliseconds", &["path", "optional", "epoch", "local", "missing"]),
    ("epoch-nanoseconds", &["path", "optional"]),
    ("members", &["path", "known", "others"]),
];

/// Types that are made of other fields, and `block`.
pub(super) const MADE: &[(&str, &[&str])] = &[
    ("variable", &["variable"]),
    ("time-of", &["year", "month", "day", "hour", "minute", "second", "year-base"]),
    ("later", &["time", "by", "unit"]),
    ("at-offset", &["time", "by", "unit"]),
    ("before-capture", &["by", "unit"]),
    ("first-of", &["of"]),
    (
        "block",
        &["repeat", "each", "or-single", "field", "reading", "fact", "warning", "nothing", "refuse", "every-reading"],
    ),
];

/// `u16` and its like: width in bytes, and whether it has a sign.
pub(super) fn whole(kind: &str) -> Option<(u8, bool)> {
    let (sign, bits) = kind.split_at_checked(1)?;
    let bits: u8 = bits.parse().ok()?;
    let is_known = ["u", "i"].contains(&sign) && bits.is_multiple_of(8) && (8..=64).contains(&bits);
    is_known.then_some((bits / 8, sign == "i"))
}

impl Compiler<'_> {
    /// Every property must be one that the type has.
    pub(super) fn check_properties(&mut self, source: &Field, place: &Place) -> Option<()> {
        let of_payload = if self.json { JSON } else { BYTES };
        let kind = source.kind.as_str();
        let known = of_payload.iter().chain(MADE).find(|(known, _)| *known == kind).map(|(_, properties)| *properties);
        let known = known.or_else(|| whole(kind).filter(|_| !self.json).map(|_| WHOLE));
        let Some(known) = known else {
            self.wrong(place.member("type"), self.unknown_type(kind));
            return None;
        };
        for property in source.properties() {
            if !known.contains(&property) {
                let message = match known {
                    [] => format!("a field of the type {kind} has no `{property}`"),
                    _ => format!("a field of the type {kind} has no `{property}`; it has {}", known.join(", ")),
                };
                self.wrong(place.member(property), message);
            }
        }
        Some(())
    }
}

/// What other languages and datasheets call a type: the name, and what a table writes.
const CALLED: &[(&[&str], &str)] = &[
    (&["uint8", "byte", "uint8_t", "char"], "u8"),
    (&["uint16", "uint16_t", "word", "ushort"], "u16"),
    (&["uint32", "uint32_t", "dword"], "u32"),
    (&["uint64", "uint64_t"], "u64"),
    (&["int8", "int8_t", "sint8"], "i8"),
    (&["int16", "int16_t", "sint16", "short"], "i16"),
    (&["int32", "int32_t", "sint32", "int"], "i32"),
    (&["const", "constant", "magic", "fixed", "literal", "enum"], "u8` with `equals` or `one-of"),
    (&["flags", "bits", "bool", "boolean", "bitfield", "bitmask"], "u8` with `bits"),
    (&["reserved", "padding", "pad", "unused", "ignore"], "skip"),
    (&["crc", "sum", "sum8", "crc8", "crc16", "xor"], "checksum"),
    (&["string", "ascii", "utf8", "str"], "text"),
    (&["bytes", "raw", "address", "mac"], "hex"),
    (&["timestamp", "epoch", "unix", "unix-time", "time", "seconds"], "epoch-seconds"),
    (&["datetime", "date"], "date-time"),
    (&["group", "list", "repeat", "array", "loop"], "block"),
];

impl Compiler<'_> {
    /// Says which types there are, and which of them is meant.
    fn unknown_type(&self, kind: &str) -> String {
        let of_payload = if self.json { JSON } else { BYTES };
        let mut types: Vec<&str> = of_payload.iter().chain(MADE).map(|(kind, _)| *kind).collect();
        if !self.json {
            types.splice(0..0, ["u8", "u16", "u24", "u32", "u64", "i8", "i16", "i24", "i32", "i64"]);
        }
        let payload = if self.json { "type of a JSON field" } else { "type of a field of bytes" };
        let lower = kind.to_lowercase();
        let called = CALLED.iter().filter(|_| !self.json).find(|(names, _)| names.contains(&lower.as_str()));
        let meant = match called {
            Some((_, meant)) => format!("`{kind}` is no {payload}; did you mean `{meant}`?"),
            None => unknown(payload, kind, types.iter().copied()),
        };
        let types = types.join(", ");
        match meant {
            meant if meant.contains("; there are ") => meant,
            meant if meant.ends_with('?') => format!("{meant} There are {types}"),
            meant => format!("{meant}; there are {types}"),
        }
    }
}

impl Field {
    /// The properties that are written, beside name, type and when.
    fn properties(&self) -> Vec<&'static str> {
        let told = [
            ("endian", self.endian.is_some()),
            ("length", self.length.is_some()),
            ("bits", self.bits.is_some()),
            ("unknown-bits", self.unknown_bits.is_some()),
            ("algorithm", self.algorithm.is_some()),
            ("from", self.from.is_some()),
            ("to", self.to.is_some()),
            ("path", self.path.is_some()),
            ("optional", self.optional.is_some()),
            ("places", self.places.is_some()),
            ("local", self.local.is_some()),
            ("epoch", self.epoch.is_some()),
            ("equals", self.equals.is_some()),
            ("one-of", self.one_of.is_some()),
            ("refuse-as", self.refuse_as.is_some()),
            ("missing", self.missing.is_some()),
            ("absent", self.absent.is_some()),
            ("only-above", self.only_above.is_some()),
            ("scale", self.scale.is_some()),
            ("offset", self.offset.is_some()),
            ("variable", self.variable.is_some()),
            ("of", self.of.is_some()),
            ("year", self.year.is_some()),
            ("month", self.month.is_some()),
            ("day", self.day.is_some()),
            ("hour", self.hour.is_some()),
            ("minute", self.minute.is_some()),
            ("second", self.second.is_some()),
            ("year-base", self.year_base.is_some()),
            ("time", self.time.is_some()),
            ("by", self.by.is_some()),
            ("unit", self.unit.is_some()),
            ("known", self.known.is_some()),
            ("others", self.others.is_some()),
            ("repeat", self.repeat.is_some()),
            ("each", self.each.is_some()),
            ("or-single", self.or_single.is_some()),
            ("field", !self.field.is_empty()),
            ("reading", !self.reading.is_empty()),
            ("fact", !self.fact.is_empty()),
            ("warning", !self.warning.is_empty()),
            ("nothing", !self.nothing.is_empty()),
            ("refuse", !self.refuse.is_empty()),
            ("every-reading", self.every_reading.is_some()),
        ];
        told.into_iter().filter(|(_, is_told)| *is_told).map(|(name, _)| name).collect()
    }
}
