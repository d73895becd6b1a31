//! Paths into JSON as a table writes them.

use super::block::Compiler;
use super::place::Place;
use crate::table::{Path, PathStep};

impl Compiler<'_> {
    /// `$.data.weight`, `$['a b'][0]`, `@.value`.
    pub(super) fn path(&mut self, text: Option<&str>, place: &Place) -> Option<Path> {
        let parsed = text.and_then(parse_path);
        if parsed.is_none() {
            let message = "a path is like $.data.weight, $['a-b'], $.list[0], or @.value within a block with `each`";
            self.wrong(place.clone(), message.to_owned());
        }
        parsed
    }
}

fn parse_path(text: &str) -> Option<Path> {
    let (from_element, mut rest) = match text.strip_prefix('$') {
        Some(rest) => (false, rest),
        None => (true, text.strip_prefix('@')?),
    };
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(behind) = rest.strip_prefix('.') {
            let end = behind.find(['.', '[']).unwrap_or(behind.len());
            let (name, after) = behind.split_at_checked(end).filter(|(name, _)| !name.is_empty())?;
            steps.push(PathStep::Member(name.to_owned()));
            rest = after;
        } else {
            let (inner, after) = rest.strip_prefix('[')?.split_once(']')?;
            let quoted = inner.strip_prefix('\'').and_then(|name| name.strip_suffix('\''));
            steps.push(match quoted {
                Some(name) => PathStep::Member(name.to_owned()),
                None => PathStep::Item(inner.parse().ok()?),
            });
            rest = after;
        }
    }
    Some(Path { from_element, steps })
}
