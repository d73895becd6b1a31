//! What errors from below become.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

use super::{Error, Kind};

/// What a violated constraint means to the caller; constraints that are not here are our own bugs.
const CONSTRAINTS: &[(&str, &str, &str)] = &[
    (
        "assignment_overlap",
        "assignment.overlap",
        "Someone else wears this device (and slot) in that period. End the other assignment first, or choose another period.",
    ),
    (
        "device_enrolment_overlap",
        "device.enrolled",
        "This unit (model and serial) is enrolled already. Its present enrolment has to end before another begins.",
    ),
    ("hub_tenant_id_model_serial_key", "hub.exists", "A hub with this model and serial exists already."),
    ("hub_device_address", "hub.address-taken", "Another device is paired with this hub under that address."),
    ("activation_overlap", "activation.overlap", "The source was active in that period already."),
];

impl From<DieselError> for Error {
    #[track_caller]
    fn from(error: DieselError) -> Self {
        match &error {
            DieselError::NotFound => Self::not_found("thing"),
            DieselError::DatabaseError(kind, information) => {
                if let Some(name) = information.constraint_name()
                    && let Some((_, code, text)) = CONSTRAINTS.iter().find(|(constraint, _, _)| *constraint == name)
                {
                    return Self::new(Kind::Conflict, code, *text).because(error);
                }
                match kind {
                    DatabaseErrorKind::ClosedConnection
                    | DatabaseErrorKind::UnableToSendCommand
                    | DatabaseErrorKind::ReadOnlyTransaction => unavailable(error),
                    DatabaseErrorKind::SerializationFailure => unavailable(error),
                    _ if information.message().starts_with("no partition of relation") => no_partition(error),
                    DatabaseErrorKind::Unknown
                        if passes(information.message()) && !is_timeout(information.message()) =>
                    {
                        unavailable(error)
                    }
                    _ if is_timeout(information.message()) => Self::new(
                        Kind::Timeout,
                        "database.timeout",
                        "The database took too long for this; ask for less.",
                    )
                    .because(error),
                    _ => Self::internal(error),
                }
            }
            _ => Self::internal(error),
        }
    }
}

impl From<db::DbError> for Error {
    #[track_caller]
    fn from(error: db::DbError) -> Self {
        match error {
            db::DbError::Query(error) => error.into(),
            db::DbError::Unavailable(_) => unavailable(error),
            db::DbError::Roles(_) => Self::internal(error),
        }
    }
}

/// Rows are partitioned by the server's receipt time: either its clock is wrong, or maintenance could not make partitions.
#[track_caller]
fn no_partition(source: DieselError) -> Error {
    Error::new(
        Kind::Unavailable(60),
        "storage.no-partition",
        "There is no room for what is received at this server's time: its clock is wrong, or its storage was not prepared (see /readyz). Nothing was stored. Send it again later.",
    )
    .because(source)
}

/// Whether a message of Postgres (in English; Diesel does not show the SQLSTATE) is about a trouble of its own that
/// passes: classes 40, 53, 55, 57 and 58, and a transaction that one of them has broken.
pub(crate) fn passes(message: &str) -> bool {
    const WORDS: [&str; 22] = [
        "deadlock detected",
        "could not serialize",
        "canceling statement",
        "lock timeout",
        "could not obtain lock",
        "too many clients",
        "too many connections",
        "remaining connection slots",
        "terminating connection",
        "the database system is",
        "server process",
        "out of memory",
        "out of shared memory",
        "No space left on device",
        "File too large",
        "could not extend file",
        "could not write",
        "could not read",
        "could not open file",
        "could not access",
        "could not fsync",
        "current transaction is aborted",
    ];
    WORDS.iter().any(|words| message.contains(words))
}

fn is_timeout(message: &str) -> bool {
    message.contains("statement timeout")
}

#[track_caller]
fn unavailable(source: impl Into<anyhow::Error>) -> Error {
    Error::new(
        Kind::Unavailable(2),
        "database.unavailable",
        "The database cannot be reached at the moment; nothing was stored. Try again.",
    )
    .because(source)
}
