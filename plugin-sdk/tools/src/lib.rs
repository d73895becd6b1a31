//! What `afferent plugin new`, `pack` and `test` do. The commands in the server only read arguments and print; a test or
//! another front (an upload form) can call the same.

mod convert;
mod embedded;
pub mod pack;
pub mod project;
pub mod trial;

pub use registered_words as words;
