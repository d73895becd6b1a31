//! The check of what a decoder says of itself.

use std::collections::HashSet;

use crate::output::Declared;
use crate::{Limits, Manifest, Registry};

/// Every problem of a manifest, one sentence each; none means that it is accepted.
pub(crate) fn problems(manifest: &Manifest, registry: &Registry, limits: &Limits) -> Vec<String> {
    let mut problems = Vec::new();
    if !is_name(&manifest.name) {
        problems.push("the name is not lower-case words joined by hyphens".to_owned());
    }
    if !is_semantic_version(&manifest.version) {
        problems.push("the version is no semantic version (1.2.3)".to_owned());
    }
    for (what, text) in
        [("vendor", &manifest.vendor), ("license", &manifest.license), ("description", &manifest.description)]
    {
        if text.trim().is_empty() {
            problems.push(format!("the {what} is empty"));
        }
    }
    texts(manifest, limits, &mut problems);
    models(manifest, &mut problems);
    registered("kind", &manifest.kinds, &registry.kinds, &mut problems);
    registered("flag", &manifest.flags, &registry.flags, &mut problems);
    registered("warning", &manifest.warnings, &registry.warnings, &mut problems);
    examples(manifest, limits, &mut problems);
    problems
}

/// The declared words as sets.
pub(crate) fn declared(manifest: &Manifest, tells_exceptions: bool) -> Declared {
    Declared {
        kinds: manifest.kinds.iter().cloned().collect(),
        flags: manifest.flags.iter().cloned().collect(),
        warnings: manifest.warnings.iter().cloned().collect(),
        tells_exceptions,
    }
}

/// Texts that a person will see, bounded and without NUL.
fn texts(manifest: &Manifest, limits: &Limits, problems: &mut Vec<String>) {
    let own = [&manifest.name, &manifest.vendor, &manifest.version, &manifest.license];
    if own.iter().any(|text| text.len() > limits.key_bytes) || manifest.description.len() > limits.text_bytes {
        problems.push(format!("name, vendor, version or license is longer than {} bytes", limits.key_bytes));
    }
    let of_models = manifest
        .models
        .iter()
        .flat_map(|model| [&model.name, &model.title].into_iter().chain(&model.channels).chain(&model.variables));
    if own.into_iter().chain([&manifest.description]).chain(of_models).any(|text| text.contains('\0')) {
        problems.push("a text holds a NUL character".to_owned());
    }
}

/// Models: at least one, each once, named and titled.
fn models(manifest: &Manifest, problems: &mut Vec<String>) {
    let mut seen = HashSet::new();
    for model in &manifest.models {
        if !is_model_name(&model.name) {
            problems.push(format!("the model {:?} is not named in letters, digits, dots and hyphens", model.name));
        }
        if model.title.trim().is_empty() {
            problems.push(format!("the model {:?} has no title", model.name));
        }
        if !seen.insert(&model.name) {
            problems.push(format!("the model {:?} is declared twice", model.name));
        }
    }
    if seen.is_empty() {
        problems.push("no model is declared".to_owned());
    }
}

/// Words that are registered, each once.
fn registered(what: &str, words: &[String], registry: &HashSet<String>, problems: &mut Vec<String>) {
    let mut seen = HashSet::new();
    for word in words {
        if !registry.contains(word) {
            problems.push(format!("the {what} {word:?} is not registered{}", nearest(word, registry)));
        }
        if !seen.insert(word) {
            problems.push(format!("the {what} {word:?} is declared twice"));
        }
    }
}

/// Examples: some, not too many, each of a declared model and with a known outcome.
fn examples(manifest: &Manifest, limits: &Limits, problems: &mut Vec<String>) {
    if manifest.examples.is_empty() {
        problems.push("no example is declared; a decoder shows that it works".to_owned());
    }
    if manifest.examples.len() > limits.examples {
        problems.push(format!("{} examples; at most {}", manifest.examples.len(), limits.examples));
    }
    for example in &manifest.examples {
        if !manifest.models.iter().any(|model| model.name == example.input.model) {
            problems
                .push(format!("the example {:?} is of the undeclared model {:?}", example.name, example.input.model));
        }
    }
}

/// `; did you mean …?` with the registered word that shares the longest beginning, if that is half of it.
fn nearest(word: &str, registry: &HashSet<String>) -> String {
    let shared = |other: &str| other.bytes().zip(word.bytes()).take_while(|(a, b)| a == b).count();
    registry
        .iter()
        .map(|other| (shared(other), other))
        .filter(|(length, _)| length * 2 >= word.len() && *length > 0)
        // The least word among equals, so that the sentence does not change from run to run.
        .max_by(|(a, x), (b, y)| a.cmp(b).then_with(|| y.cmp(x)))
        .map_or_else(String::new, |(_, other)| {
            format!(" (did you mean `{other}`?)")
        })
}

/// `bluetooth-sig`: lower-case letters and digits in words joined by hyphens, at most 64 bytes.
fn is_name(name: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    name.len() <= 64 && name.split('-').all(is_word)
}

/// `gatt-2A35`: letters, digits, dots and hyphens, beginning and ending with a letter or digit, at most 64 bytes.
fn is_model_name(name: &str) -> bool {
    let is_inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
    let ends_well = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
    name.len() <= 64 && name.bytes().all(is_inner) && ends_well(name.bytes().next()) && ends_well(name.bytes().last())
}

/// Semantic Versioning 2.0.0, section 2 with the pre-release and build parts of 9 and 10.
fn is_semantic_version(version: &str) -> bool {
    let (version, build) = version.split_once('+').map_or((version, None), |(rest, build)| (rest, Some(build)));
    let (core, pre) = version.split_once('-').map_or((version, None), |(core, pre)| (core, Some(pre)));
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let is_number = |part: &str| is_digits(part) && (part == "0" || !part.starts_with('0'));
    let is_identifier = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    core.split('.').count() == 3
        && core.split('.').all(is_number)
        && pre.is_none_or(|pre| pre.split('.').all(|part| is_identifier(part) && (!is_digits(part) || is_number(part))))
        && build.is_none_or(|build| build.split('.').all(is_identifier))
}

#[cfg(test)]
mod tests {
    use super::{is_model_name, is_name, is_semantic_version, nearest};

    #[test]
    fn versions_are_semantic() {
        for good in ["0.1.0", "1.20.3-rc.1", "1.0.0+build.007", "1.0.0-alpha-beta.0+x"] {
            assert!(is_semantic_version(good), "{good}");
        }
        for bad in ["1", "1.0", "v1.0.0", "01.0.0", "1.0.0-", "1.0.0-01", "1.0.0+", "1.0.0.0", "1.0.x"] {
            assert!(!is_semantic_version(bad), "{bad}");
        }
    }

    #[test]
    fn names_are_words_and_hyphens() {
        assert!(is_name("bluetooth-sig") && is_name("bm77"));
        assert!(is_model_name("gatt-2A35") && !is_model_name("") && !is_model_name("-x") && !is_model_name("a b"));
        assert!(!is_name("") && !is_name("-a") && !is_name("a--b") && !is_name("Bluetooth") && !is_name("a b"));
    }

    #[test]
    fn a_refused_word_names_its_neighbour() {
        let registry = ["body-weight", "body-fat"].map(str::to_owned).into();
        assert_eq!(nearest("body-wieght", &registry), " (did you mean `body-weight`?)");
        assert_eq!(nearest("pulse", &registry), "");
    }
}
