//! Discards a held reading: it never becomes a result, whatever comes again, and is kept as evidence.

use db::{ApiTokenId, HeldReadingId, TenantScope};

use super::model::settled_already;
use super::store::{self, NewCorrection, Settling};
use crate::app::App;
use crate::error::Error;

/// Discards it.
///
/// # Errors
/// 404; 409 when it is settled already.
pub(super) async fn discard(
    app: &App,
    scope: &TenantScope,
    id: HeldReadingId,
    token: ApiTokenId,
    reason: String,
) -> Result<(), Error> {
    let now = app.clock.now();
    let mut transaction = scope.begin(&app.db).await?;
    let tenants = scope.tenants();
    let row = store::lock_one(&mut transaction, &tenants, id).await?.ok_or_else(|| Error::not_found("held reading"))?;
    if row.state != "open" {
        return Err(settled_already(&row.state));
    }
    let item = store::find(&mut transaction, &tenants, id).await?.ok_or_else(|| Error::not_found("held reading"))?;
    let settling =
        Settling { tenant: row.tenant_id, id, state: "discarded", observation: None, assignment: None, patient: None };
    store::settle(&transaction, &settling, now).await?;
    let correction = NewCorrection {
        tenant: row.tenant_id,
        action: "discard",
        reason,
        token: Some(token),
        device: item.device_id,
        held: Some(id),
        reassignment: None,
        old_observation: None,
        new_observation: None,
    };
    store::insert_corrections(&transaction, &[correction], now).await?;
    transaction.commit().await?;
    Ok(())
}
