//! The raw bytes of an uplink, opened, for whoever decodes it again.

use anyhow::Context;
use chrono::{DateTime, Utc};
use db::{TenantId, UplinkId};
use diesel_async::AsyncPgConnection;

use super::store::{self, StoredBody};
use crate::app::App;
use crate::error::Error;

/// The raw bytes, wherever they are by now; `None` when they were dropped after their retention. The transaction sees the
/// tenant; `received_at` is exactly that of the uplink.
///
/// # Errors
/// The database's error; 500 when the bytes do not open.
pub(super) async fn open_body(
    app: &App,
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    uplink: UplinkId,
    received_at: DateTime<Utc>,
) -> Result<Option<Vec<u8>>, Error> {
    match store::find_body(conn, tenant, uplink, received_at).await? {
        None => Ok(None),
        Some(StoredBody::Unsealed(bytes)) => Ok(Some(bytes)),
        Some(StoredBody::Sealed { key, bytes }) => {
            let opened = app.data_keys.open(&app.db, &app.sealer, key, (tenant, uplink), &bytes).await;
            opened.with_context(|| format!("the raw bytes of uplink {uplink}")).map(Some).map_err(Error::internal)
        }
    }
}
