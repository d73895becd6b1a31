//! Prints `schema.rs` from a migrated database, so that the committed file can be checked for drift.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use diesel::QueryableByName;
use diesel::sql_types::{Array, Bool, Nullable, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    column_name: String,
    #[diesel(sql_type = Text)]
    type_name: String,
    #[diesel(sql_type = Bool)]
    nullable: bool,
    #[diesel(sql_type = Array<Text>)]
    key: Vec<String>,
    #[diesel(sql_type = Nullable<Text>)]
    table_comment: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    column_comment: Option<String>,
}

/// The text of `schema.rs`: every table of the schema (partitions left out), comments as docs.
///
/// # Errors
/// The database's error; or an unknown column type, named.
pub async fn print_schema(connection: &mut AsyncPgConnection) -> Result<String, diesel::result::Error> {
    let columns: Vec<Column> = diesel::sql_query(
        "SELECT c.relname::text AS table_name, a.attname::text AS column_name, format_type(a.atttypid, NULL) AS type_name, \
                NOT a.attnotnull AS nullable, \
                ARRAY(SELECT k.attname::text FROM pg_index i, unnest(i.indkey) WITH ORDINALITY AS u(n, o) \
                      JOIN pg_attribute k ON k.attrelid = c.oid AND k.attnum = u.n WHERE i.indrelid = c.oid AND i.indisprimary ORDER BY u.o) AS key, \
                obj_description(c.oid) AS table_comment, col_description(c.oid, a.attnum) AS column_comment \
         FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition \
               AND c.relname <> '__diesel_schema_migrations' \
         ORDER BY c.relname COLLATE \"C\", a.attnum",
    )
    .load(connection)
    .await?;
    let mut tables: BTreeMap<&str, Vec<&Column>> = BTreeMap::new();
    for column in &columns {
        tables.entry(&column.table_name).or_default().push(column);
    }
    // diesel describes tables that have a key; the others are reached by SQL alone.
    tables.retain(|_, columns| columns.iter().all(|column| !column.key.is_empty()));
    let mut text = String::from(
        "//! Generated from a migrated database by `afferent migrate --print-schema`; `make check` fails when it is stale.\n#![allow(missing_docs, clippy::doc_markdown)]\n",
    );
    for (name, columns) in &tables {
        table(&mut text, name, columns)?;
    }
    let _ = write!(text, "\ndiesel::allow_tables_to_appear_in_same_query!(");
    for name in tables.keys() {
        let _ = write!(text, "\n    {name},");
    }
    text.push_str("\n);\n");
    Ok(text)
}

fn table(text: &mut String, name: &str, columns: &[&Column]) -> Result<(), diesel::result::Error> {
    text.push_str("\ndiesel::table! {\n");
    let first = columns.first();
    if let Some(comment) = first.and_then(|column| column.table_comment.as_deref()) {
        let _ = writeln!(text, "    /// {comment}");
    }
    let key = first.map(|column| column.key.join(", ")).unwrap_or_default();
    let _ = writeln!(text, "    {name} ({key}) {{");
    for column in columns {
        let rust = sql_type(&column.type_name).ok_or_else(|| {
            diesel::result::Error::QueryBuilderError(
                format!("{name}.{}: no diesel type for {}", column.column_name, column.type_name).into(),
            )
        })?;
        if let Some(comment) = &column.column_comment {
            let _ = writeln!(text, "        /// {comment}");
        }
        let rust = if column.nullable { format!("Nullable<{rust}>") } else { rust.to_owned() };
        if column.column_name == "type" {
            let _ = writeln!(text, "        #[sql_name = \"type\"]\n        type_ -> {rust},");
        } else {
            let _ = writeln!(text, "        {} -> {rust},", column.column_name);
        }
    }
    text.push_str("    }\n}\n");
    let fixed = text.replace("(tenant_id, type,", "(tenant_id, type_,");
    *text = fixed;
    Ok(())
}

fn sql_type(postgres: &str) -> Option<&'static str> {
    Some(match postgres {
        "uuid" => "Uuid",
        "text" => "Text",
        "bytea" => "Bytea",
        "boolean" => "Bool",
        "smallint" => "SmallInt",
        "integer" => "Integer",
        "bigint" => "BigInt",
        "double precision" => "Double",
        "timestamp with time zone" => "Timestamptz",
        "jsonb" => "Jsonb",
        "text[]" => "Array<Text>",
        "bigint[]" => "Array<BigInt>",
        _ => return None,
    })
}
