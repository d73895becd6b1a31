//! Statements of the hot path: written in SQL, and prepared once a connection.

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};

/// A query in SQL whose plan Postgres keeps.
///
/// `diesel::sql_query` prepares its text anew each time, since that text may have been put together from anything: a round
/// trip and a plan for every call. The text of a hot statement is a constant, so it is prepared once a connection; the
/// number of statements kept is the number of such constants.
#[derive(Debug, Clone, Copy)]
pub struct Prepared<Q>(Q);

/// Marks statements whose text is a constant.
pub trait Constant: Query + Sized {
    /// Keeps the plan: `sql_query("…").bind::<…>(…).prepared().execute(conn)`. Never for a text that is put together at run
    /// time: each variant would stay prepared until its connection closes.
    fn prepared(self) -> Prepared<Self> {
        Prepared(self)
    }
}

impl<Q: Query> Constant for Q {}

impl<Q: QueryFragment<Pg>> QueryFragment<Pg> for Prepared<Q> {
    fn walk_ast<'b>(&'b self, pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.0.walk_ast(pass)
    }

    fn is_safe_to_cache_prepared(&self, _backend: &Pg) -> QueryResult<bool> {
        Ok(true)
    }
}

// No static id: the cache's key is the text with the types of its parameters.
impl<Q> QueryId for Prepared<Q> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q: Query> Query for Prepared<Q> {
    type SqlType = Q::SqlType;
}
