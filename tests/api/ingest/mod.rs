//! The way in: what a source is told, and what is stored.

mod answers;
mod meaning;
mod quarantine;
mod repeats;
