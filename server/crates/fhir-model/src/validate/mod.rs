//! Structural validation against the official R4 definitions: every fault of a resource at once, each with its path
//! and what would be right. Pure: nothing is looked up outside the resource.
//!
//! Checked: unknown elements, cardinality, JSON shape, choice types, primitive formats, required bindings, form and
//! target types of references, extensions, contained resources, narrative, and the invariants in `invariants.rs`.
//! Not checked: profiles, bindings weaker than required, and whether a reference's target exists.

mod bindings;
mod invariants;
mod narrative;
mod primitive;
mod references;
mod walk;

use crate::definitions::Definitions;
use crate::outcome::Issue;
use crate::resource::Resource;

pub use primitive::check as check_primitive;

/// The most issues one answer carries: a hostile body must not become a bigger answer.
pub const MOST_ISSUES: usize = 100;

/// What is allowed beyond a plain resource, depending on where it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Conditional references (`Patient?identifier=…`) are right only inside a transaction.
    pub conditional_references: bool,
}

/// Validates one resource (a Bundle with all its entries). An empty list means valid; warnings may be among the
/// issues, see [`Issue::is_error`].
#[must_use]
pub fn validate(definitions: &Definitions, resource: &Resource, options: Options) -> Vec<Issue> {
    walk::Walk::new(definitions, options).resource(resource.object())
}

#[cfg(test)]
mod tests;
