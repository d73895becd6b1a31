//! Interned sets of codings: an Observation's code and categories are stored as one number each, and a token search
//! resolves to numbers first. Free text is never interned: it may be about a person.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use db::Db;
use db::schema::{concept, concept_coding};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sha2::{Digest, Sha256};

use crate::error::Error;

/// The (system, code) pairs of one CodeableConcept; the system is empty where a coding has none.
pub(crate) type Codings = Vec<(String, String)>;

type ConceptDigest = [u8; 32];

/// More than any code system in use has; a client that invents codes must not fill our memory.
const MOST_REMEMBERED: usize = 50_000;

/// The numbers of several sets of codings, in the order given, in at most four statements. Order and repetition of the
/// pairs of a set do not matter.
///
/// # Errors
/// The database's error.
async fn intern_all(conn: &mut AsyncPgConnection, sets: &[Codings]) -> QueryResult<Vec<i64>> {
    let digests: Vec<ConceptDigest> = sets.iter().map(digest).collect();
    let mut known = find(conn, &digests).await?;
    let mut missing: Vec<(ConceptDigest, &Codings)> =
        digests.iter().copied().zip(sets).filter(|(digest, _)| !known.contains_key(digest)).collect();
    if !missing.is_empty() {
        // One order for everybody, so that two transactions never wait for each other.
        missing.sort_unstable_by_key(|(digest, _)| *digest);
        missing.dedup_by_key(|(digest, _)| *digest);
        make(conn, &missing).await?;
        // A second statement sees what others committed meanwhile, and our own.
        let wanted: Vec<_> = missing.iter().map(|(digest, _)| *digest).collect();
        known.extend(find(conn, &wanted).await?);
    }
    let ids: Option<Vec<i64>> = digests.iter().map(|digest| known.get(digest).copied()).collect();
    ids.ok_or(diesel::result::Error::NotFound)
}

/// The concepts that hold a coding. `None` for the system means any system; an empty one means none.
///
/// # Errors
/// The database's error.
pub(crate) async fn matching(
    conn: &mut AsyncPgConnection,
    system: Option<&str>,
    code: Option<&str>,
) -> QueryResult<Vec<i64>> {
    let mut query = concept_coding::table.select(concept_coding::concept_id).distinct().into_boxed();
    if let Some(code) = code {
        query = query.filter(concept_coding::code.eq(code));
    }
    if let Some(system) = system {
        query = query.filter(concept_coding::system.eq(system));
    }
    query.load(conn).await
}

/// What one process remembers of the interned concepts. Only committed rows are remembered.
#[derive(Debug, Default)]
pub(crate) struct Concepts {
    known: RwLock<HashMap<ConceptDigest, i64>>,
}

impl Concepts {
    /// The numbers of these sets. New ones are made in a transaction of their own, committed before it answers: concepts
    /// carry no tenant's data, so one that nobody uses in the end does no harm, and no write waits for another's.
    ///
    /// # Errors
    /// The database's error.
    pub(crate) async fn ids(&self, db: &Db, sets: &[Codings]) -> Result<Vec<i64>, Error> {
        let digests: Vec<ConceptDigest> = sets.iter().map(digest).collect();
        if let Some(ids) = self.recall(&digests) {
            return Ok(ids);
        }
        let mut transaction = db.begin_platform().await?;
        let ids = intern_all(&mut transaction, sets).await?;
        transaction.commit().await?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() + ids.len() > MOST_REMEMBERED {
            known.clear();
        }
        known.extend(digests.into_iter().zip(ids.iter().copied()));
        Ok(ids)
    }

    fn recall(&self, digests: &[ConceptDigest]) -> Option<Vec<i64>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        digests.iter().map(|digest| known.get(digest).copied()).collect()
    }
}

/// SHA-256 over the sorted, distinct pairs, every part with its length in front.
fn digest(codings: &Codings) -> ConceptDigest {
    let mut pairs: Vec<&(String, String)> = codings.iter().collect();
    pairs.sort_unstable();
    pairs.dedup();
    let mut hasher = Sha256::new();
    for (system, code) in pairs {
        for part in [system, code] {
            hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hasher.update(part.as_bytes());
        }
    }
    hasher.finalize().into()
}

async fn find(conn: &mut AsyncPgConnection, digests: &[ConceptDigest]) -> QueryResult<HashMap<ConceptDigest, i64>> {
    let wanted: Vec<&[u8]> = digests.iter().map(<[u8; 32]>::as_slice).collect();
    let rows: Vec<(Vec<u8>, i64)> =
        concept::table.filter(concept::digest.eq_any(wanted)).select((concept::digest, concept::id)).load(conn).await?;
    Ok(rows.into_iter().filter_map(|(digest, id)| Some((digest.try_into().ok()?, id))).collect())
}

async fn make(conn: &mut AsyncPgConnection, missing: &[(ConceptDigest, &Codings)]) -> QueryResult<()> {
    let rows: Vec<_> = missing.iter().map(|(digest, _)| concept::digest.eq(digest.as_slice())).collect();
    let made: Vec<(Vec<u8>, i64)> = diesel::insert_into(concept::table)
        .values(rows)
        .on_conflict(concept::digest)
        .do_nothing()
        .returning((concept::digest, concept::id))
        .get_results(conn)
        .await?;
    let made: HashMap<ConceptDigest, i64> =
        made.into_iter().filter_map(|(digest, id)| Some((digest.try_into().ok()?, id))).collect();
    let mut codings: Vec<(i64, &str, &str)> = Vec::new();
    for (digest, pairs) in missing {
        if let Some(id) = made.get(digest) {
            codings.extend(pairs.iter().map(|(system, code)| (*id, system.as_str(), code.as_str())));
        }
    }
    codings.sort_unstable();
    codings.dedup();
    let rows: Vec<_> = codings
        .into_iter()
        .map(|(id, system, code)| {
            (concept_coding::concept_id.eq(id), concept_coding::system.eq(system), concept_coding::code.eq(code))
        })
        .collect();
    diesel::insert_into(concept_coding::table).values(rows).execute(conn).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codings(pairs: &[(&str, &str)]) -> Codings {
        pairs.iter().map(|(system, code)| ((*system).to_owned(), (*code).to_owned())).collect()
    }

    #[test]
    fn digest_ignores_order_and_repetition_but_not_borders() {
        let one = digest(&codings(&[("http://loinc.org", "8867-4"), ("urn:iso:std:iso:11073:10101", "149522")]));
        let other = digest(&codings(&[
            ("urn:iso:std:iso:11073:10101", "149522"),
            ("http://loinc.org", "8867-4"),
            ("http://loinc.org", "8867-4"),
        ]));
        assert_eq!(one, other);
        assert_ne!(digest(&codings(&[("ab", "c")])), digest(&codings(&[("a", "bc")])));
        assert_ne!(digest(&codings(&[("a", "b"), ("c", "d")])), digest(&codings(&[("a", "bc"), ("", "d")])));
    }
}
