//! Readings were stored: in the same transaction, one delivery is born for each endpoint that wants one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use db::{EndpointId, TenantId};
use diesel::QueryResult;
use diesel_async::AsyncPgConnection;

use super::model::{EndpointFilter, lane};
use super::store::deliveries::{self, NewDelivery};
use super::store::endpoints;
use crate::wiring::StoredReading;

/// Inside the ingest transaction (role worker): resolves the matching endpoints and inserts the deliveries. Readings whose
/// disposition keeps them here are left out.
///
/// # Errors
/// The database's error; the transaction has to be rolled back then.
pub(crate) async fn readings_stored(conn: &AsyncPgConnection, readings: &[StoredReading]) -> QueryResult<()> {
    let tenants: BTreeSet<TenantId> =
        readings.iter().filter(|reading| reading.forwarded).map(|reading| reading.tenant).collect();
    if tenants.is_empty() {
        return Ok(());
    }
    let tenants: Vec<TenantId> = tenants.into_iter().collect();
    let mut wanting: HashMap<TenantId, Vec<(EndpointId, EndpointFilter)>> = HashMap::new();
    for (tenant, endpoint, codes, except, patients) in endpoints::filters_of(conn, &tenants).await? {
        wanting.entry(tenant).or_default().push((endpoint, EndpointFilter::new(&codes, &except, &patients)));
    }
    let mut born = Vec::new();
    for reading in readings.iter().filter(|reading| reading.forwarded) {
        for (endpoint, filter) in wanting.get(&reading.tenant).into_iter().flatten() {
            if filter.matches(&reading.codings, &reading.patient) {
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
    // What was just made has no delivery yet; only a later version can meet one.
    let (first, later): (Vec<_>, Vec<_>) = born.into_iter().partition(|delivery| delivery.version == 1);
    if !first.is_empty() {
        deliveries::insert_first(conn, &first).await?;
    }
    insert_deliveries(conn, &later).await
}

/// Inserts deliveries; the newest version wins, within `rows` and against what waits already.
///
/// # Errors
/// The database's error.
pub(crate) async fn insert_deliveries(conn: &AsyncPgConnection, rows: &[NewDelivery]) -> QueryResult<()> {
    let rows = newest(rows);
    if !rows.is_empty() {
        deliveries::insert_or_merge(conn, &rows).await?;
    }
    Ok(())
}

/// One row an endpoint and resource, sorted by that key: two transactions cannot wait for each other, and none meets
/// itself.
fn newest(rows: &[NewDelivery]) -> Vec<NewDelivery> {
    let mut by_key: BTreeMap<(TenantId, EndpointId, &str, &str), &NewDelivery> = BTreeMap::new();
    for row in rows {
        let kept = by_key.entry((row.tenant, row.endpoint, row.resource_type, &row.resource_id)).or_insert(row);
        if kept.version < row.version {
            *kept = row;
        }
    }
    by_key.into_values().cloned().collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_newest_version_of_a_resource_is_delivered_once() {
        let row = |endpoint: u128, id: &str, version| NewDelivery {
            tenant: TenantId(Uuid::nil()),
            endpoint: EndpointId(Uuid::from_u128(endpoint)),
            resource_type: "Observation",
            resource_id: id.to_owned(),
            version,
            lane: 0,
        };
        let rows = [row(2, "a", 1), row(1, "b", 2), row(1, "b", 3), row(1, "b", 1), row(1, "a", 1)];
        assert_eq!(newest(&rows), vec![row(1, "a", 1), row(1, "b", 3), row(2, "a", 1)]);
    }
}
