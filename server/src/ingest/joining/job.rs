//! Joins what nobody joined while it was being received (two requests at once, a restart between two frames), and puts into
//! quarantine what was never completed.

use std::sync::Arc;
use std::time::Duration;

use db::UplinkId;
use tokio_util::sync::CancellationToken;

use super::join::complete;
use super::store;
use crate::app::App;
use crate::error::Error;

/// How often it is looked.
const PAUSE: Duration = Duration::from_secs(2);
/// Uplinks of one transaction.
const CHUNK: i64 = 500;

/// Goes on until it is told to stop; what it was doing then, any process does.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
        if let Err(error) = join_untried(&app, &stop).await {
            tracing::debug!(%error, "waiting frames could not be looked up; they are asked for again");
        }
        if let Err(error) = expire(&app).await {
            tracing::debug!(%error, "frames that waited too long could not be put into quarantine; it is tried again");
        }
    }
}

async fn join_untried(app: &Arc<App>, stop: &CancellationToken) -> Result<(), Error> {
    let mut transaction = app.db.begin_worker().await?;
    let devices = store::untried(&mut transaction).await?;
    transaction.commit().await?;
    for found in devices {
        if stop.is_cancelled() {
            break;
        }
        // Nobody waits for the receipt. A loser of the race for a part finds it joined at the next look.
        if let Err(error) = complete(app, found.tenant_id, found.device_id, UplinkId(uuid::Uuid::nil())).await {
            tracing::debug!(tenant.id = %found.tenant_id, device.id = %found.device_id, %error, "waiting frames were not joined; it is tried again");
        }
    }
    Ok(())
}

async fn expire(app: &App) -> Result<(), Error> {
    loop {
        let mut transaction = app.db.begin_worker().await?;
        let expired = store::expire(&mut transaction, app.clock.now(), CHUNK).await?;
        transaction.commit().await?;
        if i64::try_from(expired).unwrap_or(i64::MAX) < CHUNK {
            return Ok(());
        }
    }
}
