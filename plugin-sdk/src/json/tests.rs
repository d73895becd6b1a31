//! What the reader takes, what it refuses, and where it says that it was wrong.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;

use super::{Document, Json, MAXIMUM_BYTES, MAXIMUM_DEPTH, MAXIMUM_VALUES};
use crate::{DecodeError, ErrorKind};

/// The value as another reader of JSON writes it, to compare with what that one reads.
fn other(json: Json<'_>) -> Value {
    if json.is_list() {
        return json.items().unwrap().map(other).collect();
    }
    if json.is_object() {
        return json.members().unwrap().map(|(name, value)| (name.to_owned(), other(value))).collect();
    }
    if json.is_null() {
        return Value::Null;
    }
    if json.is_text() {
        return json.text().unwrap().into();
    }
    json.boolean().map_or_else(|_| serde_json::from_str(json.identifier().unwrap()).unwrap(), Value::from)
}

fn error(text: &str) -> DecodeError {
    Document::parse(text.as_bytes()).unwrap_err()
}

#[test]
fn it_reads_what_another_reader_reads() {
    for text in [
        "null",
        " true\r\n",
        "-0.5e+3",
        "0",
        r#""""#,
        r#"{"a":[1,2.50,{"b":"\u00e9\n\"\\\/ \ud83d\ude00"}],"c":{},"d":[],"e":null,"":false}"#,
        "{\"ä\u{10FFFF}\": \"\u{7f}\"}",
        "\t[ 1 , [ ] , { } ]\n",
    ] {
        let document = Document::parse(text.as_bytes()).unwrap();
        assert_eq!(other(document.root()), serde_json::from_str::<Value>(text).unwrap(), "{text}");
    }
    assert!(Document::parse("\u{feff}{}".as_bytes()).unwrap().root().is_object(), "a byte order mark is no value");
}

#[test]
fn it_refuses_what_another_reader_refuses() {
    for text in [
        "",
        " ",
        "{",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,}",
        "{a:1}",
        "{1:1}",
        "01",
        "-",
        "+1",
        ".5",
        "5.",
        "1e",
        "1e+",
        "NaN",
        "Infinity",
        "tru",
        "nul",
        "'a'",
        "\"a",
        "\"\\",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"\\udc00\"",
        "\"\n\"",
        "1 2",
        "{} {}",
        "[1 2]",
        "{\"a\" 1}",
        "// a\n1",
    ] {
        assert!(serde_json::from_str::<Value>(text).is_err(), "{text}");
        assert_eq!(error(text).kind, ErrorKind::Malformed, "{text}");
        assert!(error(text).offset.is_some(), "{text}");
    }
    assert_eq!(Document::parse(b"[\"\xff\"]").unwrap_err().offset, Some(2));
    assert_eq!(error("[1, x]").offset, Some(4));
}

#[test]
fn what_a_document_may_cost_is_bounded() {
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(Document::parse(deep(MAXIMUM_DEPTH).as_bytes()).is_ok());
    assert!(error(&deep(MAXIMUM_DEPTH + 1)).message.contains("within each other"));
    let wide = |values: usize| format!("[{}0]", "0,".repeat(values - 2));
    assert!(Document::parse(wide(MAXIMUM_VALUES).as_bytes()).is_ok());
    assert!(error(&wide(MAXIMUM_VALUES + 1)).message.contains("values"));
    let long = |bytes: usize| format!("\"{}\"", "a".repeat(bytes - 2));
    assert!(Document::parse(long(MAXIMUM_BYTES).as_bytes()).is_ok());
    assert!(error(&long(MAXIMUM_BYTES + 1)).message.contains("larger"));
}

#[test]
fn numbers_keep_every_digit_or_are_rounded_half_to_even() {
    let document = Document::parse(
        br#"[72.0999984741211, "36.43000031", 97.50, "97", 1e2, 22.56052563257619, 36.430000305175781250, "1,5", true, 5.5]"#,
    );
    let document = document.unwrap();
    let items: Vec<Json<'_>> = document.root().items().unwrap().collect();
    let exact = |index: usize| items[index].decimal().map(|number| number.to_string()).map_err(|error| error.path);
    assert_eq!(exact(0).unwrap(), "72.0999984741211");
    assert_eq!(exact(1).unwrap(), "36.43000031");
    assert_eq!(exact(2).unwrap(), "97.50");
    assert_eq!(exact(6).unwrap_err().unwrap(), "$[6]", "20 digits do not fit");
    assert_eq!(exact(7).unwrap_err().unwrap(), "$[7]");
    assert_eq!(exact(8).unwrap_err().unwrap(), "$[8]");
    let rounded = |index: usize, places: u8| items[index].rounded(places).unwrap().to_string();
    assert_eq!(rounded(0, 3), "72.1");
    assert_eq!(rounded(1, 2), "36.43");
    assert_eq!(rounded(2, 2), "97.50", "what has no more places keeps its zeros");
    assert_eq!(rounded(5, 4), "22.5605");
    assert_eq!(rounded(6, 2), "36.43");
    assert_eq!((items[3].integer().unwrap(), items[4].integer().unwrap()), (97, 100));
    assert_eq!(items[9].integer().unwrap_err().path.unwrap(), "$[9]");
    assert_eq!((items[1].identifier().unwrap(), items[2].identifier().unwrap()), ("36.43000031", "97.50"));
}

#[test]
fn a_refusal_names_the_path() {
    let text = r#"{"a": {"b": [1, {"c-d": {"e": "x"}}]}, "f": null, "g": 1, "g": 2, "it's": true, "": {"h": 3}}"#;
    let document = Document::parse(text.as_bytes()).unwrap();
    let root = document.root();
    let deep = root.required("a").unwrap().required("b").unwrap().items().unwrap().nth(1).unwrap();
    let text = deep.required("c-d").unwrap().required("e").unwrap();
    let path = |error: DecodeError| error.path.unwrap();
    assert_eq!(path(text.decimal().unwrap_err()), "$.a.b[1]['c-d'].e");
    assert_eq!(path(text.get("x").unwrap_err()), "$.a.b[1]['c-d'].e");
    assert_eq!(path(root.required("it's").unwrap().text().unwrap_err()), "$['it\\'s']");
    assert_eq!(path(root.required("").unwrap().required("h").unwrap().text().unwrap_err()), "$[''].h");
    assert!(root.get("f").unwrap().is_none(), "null is missing");
    let missing = root.required("f").unwrap_err();
    assert_eq!((missing.message.as_str(), missing.path.as_deref()), ("`f` is missing", Some("$")));
    let twice = root.get("g").unwrap_err();
    assert_eq!((twice.message.as_str(), twice.path.as_deref()), ("`g` is there twice", Some("$")));
    assert_eq!(path(root.items().err().unwrap()), "$");
    assert_eq!(path(deep.unsupported("unit").at_path("$.x")), "$.x");
}
