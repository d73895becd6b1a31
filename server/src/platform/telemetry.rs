//! Logs: one line an event, as text or JSON, filtered by configuration.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::prelude::*;

/// Starts logging to standard error. A second call does nothing.
///
/// # Errors
/// When the filter is not understood.
pub fn start(filter: &str, json: bool) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter)?;
    let registry = tracing_subscriber::registry().with(filter);
    let started = if json {
        registry
            .with(tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(std::io::stderr))
            .try_init()
    } else {
        registry.with(tracing_subscriber::fmt::layer().with_target(false).with_writer(std::io::stderr)).try_init()
    };
    if started.is_err() {
        tracing::debug!("logging was started already");
    }
    Ok(())
}
