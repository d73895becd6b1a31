//! The check of what a decoder answers: nothing reaches the caller that breaks the contract's rules.
//!
//! The types are already right when an answer gets here. What is judged is what types cannot say: sizes, registered
//! words, the syntax of times, numbers that a record can hold, and texts that a database takes. A breach makes the whole
//! answer invalid: a decoder that is wrong in one place is not trusted in the next.

mod reading;
mod samples;
#[cfg(test)]
mod tests;
mod time;

use std::collections::HashSet;

use crate::failure::brief;
use crate::{
    DecodeError, Decoded, DeviceFact, FailureKind, HubContent, HubItem, HubOutcome, Incomplete, Limits, NameValue,
    Nothing, Outcome, Registry, Warning,
};

/// A breach: which limit or rule, and where in the answer.
pub(crate) type Breach = (FailureKind, String);
/// What every check returns.
type Checked = Result<(), Breach>;

/// The words that one decoder declared, all of them registered.
#[derive(Debug, Default)]
pub(crate) struct Declared {
    pub(crate) kinds: HashSet<String>,
    pub(crate) flags: HashSet<String>,
    pub(crate) warnings: HashSet<String>,
    /// Whether the text of an exception is told, which may repeat the payload: to the decoder's author only.
    pub(crate) tells_exceptions: bool,
}

/// The rules, and how much of the allowance one answer has used.
pub(crate) struct Check<'a> {
    limits: &'a Limits,
    registry: &'a Registry,
    declared: &'a Declared,
    bytes: usize,
    readings: usize,
    samples: usize,
}

/// Checks a device decoder's answer.
pub(crate) fn outcome(
    limits: &Limits,
    registry: &Registry,
    declared: &Declared,
    outcome: &Outcome,
) -> Result<(), Breach> {
    let mut check = Check { limits, registry, declared, bytes: 0, readings: 0, samples: 0 };
    match outcome {
        Outcome::Readings(decoded) => check.decoded("", decoded),
        Outcome::Incomplete(incomplete) => check.incomplete(incomplete),
        Outcome::Nothing(nothing) => check.nothing("", nothing),
        Outcome::Error(error) => check.error("", error),
    }
}

/// Checks a hub decoder's answer.
pub(crate) fn hub_outcome(
    limits: &Limits,
    registry: &Registry,
    declared: &Declared,
    outcome: &HubOutcome,
) -> Result<(), Breach> {
    let mut check = Check { limits, registry, declared, bytes: 0, readings: 0, samples: 0 };
    match outcome {
        HubOutcome::Items(items) => check.items(items),
        HubOutcome::Incomplete(incomplete) => check.incomplete(incomplete),
        HubOutcome::Nothing(nothing) => check.nothing("", nothing),
        HubOutcome::Error(error) => check.error("", error),
    }
}

/// A breach of the contract at a place.
fn invalid(place: &str, what: impl std::fmt::Display) -> Breach {
    (FailureKind::InvalidOutput, format!("{place}: {what}"))
}

/// A breach of a size.
fn too_large(place: &str, what: impl std::fmt::Display) -> Breach {
    (FailureKind::OutputTooLarge, format!("{place}: {what}"))
}

/// A word as an error may show it: what does not look like a code could be personal data.
fn shown(word: &str) -> String {
    let is_code = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./[]%{}".contains(&byte);
    if word.len() <= 40 && word.bytes().all(is_code) {
        format!("`{word}`")
    } else {
        "a text that is no code".to_owned()
    }
}

/// Whether a text is a place in a source file, `decoder.py:31`, and nothing that could be personal data.
fn is_place(at: &str) -> bool {
    at.len() <= 80 && at.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./:".contains(&byte))
}

