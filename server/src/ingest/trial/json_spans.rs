//! Where the values of a JSON document stand, byte by byte.

/// Values of a document that are mapped at most.
const MOST: usize = 512;

/// First byte, byte behind the last, and path of every value that is no list and no object. Nothing for what is no JSON.
pub(super) fn spans(data: &[u8]) -> Vec<(usize, usize, Option<String>)> {
    let mut scanner = Scanner { data, at: 0, found: Vec::new() };
    let whole = scanner.value("$", 32).is_some();
    if whole { scanner.found } else { Vec::new() }
}

struct Scanner<'d> {
    data: &'d [u8],
    at: usize,
    found: Vec<(usize, usize, Option<String>)>,
}

impl Scanner<'_> {
    fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.data.get(self.at) {
            self.at += 1;
        }
        self.data.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn value(&mut self, path: &str, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match self.peek()? {
            b'{' => {
                self.at += 1;
                while self.peek()? != b'}' {
                    let name = self.text()?;
                    self.take(b':')?;
                    self.value(&member(path, name), depth)?;
                    if self.peek()? == b',' {
                        self.at += 1;
                    }
                }
                self.at += 1;
            }
            b'[' => {
                self.at += 1;
                let mut index = 0;
                while self.peek()? != b']' {
                    self.value(&format!("{path}[{index}]"), depth)?;
                    index += 1;
                    if self.peek()? == b',' {
                        self.at += 1;
                    }
                }
                self.at += 1;
            }
            b'"' => {
                let from = self.at;
                self.text()?;
                self.add(from, path);
            }
            _ => {
                let from = self.at;
                while self.data.get(self.at).is_some_and(|byte| !b" \n\r\t,]}".contains(byte)) {
                    self.at += 1;
                }
                (self.at > from).then(|| self.add(from, path))?;
            }
        }
        Some(())
    }

    /// A text with its quotes; what is between them as it is written.
    fn text(&mut self) -> Option<String> {
        self.take(b'"')?;
        let from = self.at;
        loop {
            match *self.data.get(self.at)? {
                b'\\' => self.at += 2,
                b'"' => break,
                _ => self.at += 1,
            }
        }
        let text = String::from_utf8_lossy(self.data.get(from..self.at)?).into_owned();
        self.at += 1;
        Some(text)
    }

    fn add(&mut self, from: usize, path: &str) {
        if self.found.len() < MOST {
            self.found.push((from, self.at, Some(path.to_owned())));
        }
    }
}

fn member(path: &str, name: String) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    if !name.is_empty() && name.chars().all(plain) { format!("{path}.{name}") } else { format!("{path}['{name}']") }
}

#[cfg(test)]
mod tests {
    use super::spans;

    #[test]
    fn every_value_has_its_place() {
        let text = r#"{"a": [1, {"b-c": "x\"y"}], "d": null}"#;
        let found: Vec<(String, &str)> = spans(text.as_bytes())
            .into_iter()
            .map(|(from, to, path)| (path.unwrap_or_default(), text.get(from..to).unwrap_or_default()))
            .collect();
        let expected = [("$.a[0]", "1"), ("$.a[1]['b-c']", "\"x\\\"y\""), ("$.d", "null")];
        assert_eq!(found, expected.map(|(path, value)| (path.to_owned(), value)));
        assert!(spans(b"{\"a\": ").is_empty());
        assert!(spans(b"").is_empty());
    }
}
