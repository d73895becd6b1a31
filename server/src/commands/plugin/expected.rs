//! One line of a vector file: the payload, and what it means.

use plugin_host::Frame;
use serde::Deserialize;
use serde_json::Value;

use crate::fleet::Variables;

/// A payload vector.
#[derive(Debug, Clone, Deserialize)]
pub struct Vector {
    /// Stable name.
    pub id: String,
    /// Names the model, and for `gatt-XXXX` the channel.
    pub format: String,
    /// The channel, where the line names one.
    channel: Option<String>,
    #[serde(default)]
    payload_hex: Value,
    #[serde(default)]
    payload_json: Value,
    #[serde(default)]
    context: Value,
    /// What it means; nothing is compared where it is not there.
    pub expected: Option<Expected>,
    #[serde(default)]
    notes: String,
    #[serde(default)]
    expected_from: String,
}

/// What a payload means.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Expected {
    /// `decoded`, `reject` or `no-observation`.
    pub outcome: String,
    /// Other outcomes that are as good.
    #[serde(default)]
    pub accept: Vec<String>,
    /// Normalised meaning, in order.
    #[serde(default)]
    pub observations: Vec<Value>,
    /// Warnings that must be raised.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// The device's own wall time.
    pub device_time_local: Option<String>,
    /// Why that time cannot be used.
    pub timestamp_unusable: Option<String>,
    /// Raw fields as on the wire.
    #[serde(default)]
    pub fields: Value,
    /// The decimal as text, for formats that are one number.
    pub decimal: Option<String>,
    /// Why there is no number, for formats that are one number.
    #[serde(rename = "dataAbsentReason")]
    pub data_absent_reason: Option<String>,
}

impl Vector {
    /// Reads a line.
    ///
    /// # Errors
    /// A sentence.
    pub fn parse(line: &str) -> Result<Self, String> {
        serde_json::from_str(line).map_err(|error| format!("this is no vector: {error}"))
    }

    /// The channel that the line names, or its format: `2A35` for `gatt-2A35`, and for `beurer-bm85-2A35`.
    pub fn channel(&self) -> &str {
        if let Some(channel) = &self.channel {
            return channel;
        }
        let last = self.format.rsplit('-').next().unwrap_or_default();
        let is_characteristic =
            last.len() == 4 && last.starts_with("2A") && last.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_characteristic { last } else { "" }
    }

    /// The frames and their media type.
    ///
    /// # Errors
    /// A sentence, when there is no payload that can be read.
    pub fn frames(&self) -> Result<(Vec<Frame>, &'static str), String> {
        const BYTES: &str = "application/octet-stream";
        let several = [&self.payload_hex, &self.payload_json]
            .into_iter()
            .find_map(|payload| payload.get("frames_hex")?.as_array());
        if let Some(frames) = several {
            // What a device answers before it sends the frames comes before them.
            let answer = self.payload_json.get("response_hex");
            return Ok((
                answer.into_iter().chain(frames).map(|frame| self.bytes(frame)).collect::<Result<_, _>>()?,
                BYTES,
            ));
        }
        if self.payload_hex.is_string() {
            return Ok((vec![self.bytes(&self.payload_hex)?], BYTES));
        }
        match &self.payload_json {
            Value::Null => Err("there is neither payload_hex nor payload_json".to_owned()),
            // A payload that is not JSON at all is written as text.
            Value::String(text) => Ok((vec![self.frame(text.clone().into_bytes())], "application/json")),
            json => Ok((vec![self.frame(json.to_string().into_bytes())], "application/json")),
        }
    }

    /// The context as the decoder's variables: texts as they are, other values as JSON, absent ones left out.
    pub fn variables(&self) -> Variables {
        let told = self.context.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
        told.map(|(name, value)| (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
            .collect()
    }

    /// Whether the expectation is what a source asserted, which need not be all that the payload says: Observations of
    /// other kinds may come beside it.
    pub fn is_headline(&self) -> bool {
        self.expected_from == "source"
    }

    /// How far a number may be off, beside its relative tolerance: what the notes say, and 0.1 mm\[Hg\] for what was kPa.
    pub fn tolerance(&self) -> f64 {
        let after = self.notes.split_once("tolerance").map(|(_, rest)| rest.trim_start());
        let number =
            after.and_then(|rest| rest.split(|character: char| !character.is_ascii_digit() && character != '.').next());
        let noted = number.and_then(|number| number.trim_end_matches('.').parse::<f64>().ok()).unwrap_or(0.0);
        let unit = self.expected.as_ref().and_then(|expected| expected.fields.get("unit")).and_then(Value::as_str);
        if unit == Some("kPa") { noted.max(0.1) } else { noted }
    }

    fn bytes(&self, text: &Value) -> Result<Frame, String> {
        let text = text.as_str().ok_or("a frame is not hexadecimal text")?;
        let digits: String = text.chars().filter(|character| !character.is_whitespace()).collect();
        hex::decode(digits).map(|data| self.frame(data)).map_err(|error| format!("a frame is not hexadecimal: {error}"))
    }

    fn frame(&self, data: Vec<u8>) -> Frame {
        Frame { channel: self.channel().to_owned(), data, captured_at_ms: None, extra: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

    use super::Vector;

    fn vector(format: &str, rest: &str) -> Vector {
        Vector::parse(&format!(r#"{{"id": "x", "format": "{format}"{rest}}}"#)).unwrap()
    }

    #[test]
    fn the_format_names_the_channel() {
        assert_eq!(vector("gatt-2A35", "").channel(), "2A35");
        assert_eq!(vector("renpho-vendor-2A9D", "").channel(), "2A9D");
        assert_eq!(vector("telli-v1", "").channel(), "");
    }

    #[test]
    fn payloads_come_in_three_shapes() {
        let (frames, _) = vector("gatt-2A35", r#", "payload_hex": "16 7c""#).frames().unwrap();
        assert_eq!(frames[0].data, [0x16, 0x7c]);
        let (frames, kind) = vector("telli-v1", r#", "payload_json": {"weight": 70.50}"#).frames().unwrap();
        assert_eq!((frames[0].data.as_slice(), kind), (br#"{"weight":70.50}"#.as_slice(), "application/json"));
        let (frames, _) = vector("ihealth", r#", "payload_hex": {"frames_hex": ["01", "02"]}"#).frames().unwrap();
        assert_eq!(frames.len(), 2);
        assert!(vector("ihealth", "").frames().is_err());
    }

    #[test]
    fn tolerances_are_read_from_the_notes() {
        let tolerance = |rest: &str| vector("x", rest).tolerance();
        assert_eq!(tolerance(r#", "notes": "a polynomial (tolerance 0.001); derived""#).to_string(), "0.001");
        assert_eq!(tolerance(r#", "notes": "tolerance 0.1 kg in source""#).to_string(), "0.1");
        assert_eq!(tolerance(r#", "expected": {"outcome": "decoded", "fields": {"unit": "kPa"}}"#).to_string(), "0.1");
        assert_eq!(tolerance("").to_string(), "0");
    }
}
