//! Rows of device clocks.

use chrono::{DateTime, Utc};
use db::{DeviceId, TenantId, TenantScope};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use super::measure::{DeviceClock, State};
use crate::app::App;
use crate::error::Error;

#[derive(QueryableByName)]
struct ClockRow {
    #[diesel(sql_type = BigInt)]
    offset_ms: i64,
    #[diesel(sql_type = BigInt)]
    spread_ms: i64,
    #[diesel(sql_type = Integer)]
    samples: i32,
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = Timestamptz)]
    measured_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    since: Option<DateTime<Utc>>,
}

/// What was known of a device's clock.
pub(super) async fn read(app: &App, tenant: TenantId, device: DeviceId) -> Result<Option<DeviceClock>, Error> {
    let mut transaction = TenantScope::one(tenant).begin(&app.db).await?;
    let row: Option<ClockRow> = diesel::sql_query(
        "SELECT offset_ms, spread_ms, samples, state, measured_at, since FROM device_clock WHERE tenant_id = $1 AND device_id = $2",
    )
    .bind::<SqlUuid, _>(tenant)
    .bind::<SqlUuid, _>(device)
    .get_result(&mut *transaction)
    .await
    .optional()?;
    transaction.commit().await?;
    Ok(row.map(|row| {
        let state = State::parse(&row.state);
        DeviceClock::known(state, row.offset_ms, row.spread_ms, row.samples, row.measured_at, row.since)
    }))
}

/// Writes what is known now.
pub(super) async fn write(
    app: &App,
    tenant: TenantId,
    device: DeviceId,
    clock: &DeviceClock,
    applied_ms: Option<i64>,
) -> Result<(), Error> {
    let now = app.clock.now();
    let mut transaction = TenantScope::one(tenant).begin(&app.db).await?;
    diesel::sql_query(
        "INSERT INTO device_clock (tenant_id, device_id, offset_ms, spread_ms, samples, state, measured_at, since, applied_ms, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
         ON CONFLICT (tenant_id, device_id) DO UPDATE SET offset_ms = excluded.offset_ms, spread_ms = excluded.spread_ms, \
             samples = excluded.samples, state = excluded.state, measured_at = excluded.measured_at, since = excluded.since, \
             applied_ms = excluded.applied_ms, updated_at = excluded.updated_at",
    )
    .bind::<SqlUuid, _>(tenant)
    .bind::<SqlUuid, _>(device)
    .bind::<BigInt, _>(clock.offset_ms)
    .bind::<BigInt, _>(clock.spread_ms)
    .bind::<Integer, _>(clock.samples.max(1))
    .bind::<Text, _>(clock.state.as_str())
    .bind::<Timestamptz, _>(clock.measured_at.unwrap_or(now))
    .bind::<Nullable<Timestamptz>, _>(clock.since)
    .bind::<Nullable<BigInt>, _>(applied_ms)
    .bind::<Timestamptz, _>(now)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(())
}
