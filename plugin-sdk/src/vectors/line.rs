//! One line of a vector file.

use serde_json::Value;

use crate::{Frame, Input, NameValue};

/// A payload and what it means.
#[derive(Debug, Clone)]
pub struct Vector {
    /// Its stable name.
    pub id: String,
    /// The format, which names the model.
    pub format: String,
    /// The channel of its frames, where the line names one.
    pub channel: Option<String>,
    /// The payload's frames.
    pub frames: Vec<Vec<u8>>,
    /// `application/json` for JSON payloads.
    pub content_type: &'static str,
    /// What the decoder must be told besides the payload.
    pub variables: Vec<(String, String)>,
    /// The expectation as it is in the file.
    pub expected: Value,
    /// The expectation is what the source asserted, which need not be all that the payload says: readings of other kinds
    /// may come beside it (`expected_from` is `source`).
    pub headline: bool,
}

impl Vector {
    /// Reads one line.
    ///
    /// # Errors
    ///
    /// The line is no JSON object of the shape that the module describes; the message says why.
    pub fn parse(line: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let text = |name: &str| {
            let text = value.get(name).and_then(Value::as_str).map(str::to_owned);
            text.ok_or_else(|| format!("`{name}` is missing"))
        };
        let (frames, content_type) = payload(&value)?;
        let context = value.get("context").and_then(Value::as_object);
        let variables = context.into_iter().flatten().filter(|(_, told)| !told.is_null());
        Ok(Self {
            id: text("id")?,
            format: text("format")?,
            channel: value.get("channel").and_then(Value::as_str).map(str::to_owned),
            frames,
            content_type,
            variables: variables.map(|(name, told)| (name.clone(), plain(told))).collect(),
            expected: value.get("expected").cloned().ok_or("`expected` is missing")?,
            headline: value.get("expected_from").and_then(Value::as_str) == Some("source"),
        })
    }

    /// Whether the line itself says that its value is one that no body has.
    #[must_use]
    pub fn expects_implausible(&self) -> bool {
        let warnings = self.expected.get("warnings").and_then(Value::as_array).into_iter().flatten();
        warnings.into_iter().any(|warning| warning == crate::registry::warnings::IMPLAUSIBLE)
    }

    /// The decoder's input, on this channel where the line names none. Times take no part: what a payload means does not depend on when it came.
    #[must_use]
    pub fn input(&self, model: &str, channel: &str) -> Input {
        let channel = self.channel.as_deref().unwrap_or(channel);
        let mut input = Input::new(model, channel, []);
        self.content_type.clone_into(&mut input.content_type);
        input.frames = self
            .frames
            .iter()
            .map(|data| Frame {
                channel: channel.to_owned(),
                data: data.clone(),
                captured_at_ms: None,
                extra: Vec::new(),
            })
            .collect();
        input.variables =
            self.variables.iter().map(|(name, value)| NameValue { name: name.clone(), value: value.clone() }).collect();
        input
    }
}

/// A text as it is, anything else as JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn payload(value: &Value) -> Result<(Vec<Vec<u8>>, &'static str), String> {
    const BYTES: &str = "application/octet-stream";
    let there = |name: &str| value.get(name).filter(|payload| !payload.is_null());
    let (hex, json) = (there("payload_hex"), value.get("payload_json"));
    if let Some(single) = hex.filter(|payload| payload.is_string()) {
        return Ok((vec![bytes(single, "payload_hex")?], BYTES));
    }
    let several = [("payload_hex", hex), ("payload_json", json)];
    let several = several.into_iter().find_map(|(name, payload)| Some((name, payload?.get("frames_hex")?)));
    if let Some((name, frames)) = several {
        let place = format!("{name}.frames_hex");
        let frames = frames.as_array().ok_or_else(|| format!("`{place}` is a list of frames"))?;
        // What a device answers before it sends the frames comes before them.
        let answer = json.and_then(|payload| payload.get("response_hex"));
        let answer = answer.map(|answer| bytes(answer, "payload_json.response_hex"));
        let frames = frames.iter().enumerate().map(|(index, frame)| bytes(frame, &format!("{place}[{index}]")));
        return Ok((answer.into_iter().chain(frames).collect::<Result<_, _>>()?, BYTES));
    }
    if hex.is_some() {
        return Err("`payload_hex` is hexadecimal digits, or an object with `frames_hex`".to_owned());
    }
    let json = json.ok_or("there is neither `payload_hex` nor `payload_json`")?;
    Ok((vec![plain(json).into_bytes()], "application/json"))
}

/// The bytes of hexadecimal digits, which may have spaces between them.
fn bytes(text: &Value, place: &str) -> Result<Vec<u8>, String> {
    let text = text.as_str().ok_or_else(|| format!("`{place}` is a text of hexadecimal digits, and not {text}"))?;
    let digits: String = text.chars().filter(|letter| !letter.is_whitespace()).collect();
    if let Some((at, letter)) =
        text.chars().enumerate().find(|(_, letter)| !letter.is_ascii_hexdigit() && !letter.is_whitespace())
    {
        return Err(format!("`{place}`: `{letter}` at character {} is no hexadecimal digit", at + 1));
    }
    hex::decode(&digits).map_err(|_odd| format!("`{place}` has an odd number of hexadecimal digits, {}", digits.len()))
}
