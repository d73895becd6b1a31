//! Machinery without business words: everything here could serve another product.

pub mod clock;
pub mod installation;
pub mod metrics;
pub mod outbound;
pub mod page;
pub mod private_postgres;
pub mod rate_limit;
pub mod seal;
pub mod telemetry;
