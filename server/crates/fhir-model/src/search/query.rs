//! Query strings as they stand in URLs of Bundle entries and conditional references: split and decoded
//! (`application/x-www-form-urlencoded`).

/// Splits `a=1&b=2` and decodes names and values: `%2C` is a comma, `+` a space.
///
/// # Errors
/// A sentence without its subject when an escape is broken or the text it gives is not UTF-8.
pub fn decode_query(query: &str) -> Result<Vec<(String, String)>, &'static str> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name)?, decode(value)?))
        })
        .collect()
}

fn decode(text: &str) -> Result<String, &'static str> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits =
                    [rest.next(), rest.next()].map(|digit| digit.and_then(|digit| char::from(digit).to_digit(16)));
                let [Some(high), Some(low)] = digits else {
                    return Err("has a '%' that is not followed by two hexadecimal digits");
                };
                bytes.push(u8::try_from(high * 16 + low).map_err(|_never| "has a broken escape")?);
            }
            _ => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).map_err(|_not_utf8| "is not UTF-8 after decoding")
}

#[cfg(test)]
mod tests {
    use super::decode_query;

    #[test]
    fn splits_and_decodes() {
        let pairs = decode_query("identifier=urn%3Ax%7C1&name=A+B&flag&&c%C3%A9=1=2");
        let expected = [("identifier", "urn:x|1"), ("name", "A B"), ("flag", ""), ("cé", "1=2")];
        assert_eq!(pairs, Ok(expected.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()));
    }

    #[test]
    fn broken_escapes_are_refused() {
        for text in ["a=%", "a=%1", "a=%zz", "a=%ff", "a=%+1"] {
            assert!(decode_query(text).is_err(), "{text}");
        }
    }
}
