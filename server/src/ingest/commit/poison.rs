//! An uplink that the database refuses, or that our own code chokes on: kept alone, with its bytes, for a replay.

use super::{Answer, Failure, not_stored};
use crate::app::App;
use crate::error::Error;
use crate::ingest::model::{Outcome, Receipt, Submission};
use crate::ingest::store::{self, QuarantineRow, UplinkFate};

/// Reason of the quarantine row.
const REASON: &str = "not-storable";

/// Keeps the raw bytes. When they cannot be kept either, nothing is acknowledged: the source sends again.
pub(super) async fn quarantine_alone(app: &App, poison: &Submission, error: Error) -> Answer {
    tracing::error!(
        tenant.id = %poison.tenant(), uplink.id = %poison.received.id, cause = %format!("{error:?}"),
        "an uplink could not be stored and is quarantined alone"
    );
    match keep(app, poison).await {
        Ok(()) => {
            app.metrics.ingest_poison.inc();
            Ok(Receipt {
                uplink: poison.received.id,
                outcome: Outcome::Quarantined,
                observations: Vec::new(),
                revised: Vec::new(),
                held: Vec::new(),
                reason: Some(REASON.to_owned()),
                warnings: Vec::new(),
            })
        }
        Err(also) => Err(not_stored(app, also)),
    }
}

async fn keep(app: &App, poison: &Submission) -> Result<(), Error> {
    let transaction = app.db.begin_worker().await?;
    if !poison.replay {
        let fate =
            UplinkFate { submission: poison, outcome: Outcome::Quarantined.as_str(), reason: Some(REASON.to_owned()) };
        store::insert_uplinks(&transaction, std::slice::from_ref(&fate)).await?;
        store::insert_bodies(&transaction, &app.data_keys, &[fate]).await.map_err(Failure::into_error)?;
    }
    let row = QuarantineRow {
        submission: poison,
        reason: REASON.to_owned(),
        detail: "The database refused what came out of this uplink; the server's log has the cause.".to_owned(),
    };
    store::insert_quarantine(&transaction, &[row]).await?;
    transaction.commit().await?;
    Ok(())
}
