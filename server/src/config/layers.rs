//! The three layers that settings come from, and the reader that takes keys out of them and collects every problem.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::values::Parsed;

/// What the environment's names begin with.
const PREFIX: &str = "AFFERENT_";

/// A setting as it was written: one text, or a list of them.
#[derive(Debug, Clone)]
enum Written {
    Text(String),
    List(Vec<String>),
}

#[derive(Debug)]
struct Setting {
    written: Written,
    /// How a message names it: `AFFERENT_LISTEN`, or `listen in afferent.toml`.
    named: String,
}

#[derive(Debug, Default)]
struct Layer {
    settings: BTreeMap<String, Setting>,
}

/// Takes settings by key; remembers which keys exist, so that what is left over is unknown.
pub(super) struct Reader {
    environment: Layer,
    file: Layer,
    defaults: Layer,
    known: BTreeSet<String>,
    problems: Vec<String>,
}

impl Reader {
    /// `file` is read when it exists, unless `AFFERENT_CONFIG` names another one, which must exist.
    pub(super) fn new(
        environment: impl IntoIterator<Item = (String, String)>,
        file: Option<&Path>,
        defaults: &str,
    ) -> Self {
        let mut reader = Self {
            environment: Layer::default(),
            file: Layer::default(),
            defaults: Layer::default(),
            known: BTreeSet::new(),
            problems: Vec::new(),
        };
        let mut named_file = None;
        for (name, value) in environment {
            let key = match name.as_str() {
                "AFFERENT_CONFIG" => {
                    named_file = Some(value);
                    continue;
                }
                "DATABASE_URL" | "DATABASE_URL_FILE" => name.to_ascii_lowercase(),
                _ => match name.strip_prefix(PREFIX) {
                    Some(rest) => rest.to_ascii_lowercase(),
                    None => continue,
                },
            };
            reader.add_environment(key, name, value);
        }
        match (named_file, file) {
            (Some(named), _) => reader.read_file(Path::new(&named)),
            (None, Some(file)) if file.exists() => reader.read_file(file),
            (None, _) => {}
        }
        reader.defaults = reader.parse_file(defaults, "config.default.toml");
        reader
    }

    fn add_environment(&mut self, key: String, name: String, value: String) {
        // Compose files pass variables on that are not set: empty means absent.
        if value.is_empty() {
            return;
        }
        let setting = Setting { written: Written::Text(value), named: name.clone() };
        if let Some(other) = self.environment.settings.insert(key, setting) {
            self.problems.push(format!("{} and {name} are both set: remove one", other.named));
        }
    }

    fn read_file(&mut self, path: &Path) {
        match fs::read_to_string(path) {
            Ok(text) => self.file = self.parse_file(&text, &path.display().to_string()),
            Err(error) => self.problems.push(format!("could not read the configuration {}: {error}", path.display())),
        }
    }

    fn parse_file(&mut self, text: &str, name: &str) -> Layer {
        let table: toml::Table = match text.parse() {
            Ok(table) => table,
            Err(error) => {
                self.problems.push(format!("{name} is not TOML: {}", error.to_string().trim()));
                return Layer::default();
            }
        };
        let mut layer = Layer::default();
        for (key, value) in table {
            match written(&value) {
                Some(written) => {
                    let named = format!("{key} in {name}");
                    layer.settings.insert(key, Setting { written, named });
                }
                None => self.problems.push(format!(
                    "{key} in {name} is a {}: settings are texts, numbers or lists of texts, without [sections]",
                    value.type_str()
                )),
            }
        }
        layer
    }

    /// A setting that may be absent.
    pub(super) fn optional<T>(&mut self, key: &str, parse: impl Fn(&str) -> Parsed<T>) -> Option<T> {
        self.known.insert(key.to_owned());
        let setting = self.layers().find_map(|layer| layer.settings.get(key))?;
        let outcome = match &setting.written {
            Written::Text(text) => parse(text.trim()),
            Written::List(_) => Err("is a list, but takes one value".to_owned()),
        };
        let named = setting.named.clone();
        self.noting(&named, outcome)
    }

    /// A setting with a default in `config.default.toml`; `fallback` only stands in for a value that had a problem.
    pub(super) fn value<T>(&mut self, key: &str, fallback: T, parse: impl Fn(&str) -> Parsed<T>) -> T {
        self.optional(key, parse).unwrap_or(fallback)
    }

