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
                    _ if information.message().contains("statement timeout") => Self::new(
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

#[track_caller]
fn unavailable(source: impl Into<anyhow::Error>) -> Error {
    Error::new(
        Kind::Unavailable(2),
        "database.unavailable",
        "The database cannot be reached at the moment; nothing was stored. Try again.",
    )
    .because(source)
}
