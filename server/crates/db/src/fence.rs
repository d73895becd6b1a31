//! A transaction whose end can be waited for from another connection.
//!
//! A client that loses its connection during COMMIT does not know the outcome, and Postgres may not have decided it yet:
//! the backend goes on with what it has received. Looking for the rows at once may see nothing and be wrong a moment
//! later. So the transaction holds an advisory lock with a number of its own, which Postgres releases only when the
//! transaction is over and its outcome visible, also when the backend or the whole server dies. Whoever gets the lock may
//! look, and what it sees is final. (A transaction number would not do: one that never reached the disk is given out
//! again after a crash, and its status is then that of a stranger.)

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Bool};
use diesel_async::RunQueryDsl;

use crate::pool::WEARERS;
use crate::{Db, DbError, Transaction};

/// The number of a fenced transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence(i64);

#[derive(QueryableByName)]
struct Taken {
    #[diesel(sql_type = Bool)]
    taken: bool,
}

impl Db {
    /// Opens the group commit's transaction: the worker role, sharing with all other group commits the right to rely on who
    /// wore which device ([`crate::wait_for_commits`] waits for them), and fenced: [`Db::begin_after`] tells when it is over. It costs no round
    /// trip more than [`Db::begin_worker`].
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when no connection can be had.
    pub async fn begin_fenced_worker(&self) -> Result<(Transaction, Fence), DbError> {
        let mut fence = Fence(0);
        let lock = || {
            // A number for each attempt: the one before may still hang in a backend whose connection is gone. Numbers are
            // random; two transactions that meet by chance wait for each other, no more.
            fence = Fence(uuid::Uuid::new_v4().as_u64_pair().0.cast_signed());
            format!(", pg_advisory_xact_lock_shared({WEARERS}), pg_advisory_xact_lock({})", fence.0)
        };
        let transaction = self.begin_worker_with(lock).await?;
        Ok((transaction, fence))
    }

    /// Opens a transaction of the worker role that sees what the fenced one left, or `None` while that still runs.
    ///
    /// # Errors
    /// [`DbError`] when the database cannot be asked.
    pub async fn begin_after(&self, fence: Fence) -> Result<Option<Transaction>, DbError> {
        let mut transaction = self.begin_worker().await?;
        // Each statement has a snapshot of its own (READ COMMITTED): the next one sees what was committed before this lock.
        let found: Taken = diesel::sql_query("SELECT pg_try_advisory_xact_lock($1) AS taken")
            .bind::<BigInt, _>(fence.0)
            .get_result(&mut *transaction)
            .await?;
        if found.taken {
            return Ok(Some(transaction));
        }
        transaction.rollback().await?;
        Ok(None)
    }
}
