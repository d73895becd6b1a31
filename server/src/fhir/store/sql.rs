//! A statement put together from fixed pieces of text and bound values. The pieces are `&'static str`, so that no value
//! can ever become text.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use diesel::deserialize::QueryableByName;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

/// A bound value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Bind {
    Uuid(Uuid),
    Text(String),
    Texts(Vec<String>),
    Number(i64),
    Numbers(Vec<i64>),
    Instant(DateTime<Utc>),
}

/// A statement in the making.
#[derive(Debug, Default)]
pub(super) struct Sql {
    text: String,
    binds: Vec<Bind>,
}

impl Sql {
    /// Adds a piece of text.
    pub(super) fn push(&mut self, text: &'static str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Adds a value, as the next placeholder.
    pub(super) fn bind(&mut self, value: Bind) -> &mut Self {
        self.binds.push(value);
        // Writing to a String cannot fail.
        let _ = write!(self.text, "${}", self.binds.len());
        self
    }

    /// Adds a text value.
    pub(super) fn text(&mut self, value: &str) -> &mut Self {
        self.bind(Bind::Text(value.to_owned()))
    }

    /// Adds an instant.
    pub(super) fn instant(&mut self, value: DateTime<Utc>) -> &mut Self {
        self.bind(Bind::Instant(value))
    }

    /// `(one OR other OR …)`, each written by `write`; `FALSE` for an empty list.
    pub(super) fn any_of<T>(&mut self, items: &[T], mut write: impl FnMut(&mut Self, &T)) -> &mut Self {
        if items.is_empty() {
            return self.push("FALSE");
        }
        self.push("(");
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.push(" OR ");
            }
            write(self, item);
        }
        self.push(")")
    }

    /// Runs the statement.
    ///
    /// # Errors
    /// The database's error.
    pub(super) async fn load<Row>(self, conn: &mut AsyncPgConnection) -> QueryResult<Vec<Row>>
    where
        Row: QueryableByName<Pg> + Send + 'static,
    {
        let mut query = diesel::sql_query(self.text).into_boxed::<Pg>();
        for bind in self.binds {
            query = match bind {
                Bind::Uuid(value) => query.bind::<SqlUuid, _>(value),
                Bind::Text(value) => query.bind::<Text, _>(value),
                Bind::Texts(value) => query.bind::<Array<Text>, _>(value),
                Bind::Number(value) => query.bind::<BigInt, _>(value),
                Bind::Numbers(value) => query.bind::<Array<BigInt>, _>(value),
                Bind::Instant(value) => query.bind::<Timestamptz, _>(value),
            };
        }
        query.load(conn).await
    }
}
