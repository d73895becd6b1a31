//! What the reader of TOML refuses, with the place in the table and in words that say what would be right.

use super::Problem;
use super::names::unknown;
use super::place::{Places, line_at};

/// What it says, in our form.
pub(super) fn problem(text: &str, places: &Places<'_>, error: &toml::de::Error) -> Problem {
    let start = error.span().map(|span| span.start);
    let place = start.map(|start| places.at(start).to_string()).unwrap_or_default();
    let message = match error.message() {
        "invalid type: map, expected a sequence" => format!("there may be several of it: write [[{place}]]"),
        message => sentence(message),
    };
    Problem { line: start.map(|start| line_at(text, start)), place, message }
}

fn sentence(message: &str) -> String {
    if let Some((found, expected)) =
        message.strip_prefix("invalid type: ").and_then(|rest| rest.split_once(", expected "))
    {
        return format!("{} is expected here, and not {}", told(expected), told(found));
    }
    if let Some((name, known)) =
        message.strip_prefix("unknown field `").and_then(|rest| rest.split_once("`, expected "))
    {
        let known = known.split('`').skip(1).step_by(2);
        return unknown("property that can stand here", name, known);
    }
    if let Some(name) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        return format!("`{name}` is missing");
    }
    message.to_owned()
}

/// A type as people say it.
fn told(of: &str) -> String {
    match of {
        "a string" => "a text in quotes".to_owned(),
        "a sequence" => "a list in [ ]".to_owned(),
        "a map" => "a table".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "i32" | "i64" | "u8" | "u32" => "a whole number".to_owned(),
        "sequence" => "a list".to_owned(),
        "map" => "a table".to_owned(),
        of => of
            .replacen("string \"", "the text \"", 1)
            .replacen("integer `", "the number `", 1)
            .replacen("floating point `", "the number `", 1)
            .replacen("boolean `", "`", 1),
    }
}
