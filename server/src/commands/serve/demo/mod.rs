//! The demo: a distributor with two customers, devices that send real payloads over real HTTP, and the second customer's
//! FHIR endpoint as the first one's EHR. Everything goes through the front door, as a stranger's script would.
//!
//! A second start on the same data finds what the first one made.

mod api;
mod console;
mod seed;
mod simulator;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::identity::{Role, issue_token};

/// Seeds, simulates and reports until the server stops.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let work = async {
        let platform = issue_token::issue(&app.db, Role::PlatformAdmin, None, "demo").await?;
        let api = api::Api::new(&app.public_url)?;
        let demo = seed::seed(&app, &api, &platform).await?;
        console::welcome(&app.public_url, &demo);
        let simulation = simulator::run(&api, &demo, stop.clone());
        let reporting = console::report(&app, stop.clone());
        tokio::join!(simulation, reporting);
        anyhow::Ok(())
    };
    tokio::select! {
        result = work => {
            if let Err(error) = result {
                tracing::error!(error = %format!("{error:#}"), "the demo stopped; the server goes on");
            }
        }
        () = stop.cancelled() => {}
    }
}
