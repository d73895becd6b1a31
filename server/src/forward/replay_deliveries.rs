//! Sending again: what was given up is tried now; what was delivered is delivered once more. The stable identifier keeps
//! the effect over there to one.

use chrono::{DateTime, Utc};
use db::{DeliveryId, EndpointId, TenantScope};

use super::readings_stored::insert_deliveries;
use super::store::deliveries;
use super::store::endpoints;
use crate::app::App;
use crate::error::Error;

/// Deliveries that one call sends again at most.
pub(super) const MOST: i64 = 10_000;

/// Which deliveries of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ReplayState {
    /// Those that were given up.
    Dead,
    /// Those that were delivered.
    Delivered,
}

/// Sends one delivery again.
///
/// # Errors
/// 404; 409 when what was delivered is no more.
pub(super) async fn replay_one(app: &App, scope: &TenantScope, id: DeliveryId) -> Result<usize, Error> {
    let mut transaction = scope.begin(&app.db).await?;
    let tenants = scope.tenants();
    let mut replayed = deliveries::replay_waiting(&mut transaction, &tenants, id).await?;
    if replayed == 0 {
        let log =
            deliveries::find_log(&mut transaction, &tenants, id).await?.ok_or_else(|| Error::not_found("delivery"))?;
        let born =
            deliveries::delivered_again(&mut transaction, (log.tenant_id, log.endpoint_id), Some(id), (None, None), 1)
                .await?;
        if born.is_empty() {
            return Err(Error::conflict(
                "delivery.nothing-to-replay",
                "This cannot be sent again: a newer delivery of the same resource waits already, or the resource was deleted.",
            ));
        }
        replayed = born.len();
        insert_deliveries(&transaction, &born).await?;
    }
    transaction.commit().await?;
    app.doorbell.ring();
    Ok(replayed)
}

/// Sends an endpoint's deliveries of a period again, [`MOST`] delivered ones at a time.
///
/// # Errors
/// 404 when the endpoint is not in the scope; 422 for a period that is none.
pub(super) async fn replay_many(
    app: &App,
    scope: &TenantScope,
    endpoint: EndpointId,
    state: ReplayState,
    (from, until): (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
) -> Result<usize, Error> {
    if from.zip(until).is_some_and(|(from, until)| until <= from) {
        return Err(Error::field("/until", "the end of the period has to be after its beginning"));
    }
    if state == ReplayState::Delivered && from.is_none() {
        return Err(Error::field(
            "/from",
            "name the beginning of the period of delivered ones that is to be sent again",
        ));
    }
    let mut transaction = scope.begin(&app.db).await?;
    let found = endpoints::find_endpoint(&mut transaction, &scope.tenants(), endpoint)
        .await?
        .ok_or_else(|| Error::not_found("endpoint"))?;
    let replayed = match state {
        ReplayState::Dead => {
            deliveries::replay_dead(&mut transaction, found.tenant_id, endpoint, (from, until)).await?
        }
        ReplayState::Delivered => {
            let born =
                deliveries::delivered_again(&mut transaction, (found.tenant_id, endpoint), None, (from, until), MOST)
                    .await?;
            insert_deliveries(&transaction, &born).await?;
            born.len()
        }
    };
    transaction.commit().await?;
    app.doorbell.ring();
    tracing::info!(tenant.id = %found.tenant_id, endpoint.id = %endpoint, replayed, "deliveries are sent again");
    Ok(replayed)
}
