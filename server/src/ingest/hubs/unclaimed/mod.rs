//! What devices sent through a hub that they are not paired with: listed, claimed by pairing, or discarded.

mod claim;
mod http;

use db::{DeviceId, HubId, TenantId};
use diesel::QueryResult;
use diesel_async::AsyncPgConnection;

pub use claim::run;
pub use http::{Discard, Discarded, UnclaimedDevices, discard_kept, routes, view};

use super::store;

/// Claims, in the transaction of the pairing, what the hub has carried from that address; answers how many items. They are
/// decoded in the background.
///
/// # Errors
/// The database's error.
pub async fn claim_kept(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    hub: HubId,
    device: DeviceId,
    address: &str,
) -> QueryResult<usize> {
    store::claim(conn, tenant, hub, device, address).await
}
