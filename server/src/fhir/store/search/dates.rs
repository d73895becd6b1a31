//! The date prefixes as conditions on half-open ranges (<https://hl7.org/fhir/R4/search.html#prefix>); the same rules
//! as [`DateValue::matches`].

use fhir_model::search::{DateValue, Prefix};

use super::Sql;

/// The columns that hold a range.
#[derive(Debug, Clone, Copy)]
pub(super) struct RangeColumns {
    pub(super) low: &'static str,
    /// The exclusive end.
    pub(super) high: &'static str,
}

/// The condition of one value on a stored range.
pub(super) fn range(sql: &mut Sql, columns: RangeColumns, value: &DateValue) {
    let RangeColumns { low, high } = columns;
    let asked = value.range;
    match value.prefix {
        Prefix::Eq => within(sql, columns, value),
        Prefix::Ne => {
            sql.push("NOT ");
            within(sql, columns, value);
        }
        Prefix::Gt => {
            sql.push(high).push(" > ").instant(asked.high);
        }
        Prefix::Lt => {
            sql.push(low).push(" < ").instant(asked.low);
        }
        Prefix::Ge => {
            sql.push("(").push(high).push(" > ").instant(asked.high).push(" OR ");
            within(sql, columns, value);
            sql.push(")");
        }
        Prefix::Le => {
            sql.push("(").push(low).push(" < ").instant(asked.low).push(" OR ");
            within(sql, columns, value);
            sql.push(")");
        }
        Prefix::Sa => {
            sql.push(low).push(" >= ").instant(asked.high);
        }
        Prefix::Eb => {
            sql.push(high).push(" <= ").instant(asked.low);
        }
        Prefix::Ap => {
            let wide = value.approximately();
            sql.push("(").push(low).push(" < ").instant(wide.high);
            sql.push(" AND ").push(high).push(" > ").instant(wide.low).push(")");
        }
    }
}

/// The condition of one value on an instant, which is a range without length.
pub(super) fn instant(sql: &mut Sql, column: &'static str, value: &DateValue) {
    let asked = value.range;
    let between = |sql: &mut Sql, not: &'static str, low, high| {
        sql.push(not).push("(").push(column).push(" >= ").instant(low);
        sql.push(" AND ").push(column).push(" < ").instant(high).push(")");
    };
    match value.prefix {
        Prefix::Eq => between(sql, "", asked.low, asked.high),
        Prefix::Ne => between(sql, "NOT ", asked.low, asked.high),
        Prefix::Ap => between(sql, "", value.approximately().low, value.approximately().high),
        Prefix::Gt | Prefix::Sa => {
            sql.push(column).push(" >= ").instant(asked.high);
        }
        Prefix::Lt | Prefix::Eb => {
            sql.push(column).push(" < ").instant(asked.low);
        }
        Prefix::Ge => {
            sql.push(column).push(" >= ").instant(asked.low);
        }
        Prefix::Le => {
            sql.push(column).push(" < ").instant(asked.high);
        }
    }
}

fn within(sql: &mut Sql, columns: RangeColumns, value: &DateValue) {
    sql.push("(").push(columns.low).push(" >= ").instant(value.range.low);
    sql.push(" AND ").push(columns.high).push(" <= ").instant(value.range.high).push(")");
}
