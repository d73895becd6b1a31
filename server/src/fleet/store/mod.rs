//! Rows and queries of the fleet. Everything takes a connection, and names the tenants whose rows it touches; row-level
//! security is the second wall.

pub mod activation;
pub mod assignment;
pub mod clock;
pub mod decoder;
pub mod device;
pub mod hub;
