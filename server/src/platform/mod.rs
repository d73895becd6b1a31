//! Machinery without business words: everything here could serve another product.

pub mod clock;
pub mod data_keys;
pub mod installation;
pub mod metrics;
pub mod outbound;
pub mod page;
pub mod partitions;
pub mod private_postgres;
pub mod rate_limit;
pub mod seal;
pub mod sealed_column;
pub mod statistics;
pub mod telemetry;