impl Check<'_> {
    /// Counts bytes of the answer.
    fn count(&mut self, place: &str, bytes: usize) -> Checked {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > self.limits.output_bytes {
            return Err(too_large(place, format!("the answer exceeds {} bytes", self.limits.output_bytes)));
        }
        Ok(())
    }

    /// Any text: bounded, and without the NUL that Postgres cannot store.
    fn text(&mut self, place: &str, text: &str) -> Checked {
        if text.len() > self.limits.text_bytes {
            return Err(too_large(
                place,
                format!("a text of {} bytes; at most {}", text.len(), self.limits.text_bytes),
            ));
        }
        if text.as_bytes().contains(&0) {
            return Err(invalid(place, "a text with a NUL character"));
        }
        self.count(place, text.len())
    }

    /// A text that may not be empty and has to fit a key.
    fn key(&mut self, place: &str, text: &str) -> Checked {
        if text.is_empty() {
            return Err(invalid(place, "empty"));
        }
        if text.len() > self.limits.key_bytes {
            return Err(too_large(place, format!("{} bytes; at most {}", text.len(), self.limits.key_bytes)));
        }
        self.text(place, text)
    }

    /// A word of a set.
    fn word(&mut self, place: &str, set: &HashSet<String>, word: &str, rule: &str) -> Checked {
        if set.contains(word) {
            self.count(place, word.len())
        } else {
            Err(invalid(place, format!("{} {rule}", shown(word))))
        }
    }

    /// The length of a list.
    fn list<T>(&mut self, place: &str, list: &[T]) -> Checked {
        if list.len() > self.limits.list_elements {
            return Err(too_large(place, format!("{} elements; at most {}", list.len(), self.limits.list_elements)));
        }
        // Empty elements cost the host memory too.
        self.count(place, list.len())
    }

    fn extra(&mut self, place: &str, extra: &[NameValue]) -> Checked {
        let place = format!("{place}extra");
        self.list(&place, extra)?;
        for NameValue { name, value } in extra {
            self.key(&place, name)?;
            self.text(&place, value)?;
        }
        Ok(())
    }

    fn decoded(&mut self, place: &str, decoded: &Decoded) -> Checked {
        self.readings = self.readings.saturating_add(decoded.readings.len());
        if self.readings > self.limits.readings {
            let message = format!("{} readings; at most {}", self.readings, self.limits.readings);
            return Err(too_large(&format!("{place}readings"), message));
        }
        for (index, reading) in decoded.readings.iter().enumerate() {
            self.reading(&format!("{place}readings[{index}]."), reading)?;
        }
        self.facts(place, &decoded.facts)?;
        self.warnings(place, &decoded.warnings)?;
        self.extra(place, &decoded.extra)
    }

    fn facts(&mut self, place: &str, facts: &[DeviceFact]) -> Checked {
        self.list(&format!("{place}facts"), facts)?;
        for (index, fact) in facts.iter().enumerate() {
            let place = format!("{place}facts[{index}].");
            self.word(&format!("{place}kind"), &self.registry.facts, &fact.kind, "is no registered fact")?;
            self.value(&format!("{place}value"), &fact.value)?;
            self.extra(&place, &fact.extra)?;
        }
        Ok(())
    }

    fn warnings(&mut self, place: &str, warnings: &[Warning]) -> Checked {
        let place = format!("{place}warnings");
        self.list(&place, warnings)?;
        for warning in warnings {
            self.word(&place, &self.declared.warnings, &warning.code, "is no warning that the manifest declares")?;
            self.text(&place, &warning.message)?;
        }
        Ok(())
    }

    fn incomplete(&mut self, incomplete: &Incomplete) -> Checked {
        self.text("reason", &incomplete.reason)?;
        self.extra("", &incomplete.extra)
    }

    fn nothing(&mut self, place: &str, nothing: &Nothing) -> Checked {
        self.word(&format!("{place}reason"), &self.registry.reasons, &nothing.reason, "is no registered reason")?;
        self.text(&format!("{place}message"), &nothing.message)?;
        self.facts(place, &nothing.facts)?;
        self.warnings(place, &nothing.warnings)?;
        self.extra(place, &nothing.extra)
    }

    fn error(&mut self, place: &str, error: &DecodeError) -> Checked {
        self.text(&format!("{place}message"), &error.message)?;
        if let Some(path) = &error.path {
            self.text(&format!("{place}path"), path)?;
        }
        self.extra(place, &error.extra)?;
        self.exception(&error.extra)
    }

    /// An error that is none: an exception of an interpreted decoder, which its SDK caught to say what it was and where
    /// (`exception`, `exception-at`, `exception-message`). The decoder failed, as one that panics.
    fn exception(&self, extra: &[NameValue]) -> Checked {
        let find = |name: &str| extra.iter().find(|pair| pair.name == name).map(|pair| pair.value.as_str());
        let Some(kind) = find("exception") else { return Ok(()) };
        let at = find("exception-at").filter(|at| is_place(at)).map(|at| format!(" at {at}")).unwrap_or_default();
        let message = find("exception-message").filter(|_| self.declared.tells_exceptions);
        let message = message.map(|message| format!(": {}", brief(message))).unwrap_or_default();
        Err((FailureKind::Trap, format!("an exception, {}{at}{message}", shown(kind))))
    }

    fn items(&mut self, items: &[HubItem]) -> Checked {
        if items.len() > self.limits.readings {
            return Err(too_large("items", format!("{} items; at most {}", items.len(), self.limits.readings)));
        }
        for (index, item) in items.iter().enumerate() {
            let place = format!("items[{index}].");
            self.key(&format!("{place}device"), &item.device)?;
            if let Some(id) = &item.item_id {
                self.key(&format!("{place}item-id"), id)?;
            }
            match &item.content {
                HubContent::Readings(decoded) => self.decoded(&place, decoded)?,
                HubContent::Nothing(nothing) => self.nothing(&place, nothing)?,
                HubContent::Error(error) => self.error(&place, error)?,
                HubContent::Frame(frame) => {
                    let place = format!("{place}frame.");
                    self.text(&format!("{place}channel"), &frame.channel)?;
                    self.count(&format!("{place}data"), frame.data.len())?;
                    self.extra(&place, &frame.extra)?;
                }
            }
            self.extra(&place, &item.extra)?;
        }
        Ok(())
    }
}
