//! Two texts of an Observation, field by field; pure.

use std::collections::BTreeMap;

use serde_json::Value;

use super::model::FieldChange;

/// Fields that are told of one Observation.
const MOST: usize = 40;
/// Characters of a value that are told.
const LONGEST: usize = 200;
/// What tells versions and provenance apart, and is no finding.
const APART: [&str; 2] = ["id", "meta"];

/// The fields in which they differ, by path, and what stands there. Numbers keep every digit.
pub fn changes(before: &str, after: &str) -> Vec<FieldChange> {
    let (before, after) = (fields(before), fields(after));
    let mut paths: Vec<&String> = before.keys().chain(after.keys()).collect();
    paths.sort_unstable();
    paths.dedup();
    let differing = paths.into_iter().filter(|path| before.get(*path) != after.get(*path));
    differing
        .take(MOST)
        .map(|path| FieldChange {
            field: path.clone(),
            before: before.get(path).map(|value| shortened(value)),
            after: after.get(path).map(|value| shortened(value)),
        })
        .collect()
}

fn shortened(value: &str) -> String {
    if value.chars().count() <= LONGEST {
        return value.to_owned();
    }
    value.chars().take(LONGEST).chain(['…']).collect()
}

fn fields(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    if let Ok(Value::Object(resource)) = serde_json::from_str::<Value>(text) {
        for (name, value) in resource.iter().filter(|(name, _)| !APART.contains(&name.as_str())) {
            flatten(name, value, &mut found);
        }
    }
    found
}

fn flatten(path: &str, value: &Value, found: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                flatten(&format!("{path}.{name}"), value, found);
            }
        }
        Value::Array(items) => {
            for (place, value) in items.iter().enumerate() {
                // Extensions are told apart by what they are, not by their place.
                let name = value.get("url").and_then(Value::as_str).and_then(|url| url.rsplit('/').next());
                match name {
                    Some(name) => flatten(&format!("{path}[{name}]"), value, found),
                    None => flatten(&format!("{path}[{place}]"), value, found),
                }
            }
        }
        Value::String(text) => {
            found.insert(path.to_owned(), text.clone());
        }
        other => {
            found.insert(path.to_owned(), other.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_differ_by_path_and_keep_every_digit() {
        let before = r#"{"id":"a","meta":{"versionId":"1"},"status":"final","valueQuantity":{"value":97.50,"unit":"kg"},"component":[{"x":1}]}"#;
        let after = r#"{"id":"b","meta":{"versionId":"2"},"status":"final","valueQuantity":{"value":97.5,"unit":"kg"},"component":[{"x":1},{"x":2}]}"#;
        let told = changes(before, after);
        let change = |field: &str, before: Option<&str>, after: Option<&str>| FieldChange {
            field: field.to_owned(),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
        };
        assert_eq!(
            told,
            [change("component[1].x", None, Some("2")), change("valueQuantity.value", Some("97.50"), Some("97.5"))]
        );
        assert!(changes(before, before).is_empty());
    }
}
