//! Who is calling: API tokens of scripts and systems, credentials of sources, and what each role may do.
//!
//! Owns `api_token`, `source_credential` and `vendor`. Deny unless allowed: a handler that takes [`Caller`] has an authenticated
//! caller and must ask it for a scope; there is no other way to a tenant's rows. Not yours is 404.

mod credential;
mod extract;
pub mod issue_token;
mod model;
mod store;
mod token;
mod vendors;

pub use credential::{SourceIdentity, SourceKind, credential_holds, identify_source};
pub use extract::{Bearer, Caller, FhirCaller, authenticated};
pub use model::{Principal, Role};
pub use store::{CredentialRow, TokenOwner, insert_credential, insert_token, list_credentials, revoke_credential};
pub use token::{TokenHash, new_token};
pub use vendors::{VendorRow, find_vendor, routes};
