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
            frames,
            content_type,
            variables: variables.map(|(name, told)| (name.clone(), plain(told))).collect(),
            expected: value.get("expected").cloned().ok_or("`expected` is missing")?,
            headline: value.get("expected_from").and_then(Value::as_str) == Some("source"),
        })
    }

    /// The decoder's input. Times take no part: what a payload means does not depend on when it came.
    #[must_use]
    pub fn input(&self, model: &str, channel: &str) -> Input {
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
    let bytes = |text: &Value| {
        let text = text.as_str().ok_or("a frame is no text")?;
        hex::decode(text).map_err(|error| error.to_string())
    };
    let json = value.get("payload_json");
    if let Some(single) = value.get("payload_hex").filter(|payload| payload.is_string()) {
        return Ok((vec![bytes(single)?], BYTES));
    }
    if let Some(frames) =
        [value.get("payload_hex"), json].into_iter().flatten().find_map(|payload| payload.get("frames_hex"))
    {
        let frames = frames.as_array().ok_or("`frames_hex` is no list")?;
        // What a device answers before it sends the frames comes before them.
        let answer = json.and_then(|payload| payload.get("response_hex"));
        return Ok((answer.into_iter().chain(frames).map(bytes).collect::<Result<_, _>>()?, BYTES));
    }
    let json = json.ok_or("neither `payload_hex` nor `payload_json`")?;
    Ok((vec![plain(json).into_bytes()], "application/json"))
}
