//! Tables as vendors write them (`decoder.toml`): read, checked and compiled. Whatever is wrong is said with its line and with
//! what would be right, before anything is built.

mod block;
mod condition;
mod document;
mod field;
mod literal;
mod made;
mod names;
mod path;
mod place;
mod properties;
mod rules;
mod syntax;
mod template;
mod value;
mod word;

use std::collections::BTreeSet;

use afferent_plugin_sdk::Input;
use registered_words::Words;

use crate::table::{About, Binding, Bytes, Shown, Table};
use document::Document;
use place::{Place, Places};

/// What is wrong with a table, with the line where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Counted from 1; none where the whole is meant.
    pub line: Option<usize>,
    /// Where in the table: `format.weight.field[2].unit`.
    pub place: String,
    /// A sentence.
    pub message: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(line) = self.line {
            write!(out, "line {line}: ")?;
        }
        if !self.place.is_empty() {
            write!(out, "{}: ", self.place)?;
        }
        out.write_str(&self.message)
    }
}

/// Reads, checks and compiles a table.
///
/// # Errors
/// Everything that is wrong, in the order of the file.
pub fn compile(text: &str) -> Result<Table, Vec<Problem>> {
    let places = Places::of(text);
    let document: Document = toml::from_str(text).map_err(|error| vec![syntax::problem(text, &places, &error)])?;
    let mut problems = Vec::new();
    let table = build(&document, &mut problems);
    // What `every-reading` says wrongly is found with every reading.
    let mut told = BTreeSet::new();
    problems.retain(|(place, message)| told.insert((place.to_string(), message.clone())));
    let mut problems: Vec<Problem> = problems
        .into_iter()
        .map(|(place, message): (Place, String)| Problem {
            line: places.line(&place),
            place: place.to_string(),
            message,
        })
        .collect();
    problems.sort_by_key(|problem| problem.line);
    match table {
        Some(table) if problems.is_empty() => Ok(table),
        _ => Err(problems),
    }
}

/// What a table says, which its manifest declares.
#[derive(Debug, Default)]
struct Said {
    kinds: BTreeSet<String>,
    flags: BTreeSet<String>,
    warnings: BTreeSet<String>,
}

/// Everything wrong so far.
type Problems = Vec<(Place, String)>;

fn build(document: &Document, problems: &mut Problems) -> Option<Table> {
    let words = match Words::load() {
        Ok(words) => words,
        Err(error) => {
            problems.push((Place::default(), format!("the registered words cannot be read: {error}")));
            return None;
        }
    };
    let mut said = Said::default();
    let (mut formats, mut labels) = (Vec::new(), Vec::new());
    let names: Vec<&String> = document.format.keys().collect();
    for (name, format) in &document.format {
        let place = Place::of("format").member(name);
        let (compiled, of_fields) = block::format(format, &place, &words, &mut said, problems);
        formats.push(Bytes(postcard::to_allocvec(&compiled).ok()?));
        labels.push(Bytes(postcard::to_allocvec(&of_fields).ok()?));
    }
    if formats.is_empty() {
        problems.push((Place::default(), "a table needs at least one [format.NAME]".to_owned()));
    }
    let bindings = bindings(document, &names, problems);
    let manifest = Bytes(postcard::to_allocvec(&about(document, said, problems)).ok()?);
    let table = Table { manifest, bindings, formats, labels };
    let size = table.to_bytes().map_or(0, |bytes| bytes.len());
    if size + 4 > crate::slot::CAPACITY {
        problems.push((Place::default(), format!("the table is too large: {size} bytes of {}", crate::slot::CAPACITY)));
    }
    Some(table)
}

