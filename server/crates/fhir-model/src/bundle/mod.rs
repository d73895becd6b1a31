//! Bundles: reading and checking a `transaction` or `batch` that comes in, resolving the references in it, writing
//! the Bundles that go out, and reading what a foreign server answers (<https://hl7.org/fhir/R4/http.html#transaction>).

mod answer;
mod history;
mod incoming;
mod references;
mod write;

pub use answer::{Answer, EntryAnswer, StoredAs, read_answer};
pub use history::{HistoryEntry, history};
pub use incoming::{BundleKind, Entry, Incoming, Method, RequestUrl, read};
pub use references::{ConditionalReference, Unresolved, conditional_references, rewrite_references};
pub use write::{
    OutgoingEntry, ResponseEntry, SearchMode, SearchSet, SearchSetEntry, response, searchset, transaction,
};
