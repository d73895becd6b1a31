//! What makes a reading the same one again: its record key, the hash of its content, and the identifier that the world sees.

use fhir_model::decimal::Decimal;
use plugin_host::{DeviceTime, NameValue, OnChange, Reading, Value};
use sha2::{Digest, Sha256};

/// How a reading is recognised when it comes again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordIdentity {
    /// The decoder's key of the record within its device; nothing where the payload carries neither time nor sequence.
    pub key: Option<String>,
    /// What it means when the key is known and the content is another.
    pub on_change: OnChange,
    /// SHA-256 over the clinical content, 64 hexadecimal digits. Equal content, however written, has equal hashes: 7.0 and
    /// 7.00, flags in another order. Receipt, capture, decoder and position in the payload take no part.
    pub content_hash: String,
    /// Milliseconds since the epoch at which the frame was captured, for readings without a key.
    pub captured_at_ms: Option<i64>,
    /// For readings without a key: how many equal ones of the same capture the uplink has before it.
    pub occurrence: u32,
    /// It came in a frame that is the transmission of another frame again.
    pub is_repeat: bool,
}

impl RecordIdentity {
    /// Whether the record may come again with newer content that takes the place of the old (a day's total).
    pub fn may_grow(&self) -> bool {
        self.key.is_some() && self.on_change == OnChange::Replace
    }

    /// The key that goes into [`stable_identifier`].
    ///
    /// A keyed record has its own key; where other content means another measurement (`distinct`), the content takes part.
    /// A reading without a key is identified by the uplink that brought it (`uplink`), its content and its capture; where
    /// that is all equal, by how many of them there are. The same uplink replayed gives the same identifiers.
    pub fn record_key(&self, uplink: &str) -> String {
        match (&self.key, self.on_change) {
            (Some(key), OnChange::Distinct) => format!("distinct:{}:{key}", self.content_hash),
            (Some(key), OnChange::Replace | OnChange::Conflict) => format!("key:{key}"),
            (None, _) => {
                let captured = self.captured_at_ms.map_or_else(|| "-".to_owned(), |at| at.to_string());
                match self.occurrence {
                    0 => format!("uplink:{}:{captured}:{uplink}", self.content_hash),
                    number => format!("uplink:{}:{captured}:{uplink}:{number}", self.content_hash),
                }
            }
        }
    }
}

/// What a reading is apart from whoever wore the device: 16 bytes of a SHA-256 over device, record key and kind.
///
/// The identifier of its Observation is this, masked (XOR) with a hash of the assignment. So both come out of one hash,
/// and from a stored Observation's identifier and assignment the key can be had again without its raw bytes, which are
/// dropped after days: that is what gives a corrected Observation the identifier which the same record, sent again, has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReadingKey([u8; 16]);

impl ReadingKey {
    /// `record_key` is that of [`RecordIdentity::record_key`], `kind` the reading's `identity_kind`. Every part is preceded
    /// by its length, so that no two different inputs read the same.
    pub fn new(device: &str, record_key: &str, kind: &str) -> Self {
        let mut text = Canonical::new("afferent reading key 1");
        text.part(device).part(record_key).part(kind);
        Self(first_half(text.finish()))
    }

    /// The key as it is stored with a held reading: 32 hexadecimal digits.
    pub fn text(self) -> String {
        hex::encode(self.0)
    }

    /// The key that was written as [`ReadingKey::text`]; nothing for a text that is none.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0u8; 16];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }

    /// The identifier of the Observation for the wearer of an assignment: 32 hexadecimal digits.
    pub fn identifier(self, assignment: &str) -> String {
        hex::encode(self.masked(assignment))
    }

    /// The key behind an identifier that was made with that assignment; nothing for a text that is no identifier of ours.
    pub fn behind(identifier: &str, assignment: &str) -> Option<Self> {
        let mut bytes = [0u8; 16];
        hex::decode_to_slice(identifier, &mut bytes).ok()?;
        Some(Self(Self(bytes).masked(assignment)))
    }

    fn masked(self, assignment: &str) -> [u8; 16] {
        let mut text = Canonical::new("afferent assignment mask 1");
        text.part(assignment);
        let mut masked = self.0;
        for (byte, mask) in masked.iter_mut().zip(first_half(text.finish())) {
            *byte ^= mask;
        }
        masked
    }
}

fn first_half(digest: [u8; 32]) -> [u8; 16] {
    let mut half = [0u8; 16];
    half.iter_mut().zip(digest).for_each(|(place, byte)| *place = byte);
    half
}

/// The identifier of an Observation that everything outward rests on: 32 hexadecimal digits, see [`ReadingKey`].
///
/// An unassigned reading (the key alone) differs from every assigned one. List position, decoder version and public URL
/// take no part.
pub fn stable_identifier(device: &str, record_key: &str, kind: &str, assignment: Option<&str>) -> String {
    let key = ReadingKey::new(device, record_key, kind);
    assignment.map_or_else(|| key.text(), |assignment| key.identifier(assignment))
}