fn bindings(document: &Document, formats: &[&String], problems: &mut Problems) -> Vec<Binding> {
    let mut bindings = Vec::new();
    let mut used = BTreeSet::new();
    if document.model.is_empty() {
        problems.push((Place::default(), "a table needs at least one [[model]]".to_owned()));
    }
    for (index, model) in document.model.iter().enumerate() {
        let place = Place::of("model").item(index);
        let mut bind = |channel: &str, format: &str, place: Place, problems: &mut Problems| match formats
            .iter()
            .position(|known| known.as_str() == format)
        {
            Some(position) => {
                used.insert(format.to_owned());
                let format = u16::try_from(position).unwrap_or(u16::MAX);
                bindings.push(Binding { model: model.name.clone(), channel: channel.to_owned(), format });
            }
            None => problems.push((place, names::unknown("format", format, formats.iter().map(|name| name.as_str())))),
        };
        match (&model.format, &model.formats) {
            (Some(format), None) if model.channels.is_empty() => bind("", format, place.member("format"), problems),
            (Some(format), None) => {
                for channel in &model.channels {
                    bind(channel, format, place.member("format"), problems);
                }
            }
            (None, Some(by_channel)) => {
                for (channel, format) in by_channel {
                    if !model.channels.contains(channel) {
                        let message = format!("`{channel}` is none of the model's `channels`");
                        problems.push((place.member("formats").member(channel), message));
                    }
                    bind(channel, format, place.member("formats").member(channel), problems);
                }
                for channel in model.channels.iter().filter(|channel| !by_channel.contains_key(*channel)) {
                    let message = format!("the channel `{channel}` has no format in `formats`");
                    problems.push((place.member("channels"), message));
                }
            }
            _ => problems.push((place, "a model needs either `format`, or `formats` by channel".to_owned())),
        }
    }
    for name in formats.iter().filter(|name| !used.contains(name.as_str())) {
        problems.push((Place::of("format").member(name), "no model has this format".to_owned()));
    }
    bindings
}

fn about(document: &Document, said: Said, problems: &mut Problems) -> About {
    let identity = &document.decoder;
    let examples = document.example.iter().enumerate();
    let examples = examples.filter_map(|(index, example)| shown(example, &Place::of("example").item(index), problems));
    let model = |model: &document::Model| {
        (model.name.clone(), model.title.clone(), model.channels.clone(), model.variables.clone())
    };
    About {
        name: identity.name.clone(),
        vendor: identity.vendor.clone(),
        version: identity.version.clone(),
        license: identity.license.clone(),
        description: identity.description.clone(),
        models: document.model.iter().map(model).collect(),
        examples: examples.collect(),
        kinds: said.kinds.into_iter().collect(),
        flags: said.flags.into_iter().collect(),
        warnings: said.warnings.into_iter().collect(),
        extra: identity.extra.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
    }
}

fn shown(example: &document::Example, place: &Place, problems: &mut Problems) -> Option<Shown> {
    let hex = |digits: &String| {
        let plain: String = digits.chars().filter(|digit| !digit.is_whitespace()).collect();
        let whole = plain.len().is_multiple_of(2) && plain.bytes().all(|digit| digit.is_ascii_hexdigit());
        whole.then(|| Input::hex("", "", &plain).frames.pop().map(|frame| frame.data)).flatten()
    };
    let (frames, json) = match (&example.hex, &example.json) {
        (Some(hexes), None) => (hexes.list().iter().map(hex).collect::<Option<Vec<_>>>(), false),
        (None, Some(text)) => (Some(vec![text.clone().into_bytes()]), true),
        _ => {
            problems.push((place.clone(), "an example needs either `hex` or `json`".to_owned()));
            return None;
        }
    };
    let Some(frames) = frames else {
        problems.push((place.member("hex"), "`hex` is an even number of hexadecimal digits".to_owned()));
        return None;
    };
    if !["readings", "nothing", "error"].contains(&example.outcome.as_str()) {
        let message = format!("`{}` is no outcome; it is readings, nothing or error", example.outcome);
        problems.push((place.member("outcome"), message));
    }
    Some(Shown {
        name: example.name.clone(),
        model: example.model.clone(),
        channel: example.channel.clone(),
        json,
        frames,
        variables: example.variables.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        outcome: example.outcome.clone(),
        values: example.values.clone(),
    })
}
