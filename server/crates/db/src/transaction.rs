//! A transaction that has taken its role, and ends only by commit or rollback.

use std::ops::{Deref, DerefMut};

use diesel_async::pooled_connection::deadpool::Object;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};

use crate::DbError;

/// An open transaction; use it as the connection. Dropped without [`Transaction::commit`] it is rolled back.
#[must_use = "a transaction that is not committed is rolled back"]
pub struct Transaction {
    connection: Option<Object<AsyncPgConnection>>,
}

impl Transaction {
    pub(crate) async fn begin(mut connection: Object<AsyncPgConnection>, opening: &str) -> Result<Self, DbError> {
        if let Err(error) = connection.batch_execute(opening).await {
            // Whether BEGIN took effect is unknown: the connection is not used again.
            drop(Object::take(connection));
            return Err(error.into());
        }
        Ok(Self { connection: Some(connection) })
    }

    /// Makes everything durable. When this fails, the outcome is unknown only if the connection was lost.
    ///
    /// A transaction in which a statement failed answers COMMIT with a silent rollback; the SELECT in front turns that
    /// into an error.
    ///
    /// # Errors
    /// The database's error.
    pub async fn commit(mut self) -> Result<(), DbError> {
        let Some(mut connection) = self.connection.take() else {
            return Ok(());
        };
        match connection.batch_execute("SELECT; COMMIT").await {
            Ok(()) => Ok(()),
            Err(error) => {
                drop(Object::take(connection));
                Err(error.into())
            }
        }
    }

    /// Gives everything up.
    ///
    /// # Errors
    /// The database's error.
    pub async fn rollback(mut self) -> Result<(), DbError> {
        let Some(connection) = self.connection.take() else {
            return Ok(());
        };
        roll_back(connection).await
    }
}

async fn roll_back(mut connection: Object<AsyncPgConnection>) -> Result<(), DbError> {
    match connection.batch_execute("ROLLBACK").await {
        Ok(()) => Ok(()),
        Err(error) => {
            drop(Object::take(connection));
            Err(error.into())
        }
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            match tokio::runtime::Handle::try_current() {
                Ok(runtime) => {
                    runtime.spawn(async move {
                        if let Err(error) = roll_back(connection).await {
                            tracing::debug!(%error, "a dropped transaction could not be rolled back; its connection is closed");
                        }
                    });
                }
                Err(_no_runtime) => drop(Object::take(connection)),
            }
        }
    }
}

impl Deref for Transaction {
    type Target = AsyncPgConnection;
    #[expect(clippy::expect_used, reason = "the connection is taken only by functions that consume the transaction")]
    fn deref(&self) -> &AsyncPgConnection {
        self.connection.as_ref().expect("an open transaction has its connection")
    }
}

impl DerefMut for Transaction {
    #[expect(clippy::expect_used, reason = "the connection is taken only by functions that consume the transaction")]
    fn deref_mut(&mut self) -> &mut AsyncPgConnection {
        self.connection.as_mut().expect("an open transaction has its connection")
    }
}
