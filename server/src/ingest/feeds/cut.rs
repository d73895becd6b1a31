//! Cuts a vendor's payload into items, one a device or account. Pure. The text of every value stays as it came: a decimal
//! keeps its digits.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::fleet::{FeedFormat, Shape};

/// What a vendor's payload came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Cut {
    /// Items, in the payload's order.
    Items(Vec<Piece>),
    /// It cannot be read: a sentence with the place.
    Malformed(String),
}

/// One item.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// Of a device or account: the vendor's id of it, and the JSON for its decoder.
    Of(String, String),
    /// Of nobody that could be told; a sentence with the place.
    Nobodys(String),
    /// It says that there is data, and has none.
    Announcement(String),
}

/// Members of an object, in their order, as they are written.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Vec<(String, &'de RawValue)>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Visitor).map(Members)
    }
}

/// Cuts a payload. What names nobody is the `account`'s, where the address names one.
pub fn cut(format: &FeedFormat, body: &[u8], account: Option<&str>) -> Cut {
    let root: &RawValue = match serde_json::from_slice(body) {
        Ok(root) => root,
        Err(error) => {
            return Cut::Malformed(format!("not JSON at line {}, column {}", error.line(), error.column()));
        }
    };
    let text = root.get();
    if !text.starts_with(['{', '[']) {
        return Cut::Malformed("a payload is an object or a list".to_owned());
    }
    let is_list = text.starts_with('[');
    match format.shape {
        Shape::Lists if is_list => Cut::Malformed("a payload is an object of lists".to_owned()),
        Shape::Lists => by_lists(format, text, account),
        Shape::Grouped if is_list => grouped(format, text, account),
        Shape::Object | Shape::Grouped => {
            let elements = if is_list { elements(text) } else { vec![root] };
            let place = |index: usize| if is_list { format!("/{index}") } else { String::new() };
            let pieces = elements.iter().enumerate();
            Cut::Items(pieces.map(|(index, element)| piece(format, element, &place(index), account)).collect())
        }
    }
}

fn elements(text: &str) -> Vec<&RawValue> {
    serde_json::from_str(text).unwrap_or_default()
}

fn piece(format: &FeedFormat, element: &RawValue, place: &str, account: Option<&str>) -> Piece {
    if format.announcement.as_deref().is_some_and(|pointer| find(element.get(), pointer).is_some()) {
        return Piece::Announcement(at(place, "this announces data and has none"));
    }
    match name(format, element, account) {
        Some(name) => Piece::Of(name, element.get().to_owned()),
        None => Piece::Nobodys(nobodys(format, place)),
    }
}

/// Elements of a list at the root that have one name, together and in their order.
fn grouped(format: &FeedFormat, text: &str, account: Option<&str>) -> Cut {
    let mut pieces = Vec::new();
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for (index, element) in elements(text).into_iter().enumerate() {
        let Some(name) = name(format, element, account) else {
            pieces.push(Piece::Nobodys(nobodys(format, &format!("/{index}"))));
            continue;
        };
        let place = *places.entry(name.clone()).or_insert(groups.len());
        match groups.get_mut(place) {
            Some((_, group)) => group.push(element.get()),
            None => groups.push((name, vec![element.get()])),
        }
    }
    let of = groups.into_iter().map(|(name, group)| Piece::Of(name, format!("[{}]", group.join(","))));
    Cut::Items(of.chain(pieces).collect())
}

/// The name of a list, and those of its elements that belong together.
type List<'a> = (&'a str, Vec<&'a str>);

