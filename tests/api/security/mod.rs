//! The walls between tenants, and the doors.

mod row_level_security;
