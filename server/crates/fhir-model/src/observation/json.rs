//! JSON text, written front to back: members, objects and lists, with the commas in the right places.

/// A text that grows. Names of members are ours and need no escaping; values are escaped.
pub(super) struct Json {
    text: String,
    /// Something stands before the next member, so that it needs a comma.
    comma: bool,
}

impl Json {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { text: String::with_capacity(bytes), comma: false }
    }

    pub(super) fn finish(self) -> String {
        self.text
    }

    pub(super) fn open(&mut self, bracket: &str) {
        self.text.push_str(bracket);
        self.comma = false;
    }

    pub(super) fn close(&mut self, bracket: &str) {
        self.text.push_str(bracket);
        self.comma = true;
    }

    fn name(&mut self, name: &str) {
        if self.comma {
            self.text.push(',');
        }
        self.text.push('"');
        self.text.push_str(name);
        self.text.push_str("\":");
        self.comma = true;
    }

    /// A text.
    pub(super) fn text(&mut self, name: &str, value: &str) {
        self.joined(name, &[value]);
    }

    /// A text, if there is one.
    pub(super) fn maybe_text(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// One text of several parts.
    pub(super) fn joined(&mut self, name: &str, parts: &[&str]) {
        self.name(name);
        self.text.push('"');
        for part in parts {
            escape(&mut self.text, part);
        }
        self.text.push('"');
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, name: &str, values: &[&str]) {
        self.name(name);
        self.text.push('[');
        for (place, value) in values.iter().enumerate() {
            self.text.push_str(if place == 0 { "\"" } else { ",\"" });
            escape(&mut self.text, value);
            self.text.push('"');
        }
        self.text.push(']');
    }

    /// A number or boolean, written as JSON already.
    pub(super) fn raw(&mut self, name: &str, value: &str) {
        self.name(name);
        self.text.push_str(value);
    }

    /// An object.
    pub(super) fn object(&mut self, name: &str, members: impl FnOnce(&mut Self)) {
        self.name(name);
        self.open("{");
        members(self);
        self.close("}");
    }

    /// A list of objects; FHIR has no empty ones, so nothing is written for none.
    pub(super) fn list<T>(&mut self, name: &str, items: &[T], mut members: impl FnMut(&mut Self, &T)) {
        if items.is_empty() {
            return;
        }
        self.name(name);
        self.text.push('[');
        for (place, item) in items.iter().enumerate() {
            self.open(if place == 0 { "{" } else { ",{" });
            members(self, item);
            self.close("}");
        }
        self.text.push(']');
    }
}

/// Appends a text with what JSON asks to be escaped (RFC 8259 §7): quote, backslash, control characters.
fn escape(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(place) = rest.bytes().position(|byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
        let (plain, special) = rest.split_at(place);
        out.push_str(plain);
        let mut characters = special.chars();
        match characters.next() {
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some('\u{8}') => out.push_str("\\b"),
            Some('\u{c}') => out.push_str("\\f"),
            Some(control) => out.push_str(&format!("\\u{:04x}", u32::from(control))),
            None => {}
        }
        rest = characters.as_str();
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn texts_are_escaped_as_serde_json_does() {
        for text in ["", "plain", "a\"b\\c", "line\nend\r\ttab\u{8}\u{c}\u{1}\u{1f}", "mm[Hg] µ ü 😀 \u{7f}\u{2028}"]
        {
            let mut out = String::new();
            escape(&mut out, text);
            assert_eq!(format!("\"{out}\""), serde_json::Value::from(text).to_string());
        }
    }
}