/// An object of lists for each name, with the root's other members in each.
fn by_lists(format: &FeedFormat, text: &str, account: Option<&str>) -> Cut {
    let Ok(Members(members)) = serde_json::from_str::<Members<'_>>(text) else {
        return Cut::Malformed("a payload is an object of lists".to_owned());
    };
    // The whole payload may name its account once.
    let whole = format.names.iter().find_map(|pointer| find(text, pointer).as_deref().and_then(id_of));
    let mut pieces = Vec::new();
    let mut groups: Vec<(String, Vec<List<'_>>)> = Vec::new();
    for (list, value) in members.iter().filter(|(_, value)| value.get().starts_with('[')) {
        for (index, element) in elements(value.get()).into_iter().enumerate() {
            let Some(name) = name(format, element, whole.as_deref().or(account)) else {
                pieces.push(Piece::Nobodys(nobodys(format, &format!("/{list}/{index}"))));
                continue;
            };
            let group = match groups.iter().position(|(other, _)| *other == name) {
                Some(place) => place,
                None => {
                    groups.push((name, Vec::new()));
                    groups.len() - 1
                }
            };
            let Some((_, lists)) = groups.get_mut(group) else { continue };
            match lists.iter_mut().find(|(other, _)| other == list) {
                Some((_, of)) => of.push(element.get()),
                None => lists.push((list, vec![element.get()])),
            }
        }
    }
    if groups.is_empty() && pieces.is_empty() {
        // No list has an element: the account's, to say that there is nothing, else nobody's.
        return Cut::Items(vec![match whole.as_deref().or(account) {
            Some(name) => Piece::Of(name.to_owned(), text.to_owned()),
            None => Piece::Nobodys(nobodys(format, "")),
        }]);
    }
    let of = groups.into_iter().map(|(name, lists)| Piece::Of(name, object(&members, &lists)));
    Cut::Items(of.chain(pieces).collect())
}

