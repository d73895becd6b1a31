//! A compiled table: what the interpreter runs. It is made by `source` and lies in the component as postcard bytes; names
//! are numbers of slots by then, and everything that can be wrong in a table has been refused.

use afferent_plugin_sdk::{Decimal, Example, Input, Manifest, NameValue};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The number of a field's value.
pub type Slot = u16;

/// A whole table. Manifest, formats and names are bytes of their own: one decode reads only its format, and the names of its
/// fields only to say what it refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    pub(crate) manifest: Bytes,
    pub(crate) bindings: Vec<Binding>,
    pub(crate) formats: Vec<Bytes>,
    /// For each format, the slots of its fields with their names: a postcard list of [`Label`].
    pub(crate) labels: Vec<Bytes>,
}

/// The slot of a field and its name in the table.
pub(crate) type Label = (Slot, String);

/// Bytes that are read at once, and not one by one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&[u8]>::deserialize(deserializer).map(|bytes| Self(bytes.to_vec()))
    }
}

/// Which format a model's frames have on a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Binding {
    pub model: String,
    /// Empty: any.
    pub channel: String,
    pub format: u16,
}

/// What the table says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct About {
    pub name: String,
    pub vendor: String,
    pub version: String,
    pub license: String,
    pub description: String,
    /// Name, title, channels, variables.
    pub models: Vec<(String, String, Vec<String>, Vec<String>)>,
    pub kinds: Vec<String>,
    pub flags: Vec<String>,
    pub warnings: Vec<String>,
    pub examples: Vec<Shown>,
    pub extra: Vec<(String, String)>,
}

/// An example.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shown {
    pub name: String,
    pub model: String,
    pub channel: String,
    pub json: bool,
    pub frames: Vec<Vec<u8>>,
    pub variables: Vec<(String, String)>,
    pub outcome: String,
    pub values: Vec<String>,
}

/// One layout of payloads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Format {
    pub json: bool,
    pub slots: u16,
    pub body: Block,
    /// Why there are no readings, where no rule says so: a registered reason and a sentence.
    pub empty: (String, String),
}

