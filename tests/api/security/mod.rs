//! The walls between tenants, and the doors.

mod access;
mod row_level_security;
mod sealed;
