//! Who this installation is: a row made once, whose id is the namespace of every identifier that leaves.

use db::Db;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Text)]
    database_identity: String,
    #[diesel(sql_type = Bool)]
    forwarding_paused: bool,
}

#[derive(QueryableByName)]
struct Identity {
    #[diesel(sql_type = Text)]
    identity: String,
}

/// The installation's id; makes the row at the first start. A database that was restored or cloned keeps the id, so that
/// what leaves keeps its identifiers, but forwarding is paused until a person says that this is the one that goes on.
///
/// # Errors
/// The database's error.
pub async fn identify(db: &Db) -> Result<Uuid, db::DbError> {
    let mut transaction = db.begin_platform().await?;
    let here: Identity = diesel::sql_query(
        "SELECT s.system_identifier::text || '/' || d.oid::text AS identity FROM pg_control_system() s, pg_database d WHERE d.datname = current_database()",
    )
    .get_result(&mut *transaction)
    .await?;
    diesel::sql_query("INSERT INTO installation (id, database_identity) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind::<SqlUuid, _>(Uuid::new_v4())
        .bind::<Text, _>(&here.identity)
        .execute(&mut *transaction)
        .await?;
    let row: Row = diesel::sql_query("SELECT id, database_identity, forwarding_paused FROM installation")
        .get_result(&mut *transaction)
        .await?;
    if row.database_identity != here.identity {
        diesel::sql_query("UPDATE installation SET forwarding_paused = true, database_identity = $1")
            .bind::<Text, _>(&here.identity)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    if row.forwarding_paused || row.database_identity != here.identity {
        tracing::warn!(
            "forwarding is paused: this database was restored or copied. When the original no longer forwards, \
             run `afferent provision resume-forwarding`"
        );
    }
    Ok(row.id)
}

/// Lets a restored installation forward again.
///
/// # Errors
/// The database's error.
pub async fn resume_forwarding(db: &Db) -> Result<(), db::DbError> {
    let mut transaction = db.begin_platform().await?;
    diesel::sql_query("UPDATE installation SET forwarding_paused = false").execute(&mut *transaction).await?;
    transaction.commit().await
}
