//! Rows of held readings and of the record of corrections.

mod corrections;
mod lists;
mod rows;

pub(in crate::ingest) use corrections::{
    CorrectionFilter, CorrectionRow, NewCorrection, insert_corrections, list_corrections,
};
pub(super) use lists::{HeldItem, ListFilter, find, list, open_unassigned};
pub(super) use rows::{Again, SeenRow, Settling, hold_again, lock_one, lock_seen, settle};