    /// A list: an array in the file, separated by commas in the environment.
    pub(super) fn list<T>(&mut self, key: &str, parse: impl Fn(&str) -> Parsed<T>) -> Vec<T> {
        self.known.insert(key.to_owned());
        let Some(setting) = self.layers().find_map(|layer| layer.settings.get(key)) else { return Vec::new() };
        let items: Vec<String> = match &setting.written {
            Written::Text(text) => text.split(',').map(str::to_owned).collect(),
            Written::List(items) => items.clone(),
        };
        let named = setting.named.clone();
        let items: Vec<&str> = items.iter().map(|item| item.trim()).filter(|item| !item.is_empty()).collect();
        items.into_iter().filter_map(|item| self.noting(&named, parse(item))).collect()
    }

    /// A secret: its value, or with `_file` after its key the file that holds it. The upper layer wins as a whole.
    pub(super) fn secret<T>(&mut self, key: &str, parse: impl Fn(&str) -> Parsed<T>) -> Option<T> {
        let file_key = format!("{key}_file");
        self.known.insert(key.to_owned());
        self.known.insert(file_key.clone());
        let given = |layer: &Layer| layer.settings.contains_key(key) || layer.settings.contains_key(&file_key);
        let layer = self.layers().find(|layer| given(layer))?;
        let (named, outcome) = match (layer.settings.get(key), layer.settings.get(&file_key)) {
            (Some(value), Some(file)) => {
                (value.named.clone(), Err(format!("and {} are both set: remove one", file.named)))
            }
            (Some(Setting { written: Written::Text(text), named }), None) => (named.clone(), parse(text.trim())),
            (None, Some(Setting { written: Written::Text(path), named })) => {
                let content =
                    fs::read_to_string(path).map_err(|error| format!("names {path}, which could not be read: {error}"));
                (named.clone(), content.and_then(|content| parse(content.trim())))
            }
            _ => (key.to_owned(), Err("is a list, but takes one value".to_owned())),
        };
        self.noting(&named, outcome)
    }

    /// Adds a problem between settings that are each fine.
    pub(super) fn problem(&mut self, problem: String) {
        self.problems.push(problem);
    }

    /// Every problem, with the keys that nobody asked for.
    pub(super) fn finish(mut self) -> (BTreeSet<String>, Vec<String>) {
        let file = self.file.settings.iter().map(|(key, setting)| (key.clone(), setting.named.clone(), false));
        let environment =
            self.environment.settings.iter().map(|(key, setting)| (key.clone(), setting.named.clone(), true));
        let unknown: Vec<_> = environment.chain(file).filter(|(key, _, _)| !self.known.contains(key)).collect();
        for (key, named, from_environment) in unknown {
            let nearest = nearest(&key, &self.known).map(|near| {
                let near =
                    if from_environment { format!("{PREFIX}{}", near.to_ascii_uppercase()) } else { near.to_owned() };
                format!("; the nearest key is {near}")
            });
            self.problems.push(format!("{named} is not a setting{}", nearest.unwrap_or_default()));
        }
        (self.known, self.problems)
    }

    fn layers(&self) -> impl Iterator<Item = &Layer> {
        [&self.environment, &self.file, &self.defaults].into_iter()
    }

    fn noting<T>(&mut self, named: &str, outcome: Parsed<T>) -> Option<T> {
        outcome.map_err(|problem| self.problems.push(format!("{named} {problem}"))).ok()
    }
}

fn written(value: &toml::Value) -> Option<Written> {
    match value {
        toml::Value::Array(items) => {
            items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<_>>().map(Written::List)
        }
        toml::Value::Table(_) | toml::Value::Datetime(_) => None,
        toml::Value::String(text) => Some(Written::Text(text.clone())),
        other => Some(Written::Text(other.to_string())),
    }
}

/// The known key with the smallest edit distance.
fn nearest<'a>(key: &str, known: &'a BTreeSet<String>) -> Option<&'a str> {
    known.iter().map(String::as_str).min_by_key(|candidate| edit_distance(key, candidate))
}

/// Levenshtein's distance: insertions, deletions and substitutions of one character.
fn edit_distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, left_character) in left.chars().enumerate() {
        let mut diagonal = index;
        let mut before = index + 1;
        let mut next = vec![before];
        for (right_character, above) in right.iter().zip(row.iter().skip(1)) {
            let substituted = diagonal + usize::from(left_character != *right_character);
            before = substituted.min(before + 1).min(above + 1);
            diagonal = *above;
            next.push(before);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::edit_distance;

    #[test]
    fn edit_distance_counts_single_character_edits() {
        assert_eq!(edit_distance("listen", "listen"), 0);
        assert_eq!(edit_distance("listn", "listen"), 1);
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(edit_distance("", "abc"), 3);
    }
}
