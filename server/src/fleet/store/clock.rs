//! What is known of devices' clocks; the way in measures and writes it.

use chrono::{DateTime, Utc};
use db::schema::device_clock;
use db::{DeviceId, TenantId};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

/// A device's clock.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = device_clock, check_for_backend(diesel::pg::Pg))]
pub struct ClockRow {
    /// Server time minus device time.
    pub offset_ms: i64,
    /// `steady`, `jumped` or `zone`.
    pub state: String,
    /// Samples that agree.
    pub samples: i32,
    /// How far they lie apart.
    pub spread_ms: i64,
    /// When it was last written down as measured.
    pub measured_at: DateTime<Utc>,
    /// By what readings are corrected at present.
    pub applied_ms: Option<i64>,
}

/// The clock of a device, once it was measured.
pub async fn find_clock(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    device: DeviceId,
) -> QueryResult<Option<ClockRow>> {
    device_clock::table.find((tenant, device)).select(ClockRow::as_select()).first(conn).await.optional()
}
