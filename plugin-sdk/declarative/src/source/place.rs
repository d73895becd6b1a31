//! Places in a table, and the lines on which they stand.

use std::fmt;

use toml::de::{DeTable, DeValue};

/// A way into the table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Place(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Member(String),
    Item(usize),
}

impl Place {
    pub(super) fn of(name: &str) -> Self {
        Self::default().member(name)
    }

    pub(super) fn member(&self, name: &str) -> Self {
        self.with(Step::Member(name.to_owned()))
    }

    pub(super) fn item(&self, index: usize) -> Self {
        self.with(Step::Item(index))
    }

    fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Member(name) if index == 0 => out.write_str(name)?,
                Step::Member(name) => write!(out, ".{name}")?,
                // People count from 1.
                Step::Item(item) => write!(out, "[{}]", item + 1)?,
            }
        }
        Ok(())
    }
}

/// Where everything of a file stands.
pub(super) struct Places<'t> {
    text: &'t str,
    root: Option<toml::Spanned<DeTable<'t>>>,
}

impl<'t> Places<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        Self { text, root: DeTable::parse(text).ok() }
    }

    /// What a byte stands in.
    pub(super) fn at(&self, at: usize) -> Place {
        self.root.as_ref().map_or_else(Place::default, |root| in_table(root.get_ref(), at, Place::default()))
    }

    /// The line of a place; that of what it is in, where itself is not written.
    pub(super) fn line(&self, place: &Place) -> Option<usize> {
        let mut table = Some(self.root.as_ref()?.get_ref());
        let mut list: Option<&toml::de::DeArray<'_>> = None;
        let mut start = None;
        for step in &place.0 {
            let (value, at) = match step {
                Step::Member(name) => {
                    let found = table?.iter().find(|(key, _)| key.get_ref().as_ref() == name.as_str());
                    let Some((key, value)) = found else { break };
                    (value, key.span().start)
                }
                Step::Item(index) => {
                    let Some(value) = list.and_then(|list| list.get(*index)) else { break };
                    (value, value.span().start)
                }
            };
            start = Some(at);
            (table, list) = match value.get_ref() {
                DeValue::Table(inner) => (Some(inner), None),
                DeValue::Array(inner) => (None, Some(inner)),
                _ => (None, None),
            };
            if table.is_none() && list.is_none() {
                break;
            }
        }
        start.map(|start| line_at(self.text, start))
    }
}

/// The innermost of a table's members that a byte stands in.
fn in_table(table: &DeTable<'_>, at: usize, place: Place) -> Place {
    for (key, value) in table {
        let here = place.member(key.get_ref());
        if value.span().contains(&at) || key.span().contains(&at) {
            return in_value(value.get_ref(), at, here);
        }
        // A table whose header stands elsewhere spans less than what is in it.
        let within = in_value(value.get_ref(), at, here.clone());
        if within != here {
            return within;
        }
    }
    place
}

fn in_value(value: &DeValue<'_>, at: usize, place: Place) -> Place {
    match value {
        DeValue::Table(table) => in_table(table, at, place),
        DeValue::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                let here = place.item(index);
                let within = in_value(value.get_ref(), at, here.clone());
                if within != here || value.span().contains(&at) {
                    return within;
                }
            }
            place
        }
        _ => place,
    }
}

/// The line of a byte, counted from 1.
pub(super) fn line_at(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}
