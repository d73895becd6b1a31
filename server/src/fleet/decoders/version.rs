//! Which of two versions is the newer: the precedence of Semantic Versioning 2.0.0, section 11. Pure.

use std::cmp::Ordering;

/// Compares two semantic versions; build metadata takes no part. The sandbox has checked their form.
pub fn compare(left: &str, right: &str) -> Ordering {
    let (left_core, left_pre) = split(left);
    let (right_core, right_pre) = split(right);
    let core = left_core.split('.').map(number).cmp(right_core.split('.').map(number));
    core.then_with(|| match (left_pre, right_pre) {
        (None, None) => Ordering::Equal,
        // A version without a pre-release is newer than its pre-releases.
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(left), Some(right)) => left.split('.').map(Identifier::of).cmp(right.split('.').map(Identifier::of)),
    })
}

/// Core and pre-release, without build metadata.
fn split(version: &str) -> (&str, Option<&str>) {
    let version = version.split_once('+').map_or(version, |(version, _build)| version);
    version.split_once('-').map_or((version, None), |(core, pre)| (core, Some(pre)))
}

/// Numbers are compared as numbers: by length, then digit by digit, so that none is too long.
fn number(digits: &str) -> (usize, &str) {
    (digits.len(), digits)
}

/// An identifier of a pre-release: numeric ones come first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Identifier<'a> {
    Number(usize, &'a str),
    Text(&'a str),
}

impl<'a> Identifier<'a> {
    fn of(text: &'a str) -> Self {
        if text.bytes().all(|byte| byte.is_ascii_digit()) { Self::Number(text.len(), text) } else { Self::Text(text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precedence_is_that_of_the_specification() {
        // The example of section 11, and numbers that are not compared as text.
        let ascending = [
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.9.0",
            "1.10.0",
            "2.0.0",
        ];
        for pair in ascending.windows(2) {
            assert_eq!(compare(pair[0], pair[1]), Ordering::Less, "{pair:?}");
        }
        assert_eq!(compare("1.0.0+a", "1.0.0+b"), Ordering::Equal);
    }
}
