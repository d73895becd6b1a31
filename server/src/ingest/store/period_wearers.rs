//! How many people wore a device in a period; asked only for readings that have one.

use chrono::{DateTime, Utc};
use db::{DeviceId, TenantId};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

/// A reading of a period.
#[derive(Debug, Clone)]
pub struct PeriodQuestion {
    /// Its place among the readings of the batch.
    pub place: usize,
    /// Whose device.
    pub tenant: TenantId,
    /// Which device.
    pub device: DeviceId,
    /// User slot; empty when the payload names none.
    pub slot: String,
    /// When it began.
    pub from: DateTime<Utc>,
    /// When it ended, exclusive.
    pub until: DateTime<Utc>,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    position: i64,
    #[diesel(sql_type = BigInt)]
    wearers: i64,
}

/// Places with the number of different people. A slot of its own wins over the device's only wearer, as at one moment.
pub async fn period_wearers(
    mut conn: &AsyncPgConnection,
    questions: &[PeriodQuestion],
) -> QueryResult<Vec<(usize, i64)>> {
    let rows: Vec<Row> = diesel::sql_query(
        "SELECT r.n AS position, count(DISTINCT a.patient_id) AS wearers \
         FROM unnest($1, $2, $3, $4, $5) WITH ORDINALITY AS r(tenant, device, slot, low, high, n) \
         JOIN assignment a ON a.tenant_id = r.tenant AND a.device_id = r.device AND a.slot IN (r.slot, '') \
           AND a.worn_from < r.high AND (a.worn_until IS NULL OR r.low < a.worn_until) \
         WHERE a.slot = r.slot OR NOT EXISTS (SELECT FROM assignment o WHERE o.tenant_id = r.tenant AND o.device_id = r.device \
             AND o.slot = r.slot AND o.worn_from < r.high AND (o.worn_until IS NULL OR r.low < o.worn_until)) \
         GROUP BY r.n",
    )
    .bind::<Array<SqlUuid>, _>(questions.iter().map(|q| q.tenant).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(questions.iter().map(|q| q.device).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(questions.iter().map(|q| q.slot.as_str()).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(questions.iter().map(|q| q.from).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(questions.iter().map(|q| q.until).collect::<Vec<_>>())
    .load(&mut conn)
    .await?;
    let place = |row: &Row| questions.get(usize::try_from(row.position - 1).ok()?).map(|question| question.place);
    Ok(rows.iter().filter_map(|row| Some((place(row)?, row.wearers))).collect())
}