pub(super) fn identity(reading: &Reading, captured_at_ms: Option<i64>) -> RecordIdentity {
    RecordIdentity {
        key: reading.record_key.clone(),
        on_change: reading.on_change,
        content_hash: content_hash(reading),
        captured_at_ms,
        occurrence: 0,
        is_repeat: false,
    }
}

fn content_hash(reading: &Reading) -> String {
    let mut text = Canonical::new("afferent reading content 1");
    text.part(&reading.kind).codings(&reading.codings).value(&reading.value);
    text.count(reading.components.len());
    for component in &reading.components {
        text.part(&component.kind).codings(&component.codings).value(&component.value);
    }
    text.time(&reading.time).time(&reading.time_end).part(&reading.clock_state);
    text.optional(reading.body_site.as_deref()).optional(reading.method.as_deref());
    text.named(&reading.context);
    let mut flags: Vec<&str> = reading.flags.iter().map(String::as_str).collect();
    flags.sort_unstable();
    flags.dedup();
    text.count(flags.len());
    for flag in flags {
        text.part(flag);
    }
    text.optional(reading.user_slot.as_deref());
    hex::encode(text.finish())
}

/// Text in which every part is preceded by its length in bytes, on its way into SHA-256.
struct Canonical(Sha256);

impl Canonical {
    fn new(purpose: &str) -> Self {
        let mut text = Self(Sha256::new());
        text.part(purpose);
        text
    }

    fn count(&mut self, count: usize) -> &mut Self {
        self.0.update(u64::try_from(count).unwrap_or(u64::MAX).to_be_bytes());
        self
    }

    fn part(&mut self, part: &str) -> &mut Self {
        self.count(part.len());
        self.0.update(part);
        self
    }

    fn optional(&mut self, part: Option<&str>) -> &mut Self {
        self.count(usize::from(part.is_some())).part(part.unwrap_or_default())
    }

    fn number(&mut self, number: plugin_host::Decimal) -> &mut Self {
        match Decimal::new(number.mantissa, number.exponent) {
            Ok(decimal) => {
                let decimal = decimal.normalised();
                self.part(&format!("{}e{}", decimal.mantissa(), decimal.exponent()))
            }
            Err(_) => self.part(&format!("{}e{}", number.mantissa, number.exponent)),
        }
    }

    fn codings(&mut self, codings: &[plugin_host::Coding]) -> &mut Self {
        self.count(codings.len());
        for coding in codings {
            self.part(&coding.system).part(&coding.code);
        }
        self
    }

    /// Pairs in the order of their names: the order in which a decoder says them means nothing.
    fn named(&mut self, pairs: &[NameValue]) -> &mut Self {
        let mut pairs: Vec<_> = pairs.iter().map(|pair| (&pair.name, &pair.value)).collect();
        pairs.sort_unstable();
        self.count(pairs.len());
        for (name, value) in pairs {
            self.part(name).part(value);
        }
        self
    }

    fn time(&mut self, time: &DeviceTime) -> &mut Self {
        match time {
            DeviceTime::Local(text) => self.part("local").part(text),
            DeviceTime::Zoned(text) => self.part("zoned").part(text),
            // The distance to the capture differs on each upload of the same record.
            DeviceTime::None | DeviceTime::BeforeCapture(_) => self.part("none"),
        }
    }

    fn value(&mut self, value: &Value) -> &mut Self {
        match value {
            Value::None => self.part("none"),
            Value::Quantity(quantity) => {
                let comparator = quantity.comparator.as_deref();
                self.part("quantity").number(quantity.value).part(&quantity.unit).optional(comparator)
            }
            Value::Coded(coding) => self.part("coded").part(&coding.system).part(&coding.code),
            Value::Text(text) => self.part("text").part(text),
            Value::Boolean(truth) => self.part(if *truth { "true" } else { "false" }),
            Value::Integer(number) => self.part("integer").part(&number.to_string()),
            Value::Sampled(data) => self.samples(data),
            Value::Absent(reason) => self.part("absent").part(reason),
        }
    }

    fn samples(&mut self, data: &plugin_host::SampledData) -> &mut Self {
        self.part("samples").number(data.origin).number(data.period_ms).number(data.factor).part(&data.unit);
        for limit in [data.lower_limit, data.upper_limit] {
            self.count(usize::from(limit.is_some()));
            if let Some(limit) = limit {
                self.number(limit);
            }
        }
        self.part(&data.dimensions.to_string()).count(data.samples.len());
        for sample in &data.samples {
            self.0.update(sample.to_be_bytes());
        }
        self
    }

    fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}
