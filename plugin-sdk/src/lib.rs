//! x
#[doc(hidden)]
pub mod bindings;
