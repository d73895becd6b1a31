//! Why a batch was not committed, and what that calls for: try again, find the item that is to blame, or ask the database.

use db::{DbError, Fence};
use diesel::result::{DatabaseErrorKind, Error as DieselError};

use super::Answer;
use crate::error::{Error, Kind, passes};

/// Why a batch was not committed.
pub(in crate::ingest) enum Failure {
    /// Rolled back for certain, and what it calls for.
    RolledBack(Error, Remedy),
    /// COMMIT was sent and was not answered with success: the answers hold if it took effect.
    InDoubt {
        /// Who can be asked when the transaction is over.
        fence: Fence,
        /// What is to be answered when it took effect.
        answers: Vec<Answer>,
        /// Why, if it did not.
        error: Error,
        /// What that calls for.
        remedy: Remedy,
    },
    /// Nothing came back for too long.
    Silent,
}

/// What a rolled-back batch calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ingest) enum Remedy {
    /// The database or the connection to it: the same batch may succeed in a moment.
    TryAgain,
    /// Something in the batch: half of it may succeed.
    FindTheItem,
}

impl Failure {
    /// After COMMIT was sent: whatever the error says, the database is asked what became of it.
    pub(in crate::ingest) fn in_doubt(fence: Fence, answers: Vec<Answer>, error: DbError) -> Self {
        let remedy = remedy(&error);
        Self::InDoubt { fence, answers, error: error.into(), remedy }
    }

    /// The error alone, for who has no batch to save.
    pub(in crate::ingest) fn into_error(self) -> Error {
        match self {
            Self::RolledBack(error, _) | Self::InDoubt { error, .. } => error,
            Self::Silent => Error::internal(anyhow::anyhow!("the database was silent for too long")),
        }
    }
}

impl From<DieselError> for Failure {
    fn from(error: DieselError) -> Self {
        DbError::Query(error).into()
    }
}

impl From<DbError> for Failure {
    fn from(error: DbError) -> Self {
        let remedy = remedy(&error);
        Self::RolledBack(error.into(), remedy)
    }
}

/// Errors of our own code on the way: of the database where it could not be reached, else of an item that it choked on.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let remedy = match error.kind() {
            Kind::Unavailable(_) | Kind::Timeout | Kind::Throttled(_) => Remedy::TryAgain,
            _ => Remedy::FindTheItem,
        };
        Self::RolledBack(error, remedy)
    }
}

fn remedy(error: &DbError) -> Remedy {
    match error {
        DbError::Unavailable(_) | DbError::Roles(_) => Remedy::TryAgain,
        DbError::Query(error) => remedy_of_query(error),
    }
}

fn remedy_of_query(error: &DieselError) -> Remedy {
    match error {
        DieselError::DatabaseError(kind, information) => match kind {
            DatabaseErrorKind::ClosedConnection
            | DatabaseErrorKind::UnableToSendCommand
            | DatabaseErrorKind::ReadOnlyTransaction
            | DatabaseErrorKind::SerializationFailure => Remedy::TryAgain,
            // Diesel keeps the SQLSTATE to itself: what is left has to be told by its words. A missing partition is a check
            // violation to Postgres.
            _ if is_of_the_server(information.message()) => Remedy::TryAgain,
            _ => Remedy::FindTheItem,
        },
        DieselError::RollbackTransaction
        | DieselError::AlreadyInTransaction
        | DieselError::NotInTransaction
        | DieselError::BrokenTransactionManager
        | DieselError::RollbackErrorOnCommit { .. } => Remedy::TryAgain,
        _ => Remedy::FindTheItem,
    }
}

/// Messages of Postgres that are about itself and not about a row: what passes, and SQLSTATE class 42, which says that
/// schema or rights are not what this server was built for.
///
/// A Postgres that speaks another language than English is not understood here. Then an item that fails alone is tried
/// once more before it is quarantined, and the quarantine itself only succeeds when the database takes rows.
fn is_of_the_server(message: &str) -> bool {
    const BUILT_FOR_ANOTHER: [&str; 3] = ["permission denied", "does not exist", "no partition of relation"];
    passes(message) || BUILT_FOR_ANOTHER.iter().any(|words| message.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(kind: DatabaseErrorKind, message: &str) -> DbError {
        DbError::Query(DieselError::DatabaseError(kind, Box::new(message.to_owned())))
    }

    #[test]
    fn only_what_an_item_did_leads_to_an_item() {
        let unknown = |message| remedy(&query(DatabaseErrorKind::Unknown, message));
        for message in [
            "deadlock detected",
            "terminating connection due to administrator command",
            "could not extend file \"base/16384/16397\": No space left on device",
            "sorry, too many clients already",
            "canceling statement due to lock timeout",
            "the database system is in recovery mode",
            "no partition of relation \"uplink\" found for row",
            "column \"nope\" of relation \"uplink\" does not exist",
        ] {
            assert_eq!(unknown(message), Remedy::TryAgain, "{message}");
        }
        for message in
            ["invalid byte sequence for encoding \"UTF8\": 0x00", "numeric field overflow", "timestamp out of range"]
        {
            assert_eq!(unknown(message), Remedy::FindTheItem, "{message}");
        }
        let partition = "no partition of relation \"uplink\" found for row";
        assert_eq!(remedy(&query(DatabaseErrorKind::CheckViolation, partition)), Remedy::TryAgain);
        let check = query(DatabaseErrorKind::CheckViolation, "violates check constraint \"plausible\"");
        assert_eq!(remedy(&check), Remedy::FindTheItem);
        assert_eq!(remedy(&query(DatabaseErrorKind::SerializationFailure, "")), Remedy::TryAgain);
        assert_eq!(remedy(&DbError::Unavailable(String::new())), Remedy::TryAgain);
    }
}
