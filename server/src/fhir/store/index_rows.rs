//! The narrow index tables of every type but Observation.

use chrono::{DateTime, Utc};
use db::TenantId;
use db::schema::{resource_date, resource_reference, resource_string, resource_token};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use fhir_model::parameters::{IndexEntry, IndexValue};
use uuid::Uuid;

use crate::fhir::model::ResourceType;

/// The longest value that is indexed, in bytes: an index row has to fit a page. Longer ones are found by nothing but the
/// other parameters; they stay whole in the resource.
const LONGEST_VALUE: usize = 1000;

/// What some resources of one type are found by.
#[derive(Debug, Clone, Default)]
pub(crate) struct IndexRows {
    tokens: Vec<TokenRow>,
    strings: Vec<StringRow>,
    dates: Vec<DateRow>,
    references: Vec<ReferenceRow>,
}

#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = resource_token)]
struct TokenRow {
    tenant_id: Uuid,
    type_: &'static str,
    parameter: String,
    value: String,
    system: String,
    id: String,
}

#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = resource_string)]
struct StringRow {
    tenant_id: Uuid,
    type_: &'static str,
    parameter: String,
    value: String,
    exact: String,
    id: String,
}

#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = resource_date)]
struct DateRow {
    tenant_id: Uuid,
    type_: &'static str,
    parameter: String,
    low: DateTime<Utc>,
    high: DateTime<Utc>,
    id: String,
}

#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = resource_reference)]
struct ReferenceRow {
    tenant_id: Uuid,
    type_: &'static str,
    parameter: String,
    target_type: String,
    target_id: String,
    id: String,
}

impl IndexRows {
    /// Adds the values of one resource.
    pub(crate) fn add(
        &mut self,
        tenant: TenantId,
        resource_type: ResourceType,
        id: &str,
        entries: Vec<IndexEntry<'_>>,
    ) {
        // `_id` and `_lastUpdated` are columns; the other common parameters are not offered.
        for entry in entries.into_iter().filter(|entry| !entry.code.starts_with('_')) {
            self.add_value(tenant.0, resource_type.as_str(), id, entry.code, entry.value);
        }
    }

    fn add_value(&mut self, tenant_id: Uuid, type_: &'static str, id: &str, code: &str, value: IndexValue) {
        let (parameter, id) = (code.to_owned(), id.to_owned());
        match value {
            // A reference's identifier is a token under the reference's own parameter: `patient:identifier`.
            IndexValue::Token { system, code: value } | IndexValue::ReferenceIdentifier { system, value } => {
                let (value, system) = (value.unwrap_or_default(), system.unwrap_or_default());
                if value.len() + system.len() <= LONGEST_VALUE {
                    self.tokens.push(TokenRow { tenant_id, type_, parameter, value, system, id });
                }
            }
            IndexValue::String { exact, normalised } => {
                if exact.len() + normalised.len() <= LONGEST_VALUE {
                    self.strings.push(StringRow { tenant_id, type_, parameter, value: normalised, exact, id });
                }
            }
            IndexValue::Date { low, high } => self.dates.push(DateRow { tenant_id, type_, parameter, low, high, id }),
            IndexValue::Reference { resource_type, id: target_id } => {
                self.references.push(ReferenceRow {
                    tenant_id,
                    type_,
                    parameter,
                    target_type: resource_type,
                    target_id,
                    id,
                });
            }
            IndexValue::ReferenceUrl(target_id) => {
                if target_id.len() <= LONGEST_VALUE {
                    self.references.push(ReferenceRow {
                        tenant_id,
                        type_,
                        parameter,
                        target_type: String::new(),
                        target_id,
                        id,
                    });
                }
            }
            // No parameter of these types is in the table of what can be asked.
            IndexValue::Uri(_) | IndexValue::Quantity { .. } | IndexValue::Number(_) => {}
        }
    }

    /// Stores the rows; those of `updated` resources replace what was there.
    ///
    /// # Errors
    /// The database's error.
    pub(crate) async fn store(
        &self,
        conn: &mut AsyncPgConnection,
        tenant: TenantId,
        resource_type: ResourceType,
        updated: &[String],
    ) -> QueryResult<()> {
        macro_rules! replace {
            ($table:ident, $rows:expr) => {
                if !updated.is_empty() {
                    let stale = $table::table
                        .filter($table::tenant_id.eq(tenant.0))
                        .filter($table::type_.eq(resource_type.as_str()))
                        .filter($table::id.eq_any(updated));
                    diesel::delete(stale).execute(conn).await?;
                }
                // Far below the 65,535 values that one statement may carry.
                for rows in $rows.chunks(5000) {
                    diesel::insert_into($table::table).values(rows).on_conflict_do_nothing().execute(conn).await?;
                }
            };
        }
        replace!(resource_token, self.tokens);
        replace!(resource_string, self.strings);
        replace!(resource_date, self.dates);
        replace!(resource_reference, self.references);
        Ok(())
    }
}
