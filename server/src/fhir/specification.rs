//! R4 as this interface enforces it: definitions for validation, compiled search parameters for indexing. Loading takes
//! some milliseconds; it happens once.

use fhir_model::bundle::{self, ConditionalReference, Incoming, Unresolved};
use fhir_model::definitions::Definitions;
use fhir_model::outcome::Issue;
use fhir_model::parameters::{Extractor, IndexEntry, Selection};
use fhir_model::parse::Resource;
use fhir_model::validate::{self, Options};

use crate::error::Error;

/// The loaded definitions.
#[derive(Debug)]
pub struct Specification {
    definitions: Definitions,
    extractor: Extractor,
}

impl Specification {
    /// Loads what is compiled into the binary.
    ///
    /// # Errors
    /// Only when the embedded files are damaged.
    pub fn load() -> Result<Self, Error> {
        let definitions = Definitions::load().map_err(Error::internal)?;
        let extractor = Extractor::load(Selection::Table).map_err(Error::internal)?;
        Ok(Self { definitions, extractor })
    }

    /// Everything that is wrong with a resource, warnings included.
    pub(crate) fn validate(&self, resource: &Resource, options: Options) -> Vec<Issue> {
        validate::validate(&self.definitions, resource, options)
    }

    /// What a resource is found by. `own_bases` are the URLs under which references mean this server.
    pub(crate) fn index<'a>(&'a self, resource: &Resource, own_bases: &[&str]) -> Vec<IndexEntry<'a>> {
        self.extractor.extract(&self.definitions, resource, own_bases)
    }

    /// Takes a `transaction` or `batch` Bundle apart.
    ///
    /// # Errors
    /// Issues with their places.
    pub(crate) fn read_bundle(
        &self,
        bundle: Resource,
        own_bases: &[&str],
        most_entries: usize,
    ) -> Result<Incoming, Vec<Issue>> {
        bundle::read(&self.definitions, bundle, own_bases, most_entries)
    }

    /// The conditional references of a resource.
    pub(crate) fn conditional_references(&self, resource: &Resource) -> Vec<ConditionalReference> {
        bundle::conditional_references(&self.definitions, resource)
    }

    /// Rewrites references; answers those that had to be resolved and were not.
    pub(crate) fn rewrite_references(
        &self,
        resource: &mut Resource,
        resolve: impl FnMut(&str) -> Option<String>,
    ) -> Vec<Unresolved> {
        bundle::rewrite_references(&self.definitions, resource, resolve)
    }
}