/// Fields in their order, and what they come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Block {
    pub when: Option<Condition>,
    pub repeat: Option<Repeat>,
    /// The slots of its own fields, which every repetition begins anew.
    pub slots: (Slot, Slot),
    pub steps: Vec<Step>,
    pub refusals: Vec<Refusal>,
    pub nothings: Vec<Silence>,
    pub warnings: Vec<Caution>,
    pub facts: Vec<Fact>,
    pub readings: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Repeat {
    /// So many times.
    Times(u32),
    /// As often as this field says.
    Counted(Slot),
    /// Until the payload ends.
    Rest,
    /// For every element of a list; with the flag, an object counts as a list of itself.
    Each(Path, bool),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Step {
    Bytes(BytesField),
    Json(JsonField),
    Made(MadeField),
    Block(Block),
    Members(Members),
}

/// A field of bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BytesField {
    pub slot: Slot,
    pub when: Option<Condition>,
    pub big: bool,
    pub read: Read,
    pub refine: Refine,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Read {
    Unsigned(u8),
    Signed(u8),
    /// Bits: slot, lowest bit, number of bits. Others must be 0, unless the flag says that they are ignored.
    Bits(u8, Vec<(Slot, u8, u8)>, bool),
    Sfloat,
    Float,
    /// Two decimal digits a byte.
    Bcd(Length),
    Text(Length),
    /// Bytes as upper-case hexadecimal digits.
    Hex(Length),
    Skip(Length),
    /// The Bluetooth SIG's Date Time, 7 bytes.
    DateTime,
    /// So many bytes.
    Epoch(u8, Epoch),
    /// Width, algorithm, first byte, and the byte behind the last (negative: from the end); none: all before it.
    Checksum(Algorithm, i32, Option<i32>),
}

/// What a number of seconds or milliseconds is counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Epoch {
    /// The unit in milliseconds.
    pub unit_ms: u32,
    /// Milliseconds from 1970 to the epoch.
    pub start_ms: i64,
    /// It counts on the wall clock of the place where the device is; otherwise in UTC.
    pub local: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Length {
    Fixed(u32),
    Field(Slot),
    Rest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Algorithm {
    Sum8,
    /// The two's complement of the sum: all bytes and this one come to 0.
    NegatedSum8,
    Xor8,
    Sum16,
    /// Polynomial, initial value, final xor, reflected.
    Crc8(u8, u8, u8, bool),
    Crc16(u16, u16, u16, bool),
}

/// A field of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct JsonField {
    pub slot: Slot,
    pub when: Option<Condition>,
    pub path: Path,
    pub optional: bool,
    pub read: JsonRead,
    pub refine: Refine,
}

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Path {
    /// From the element of the innermost repetition (`@`), or from the document (`$`).
    pub from_element: bool,
    pub steps: Vec<PathStep>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum PathStep {
    Member(String),
    Item(u32),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum JsonRead {
    /// With every digit, or rounded to so many decimal places.
    Number(Option<u8>),
    Integer,
    Text,
    Boolean,
    Identifier,
    /// RFC 3339 and its relatives; with the flag, the offset is not meant and the wall clock is.
    Time(bool),
    Epoch(Epoch),
    /// Nanoseconds.
    EpochNanoseconds,
    Date,
}

/// A field that is made of others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MadeField {
    pub slot: Slot,
    pub when: Option<Condition>,
    pub make: Make,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Make {
    /// A setting of the device.
    Variable(String),
    /// Year, month, day, hour, minute, second (the last may be missing), and what is added to the year.
    TimeParts([Slot; 5], Option<Slot>, i64),
    /// A time and a number that is added to it, in units of so many milliseconds.
    Later(Slot, Slot, i64),
    /// A time at an offset from UTC that a field says, in units of so many seconds.
    AtOffset(Slot, Slot, i64),
    /// So long before the capture: a number in units of so many milliseconds.
    BeforeCapture(Slot, i64),
    /// The first of these fields that is there.
    First(Vec<Slot>),
}

/// Members that an object may have beside those that were read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Members {
    pub when: Option<Condition>,
    pub path: Path,
    pub known: Vec<String>,
    /// Refused; otherwise warned of.
    pub refuse: bool,
}

/// What becomes of a raw value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refine {
    /// Nothing else is this format.
    pub one_of: Vec<Literal>,
    /// As what another value is refused.
    pub refusal: Kind,
    /// These stand for no value.
    pub missing: Vec<Literal>,
    /// These stand for the reason why there is none.
    pub absent: Vec<(Literal, String)>,
    /// What is not above this stands for no value.
    pub only_above: Option<i64>,
    pub scale: Option<Exact>,
    pub offset: Option<Exact>,
}

/// An exact decimal: mantissa and exponent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Exact(pub i64, pub i32);

impl From<Exact> for Decimal {
    fn from(Exact(mantissa, exponent): Exact) -> Self {
        Self::new(mantissa, exponent)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Literal {
    Number(Exact),
    Text(String),
    Boolean(bool),
}

/// When something holds. A comparison with a value that is missing does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Condition {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    /// There is a value.
    Has(Slot),
    /// A bit that is set, a number that is not 0, `true`.
    Holds(Slot),
    Compare(Slot, Comparison, Literal),
    In(Slot, Vec<Literal>),
    /// `#` is a digit, `?` any letter, `*` any letters.
    Like(Slot, String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    #[default]
    Malformed,
    Unsupported,
    NotForMe,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refusal {
    pub when: Condition,
    pub kind: Kind,
    pub message: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Silence {
    pub when: Condition,
    pub reason: String,
    pub message: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Caution {
    pub when: Option<Condition>,
    pub code: String,
    pub message: String,
}

/// A registered word, always the same or chosen by the payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Word {
    Is(String),
    /// By a field's value; what else, and what where the field is missing.
    Map(Slot, Vec<(Literal, String)>, Otherwise, Otherwise),
    /// The first case that holds.
    Cases(Vec<(Option<Condition>, String)>),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Otherwise {
    Refuse,
    NoWord,
    Is(String),
}

/// A text with fields in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Piece {
    Text(String),
    Field(Slot),
    /// Left out where a field in it is missing.
    Optional(Vec<Self>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum As {
    Quantity,
    Integer,
    Text,
    Boolean,
}

/// A value of a reading, component or fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ValueRule {
    pub slot: Slot,
    pub shown_as: As,
    pub unit: Option<Word>,
    pub comparator: Option<Word>,
    /// Absent with this reason where the condition holds.
    pub absent: Vec<(Condition, String)>,
    /// A code of this system in place of a text.
    pub system: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    pub kind: String,
    pub value: ValueRule,
    /// The reading stands without it.
    pub optional: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fact {
    pub when: Option<Condition>,
    pub kind: String,
    pub value: ValueRule,
}

/// A reading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rule {
    pub when: Option<Condition>,
    pub kind: Word,
    /// System, code, display: in place of a kind.
    pub coding: Option<(String, String, String)>,
    pub value: Option<ValueRule>,
    pub parts: Vec<Part>,
    pub time: Option<Slot>,
    pub time_end: Option<Slot>,
    pub zone: Option<Vec<Piece>>,
    pub clock_state: Option<Word>,
    pub body_site: Option<Word>,
    pub method: Option<Word>,
    pub context: Vec<(String, Word)>,
    pub flags: Vec<(Option<Condition>, String)>,
    pub user_slot: Option<Vec<Piece>>,
    /// Name, value, condition.
    pub identity: Vec<(String, Vec<Piece>, Option<Condition>)>,
    pub record_key: Option<Vec<Piece>>,
    pub on_change: OnChange,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum OnChange {
    Replace,
    #[default]
    Distinct,
    Conflict,
}

impl Table {
    /// Reads what [`Table::to_bytes`] wrote.
    ///
    /// # Errors
    /// The bytes are no table.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, postcard::Error> {
        postcard::from_bytes(bytes)
    }

    /// The table as `pack` puts it into the component.
    ///
    /// # Errors
    /// Never, for a table that `source` made.
    pub fn to_bytes(&self) -> Result<Vec<u8>, postcard::Error> {
        postcard::to_allocvec(self)
    }

    /// What the table says about itself, with its examples.
    ///
    /// # Errors
    /// The bytes are no table.
    pub fn manifest(&self) -> Result<Manifest, postcard::Error> {
        let about: About = postcard::from_bytes(&self.manifest.0)?;
        let mut manifest = Manifest::new(&about.name, &about.vendor, &about.version)
            .license(&about.license)
            .description(&about.description);
        for (name, title, channels, variables) in &about.models {
            let channels: Vec<&str> = channels.iter().map(String::as_str).collect();
            let variables: Vec<&str> = variables.iter().map(String::as_str).collect();
            manifest = manifest.model(name, title, &channels).model_variables(&variables);
        }
        for shown in &about.examples {
            let values: Vec<&str> = shown.values.iter().map(String::as_str).collect();
            manifest = manifest.example(&shown.name, shown.input(), &shown.outcome, &values);
        }
        manifest.kinds = about.kinds;
        manifest.flags = about.flags;
        manifest.warnings = about.warnings;
        manifest.extra = about.extra.into_iter().map(|(name, value)| NameValue { name, value }).collect();
        Ok(manifest)
    }

    /// The examples as the contract has them.
    ///
    /// # Errors
    /// The bytes are no table.
    pub fn examples(&self) -> Result<Vec<Example>, postcard::Error> {
        Ok(self.manifest()?.examples)
    }
}

impl Shown {
    fn input(&self) -> Input {
        let mut frames = self.frames.iter();
        let mut input = Input::new(&self.model, &self.channel, frames.next().cloned().unwrap_or_default());
        for data in frames {
            let mut more = Input::new("", &self.channel, data.clone());
            input.frames.append(&mut more.frames);
        }
        if self.json {
            "application/json".clone_into(&mut input.content_type);
        }
        for (name, value) in &self.variables {
            input = input.with_variable(name, value);
        }
        input
    }
}
