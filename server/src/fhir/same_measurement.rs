//! Whether another Observation of the patient is probably the same measurement by another route: the question to the
//! store, and the comparison of two texts.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use db::TenantId;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Double, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use fhir_model::decimal::Decimal;
use serde_json::Value;

use super::readings::NewReading;

/// Candidates for one reading at most: they have the same code, time and value already.
const MOST_CANDIDATES: i32 = 4;

/// An Observation of the same patient with the same code at nearly the same time, from another device.
#[derive(Debug, Clone, QueryableByName)]
pub(crate) struct Candidate {
    /// The position of the reading that it was found for, from 1.
    #[diesel(sql_type = BigInt)]
    pub position: i64,
    /// FHIR id.
    #[diesel(sql_type = Text)]
    pub id: String,
    /// The exact JSON text.
    #[diesel(sql_type = Text)]
    pub body: String,
}

/// Lets one transaction at a time look for these patients' readings and add to them; until the transaction ends. Two routes
/// deliver the same measurement within milliseconds, and neither would see the other.
///
/// # Errors
/// The database's error.
pub(crate) async fn lock_patients(mut conn: &AsyncPgConnection, patients: &[(TenantId, &str)]) -> QueryResult<()> {
    let mut names: Vec<String> = patients.iter().map(|(tenant, patient)| format!("{tenant}/{patient}")).collect();
    names.sort_unstable();
    names.dedup();
    // Sorted by what is locked, in every process alike. A collision of hashes only makes two patients wait for each other.
    diesel::sql_query(
        "SELECT pg_advisory_xact_lock(k) FROM (SELECT DISTINCT hashtextextended(n, 5) AS k FROM unnest($1) AS n ORDER BY 1) AS keys",
    )
    .bind::<Array<Text>, _>(names)
    .execute(&mut conn)
    .await?;
    Ok(())
}

/// Observations that may be the same measurements: counted ones of the same patient and code, from other devices, within so
/// many seconds, with the same number where there is one. One look-up by index a reading, nearest first.
///
/// # Errors
/// The database's error.
pub(crate) async fn candidates(
    mut conn: &AsyncPgConnection,
    readings: &[&NewReading],
    within_seconds: u32,
) -> QueryResult<Vec<Candidate>> {
    diesel::sql_query(
        "SELECT x.n AS position, c.id, c.body FROM unnest($1, $2, $3, $4, $5, $6, $7) WITH ORDINALITY AS x(t, p, co, el, d, vn, vu, n) \
         CROSS JOIN LATERAL (SELECT o.id, o.body FROM observation o \
             WHERE o.tenant_id = x.t AND o.patient_id = x.p AND o.code_id = x.co \
               AND o.effective_low BETWEEN x.el - $8 * interval '1 second' AND x.el + $8 * interval '1 second' \
               AND o.counted AND NOT o.deleted AND o.device_id IS DISTINCT FROM x.d \
               AND o.value_number IS NOT DISTINCT FROM x.vn AND o.value_unit IS NOT DISTINCT FROM x.vu \
             ORDER BY abs(extract(epoch FROM o.effective_low - x.el)), o.id LIMIT $9) AS c ORDER BY x.n",
    )
    .bind::<Array<SqlUuid>, _>(readings.iter().map(|row| row.tenant).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(readings.iter().map(|row| row.patient_id.as_str()).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(readings.iter().map(|row| row.code_id).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(readings.iter().map(|row| row.effective_low).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(readings.iter().map(|row| row.device_id.as_str()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Double>>, _>(readings.iter().map(|row| row.value_number).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(readings.iter().map(|row| row.value_unit.as_deref()).collect::<Vec<_>>())
    .bind::<Integer, _>(i32::try_from(within_seconds).unwrap_or(i32::MAX))
    .bind::<Integer, _>(MOST_CANDIDATES)
    .load(&mut conn)
    .await
}

/// Whether two readings are of the same patient and code, from different devices, within so many seconds.
pub(crate) fn are_near(one: &NewReading, other: &NewReading, within_seconds: u32) -> bool {
    let apart: DateTime<Utc> = one.effective_low.max(other.effective_low);
    let apart = apart.signed_duration_since(one.effective_low.min(other.effective_low));
    one.tenant == other.tenant
        && one.patient_id == other.patient_id
        && one.code_id == other.code_id
        && one.device_id != other.device_id
        && apart.num_milliseconds() <= i64::from(within_seconds) * 1000
}

/// Whether two Observations say the same values: of the whole and of every component that both have a number, code or text
/// for. Numbers are compared as decimals, in the units that the host made equal; 7.0 is 7.00. Nothing to compare is not
/// the same.
pub(crate) fn have_same_values(one: &str, other: &str) -> bool {
    let read = |text: &str| serde_json::from_str::<Value>(text).ok().map(|resource| values(&resource));
    match (read(one), read(other)) {
        (Some(one), Some(other)) => !one.is_empty() && one == other,
        _ => false,
    }
}

/// The values by what they are of: empty for the whole, the first code for a component.
fn values(resource: &Value) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    found.extend(value_of(resource).map(|value| (String::new(), value)));
    for component in resource.get("component").and_then(Value::as_array).into_iter().flatten() {
        let code = component.pointer("/code/coding/0/code").or_else(|| component.pointer("/code/text"));
        let code = code.and_then(Value::as_str).unwrap_or_default().to_owned();
        found.extend(value_of(component).map(|value| (code, value)));
    }
    found
}

fn value_of(element: &Value) -> Option<String> {
    let (name, value) = element.as_object()?.iter().find(|(name, _)| name.starts_with("value"))?;
    if name != "valueQuantity" {
        return Some(value.to_string());
    }
    let number = value.get("value")?.to_string();
    let number = number.parse::<Decimal>().map_or(number, |decimal| decimal.normalised().to_string());
    let of = |name| value.get(name).and_then(Value::as_str).unwrap_or_default();
    Some(format!("{}{number} {}", of("comparator"), of("code")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_compared_as_decimals_with_their_units() {
        let quantity = |value: &str, code: &str| {
            format!(r#"{{"resourceType":"Observation","valueQuantity":{{"value":{value},"code":"{code}"}}}}"#)
        };
        assert!(have_same_values(&quantity("70.0", "kg"), &quantity("70.00", "kg")));
        assert!(!have_same_values(&quantity("70.0", "kg"), &quantity("70.1", "kg")));
        assert!(!have_same_values(&quantity("70.0", "kg"), &quantity("70.0", "g")));
        let pressure = |systolic: u32| {
            format!(
                r#"{{"component":[{{"code":{{"coding":[{{"code":"8480-6"}}]}},"valueQuantity":{{"value":{systolic},"code":"mm[Hg]"}}}},
                    {{"code":{{"coding":[{{"code":"8462-4"}}]}},"dataAbsentReason":{{"text":"x"}}}}]}}"#
            )
        };
        assert!(have_same_values(&pressure(120), &pressure(120)));
        assert!(!have_same_values(&pressure(120), &pressure(121)));
        assert!(!have_same_values("{}", "{}"), "nothing is not the same as nothing");
    }
}
