//! Replays a quarantined uplink: the same bytes and times through the decoder as it is now.

use std::sync::Arc;

use db::{CredentialId, TenantScope, UplinkId};

use super::decode_uplink::decode;
use super::hubs;
use super::model::{Receipt, TransportKey};
use super::open_body::open_body;
use super::read_upload::frames_again;
use super::sources::KnownSource;
use super::store;
use crate::app::App;
use crate::error::{Error, Kind};
use crate::fleet::load_device;
use crate::identity::{SourceIdentity, SourceKind};

/// Decodes the kept bytes again and commits what comes out; the item is settled when that succeeds.
///
/// # Errors
/// 404 when there is no such open item; 410 when its bytes are gone; 409 when its device has no enrolment any more.
pub async fn replay(app: &Arc<App>, scope: &TenantScope, uplink: UplinkId) -> Result<Receipt, Error> {
    let mut transaction = scope.begin(&app.db).await?;
    let mut kept = store::kept_uplink(&mut transaction, scope, uplink)
        .await?
        .ok_or_else(|| Error::not_found("quarantined uplink"))?;
    let device = match kept.device {
        Some(device) => load_device(&mut transaction, app, kept.tenant, device).await?,
        None => None,
    };
    let body = open_body(app, &mut transaction, kept.tenant, uplink, kept.received.received_at).await?;
    transaction.commit().await?;
    if kept.hub.is_some() {
        kept.received.body = body.ok_or_else(bytes_gone)?;
        return hubs::replay(app, kept).await;
    }
    let device = device
        .ok_or_else(|| Error::conflict("quarantine.device", "The device of this uplink is not enrolled any more."))?;
    kept.received.body = body.ok_or_else(bytes_gone)?;
    let received = kept.received;
    let frames = frames_again(&received)?;
    let identity = SourceIdentity {
        credential: CredentialId(uuid::Uuid::nil()),
        tenant: kept.tenant,
        kind: SourceKind::Device,
        source: device.id.0,
    };
    let ticket = app.intake.admit(received.body.len()).map_err(|bound| app.intake.refusal(bound))?;
    let mut submission =
        decode(app, &KnownSource { identity, device, carried_by: None }, received, frames, &ticket).await?;
    submission.replay = true;
    // Its own keys were taken when it first came; it must not be taken for a repeat of itself.
    submission.keys = Vec::<TransportKey>::new();
    app.intake.submit(submission, ticket).await
}

fn bytes_gone() -> Error {
    Error::new(Kind::Gone, "quarantine.bytes", "The bytes of this uplink were dropped after their retention.")
}
