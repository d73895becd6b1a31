//! Interned `Identifier.system` URIs: the unique index on an Observation's identifier holds a number instead of a URL.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use db::Db;
use db::schema::identifier_system;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::error::Error;

/// Bound of what is remembered; systems are few unless a client plays games.
const MOST_REMEMBERED: usize = 10_000;

/// The numbers of the systems that are known; unknown ones are absent.
///
/// # Errors
/// The database's error.
pub(crate) async fn find(conn: &mut AsyncPgConnection, uris: &[String]) -> QueryResult<HashMap<String, i64>> {
    let rows: Vec<(String, i64)> = identifier_system::table
        .filter(identifier_system::uri.eq_any(uris))
        .select((identifier_system::uri, identifier_system::id))
        .load(conn)
        .await?;
    Ok(rows.into_iter().collect())
}

async fn intern_all(conn: &mut AsyncPgConnection, uris: &[String]) -> QueryResult<HashMap<String, i64>> {
    let mut known = find(conn, uris).await?;
    let mut missing: Vec<&String> = uris.iter().filter(|uri| !known.contains_key(*uri)).collect();
    if !missing.is_empty() {
        missing.sort_unstable();
        missing.dedup();
        let rows: Vec<_> = missing.iter().map(|uri| identifier_system::uri.eq(*uri)).collect();
        diesel::insert_into(identifier_system::table)
            .values(rows)
            .on_conflict(identifier_system::uri)
            .do_nothing()
            .execute(conn)
            .await?;
        known.extend(find(conn, uris).await?);
    }
    Ok(known)
}

/// What one process remembers of the interned systems. Only committed rows are remembered.
#[derive(Debug, Default)]
pub(crate) struct IdentifierSystems {
    known: RwLock<HashMap<String, i64>>,
}

impl IdentifierSystems {
    /// The numbers of these systems; new ones are made and committed in a transaction of their own.
    ///
    /// # Errors
    /// The database's error.
    pub(crate) async fn ids(&self, db: &Db, uris: &[String]) -> Result<HashMap<String, i64>, Error> {
        if let Some(ids) = self.recall(uris) {
            return Ok(ids);
        }
        let mut transaction = db.begin_platform().await?;
        let ids = intern_all(&mut transaction, uris).await?;
        transaction.commit().await?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() + ids.len() > MOST_REMEMBERED {
            known.clear();
        }
        known.extend(ids.iter().map(|(uri, id)| (uri.clone(), *id)));
        Ok(ids)
    }

    fn recall(&self, uris: &[String]) -> Option<HashMap<String, i64>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        uris.iter().map(|uri| known.get(uri).map(|id| (uri.clone(), *id))).collect()
    }
}
