//! What the person at the terminal sees: where to look, and a table that refreshes.
#![expect(clippy::print_stdout, reason = "this is the demo's face at the terminal")]

use std::io::{IsTerminal, Write};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::seed::Demo;
use crate::app::App;
use crate::commands::serve::status::{Counts, count};

/// Prints what was made and where to look.
pub(super) fn welcome(url: &str, demo: &Demo) {
    let Demo { clinic, hospital, platform_token, clinic_token, hospital_token, .. } = demo;
    println!(
        "\nAfferent's demo is running. All people in it are made up; the tokens below hold until they are revoked.

  Live status          {url}/
  REST interface       {url}/api/v1/openapi.json
  The clinic's FHIR    {url}/t/{clinic}/fhir/r4/Observation?_sort=-date
  The EHR's FHIR       {url}/t/{hospital}/fhir/r4/Observation?_sort=-date

  Sign-in (send as `Authorization: Bearer …`)
    platform-admin     {platform_token}
    clinic             {clinic_token}
    EHR (hospital)     {hospital_token}

  Try      curl -s -H 'Authorization: Bearer {clinic_token}' '{url}/t/{clinic}/fhir/r4/Observation?code=85354-9&_count=1'
  Stop     Ctrl-C
"
    );
}

/// Prints the counts: a line that refreshes at a terminal, a line now and then elsewhere.
pub(super) async fn report(app: &App, stop: CancellationToken) {
    let terminal = std::io::stdout().is_terminal();
    let pause = Duration::from_secs(if terminal { 1 } else { 10 });
    println!(
        "{:>10}{:>14}{:>13}{:>8}{:>12}{:>10}{:>7}{:>8}",
        "uplinks", "observations", "quarantined", "held", "delivered", "waiting", "dead", "lag"
    );
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        match count(app).await {
            Ok(counts) => show(&counts, terminal),
            Err(error) => tracing::warn!(%error, "the counts cannot be read at the moment"),
        }
    }
}

fn show(counts: &Counts, terminal: bool) {
    let Counts { uplinks, observations, quarantined, held, delivered, pending, dead, lag_seconds, .. } = counts;
    let line = format!(
        "{uplinks:>10}{observations:>14}{quarantined:>13}{held:>8}{delivered:>12}{pending:>10}{dead:>7}{lag_seconds:>7.1}s"
    );
    if terminal {
        print!("\r{line}");
        // A terminal that is gone is no reason to stop the demo.
        let _gone = std::io::stdout().flush();
    } else {
        println!("{line}");
    }
}
