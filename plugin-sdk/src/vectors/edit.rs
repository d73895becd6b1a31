//! What becomes of a JSON payload on its way through software: a field is left out, null, text in place of a number, with
//! another sign or scale.

use serde_json::Value as Json;

/// A changed payload.
pub(super) struct Edit {
    pub(super) what: String,
    pub(super) data: Vec<u8>,
    /// Something is missing or of another type: such a payload must not say what the whole does not say. With another number
    /// in it, it may.
    pub(super) lost: bool,
}

/// Where a value is.
#[derive(Clone)]
enum Step {
    Member(String),
    Item(usize),
}

/// Every edit of every field; none where the payload is no JSON object or list.
pub(super) fn edits(data: &[u8]) -> Vec<Edit> {
    let Ok(root) = serde_json::from_slice::<Json>(data) else { return Vec::new() };
    if !root.is_object() && !root.is_array() {
        return Vec::new();
    }
    let mut places = Vec::new();
    walk(&root, &mut Vec::new(), &mut places);
    let mut edits = Vec::new();
    for place in &places {
        let path = written(place);
        let mut edit = |what: &str, lost: bool, change: &dyn Fn(&mut Json, &Step)| {
            let mut changed = root.clone();
            if let Some((last, parents)) = place.split_last()
                && let Some(parent) = reach(&mut changed, parents)
            {
                change(parent, last);
                edits.push(Edit { what: format!("{path} {what}"), data: changed.to_string().into_bytes(), lost });
            }
        };
        edit("left out", true, &remove);
        edit("null", true, &|parent, last| put(parent, last, Json::Null));
        let Some(value) = find(&root, place) else { continue };
        for (what, lost, replacement) in replacements(value) {
            edit(what, lost, &|parent, last| put(parent, last, replacement.clone()));
        }
    }
    edits
}

/// What else can stand in the place of a value: what it is, whether something is lost, the value.
fn replacements(value: &Json) -> Vec<(&'static str, bool, Json)> {
    let number = |text: &str| serde_json::from_str::<Json>(text).ok().filter(Json::is_number);
    match value {
        Json::Number(known) => {
            let text = known.to_string();
            let mut found = vec![("as text", true, Json::String(text.clone())), ("as true", true, Json::Bool(true))];
            found.extend(number(&negated(&text)).map(|number| ("negated", false, number)));
            found
                .extend(thousandfold(&text).and_then(|text| number(&text)).map(|number| ("times 1000", false, number)));
            found
        }
        Json::String(text) => {
            let mut found = vec![("empty", true, Json::String(String::new()))];
            if number(text).is_some() {
                found.push(("negated", false, Json::String(negated(text))));
                found.extend(thousandfold(text).map(|text| ("times 1000", false, Json::String(text))));
                found.push(("as text that is no number", true, Json::String(format!("{text}x"))));
            }
            found
        }
        Json::Bool(known) => vec![("the other way round", false, Json::Bool(!known))],
        Json::Array(_) => vec![("emptied", true, Json::Array(Vec::new()))],
        Json::Object(_) => vec![("emptied", true, Json::Object(serde_json::Map::new()))],
        Json::Null => Vec::new(),
    }
}

/// `-72.5` of `72.5`, and the other way round.
fn negated(text: &str) -> String {
    text.strip_prefix('-').map_or_else(|| format!("-{text}"), str::to_owned)
}

/// `72500` of `72.5`; nothing for a number with an exponent.
fn thousandfold(text: &str) -> Option<String> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.contains(['e', 'E']) || whole.contains(['e', 'E']) {
        return None;
    }
    let digits = format!("{fraction:0<3}");
    let (moved, rest) = digits.split_at_checked(3)?;
    let (sign, whole) = whole.strip_prefix('-').map_or(("", whole), |whole| ("-", whole));
    let whole = format!("{whole}{moved}");
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    Some(if rest.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{rest}") })
}

fn walk(value: &Json, at: &mut Vec<Step>, places: &mut Vec<Vec<Step>>) {
    let mut enter = |step: Step, value: &Json, at: &mut Vec<Step>| {
        at.push(step);
        places.push(at.clone());
        walk(value, at, places);
        at.pop();
    };
    match value {
        Json::Object(members) => {
            members.iter().for_each(|(name, value)| enter(Step::Member(name.clone()), value, at));
        }
        Json::Array(items) => {
            items.iter().enumerate().for_each(|(index, value)| enter(Step::Item(index), value, at));
        }
        _ => {}
    }
}

fn written(place: &[Step]) -> String {
    let step = |step: &Step| match step {
        Step::Member(name) => format!(".{name}"),
        Step::Item(index) => format!("[{index}]"),
    };
    format!("${}", place.iter().map(step).collect::<String>())
}

fn reach<'a>(root: &'a mut Json, steps: &[Step]) -> Option<&'a mut Json> {
    steps.iter().try_fold(root, |value, step| match step {
        Step::Member(name) => value.get_mut(name),
        Step::Item(index) => value.get_mut(index),
    })
}

fn find<'a>(root: &'a Json, steps: &[Step]) -> Option<&'a Json> {
    steps.iter().try_fold(root, |value, step| match step {
        Step::Member(name) => value.get(name),
        Step::Item(index) => value.get(index),
    })
}

fn remove(parent: &mut Json, last: &Step) {
    match (parent, last) {
        (Json::Object(members), Step::Member(name)) => {
            members.shift_remove(name);
        }
        (Json::Array(items), Step::Item(index)) => {
            items.remove(*index);
        }
        _ => {}
    }
}

fn put(parent: &mut Json, last: &Step, value: Json) {
    match (parent, last) {
        (Json::Object(members), Step::Member(name)) => {
            members.insert(name.clone(), value);
        }
        (Json::Array(items), Step::Item(index)) => {
            if let Some(item) = items.get_mut(*index) {
                *item = value;
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{edits, thousandfold};

    #[test]
    fn every_field_is_edited_in_every_way() {
        let edits = edits(br#"{"a": -7.25, "b": [{"c": "5"}]}"#);
        let all: Vec<String> =
            edits.iter().map(|edit| format!("{} {}", edit.what, String::from_utf8_lossy(&edit.data))).collect();
        for wanted in [
            r#"$.a left out {"b":[{"c":"5"}]}"#,
            r#"$.a null {"a":null,"b":[{"c":"5"}]}"#,
            r#"$.a as text {"a":"-7.25","b":[{"c":"5"}]}"#,
            r#"$.a negated {"a":7.25,"b":[{"c":"5"}]}"#,
            r#"$.a times 1000 {"a":-7250,"b":[{"c":"5"}]}"#,
            r#"$.b emptied {"a":-7.25,"b":[]}"#,
            r#"$.b[0] left out {"a":-7.25,"b":[]}"#,
            r#"$.b[0].c left out {"a":-7.25,"b":[{}]}"#,
            r#"$.b[0].c times 1000 {"a":-7.25,"b":[{"c":"5000"}]}"#,
        ] {
            assert!(all.iter().any(|line| line == wanted), "{wanted} is not in {all:#?}");
        }
        assert!(super::edits(b"5").is_empty() && super::edits(&[0xFF]).is_empty());
    }

    #[test]
    fn a_thousandfold_keeps_its_digits() {
        for (text, wanted) in [("0.5", "500"), ("72", "72000"), ("1.23456", "1234.56"), ("-0.001", "-1"), ("0", "0")] {
            assert_eq!(thousandfold(text).as_deref(), Some(wanted));
        }
        assert_eq!(thousandfold("1e3"), None);
    }
}
