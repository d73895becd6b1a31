//! Readings got a new version: it follows the earlier ones, wherever they went.
//!
//! What an endpoint shows must not be older than what is known to be wrong. Therefore a new version goes to every endpoint
//! that was sent an earlier one or is about to be, whatever its filter and the version's disposition say now, and also to
//! those that want it as if it were new. Whether a delivery that waits has left already cannot be known while its lane is
//! at work: a reading that is withdrawn before it left arrives as `entered-in-error`, which is true and harms nobody.

use std::collections::{BTreeSet, HashMap, HashSet};

use db::{EndpointId, TenantId};
use diesel::QueryResult;
use diesel_async::AsyncPgConnection;

use super::model::{EndpointFilter, lane};
use super::readings_stored::insert_deliveries;
use super::store::deliveries::{self, NewDelivery};
use super::store::endpoints;
use crate::wiring::RevisedReading;

/// Inside the transaction of the new versions (role worker or a tenant's): inserts the deliveries.
///
/// # Errors
/// The database's error; the transaction has to be rolled back then.
pub(crate) async fn readings_revised(conn: &AsyncPgConnection, readings: &[RevisedReading]) -> QueryResult<()> {
    if readings.is_empty() {
        return Ok(());
    }
    let tenants: BTreeSet<TenantId> = readings.iter().map(|reading| reading.tenant).collect();
    let tenants: Vec<TenantId> = tenants.into_iter().collect();
    let mut endpoints_of: HashMap<TenantId, Vec<(EndpointId, EndpointFilter)>> = HashMap::new();
    for (tenant, endpoint, codes, except, patients) in endpoints::filters_of(conn, &tenants).await? {
        endpoints_of.entry(tenant).or_default().push((endpoint, EndpointFilter::new(&codes, &except, &patients)));
    }
    if endpoints_of.is_empty() {
        return Ok(());
    }
    let ids: Vec<(TenantId, &str)> = readings.iter().map(|reading| (reading.tenant, reading.id.as_str())).collect();
    let sent: HashSet<(TenantId, EndpointId, String)> =
        deliveries::sent_before(conn, "Observation", &ids).await?.into_iter().collect();
    let mut born = Vec::new();
    for reading in readings {
        for (endpoint, filter) in endpoints_of.get(&reading.tenant).into_iter().flatten() {
            let wanted = reading.offered && filter.matches(&reading.codings, &reading.patient);
            if wanted || sent.contains(&(reading.tenant, *endpoint, reading.id.clone())) {
                born.push(NewDelivery {
                    tenant: reading.tenant,
                    endpoint: *endpoint,
                    resource_type: "Observation",
                    resource_id: reading.id.clone(),
                    version: reading.version,
                    lane: lane(&reading.patient),
                });
            }
        }
    }
    insert_deliveries(conn, &born).await
}
