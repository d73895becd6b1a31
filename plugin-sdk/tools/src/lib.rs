//! What `afferent plugin new`, `pack` and `test` do. The commands in the server only read arguments and print; a test or
//! another front (an upload form) can call the same.

/// The checksum of a payload, found without the decoder's help.
pub use afferent_plugin_sdk::vectors::checksum;

mod convert;
mod embedded;
pub mod pack;
pub mod project;
pub mod trial;

pub use registered_words as words;
