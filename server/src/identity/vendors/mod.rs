//! Vendors: makers of decoders with accounts of their own.
//!
//! Owns `vendor`. A vendor's token sees and uploads that vendor's decoders, and nothing of any tenant.

mod http;
mod store;

pub use http::routes;
pub use store::{VendorRow, find_vendor};
