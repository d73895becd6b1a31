//! The way in: what a source is told, and what is stored.

mod answers;
mod dispositions;
mod duplicates;
mod growing_records;
mod held;
mod joining;
mod meaning;
mod quarantine;
mod repeats;
mod retention;
mod settings;
mod slots;
mod statistics;
mod times;
mod waveforms;