/// The root with those elements in its lists; lists without any are left out.
fn object(members: &[(String, &RawValue)], lists: &[List<'_>]) -> String {
    let written = members.iter().filter_map(|(name, value)| {
        let key = serde_json::Value::from(name.as_str());
        if !value.get().starts_with('[') {
            return Some(format!("{key}:{}", value.get()));
        }
        let (_, elements) = lists.iter().find(|(list, _)| list == name)?;
        Some(format!("{key}:[{}]", elements.join(",")))
    });
    format!("{{{}}}", written.collect::<Vec<_>>().join(","))
}

/// The vendor's id of an item's device or account.
fn name(format: &FeedFormat, element: &RawValue, account: Option<&str>) -> Option<String> {
    let said = format.names.iter().find_map(|pointer| find(element.get(), pointer));
    match said {
        // One that says something that cannot be an id is nobody's, and not the account's.
        Some(said) => id_of(&said),
        None => account.map(str::to_owned),
    }
}

/// The value at a JSON pointer whose steps are members, as it is written.
fn find(text: &str, pointer: &str) -> Option<String> {
    let mut text = text;
    for step in pointer.split('/').skip(1) {
        let Members(members) = serde_json::from_str(text).ok()?;
        text = members.iter().find(|(name, _)| name == step)?.1.get();
    }
    (text != "null").then(|| text.to_owned())
}

/// A text or whole number as an id.
fn id_of(written: &str) -> Option<String> {
    let id = match serde_json::from_str::<String>(written) {
        Ok(text) => text.trim().to_owned(),
        Err(_number) => written.to_owned(),
    };
    let is_number = written.bytes().all(|byte| byte.is_ascii_digit());
    let good = (written.starts_with('"') || is_number)
        && (1..=128).contains(&id.chars().count())
        && !id.chars().any(char::is_control);
    good.then_some(id)
}

fn nobodys(format: &FeedFormat, place: &str) -> String {
    let wanted = if format.names.is_empty() {
        "the address has no ?account= that says whose this is".to_owned()
    } else {
        format!("{} does not say whose this is, and the address has no ?account=", format.names.join(" or "))
    };
    at(place, &wanted)
}

fn at(place: &str, text: &str) -> String {
    if place.is_empty() { text.to_owned() } else { format!("{text} (at {place})") }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

    use super::*;
    use crate::fleet::FeedFormats;

    fn cut_as(format: &str, body: &str, account: Option<&str>) -> Cut {
        cut(FeedFormats::load().unwrap().find(format).unwrap(), body.as_bytes(), account)
    }

    fn of(name: &str, body: &str) -> Piece {
        Piece::Of(name.to_owned(), body.to_owned())
    }

    #[test]
    fn one_object_is_one_item_with_every_digit() {
        let body = r#"{"deviceId":14800000000000, "values":{"weight":69800.00}}"#;
        assert_eq!(cut_as("bodytrace", body, None), Cut::Items(vec![of("14800000000000", body)]));
        let two = r#"[{"deviceId":"1","data":{"w":1.50}},{"deviceId":"2"}]"#;
        let items = vec![of("1", r#"{"deviceId":"1","data":{"w":1.50}}"#), of("2", r#"{"deviceId":"2"}"#)];
        assert_eq!(cut_as("tellihealth", two, None), Cut::Items(items));
    }

    #[test]
    fn coincident_measurements_of_a_device_stay_together() {
        let body = r#"[{"hwi_device_id":"a","m":1},{"hwi_device_id":"b","m":2},{"hwi_device_id":"a","m":3.0},{"m":4}]"#;
        let Cut::Items(pieces) = cut_as("tenovi", body, None) else { unreachable!() };
        assert_eq!(pieces.len(), 3);
        assert_eq!(pieces[0], of("a", r#"[{"hwi_device_id":"a","m":1},{"hwi_device_id":"a","m":3.0}]"#));
        assert_eq!(pieces[1], of("b", r#"[{"hwi_device_id":"b","m":2}]"#));
        assert!(matches!(&pieces[2], Piece::Nobodys(detail) if detail.ends_with("(at /3)")), "{:?}", pieces[2]);
    }

    #[test]
    fn lists_are_sorted_by_person_and_keep_what_belongs_to_all() {
        let body =
            r#"{"epochs":[{"userId":"u","s":1},{"userId":"v","s":2.50}],"dailies":[{"userId":"v","s":3}],"unit":1}"#;
        let items = vec![
            of("u", r#"{"epochs":[{"userId":"u","s":1}],"unit":1}"#),
            of("v", r#"{"epochs":[{"userId":"v","s":2.50}],"dailies":[{"userId":"v","s":3}],"unit":1}"#),
        ];
        assert_eq!(cut_as("garmin-health", body, None), Cut::Items(items));
        // One who says it for the whole payload, or the address.
        let whole = r#"{"userid":"w","BPDataList":[{"HP":120}],"BPUnit":0}"#;
        assert_eq!(cut_as("ihealth", whole, Some("x")), Cut::Items(vec![of("w", whole)]));
        let nobody = r#"{"BPDataList":[{"HP":120}]}"#;
        assert_eq!(cut_as("ihealth", nobody, Some("x")), Cut::Items(vec![of("x", nobody)]));
        assert!(
            matches!(cut_as("ihealth", nobody, None), Cut::Items(pieces) if matches!(pieces[0], Piece::Nobodys(_)))
        );
    }

    #[test]
    fn an_id_that_is_none_makes_an_item_nobodys_and_never_the_accounts() {
        for bad in [r#"{"userId":{}}"#, r#"{"userId":""}"#, r#"{"userId":1.5}"#, r#"{"userId":true}"#] {
            let Cut::Items(pieces) = cut_as("dexcom", bad, Some("x")) else { unreachable!() };
            assert!(matches!(pieces[0], Piece::Nobodys(_)), "{bad}");
        }
        assert_eq!(cut_as("dexcom", r#"{"userId":null}"#, Some("x")), Cut::Items(vec![of("x", r#"{"userId":null}"#)]));
    }

    #[test]
    fn what_is_no_payload_is_refused_and_an_announcement_is_no_data() {
        for bad in ["", "nonsense", "7", "\"x\"", r#"{"a":1"#, r#"{"a":1}{}"#] {
            assert!(matches!(cut_as("tellihealth", bad, Some("x")), Cut::Malformed(_)), "{bad}");
        }
        assert!(matches!(cut_as("garmin-health", "[]", None), Cut::Malformed(_)));
        let notified = r#"[{"collectionType":"body","date":"2020-06-01","ownerId":"228S74","ownerType":"user","subscriptionId":"1"}]"#;
        assert!(
            matches!(cut_as("fitbit", notified, None), Cut::Items(pieces) if matches!(pieces[0], Piece::Announcement(_)))
        );
    }
}
